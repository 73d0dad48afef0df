"""Which ticket a request names, and what ours becomes to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.card.details import named_text
from bot.domain.card.sentences import CardContext
from bot.domain.events import AskJoined
from bot.domain.model import Ask, AskKind
from bot.domain.references import NamedTicket, Relation, SeenTicket, TicketPlan
from bot.domain.request.evolution import evolve
from bot.domain.request.named_tickets import chosen, names_in, related
from tests.builders import a_request, an_evidence

PLAN = TicketPlan("GOV", "Task", "Done", "Rejected", relation=Relation.SUBTASK, relation_type="Sub-task")
LINKED = replace(PLAN, relation=Relation.LINK, relation_type="Relates")
OF_TWO = replace(LINKED, relation_projects=("ML", "OPS"))
GOOD = NamedTicket("ML-2", Relation.LINK, in_request=True)
BAD = NamedTicket("HR-1", Relation.NONE, in_request=True, trouble="it is in HR")
WORSE = NamedTicket("ML-9", Relation.NONE, in_request=False, trouble="it was not found")


@pytest.mark.parametrize(
    ("comment", "description", "names"),
    [
        ("JIRA-4521: retrained on May data", "", [("JIRA-4521", True)]),
        ("for ML-1 and ML-2, again ML-1", "made for ML-3", [("ML-1", True), ("ML-2", True), ("ML-3", False)]),
        ("https://jira.example.com/browse/ML-7.", "", [("ML-7", True)]),
        ("(ML_OPS2-12)", "", [("ML_OPS2-12", True)]),
        ("UTF-8 and ML-3", "", [("UTF-8", True), ("ML-3", True)]),
        ("ml-12, M-1, ML-0, ML-01, ML-1x, xML-1, A-ML-1, ML-1-2, ML--1, ML-", "", []),
        ("ML-1234567890123", "", []),
        ("", "", []),
        (" ".join(f"ML-{number}" for number in range(1, 9)), "", [(f"ML-{number}", True) for number in range(1, 6)]),
        ("x" * 5000 + " ML-1", "", []),
    ],
)
def test_a_name_has_the_form_of_jiras_keys_and_the_requests_come_first(
    comment: str, description: str, names: list[tuple[str, bool]]
) -> None:
    request = replace(a_request(comment=comment), evidence=replace(an_evidence(), description=description))

    assert list(names_in(request)) == names


@pytest.mark.parametrize(
    ("plan", "seen", "relation", "trouble"),
    [
        (PLAN, SeenTicket("GOV-1", True, "GOV-1", "GOV"), Relation.SUBTASK, ""),
        (PLAN, SeenTicket("OLD-1", True, "GOV-1", "GOV"), Relation.SUBTASK, ""),
        (PLAN, SeenTicket("ML-1", True, "ML-1", "ML"), Relation.NONE, "it is not in GOV, and a sub-task must be"),
        (PLAN, SeenTicket("GOV-2", True, "GOV-2", "GOV", True), Relation.NONE, "it is a sub-task itself"),
        (PLAN, SeenTicket("GOV-9", True), Relation.NONE, "it was not found, or the bot's account may not see it"),
        (LINKED, SeenTicket("GOV-1", True, "GOV-1", "GOV"), Relation.LINK, ""),
        (
            LINKED,
            SeenTicket("ML-1", True, "ML-1", "ML"),
            Relation.NONE,
            "it is in ML, and the policy has it linked only",
        ),
        (
            LINKED,
            SeenTicket("GOV-1", True, "HR-7", "HR"),
            Relation.NONE,
            "it is in HR, and the policy has it linked only",
        ),
        (OF_TWO, SeenTicket("ML-1", True, "ML-1", "ML"), Relation.LINK, ""),
        (OF_TWO, SeenTicket("OLD-1", True, "OPS-4", "OPS"), Relation.LINK, ""),
        (
            OF_TWO,
            SeenTicket("GOV-1", True, "GOV-1", "GOV"),
            Relation.NONE,
            "it is in GOV, and the policy has it linked",
        ),
        (LINKED, SeenTicket("GOV-2", True, "GOV-2", "GOV", True), Relation.LINK, ""),
        (LINKED, SeenTicket("ML-9", True), Relation.NONE, "it was not found"),
    ],
)
def test_only_a_ticket_that_is_there_and_fits_gets_a_relation(
    plan: TicketPlan, seen: SeenTicket, relation: Relation, trouble: str
) -> None:
    named = related(plan, seen, in_request=True)

    assert named.relation is relation
    assert named.trouble.startswith(trouble)
    assert bool(named.trouble) is bool(trouble)
    assert named.key == (seen.key or seen.name)


@pytest.mark.parametrize(
    ("found", "key", "refused"),
    [
        ([], "", ()),
        ([GOOD, BAD], "ML-2", ()),
        ([BAD, WORSE, GOOD], "ML-2", ("HR-1: it is in HR", "ML-9: it was not found")),
        ([BAD, WORSE], "HR-1", ("ML-9: it was not found",)),
    ],
)
def test_the_first_that_fits_is_taken_and_what_was_refused_is_said_too(
    found: list[NamedTicket], key: str, refused: tuple[str, ...]
) -> None:
    named = chosen(found)

    assert (named.key, named.refused) == (key, refused) if named else key == ""
    said = named_text(named, a_request(), CardContext({}, None)) if named else ""
    assert all(one in said for one in refused)


def test_what_one_who_joined_may_have_written_is_not_said_to_be_the_requesters() -> None:
    by_ben = a_request(requester="ben", comment="")
    ask = Ask(AskKind.API)

    joined = evolve(by_ben, AskJoined(by_ben.opened_at, by_ben.id, "mal", ask, "for GOV-1"))
    told = named_text(NamedTicket("GOV-1", Relation.LINK, in_request=True), joined, CardContext({"ben": "Ben"}, None))

    assert (joined.requester, joined.comment) == ("ben", "for GOV-1")
    assert told == "GOV-1, named by one of those who asked in the request; linked to this request's ticket"


def test_it_is_said_who_named_it_because_anyone_can_write_any_name() -> None:
    by_ben = a_request(requester="ben")
    context = CardContext({"ben": "Ben Okafor"}, None)

    told = [
        named_text(NamedTicket("GOV-1", Relation.SUBTASK, in_request=True), by_ben, context),
        named_text(NamedTicket("GOV-1", Relation.LINK, in_request=True), replace(by_ben, requester=None), context),
        named_text(NamedTicket("GOV-1", Relation.NONE, False, "it was not found"), by_ben, context),
    ]

    assert told == [
        "GOV-1, named by Ben Okafor in the request; this request's ticket is its sub-task",
        "GOV-1, named by someone unknown in the request; linked to this request's ticket",
        "GOV-1, named in the version's description, by someone with access to MLflow; "
        "not related to this request's ticket: it was not found",
    ]
