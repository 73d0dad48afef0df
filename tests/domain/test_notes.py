"""Notes: what the channels hear of that is no request."""

from __future__ import annotations

from bot.domain.events import BaselineTaken, Event, MoveObserved, MoveReverted
from bot.domain.ledger import body_of
from bot.domain.policy import Policy
from handlers.notes import Note, note_of
from tests.builders import CHAMPION, NOON, PRODUCTION, a_policy, a_rule, a_version, every_event

POLICY = a_policy(a_rule(), a_rule(target=PRODUCTION, channel="#risk"), a_rule(models="churn", channel="#models"))
EMPTIED = MoveObserved(NOON, "default", PRODUCTION, "bike-demand", None, a_version(5), "ask")


def note_for(event: Event, policy: Policy = POLICY) -> Note | None:
    body = body_of(event, 12)
    assert isinstance(body, dict)
    return note_of(type(event).__name__, body, policy)


def test_the_baseline_is_told_once_in_every_channel() -> None:
    note = note_for(BaselineTaken(NOON, "default", 12, 3))

    assert note is not None
    assert note.channels == ("#models", "#risk")
    assert note.card.summary == "Countersign is watching: 12 models watched, 3 targets held without an approval."
    assert note.card.paragraphs[-1] == (
        "Nothing is asked about what was there before. To have the holders ratified, run: countersign adopt"
    )


def test_a_target_that_nobody_holds_any_more_is_told_where_its_rule_speaks() -> None:
    note = note_for(EMPTIED)

    assert note is not None
    assert note.channels == ("#risk",)
    assert note.card.title == "Nobody holds Production"
    assert note.card.paragraphs == (
        "stage:Production of bike-demand is held by nobody: v5 was taken away without asking.",
        "To bring it back: countersign request-transition --name bike-demand --version 5 --to stage:Production",
    )


def test_an_emptied_target_that_no_rule_speaks_of_is_the_digest_s_matter() -> None:
    assert note_for(EMPTIED, a_policy(a_rule())) is None


def test_a_target_that_was_given_back_is_told_where_its_rule_speaks() -> None:
    note = note_for(MoveReverted(NOON, "default", PRODUCTION, "bike-demand", a_version(5)))

    assert note is not None
    assert note.channels == ("#risk",)
    assert note.card.summary == (
        "stage:Production of bike-demand was taken away without asking, and given back to v5, as the rule says."
    )


def test_a_move_that_the_rule_only_reports_is_told_where_its_rule_speaks() -> None:
    note = note_for(MoveObserved(NOON, "default", PRODUCTION, "bike-demand", a_version(), a_version(5), "report"))

    assert note is not None
    assert note.channels == ("#risk",)
    assert note.card.summary == "stage:Production of bike-demand went from v5 to v7 without an approval."


def test_a_move_to_a_version_is_told_by_its_own_card() -> None:
    assert note_for(MoveObserved(NOON, "default", CHAMPION, "bike-demand", a_version(), a_version(5), "ask")) is None


def test_everything_else_in_the_ledger_makes_no_note() -> None:
    others = [event for event in every_event() if not isinstance(event, BaselineTaken | MoveReverted)]

    assert [note_for(event) for event in others] == [None] * len(others)
