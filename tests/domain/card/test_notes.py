"""Notes: what the channels hear of that is no request."""

from __future__ import annotations

import pytest

from bot.domain.events import (
    BaselineTaken,
    Event,
    FastTrackSwitched,
    LookalikeSeen,
    ModelGone,
    ModelReadable,
    ModelRenamed,
    ModelUnreadable,
    MoveObserved,
    MoveReverted,
    PolicyActivated,
    PolicyRefused,
    RegistryDoubted,
    RegistryTrusted,
)
from bot.domain.ledger.chain import body_of
from bot.domain.policy.rules import Policy
from bot.domain.registry.watch_events import HolderLeft
from handlers.notify.announcements import Note, note_of
from handlers.notify.sample_notes import SAMPLES, sample_notes
from tests.builders import CHAMPION, NOON, PRODUCTION, a_policy, a_rule, a_version, every_event

POLICY = a_policy(a_rule(), a_rule(target=PRODUCTION, channel="#risk"), a_rule(models="churn", channel="#models"))
ANA, BEN = "a" * 32, "b" * 32
NAMES = {ANA: "Ana Ruiz"}
EMPTIED = MoveObserved(NOON, "default", PRODUCTION, "bike-demand", None, a_version(5), "ask")


def note_for(event: Event, policy: Policy = POLICY) -> Note | None:
    body = body_of(event, 12)
    assert isinstance(body, dict)
    return note_of(type(event).__name__, body, policy, NAMES)


@pytest.mark.parametrize(
    ("models", "held", "said"),
    [
        (1, 1, "1 model, 1 target"),
        (0, 0, "0 models, 0 targets"),
        (1200, 2, "1,200 models, 2 targets"),
    ],
)
def test_a_count_has_the_noun_that_fits(models: int, held: int, said: str) -> None:
    note = note_for(BaselineTaken(NOON, "default", models, held))

    assert note
    assert said in note.card.summary


def test_there_is_a_sample_of_every_note() -> None:
    kinds = [kind for kind, _ in SAMPLES]

    notes = list(sample_notes(POLICY))

    assert len(notes) == len(kinds)
    told = {kind for kind in {type(event).__name__ for event in every_event()} if is_told(kind)}
    assert told <= set(kinds)
    assert list(sample_notes(a_policy(rules=()))) == []


def is_told(kind: str) -> bool:
    return any(type(event).__name__ == kind and note_for(event) is not None for event in every_event())


