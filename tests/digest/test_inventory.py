"""Who held what when the week ended, although the registry has gone on since: renamed, deleted, shared and copied."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest.figures import FindingKind
from bot.domain.model import Ask, AskKind, Kind, Placed, Target, TargetKind, VersionId
from bot.domain.policy.rules import DigestPlan
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from handlers.digest.closing import frozen, gathered
from tests.builders import CHAMPION, a_version, a_vote, an_evidence, opened
from tests.fixtures.digest_figures import (
    DAY,
    HOUR,
    MONDAY,
    PERIOD,
    OnlyTheLedger,
    OnMonday,
    of,
    promoted,
    record,
    told,
    use_policy,
)
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

PRODUCTION = Target(TargetKind.STAGE, "Production")
COPIES = Target(TargetKind.MODEL, "prod.bike")
LATER = PERIOD.ends + HOUR


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    services = OnlyTheLedger(Store(engine, jobs, OnMonday(), {}, read_policy))
    use_policy(services, policy_text("bike-*"), MONDAY - 300 * DAY)
    return services


def put(
    s: Services, *versions: VersionId, target: Target = CHAMPION, at: datetime = MONDAY, request_id: str | None = None
) -> None:
    with s.store.transaction() as tx:
        first = versions[0]
        tx.registry.put_placements(first.workspace, first.model, target, versions, at, request_id)


def held(s: Services) -> list[tuple[str, int, str]]:
    return [
        (one.version.workspace, one.version.version, one.request_id or one.decided) for one in told(s).inventory.shown
    ]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_list_of_its_own_has_every_holding_and_says_what_is_wrong_with_it(s: Services) -> None:
    for number in range(203):
        put(s, a_version(1, f"bike-{number:03}"))

    row = frozen(gathered(PERIOD, s), DigestPlan("0 9 * * mon", "Europe/Madrid"), s)

    listed = rows(row.holdings)
    assert [one["model"] for one in listed] == [f"bike-{number:03}" for number in range(203)]
    assert {one["concerns"] for one in listed} == {FindingKind.HELD_WITHOUT_APPROVAL}
    assert len(told(s).inventory.shown) == 200


def test_the_list_of_its_own_has_every_request_that_waits(s: Services) -> None:
    for number in range(203):
        record(s, opened(f"r{number:03}", at=MONDAY, version=a_version(number + 1)))

    week = gathered(PERIOD, s)

    assert [one["request_id"] for one in rows(week.waiting)] == [f"r{number:03}" for number in range(203)]
    assert (len(week.digest.waiting.shown), week.digest.waiting.total) == (200, 203)


def test_a_model_that_was_deleted_afterwards_is_told_with_what_it_held(s: Services) -> None:
    put(s, a_version(7), at=MONDAY - DAY)
    record(s, e.BaselineTaken(MONDAY - DAY, "default", 1, 1))
    with s.store.transaction() as tx:
        tx.registry.forget_model("default", "bike-demand")
    gone = Placed(CHAMPION, a_version(7), MONDAY - DAY, None), Placed(PRODUCTION, a_version(8), LATER, None)
    record(s, e.ModelGone(LATER + HOUR, "default", "bike-demand", "it was deleted", gone))

    [holding] = told(s).inventory.shown

    assert (holding.version, holding.target, holding.since) == (a_version(7), CHAMPION, None)


def test_a_model_that_was_deleted_and_created_again_is_told_as_it_was(s: Services) -> None:
    promoted(s, a_version(7), MONDAY)
    with s.store.transaction() as tx:
        tx.registry.forget_model("default", "bike-demand")
    record(s, e.ModelGone(LATER, "default", "bike-demand", "it was deleted and created again"))
    promoted(s, a_version(1, created=LATER), LATER, request_id="r2")

    assert held(s) == [("default", 7, "r1")]


def test_an_entry_of_before_the_placements_were_kept_names_nobody(s: Services) -> None:
    record(s, e.ModelGone(LATER, "default", "bike-demand", "it was deleted"))

    assert held(s) == []


def test_a_stage_that_two_versions_held_keeps_both(s: Services) -> None:
    put(s, a_version(7), a_version(5), target=PRODUCTION, at=MONDAY)
    put(s, a_version(8), target=PRODUCTION, at=LATER, request_id="r1")
    record(
        s,
        opened("r1", at=MONDAY, version=a_version(8), target=PRODUCTION, requester=None),
        e.RequestApproved(LATER, "r1", ("cy",), "sha256:1"),
        e.TargetMoved(LATER, "r1", a_version(8), PRODUCTION, a_version(7), moved=True, besides=(a_version(5),)),
    )

    assert [number for _, number, _ in held(s)] == [7, 5]


def test_who_came_to_a_stage_and_left_it_after_the_week_was_not_there(s: Services) -> None:
    promoted(s, a_version(7, created=MONDAY), MONDAY, PRODUCTION)
    for hour, version, previous in ((1, 8, 7), (2, 9, 8)):
        moved = a_version(version), a_version(previous, created=MONDAY if previous == 7 else a_version().created)
        record(s, e.MoveObserved(PERIOD.ends + hour * HOUR, "default", PRODUCTION, "bike-demand", *moved, "ask"))
        put(s, a_version(version), target=PRODUCTION, at=PERIOD.ends + hour * HOUR)

    assert held(s) == [("default", 7, "r1")]


def test_every_copy_in_a_target_model_stays_when_another_one_arrives(s: Services) -> None:
    copies = [replace(a_version(number), model="prod.bike") for number in (1, 2, 3)]
    for number, at in ((1, MONDAY), (2, MONDAY + DAY), (3, LATER)):
        original, request_id = a_version(number + 6), f"r{number}"
        previous = copies[number - 2] if number > 1 else None
        record(s, opened(request_id, at=at, version=original, target=COPIES, requester=None))
        record(s, e.RequestApproved(at, request_id, ("cy",), "sha256:1"))
        record(s, e.TargetMoved(at, request_id, original, COPIES, previous, moved=True))
        put(s, *copies[:number], target=COPIES, at=at, request_id=request_id)

    assert held(s) == [("default", 8, "r2"), ("default", 7, "r1")]


def test_models_of_one_name_in_two_workspaces_are_two(s: Services) -> None:
    ours, theirs = (replace(a_version(), workspace=workspace) for workspace in ("team-a", "team-b"))
    put(s, ours)
    put(s, theirs)
    record(s, e.MoveObserved(LATER, "team-a", CHAMPION, "bike-demand", replace(ours, version=8), ours, "ask"))

    assert [workspace for workspace, _, _ in held(s)] == ["team-a", "team-b"]


def test_what_was_adopted_after_the_week_was_held_in_it_without_an_approval(s: Services) -> None:
    put(s, a_version(7), at=MONDAY, request_id="r1")
    record(
        s,
        opened("r1", at=LATER, kind=Kind.OBSERVED, ask=Ask(AskKind.ADOPTED), requester=None),
        e.EvidenceFrozen(LATER, "r1", an_evidence(), None, "sha256:1"),
        e.VoteCast(LATER, "r1", a_vote("cy", at=LATER, rule_hash="sha256:1")),
        e.RequestApproved(LATER, "r1", ("cy",), "sha256:1"),
        e.TargetMoved(LATER, "r1", a_version(7), CHAMPION, None, moved=False),
    )

    assert held(s) == [("default", 7, "nobody")]


@pytest.mark.parametrize("target", [CHAMPION, PRODUCTION])
def test_what_was_approved_anew_after_the_week_was_held_by_the_approval_before(s: Services, target: Target) -> None:
    version = a_version(7, created=MONDAY)
    promoted(s, version, MONDAY, target)
    promoted(s, version, PERIOD.ends, target, "r2")
    with s.store.transaction() as tx:
        tx.registry.approve_placement(version, "bike-demand", target, "r2")

    assert held(s) == [("default", 7, "r1")]


def test_a_move_back_by_hand_to_who_was_approved_says_by_whom(s: Services) -> None:
    first, second = a_version(7, created=MONDAY), a_version(8, created=MONDAY)
    promoted(s, first, MONDAY)
    record(s, e.MoveObserved(MONDAY + DAY, "default", CHAMPION, "bike-demand", second, first, "ask"))
    record(s, opened("r2", at=MONDAY + DAY, version=second, kind=Kind.OBSERVED, requester=None))
    record(s, e.RequestWithdrawn(MONDAY + 2 * DAY, "r2", "moved on"))
    record(s, e.MoveObserved(MONDAY + 2 * DAY, "default", CHAMPION, "bike-demand", first, second, "ask"))

    asked, back = of(told(s), FindingKind.MOVED_WITHOUT_APPROVAL)

    assert "countersign adopt" in asked
    assert back.endswith(
        "It was approved for this target before, by unknown on 2026-03-02 00:30 UTC+01:00, and that approval counts again. "
        "No action is needed."
    )
    assert held(s) == [("default", 7, "r1")]


def test_what_the_rule_gave_back_needs_nothing_more(s: Services) -> None:
    promoted(s, a_version(7), MONDAY)
    record(s, e.MoveObserved(MONDAY + DAY, "default", CHAMPION, "bike-demand", None, a_version(7), "revert"))
    record(s, e.MoveReverted(MONDAY + DAY + HOUR, "default", CHAMPION, "bike-demand", a_version(7)))
    record(s, e.MoveObserved(MONDAY + 2 * DAY, "default", CHAMPION, "bike-demand", None, a_version(7), "revert"))

    first, second = of(told(s), FindingKind.MOVED_WITHOUT_APPROVAL)

    assert first.endswith("The rule put bike-demand v7 back on 2026-03-03 01:00 UTC+01:00. No action is needed.")
    assert second.endswith("No approved version holds it, unless it was set again since.")
