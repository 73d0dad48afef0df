"""A freeze holds back all approvals, and says until when. Then they are applied, if nothing has changed.

That a freeze never blocks a rollback is tested in `test_rollback`; a shortened freeze, in `tests/e2e/policy/test_activation.py`.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.domain.events import ApprovalHeld, FreezeEnded, TargetMoved
from bot.domain.model import DecidedBy, State, TransitionRequest
from bot.domain.text import format_utc
from handlers.policy.kill_switch import person_named, switch_fast_track
from tests.fixtures.installation import Installation

FORGED = """
insert into requests (id, state, kind, workspace, model, version, version_created, target, opened_at, body)
select 'forged', state, kind, 'default', 'another-model', version, version_created, target, opened_at - interval '1 day',
    (body::jsonb || cast(:body as jsonb))::text from requests where id = :id
"""
BY_FIGURES = "fast_track: {mode: on, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


def in_days(installation: Installation, days: int) -> datetime:
    return (installation.clock.now() + timedelta(days=days)).replace(second=0, microsecond=0)


def window(begins: datetime, ends: datetime) -> str:
    return f"[{{from: '{begins:%Y-%m-%d %H:%M}', until: '{ends:%Y-%m-%d %H:%M}'}}]"


def freeze(installation: Installation, *, extra: str = "", **freezes: str) -> None:
    """Puts freezes in force, each with its content, for the one rule; `extra` are more lines of the rule."""
    named, written = ", ".join(freezes), ", ".join(f"{name}: {{{windows}}}" for name, windows in freezes.items())
    installation.use_policy(extra=f"freezes: [{named}]\n{extra}".rstrip(), top=f"freezes: {{{written}}}")
    installation.settle()


def freeze_for_days(installation: Installation, days: int, extra: str = "") -> datetime:
    """One freeze that has been on since yesterday; returns when it ends."""
    ends = in_days(installation, days)
    freeze(installation, extra=extra, release=f"deny: {window(in_days(installation, -1), ends)}")
    return ends


def go_to(installation: Installation, when: datetime) -> None:
    """The clock comes by at that moment."""
    installation.clock.ahead += when - installation.clock.now()
    installation.sweep("thaw_approvals")


def approved(installation: Installation) -> TransitionRequest:
    request = installation.asked()
    installation.approve(request)
    return installation.reread(request)


def test_an_approval_in_a_freeze_waits_says_until_when_and_is_applied_when_it_ends(installation: Installation) -> None:
    ends = freeze_for_days(installation, 4)

    request = installation.asked()
    before = installation.card(request).all_text
    installation.approve(request)
    waiting = installation.card(request).all_text
    go_to(installation, ends - timedelta(minutes=1))
    just_before = installation.reread(request).state, installation.champion()
    go_to(installation, ends)

    assert f"Freeze (release) until {format_utc(ends)}: an approval takes effect after that." in before
    assert "Approved, waiting for the freeze to end" in waiting
    assert f"champion moves when the freeze (release) ends, on {format_utc(ends)}." in waiting
    assert f"champion moves when the freeze (release) ends, on {format_utc(ends)}." in installation.comments(request)
    assert "when the freeze has ended" in installation.told("bea")
    assert just_before == (State.APPROVED, None)
    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == 1
    assert installation.ticket_status(request) == "Done"
    assert installation.happened(ApprovalHeld, FreezeEnded, TargetMoved) == [
        "ApprovalHeld",
        "FreezeEnded",
        "TargetMoved",
    ]
    assert installation.unfinished() == []


def test_what_is_denied_stays_denied_though_it_is_allowed_as_well(installation: Installation) -> None:
    ends = in_days(installation, 2)
    every_day = "allow: [{days: [mon, tue, wed, thu, fri, sat, sun]}]"
    freeze(installation, release=f"deny: {window(in_days(installation, -1), ends)}, {every_day}")

    request = approved(installation)

    assert (request.state, request.frozen_until) == (State.APPROVED, ends)
    assert installation.champion() is None


def test_an_approval_that_another_freeze_takes_over_says_the_end_of_that_one(installation: Installation) -> None:
    yesterday, tomorrow, first, second = (in_days(installation, days) for days in (-1, 1, 2, 4))
    freeze(installation, release=f"deny: {window(yesterday, first)}", audit=f"deny: {window(tomorrow, second)}")
    request = approved(installation)

    go_to(installation, first)
    taken_over = installation.reread(request).state, installation.card(request).all_text
    go_to(installation, second)

    assert request.frozen_until == first
    assert taken_over[0] is State.APPROVED
    assert f"champion moves when the freeze (audit) ends, on {format_utc(second)}." in taken_over[1]
    assert installation.champion() == 1


def test_what_the_fast_track_approved_waits_as_well(installation: Installation) -> None:
    ends = freeze_for_days(installation, 2, BY_FIGURES)

    request = installation.asked()
    waiting = installation.card(request)
    go_to(installation, ends)

    assert (request.state, request.decided_by) == (State.APPROVED, DecidedBy.FAST_TRACK)
    assert "Approved by the fast track, waiting for the freeze to end" in waiting.all_text
    assert list(waiting.buttons) == ["call_off"]
    assert installation.reread(request).state is State.APPLIED


def test_what_the_fast_track_approved_is_left_to_people_when_it_is_switched_off_before_the_freeze_ends(
    installation: Installation,
) -> None:
    ends = freeze_for_days(installation, 2, BY_FIGURES)
    request = installation.asked()

    switch_fast_track(False, person_named("ana@example.com", installation.s), "mae looks forged", installation.s)
    go_to(installation, ends)

    why = "the fast track was switched off before its decision was applied"
    assert installation.reread(request).state is State.STALE
    assert why in installation.card(request).all_text
    assert why in installation.comments(request)
    assert installation.champion() is None
    (fresh,) = installation.requests(State.PENDING)
    assert "Not auto-approved, because the fast track is switched off; all thresholds are met" in installation.details(
        fresh
    )
    installation.approve(fresh)
    assert installation.reread(fresh).decided_by is DecidedBy.PEOPLE
    assert installation.champion() == 1


def test_what_changes_during_a_freeze_is_not_applied_after_it(installation: Installation) -> None:
    ends = freeze_for_days(installation, 2)
    request = approved(installation)

    installation.mlflow.log_metric(installation.run_of(1), "mae", 12.5, step=1)
    go_to(installation, ends)

    assert installation.reread(request).state is State.STALE
    assert "mae was 31.5 and is 12.5 now" in installation.card(request).all_text
    assert installation.champion() is None
    assert [fresh.follows for fresh in installation.requests(State.PENDING)] == [request.id]


def test_a_freeze_whose_end_nobody_can_see_is_recorded_once(installation: Installation) -> None:
    """The end is computed for some years ahead only, so it moves with every check."""
    freeze(installation, for_ever="deny: [{from: '2020-01-01 00:00', until: '2099-01-01 00:00'}]")
    request = approved(installation)

    for _ in range(3):
        go_to(installation, installation.clock.now() + timedelta(minutes=1))

    assert installation.reread(request).state is State.APPROVED
    assert len(installation.entries(ApprovalHeld)) == 1


@pytest.mark.parametrize("body", [{"id": "nowhere"}, {"id": "forged"}])
def test_a_row_that_was_forged_keeps_no_other_approval_frozen(body: dict[str, str], installation: Installation) -> None:
    installation.promoted()
    ends = freeze_for_days(installation, 4)
    request = approved(installation)
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text(FORGED), {"id": request.id, "body": json.dumps(body)})

    go_to(installation, ends + timedelta(minutes=1))
    installation.sweep("thaw_approvals")
    installation.settle_once()

    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == 2