def test_the_baseline_is_told_once_in_every_channel() -> None:
    note = note_for(BaselineTaken(NOON, "default", 12, 3))

    assert note is not None
    assert note.channels == ("#models", "#risk")
    assert note.card.summary == "Countersign is running: 12 models, 3 targets without an approval."
    assert note.card.paragraphs[-1] == (
        "Existing versions need no approval; to have them approved retroactively, run: countersign adopt"
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


def test_an_emptied_target_that_the_rule_gives_back_is_told_at_once() -> None:
    note = note_for(MoveObserved(NOON, "default", PRODUCTION, "bike-demand", None, a_version(5), "revert"))

    assert note is not None
    assert note.channels == ("#risk",)
    assert note.card.summary == "stage:Production of bike-demand is held by nobody: v5 was taken away without asking."
    assert "The rule gives it back to its lawful holder" in note.card.paragraphs[-1]


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


def test_a_move_by_hand_to_a_version_that_is_approved_is_told_all_the_same() -> None:
    note = note_for(MoveObserved(NOON, "default", PRODUCTION, "bike-demand", a_version(), a_version(5), "approved"))

    assert note is not None
    assert note.card.summary == (
        "stage:Production of bike-demand was moved by hand from v5 to v7. v7 is approved for it."
    )


def test_a_version_that_leaves_a_stage_in_which_another_stays_is_told() -> None:
    note = note_for(HolderLeft(NOON, "default", PRODUCTION, "bike-demand", a_version(), a_version(5)))

    assert note is not None
    assert note.card.summary == "v7 left stage:Production of bike-demand without a request; v5 still holds it."


def test_a_new_policy_is_told_with_its_changes_and_the_names_of_people() -> None:
    changes = (f"group risk: person:{ANA} was added", f"group risk: person:{BEN} was removed")

    note = note_for(PolicyActivated(NOON, 2, "sha256:2", "policy.yaml", changes))

    assert note is not None
    assert note.channels == POLICY.channels()
    assert note.card.title == "The policy has changed"
    assert note.card.paragraphs == (
        "A new policy is in force, 2 changes, from policy.yaml.",
        "• group risk: Ana Ruiz was added\n• group risk: someone was removed",
        "Votes under a rule that has changed count no longer; the cards say which, and whoever cast them may vote again.",
    )


def test_a_policy_that_changes_nothing_makes_no_note() -> None:
    assert note_for(PolicyActivated(NOON, 1, "sha256:1", "policy.yaml")) is None


def test_a_long_list_of_changes_is_cut_and_says_so() -> None:
    changes = tuple(f"people: person:{ANA} was added" for _ in range(20))

    note = note_for(PolicyActivated(NOON, 2, "sha256:2", "policy.yaml", changes))

    assert note is not None
    assert note.card.paragraphs[1].splitlines()[-1] == "• and 5 more"
    assert len(note.card.paragraphs[1].splitlines()) == 16


def test_a_broken_policy_is_told_with_its_mistakes_and_what_to_do() -> None:
    mistake = f"policy.yaml line 14: the quorum is 2 but group risk has one person, person:{ANA}."

    note = note_for(PolicyRefused(NOON, "sha256:3", "policy.yaml", (mistake,)))

    assert note is not None
    assert note.channels == POLICY.channels()
    assert note.card.paragraphs == (
        "A new policy was refused, 1 mistake, from policy.yaml. The one before stays in force.",
        "• policy.yaml line 14: the quorum is 2 but group risk has one person, Ana Ruiz.",
        "Fix it and check it with: countersign policy check policy.yaml",
    )


@pytest.mark.parametrize(
    ("event", "title", "said"),
    [
        (
            FastTrackSwitched(NOON, on=False, person=ANA, reason="mae looks forged"),
            "The fast track is off",
            "Ana Ruiz switched the fast track off, for all rules. Reason: mae looks forged",
        ),
        (
            FastTrackSwitched(NOON, on=True, person=BEN, reason=""),
            "The fast track is on",
            "someone switched the fast track on, for all rules.",
        ),
    ],
    ids=["off", "on"],
)
def test_the_kill_switch_is_told_in_every_channel(event: Event, title: str, said: str) -> None:
    note = note_for(event)

    assert note is not None
    assert note.channels == POLICY.channels()
    assert (note.card.title, note.card.summary) == (title, said)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (ModelGone(NOON, "default", "churn", "it was deleted or renamed"), "churn is gone: it was deleted or renamed."),
        (ModelRenamed(NOON, "default", "churn", "a\nb"), r"churn is called a\nb now."),
        (
            ModelUnreadable(NOON, "default", "churn", "MLflow answers 403", NOON),
            "cannot look at the registered model churn",
        ),
        (ModelReadable(NOON, "default", "churn", NOON), "churn can be read again."),
        (
            LookalikeSeen(NOON, "default", "churn", "alias", "Candidate", "candidate", 3),
            "churn v3 has the alias 'Candidate', and the rule waits for 'candidate'.",
        ),
    ],
    ids=["gone", "renamed", "unreadable", "readable", "lookalike"],
)
def test_what_becomes_of_a_model_is_told_in_the_channels_of_its_rules(event: Event, said: str) -> None:
    note = note_for(event)

    assert note is not None
    assert note.channels == ("#models",)
    assert said in note.card.summary


def test_a_model_that_no_rule_speaks_of_goes_without_an_announcement() -> None:
    note = note_for(ModelGone(NOON, "default", "other", "it was deleted or renamed"))

    assert note is not None
    assert note.channels == ()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (RegistryDoubted(NOON, "default", "3 of 3 models are missing: a, b, c.", 3, 3), "3 of 3 models are missing"),
        (RegistryTrusted(NOON, "default", NOON), "What was missing in the registry is there again."),
        (RegistryTrusted(NOON, "default", NOON, ANA, "a new server"), "Ana Ruiz has accepted the registry"),
    ],
    ids=["doubted", "back", "accepted"],
)
def test_whether_the_registry_is_believed_is_told_in_every_channel(event: Event, said: str) -> None:
    note = note_for(event)

    assert note is not None
    assert note.channels == POLICY.channels()
    assert said in note.card.summary


def test_everything_else_in_the_ledger_makes_no_note() -> None:
    told = BaselineTaken | MoveReverted | PolicyActivated | PolicyRefused | FastTrackSwitched | HolderLeft
    about_the_registry = (
        ModelGone | ModelRenamed | ModelUnreadable | ModelReadable | RegistryDoubted | RegistryTrusted | LookalikeSeen
    )
    others = [event for event in every_event() if not isinstance(event, told | about_the_registry)]

    assert [note_for(event) for event in others] == [None] * len(others)
