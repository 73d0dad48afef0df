"""Which version a target goes back to, and which one has failed there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.model import (
    Artifacts,
    Ask,
    AskKind,
    DecidedBy,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.rules import RollbackBy
from bot.domain.request.rollback import (
    TAG_LIMIT,
    failed_tag,
    failing,
    failure_of,
    needs_no_vote,
    rejection_of,
    ways_back,
)
from tests.builders import NOON, PRODUCTION, a_request, a_rule, a_version, an_evidence

V1, V2, V3 = a_version(1), a_version(2), a_version(3)
DRIFT = "predictions drifted."


def history(*requests: TransitionRequest) -> list[TransitionRequest]:
    """One an hour, as they were decided and settled."""
    return [
        replace(
            request,
            id=f"request-{hour}",
            settled_at=NOON + timedelta(hours=hour),
            decided_at=NOON + timedelta(hours=hour),
        )
        for hour, request in enumerate(requests)
    ]


def promoted(version: VersionId, previous: VersionId | None = None, **changes: Any) -> TransitionRequest:
    return a_request(State.APPLIED, version=version, previous=previous, **changes)


def rolled_back(away_from: VersionId, to: VersionId, **changes: Any) -> TransitionRequest:
    asked: dict[str, Any] = {"kind": Kind.ROLLBACK, "ask": Ask(AskKind.ROLLBACK), "comment": DRIFT}
    return promoted(to, away_from, away_from=away_from, **(asked | changes))


def refused(version: VersionId, hour: float, **changes: Any) -> TransitionRequest:
    at = NOON + timedelta(hours=hour)
    return a_request(State.REJECTED, id=f"refused-{hour}", version=version, opened_at=at, decided_at=at, **changes)


# Where a target goes back to


def test_a_target_goes_back_to_the_version_approved_last_before_its_holder() -> None:
    applied = history(promoted(V1), promoted(V2, V1), promoted(V3, V2))

    assert ways_back(V3, applied) == (V2, V1)


def test_what_was_promoted_anew_counts_by_its_latest_approval() -> None:
    applied = history(promoted(V1), promoted(V2), promoted(V3), promoted(V1))

    assert ways_back(V1, applied) == (V3, V2)


def test_a_version_that_failed_is_passed_over() -> None:
    applied = history(promoted(V1), promoted(V2), rolled_back(V2, V1), promoted(V3))

    assert ways_back(V3, applied) == (V1,)


def test_a_version_that_was_approved_again_after_it_failed_is_a_way_back() -> None:
    applied = history(promoted(V1), promoted(V2), rolled_back(V2, V1), promoted(V2), promoted(V3))

    assert ways_back(V3, applied) == (V2, V1)


def test_who_was_there_before_anybody_was_asked_is_the_last_resort() -> None:
    applied = history(promoted(V2, previous=V1))

    assert ways_back(V2, applied) == (V1,)


@pytest.mark.parametrize(
    "applied",
    [
        [],
        [promoted(V2)],
        [promoted(V2, previous=V2)],
        [promoted(V2, previous=a_version(1, "prod.bike-demand"))],
        [promoted(V2, previous=V1), rolled_back(V1, V2)],
    ],
    ids=["nothing applied", "nobody before", "itself before", "a copy before", "failed before"],
)
def test_there_may_be_no_way_back(applied: list[TransitionRequest]) -> None:
    assert ways_back(V2, history(*applied)) == ()


def test_a_version_of_the_same_number_made_anew_is_another_one() -> None:
    made_anew = a_version(2, created=NOON + timedelta(days=1))

    assert ways_back(made_anew, history(promoted(V2))) == (V2,)


# Which version has failed


def test_a_failure_is_told_with_the_target_the_time_and_the_reason() -> None:
    applied = history(promoted(V2), rolled_back(V2, V1))

    assert failure_of(V2, applied) == "rolled back from champion on 2026-03-02 13:00 UTC: predictions drifted"
    assert failure_of(V1, applied) == ""


def test_an_approval_after_the_rollback_ends_the_failure() -> None:
    applied = history(promoted(V2), rolled_back(V2, V1), promoted(V2))

    assert failure_of(V2, applied) == ""
    assert failing(V2, applied) is None


@pytest.mark.parametrize("kind", [Kind.OBSERVED, Kind.PROMOTION])
def test_an_approval_from_before_the_rollback_does_not_end_the_failure_when_it_is_settled_after_it(kind: Kind) -> None:
    first, rollback, approval = history(promoted(V1), rolled_back(V2, V1), promoted(V2, kind=kind))
    before = replace(approval, decided_at=NOON + timedelta(minutes=30))

    assert failing(V2, [first, rollback, approval]) is None
    assert failing(V2, [first, rollback, before]) == rollback


def test_the_way_forward_again_may_fail_again() -> None:
    applied = history(promoted(V2), rolled_back(V2, V1), promoted(V2), rolled_back(V2, V1, comment="worse still"))

    assert failure_of(V2, applied).endswith(": worse still")


def test_the_mark_names_the_request_and_the_reason() -> None:
    assert failed_tag(V2, history(promoted(V2), rolled_back(V2, V1))) == f"request-1: {DRIFT}"


def test_the_mark_fits_into_a_tag() -> None:
    long = history(rolled_back(V2, V1, comment="x" * 2 * TAG_LIMIT))

    assert len(failed_tag(V2, long)) == TAG_LIMIT


def test_an_approval_for_one_target_leaves_the_failure_in_another() -> None:
    applied = history(rolled_back(V2, V1), rolled_back(V2, V1, target=PRODUCTION), promoted(V2, target=PRODUCTION))

    assert failed_tag(V2, applied) == f"request-0: {DRIFT}"


def test_a_version_that_stands_failed_nowhere_has_no_mark() -> None:
    applied = history(rolled_back(V2, V1), promoted(V2), promoted(V3, target=Target(TargetKind.ALIAS, "shadow")))

    assert failed_tag(V2, applied) == ""


# Votes, or none


@pytest.mark.parametrize(
    ("changes", "rollback", "was_approved", "at_once"),
    [
        ({}, RollbackBy.RULE, True, True),
        ({}, RollbackBy.RULE, False, False),
        ({}, RollbackBy.VOTES, True, False),
        ({"ask": Ask(AskKind.UNDO)}, RollbackBy.VOTES, True, True),
        ({"ask": Ask(AskKind.UNDO)}, RollbackBy.VOTES, False, False),
        ({"failed_before": "rolled back from champion"}, RollbackBy.RULE, True, False),
        ({"kind": Kind.PROMOTION}, RollbackBy.RULE, True, False),
    ],
)
def test_only_what_people_have_approved_before_needs_no_vote(
    changes: dict[str, Any], rollback: RollbackBy, was_approved: bool, at_once: bool
) -> None:
    asked: dict[str, Any] = {"kind": Kind.ROLLBACK, "ask": Ask(AskKind.ROLLBACK), "away_from": V2}
    request = a_request(**(asked | changes))

    assert needs_no_vote(request, a_rule(rollback=rollback), was_approved=was_approved) is at_once


# What people rejected since


def test_what_people_rejected_after_it_was_approved_is_no_way_back() -> None:
    of_two = {"evidence": an_evidence(artifacts=Artifacts("sha256:2", 1, 1))}
    decided = [*history(promoted(V1), promoted(V2, **of_two), promoted(V3)), refused(V2, 5, **of_two)]

    assert ways_back(V3, decided) == (V1,)
    assert rejection_of(V2, decided) == decided[-1]


def test_what_was_approved_again_after_a_rejection_is_a_way_back() -> None:
    decided = [
        *history(promoted(V1), promoted(V2)),
        refused(V1, 5),
        promoted(V1, id="again", settled_at=NOON + timedelta(hours=6)),
    ]

    assert rejection_of(V1, decided) is None


def test_the_same_bytes_rejected_under_another_number_are_no_way_back() -> None:
    bytes_of = {"evidence": an_evidence(artifacts=Artifacts("sha256:a", 1, 1))}
    others = {"evidence": an_evidence(artifacts=Artifacts("sha256:b", 1, 1))}
    decided = [*history(promoted(V1, **bytes_of), promoted(V2, **others)), refused(V3, 5, **bytes_of)]

    assert ways_back(V2, decided) == ()


def test_neither_is_what_was_rejected_under_another_number_when_its_files_could_not_be_read() -> None:
    read = {"evidence": an_evidence(artifacts=Artifacts("sha256:a", 1, 1), source="models:/m-1", run_id="r-1")}
    unread = {"evidence": an_evidence(artifacts=None, source="models:/m-1", run_id="r-1")}
    others = {"evidence": an_evidence(artifacts=Artifacts("sha256:b", 1, 1), source="models:/m-2", run_id="r-2")}
    decided = [*history(promoted(V1, **read), promoted(V2, **others)), refused(V3, 5, **unread)]

    assert ways_back(V2, decided) == ()


def test_a_rule_that_put_a_move_back_says_nothing_about_the_version() -> None:
    by_rule = refused(V1, 5, kind=Kind.OBSERVED, decided_by=DecidedBy.RULE)

    assert rejection_of(V1, [*history(promoted(V1), promoted(V2)), by_rule]) is None
