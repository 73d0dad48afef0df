"""Who approved what a rollback brought back: people, the fast track or, behind several rollbacks, who approved it first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.commands.reading.deciders import holder_approved_by
from bot.domain.model import DecidedBy, Kind, TransitionRequest, VersionId
from bot.domain.queries.description import approval_text
from bot.domain.request.approvals import approval_behind
from tests.builders import PRODUCTION, RULE_HASH, a_version, a_vote
from tests.builders.custody import V1, V2, applied, hours

NAMES = {"dan": "Dan Day", "cy": "Cy Lindqvist", "x": "x@example.com"}
VOTES = (a_vote("dan", rule_hash=RULE_HASH), a_vote("cy", rule_hash=RULE_HASH))
FIRST = applied(V1, 1, votes=VOTES)


def back_to(version: VersionId, at: float, **changes: object) -> TransitionRequest:
    usual = applied(version, at, kind=Kind.ROLLBACK, decided_by=DecidedBy.RULE, requester="x", away_from=V2)
    return replace(usual, **changes)  # type: ignore[arg-type]


HISTORIES = {
    "one rollback": [FIRST, applied(V2, 2)],
    "a rollback behind a rollback": [FIRST, applied(V2, 2), back_to(V1, 3), applied(V2, 4)],
    "an approval for another target": [FIRST, applied(V1, 2, target=PRODUCTION, votes=())],
    "an approval after it": [FIRST, applied(V1, 9, votes=())],
    "another version with its number": [FIRST, applied(a_version(1, created=hours(2)), 2, votes=())],
}


@pytest.mark.parametrize("history", HISTORIES)
def test_list_page_and_digest_name_the_people_who_approved_a_restored_version(history: str) -> None:
    found = approval_behind(back_to(V1, 5), HISTORIES[history])

    assert found.request == FIRST
    assert found.at == FIRST.decided_at
    assert (
        approval_text(found, NAMES)
        == "approved by Dan Day and Cy Lindqvist on 2026-03-02 13:00 UTC, restored by a rollback of x@example.com"
    )
    assert holder_approved_by(found, NAMES) == "Dan Day, Cy Lindqvist (restored by a rollback of x@example.com)"


def test_the_newest_of_two_approvals_counts_and_the_fast_track_is_named_too() -> None:
    by_figures = applied(V1, 3, decided_by=DecidedBy.FAST_TRACK)

    found = approval_behind(back_to(V1, 5), [FIRST, by_figures, applied(V2, 4)])

    assert found.request == by_figures
    assert approval_text(found, NAMES).startswith("approved by the fast track on ")


@pytest.mark.parametrize(
    "request_",
    [FIRST, back_to(V1, 5, decided_by=DecidedBy.PEOPLE, votes=VOTES), applied(V1, 5, decided_by=DecidedBy.FAST_TRACK)],
)
def test_every_other_approval_stands_for_itself(request_: TransitionRequest) -> None:
    assert approval_behind(request_, [FIRST]).request == request_
    assert approval_behind(request_, [FIRST]).restored_by is None


def test_a_rollback_to_what_no_one_approved_before_is_said_to_be_the_rules() -> None:
    assert approval_text(approval_behind(back_to(V1, 5), []), NAMES) == "approved by the rule"
