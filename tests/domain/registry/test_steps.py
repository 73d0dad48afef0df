"""The next step for a place, and what each law forbids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Ask, AskKind, DecidedBy, Kind, StaleCause, State
from bot.domain.registry.arrivals import ROUNDS, step_for_arrival, step_for_restore, step_when_emptied
from bot.domain.registry.custody import custody_of, ever_approved, may_hold
from bot.domain.registry.decided import next_step
from bot.domain.registry.facts import RESTORE, Facts, Handling, Intent
from bot.domain.registry.steps import (
    Ask as AskPeople,
)
from bot.domain.registry.steps import (
    CallOff,
    CallPeople,
    CheckGuard,
    GoStale,
    Guard,
    How,
    LeaveIt,
    Move,
    Nothing,
    PutBack,
    Report,
    Restore,
    Resume,
    Settle,
    Wait,
)
from tests.builders import CHAMPION, PRODUCTION, a_version
from tests.builders.custody import (
    C1,
    C2,
    INTO_PROD,
    V1,
    V2,
    V3,
    WATCHED,
    announced,
    any_facts,
    applied,
    approved,
    hours,
    moved_by_hand,
    rejected,
    the_facts,
)

SILENT = Guard()
FROZEN = Guard(freeze="release", until=hours(48))
OBJECTS = Guard("mae was 31.5 and is 99 now", StaleCause.EVIDENCE)
guards = st.none() | st.sampled_from([SILENT, FROZEN, OBJECTS])

# Arrivals


@pytest.mark.parametrize(
    ("handling", "step"),
    [
        (Handling.IGNORE, Nothing("no rule covers it")),
        (Handling.REPORT, Report()),
        (Handling.ASK, AskPeople()),
        (Handling.REVERT, PutBack(V2, V1, How.MOVE)),
    ],
)
def test_a_foreign_arrival_is_handled_as_the_rule_says(handling: Handling, step: object) -> None:
    facts = the_facts(applied(V1, 1), holders=(V2,), handling=handling)

    assert step_for_arrival(V2, V1, facts, hours(2)) == step


def test_a_move_that_equals_our_intent_is_ours() -> None:
    request = approved(V2, 2, (V1,))
    facts = the_facts(applied(V1, 1), request, holders=(V2,), intents=(announced(request, 1, 2),))

    assert step_for_arrival(V2, V1, facts, hours(2)) == Resume(request.id)


def test_our_move_is_ours_although_another_version_had_come_after_the_last_look() -> None:
    request = approved(V2, 3, (V3,))
    ours = replace(announced(request, 3, 2), at=hours(3))
    facts = the_facts(applied(V1, 1), request, holders=(V2,), intents=(ours,), seen={V1: hours(1)})

    assert step_for_arrival(V2, V1, facts, hours(4)) == Resume(request.id)
    assert step_for_arrival(V2, V1, replace(facts, seen={V1: hours(4)}), hours(5)) == Report(request.id)


def test_another_version_of_the_same_number_is_none_of_ours() -> None:
    request, again = approved(V2, 2, (V1,)), a_version(2, created=hours(5))
    facts = the_facts(applied(V1, 1), request, holders=(again,), intents=(announced(request, 1, 2),))

    assert step_for_arrival(again, V1, facts, hours(6)) == PutBack(again, V1, How.MOVE)


def test_a_move_to_what_an_ended_request_had_announced_is_none_of_ours() -> None:
    request = approved(V2, 2, (V1,), state=State.STALE)
    facts = the_facts(applied(V1, 1), request, holders=(V2,), intents=(announced(request, 1, 2),))

    assert step_for_arrival(V2, V1, facts, hours(3)) == PutBack(V2, V1, How.MOVE)


def test_a_put_back_that_we_announced_is_ours_only_while_it_leads_to_the_lawful_holder() -> None:
    no = moved_by_hand(V2, State.REJECTED, 2)
    ours = the_facts(applied(V1, 1), no, holders=(V1,), intents=(announced(no, 2, 1),))
    later = the_facts(applied(V1, 1), no, rejected(V1, 3), holders=(V1,), intents=(announced(no, 2, 1),))

    assert step_for_arrival(V1, V2, ours, hours(4)) == Resume(no.id)
    assert step_for_arrival(V1, V2, later, hours(4)) == PutBack(V1, None, How.MOVE)


def test_a_move_by_hand_to_what_waits_for_a_freeze_is_reported_with_its_approval() -> None:
    request = approved(V2, 2, (V1,))

    assert step_for_arrival(V2, V1, the_facts(request, holders=(V2,)), hours(3)) == Report(request.id)


def test_a_move_by_hand_back_to_the_lawful_holder_is_reported_with_its_approval() -> None:
    assert step_for_arrival(V1, V2, the_facts(applied(V1, 1), holders=(V1,)), hours(3)) == Report("applied-1-1")


def test_a_rule_stops_after_three_rounds_and_people_decide() -> None:
    rounds = [moved_by_hand(V2, State.REJECTED, at, decided_by=DecidedBy.RULE) for at in range(2, 2 + ROUNDS)]
    facts = the_facts(applied(V1, 1), *rounds, holders=(V2,))

    assert isinstance(step_for_arrival(V2, V1, replace(facts, decisions=facts.decisions[:-1]), hours(6)), PutBack)
    assert isinstance(step_for_arrival(V2, V1, facts, hours(6)), AskPeople)
    assert isinstance(step_for_arrival(V2, V1, facts, hours(40)), PutBack)


def test_people_decide_where_the_lawful_holder_was_deleted() -> None:
    facts = the_facts(applied(V1, 1), holders=(V2,), there=frozenset({V2}))

    assert isinstance(step_for_arrival(V2, V1, facts, hours(2)), AskPeople)


def test_an_emptied_target_is_given_back_where_the_rule_reverts_and_its_holder_exists() -> None:
    facts = the_facts(applied(V1, 1))

    assert step_when_emptied(V1, facts, hours(2)) == Restore(V1)
    assert step_when_emptied(V1, replace(facts, there=frozenset()), hours(2)) == Report()
    assert step_when_emptied(V1, replace(facts, restored=(hours(1),) * ROUNDS), hours(2)) == Report()
    assert step_when_emptied(V1, replace(facts, handling=Handling.ASK), hours(2)) == Report()


def test_an_emptied_target_is_not_given_back_to_one_that_another_has_replaced_since() -> None:
    intent = Intent(f"{RESTORE}1", "default", "bike-demand", CHAMPION, None, 1, hours(1))

    assert step_for_restore(intent, the_facts(applied(V1, 1))) == Restore(V1)
    assert step_for_restore(intent, the_facts(applied(V1, 1), holders=(V1,))) == Settle(moved=True)
    assert isinstance(step_for_restore(intent, the_facts(applied(V1, 1), holders=(V3,))), Nothing)
    assert isinstance(step_for_restore(intent, the_facts(applied(V1, 1), applied(V2, 2))), Nothing)


# Promotions


def test_an_approval_is_moved_after_its_guard_was_read() -> None:
    request = approved(V2, 2, (V1,))
    facts = the_facts(applied(V1, 1), request, holders=(V1,))

    assert next_step(request, facts, None) == CheckGuard()
    assert next_step(request, facts, SILENT) == Move(V1)
    assert next_step(request, facts, FROZEN) == Wait(hours(48), "release")
    assert next_step(request, facts, OBJECTS) == GoStale(OBJECTS.objection, StaleCause.EVIDENCE)


def test_what_somebody_moved_there_by_hand_settles_only_after_the_guard_and_the_freeze() -> None:
    request = approved(V2, 2, (V1,))
    facts = the_facts(applied(V1, 1), request, holders=(V2,))

    assert next_step(request, facts, None) == CheckGuard()
    assert next_step(request, facts, SILENT) == Settle(moved=False)
    assert next_step(request, facts, FROZEN) == Wait(hours(48), "release")
    assert next_step(request, facts, OBJECTS) == GoStale(OBJECTS.objection, StaleCause.EVIDENCE)


def test_what_we_have_moved_ourselves_settles_although_a_freeze_has_begun_since() -> None:
    request = approved(V2, 2, (V1,))
    facts = the_facts(applied(V1, 1), request, holders=(V2,), intents=(announced(request, 1, 2),))

    assert next_step(request, facts, FROZEN) == Settle(moved=True)
    assert next_step(request, facts, OBJECTS) == GoStale(OBJECTS.objection, StaleCause.EVIDENCE)


def test_somebody_who_moves_it_right_after_our_write_makes_it_stale() -> None:
    request = approved(V2, 2, (V1,))
    facts = the_facts(request, holders=(V3,), intents=(announced(request, 1, 2),))

    assert isinstance(next_step(request, facts, SILENT), GoStale)


def test_another_holder_than_was_compared_with_makes_it_stale() -> None:
    request = approved(V2, 2, (V1,))

    step = next_step(request, the_facts(request, holders=(V3,)), SILENT)

    assert step == GoStale(
        "alias:champion changed from bike-demand v1 to bike-demand v3 after the evidence of this request was frozen",
        StaleCause.TARGET,
    )


def test_a_foreign_holder_that_was_there_at_the_vote_does_not_hold_the_approval_up() -> None:
    request = replace(approved(V3, 3, (V1,)), found=(V2,))

    assert next_step(request, the_facts(applied(V1, 1), request, holders=(V2,)), SILENT) == Move(V2)


def test_of_two_approvals_that_wait_the_newest_is_applied() -> None:
    first, second = approved(V1, 1), approved(V2, 2)
    facts = the_facts(first, second)

    assert isinstance(next_step(first, facts, SILENT), GoStale)
    assert next_step(second, facts, SILENT) == Move(None)


def test_an_approval_from_while_the_one_before_was_carried_out_is_the_later_one_and_people_are_asked_again() -> None:
    first, second = applied(V1, 1, settled_at=hours(3)), approved(V2, 2)

    step = next_step(second, the_facts(first, second, holders=(V1,)), SILENT)

    assert isinstance(step, GoStale)
    assert (step.reopen, step.cause) == (True, StaleCause.TARGET)


def test_a_stage_is_settled_only_when_the_one_before_has_left() -> None:
    request = approved(V2, 2, (V1,), target=PRODUCTION)
    facts = the_facts(request, holders=(V2, V1), target=PRODUCTION, intents=(announced(request, 1, 2),))

    assert next_step(request, facts, SILENT) == Move(V1, (V1,))
    assert next_step(request, replace(facts, holders=(V2,)), SILENT) == Settle(moved=True)


def test_a_copy_that_an_earlier_try_made_is_not_made_again() -> None:
    request = approved(V2, 2, (C1,), target=INTO_PROD)
    facts = the_facts(
        request, holders=(C2, C1), target=INTO_PROD, sources={C1: V1, C2: V2}, intents=(announced(request, 1, None),)
    )

    assert next_step(request, facts, SILENT) == Settle(moved=True)


@pytest.mark.parametrize("is_copied", [False, True])
def test_an_approval_ends_when_what_asked_for_it_was_taken_away(is_copied: bool) -> None:
    asked = {"approved-2-2": Ask(AskKind.ALIAS, "candidate")}
    request = approved(V2, 2, target=INTO_PROD if is_copied else CHAMPION)
    facts = the_facts(request, target=request.target, taken_away=asked)
    said = CallOff("bike-demand v2 no longer asks by alias candidate")

    assert next_step(request, facts, None) == said
    if is_copied:
        made = replace(facts, holders=(C2,), sources={C2: V2}, intents=(announced(request, 1, None),))
        assert next_step(request, made, SILENT) == said


# Put-backs


def test_who_was_taken_out_of_a_stage_stays_out_while_another_holds_it_by_right() -> None:
    both = (applied(V1, 1, target=PRODUCTION), moved_by_hand(V2, State.APPLIED, 2, target=PRODUCTION))
    request = moved_by_hand(V3, State.REJECTED, 3, target=PRODUCTION)

    facts = the_facts(*both, request, holders=(V3, V1), target=PRODUCTION)

    assert next_step(request, facts, None) == PutBack(V3, V1, How.MOVE)


def test_a_rejected_move_goes_back_to_the_lawful_holder_of_now() -> None:
    request = moved_by_hand(V2, State.REJECTED, 2)
    facts = the_facts(applied(V1, 1), request, holders=(V2,))

    assert next_step(request, facts, None) == PutBack(V2, V1, How.MOVE)
    later = the_facts(applied(V1, 1), request, applied(V3, 3), holders=(V2,))
    assert next_step(request, later, None) == PutBack(V2, V3, How.MOVE)


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.APPLIED])
def test_a_put_back_that_is_replayed_leaves_alone_what_was_asked_about_or_approved_since(state: State) -> None:
    request, since = moved_by_hand(V2, State.REJECTED, 2), moved_by_hand(V2, state, 4)

    assert next_step(request, the_facts(applied(V1, 1), request, since, holders=(V2,)), None) == LeaveIt()


def test_a_put_back_that_was_made_is_ours_although_people_are_asked_about_the_version_since() -> None:
    request, since = moved_by_hand(V2, State.REJECTED, 2), moved_by_hand(V2, State.COLLECTING, 4)
    ours = Intent(request.id, "default", "bike-demand", CHAMPION, 2, 1, hours(3))
    facts = the_facts(applied(V1, 1), request, since, holders=(V1,), intents=(ours,))

    assert next_step(request, facts, None) == LeaveIt(moved=True)


def test_rejecting_an_adopted_holder_moves_nothing() -> None:
    request = moved_by_hand(V1, State.REJECTED, 2, ask=Ask(AskKind.ADOPTED))

    assert next_step(request, the_facts(request, holders=(V1,), baseline={V1: WATCHED}), None) == LeaveIt()


def test_a_put_back_whose_lawful_holder_is_gone_calls_people() -> None:
    request = moved_by_hand(V2, State.REJECTED, 2)
    facts = the_facts(applied(V1, 1), request, holders=(V2,), there=frozenset({V2}))

    assert isinstance(next_step(request, facts, None), CallPeople)


def test_a_foreign_copy_is_tagged_unless_the_rule_says_delete() -> None:
    request = moved_by_hand(C2, State.REJECTED, 2, target=INTO_PROD)
    facts = the_facts(request, holders=(C2, C1), target=INTO_PROD)

    assert next_step(request, facts, None) == PutBack(C2, None, How.DENY)
    assert next_step(request, replace(facts, deletes_copies=True), None) == PutBack(C2, None, How.DELETE)


@pytest.mark.parametrize(
    "changes",
    [
        {"baseline": {C2: WATCHED}},
        {"spared": frozenset({C2})},
        {"watched_since": None},
        {"watched_since": hours(3)},
        {"decisions": (approved(C2, 1, target=INTO_PROD, state=State.CALLED_OFF),)},
        {"decisions": (applied(V2, 1, target=INTO_PROD),), "sources": {C2: V2}},
    ],
    ids=[
        "baseline",
        "baseline by the ledger",
        "never watched",
        "came before the watch",
        "approved once",
        "copied from what was approved",
    ],
)
def test_no_copy_is_deleted_that_came_before_the_watch_or_that_was_ever_approved(changes: dict[str, Any]) -> None:
    request = moved_by_hand(C2, State.REJECTED, 2, target=INTO_PROD)
    facts = the_facts(request, holders=(C2, C1), target=INTO_PROD, deletes_copies=True)
    known = replace(facts, **{**changes, "decisions": (*changes.get("decisions", ()), request)})

    assert next_step(request, known, None) == PutBack(C2, None, How.DENY)


# Laws


@given(any_facts(), guards)
def test_law_1_a_version_is_deleted_only_by_the_rule_when_it_came_later_and_no_one_ever_approved_it(
    facts: Facts, guard: Guard | None
) -> None:
    for request in facts.decisions:
        step = next_step(request, facts, guard)
        if isinstance(step, PutBack) and step.how is How.DELETE:
            assert facts.deletes_copies
            assert facts.watched_since is not None
            assert step.away_from not in facts.baseline
            assert step.away_from.created >= facts.watched_since
            assert not ever_approved(step.away_from, facts)


@given(any_facts(), guards)
def test_law_1_no_lawful_holder_is_ever_put_back(facts: Facts, guard: Guard | None) -> None:
    for request in facts.decisions:
        step = next_step(request, facts, guard)
        if isinstance(step, PutBack):
            assert request.state is State.REJECTED
            approvals = [one for one in facts.about(step.away_from) if one.state is State.APPLIED]
            assert all(one.opened_at < request.opened_at for one in approvals)


@given(any_facts())
def test_law_2_no_arrival_of_baseline_is_put_back_by_rule(facts: Facts) -> None:
    for version in facts.baseline:
        if may_hold(version, facts):
            step = step_for_arrival(version, None, facts, hours(100))

            assert not isinstance(step, PutBack | AskPeople)


@given(any_facts(), guards)
def test_law_4_nothing_settles_or_moves_without_the_whole_guard(facts: Facts, guard: Guard | None) -> None:
    for request in facts.decisions:
        step = next_step(request, facts, guard)
        if isinstance(step, Settle | Move):
            assert guard is not None
            assert not guard.objection


@given(any_facts())
def test_law_4_every_move_by_hand_under_a_rule_is_recorded(facts: Facts) -> None:
    for version in facts.holders:
        step = step_for_arrival(version, None, replace(facts, intents=()), hours(100))

        assert isinstance(step, Report | AskPeople | PutBack) or facts.handling is Handling.IGNORE


@given(any_facts())
def test_law_9_a_freeze_holds_moves_and_never_a_put_back(facts: Facts) -> None:
    for request in facts.decisions:
        frozen, free = (next_step(request, facts, guard) for guard in (FROZEN, SILENT))

        assert not isinstance(frozen, Move) or facts.intents
        if request.kind is Kind.OBSERVED:
            assert frozen == free


@given(any_facts())
def test_law_9_of_several_approvals_only_the_newest_can_move(facts: Facts) -> None:
    waiting = [one for one in facts.decisions if one.state is State.APPROVED and one.kind is not Kind.OBSERVED]
    movable = [one for one in waiting if isinstance(next_step(one, facts, SILENT), Move | Settle)]

    assert movable in ([], waiting[-1:])


@given(any_facts())
def test_law_15_a_rule_never_puts_back_a_fourth_time_within_a_day(facts: Facts) -> None:
    now = hours(8)
    rounds = [one for one in facts.decisions if one.state is State.REJECTED and one.kind is Kind.OBSERVED]
    by_rule = sum(1 for one in rounds if one.decided_by is DecidedBy.RULE) + len(facts.restored)

    for version in facts.holders:
        step = step_for_arrival(version, None, facts, now)
        assert not (isinstance(step, PutBack) and by_rule >= ROUNDS)


@given(any_facts())
def test_a_put_back_and_a_restore_lead_to_the_lawful_holder_alone(facts: Facts) -> None:
    lawful = {*custody_of(facts).lawful, None}

    for request in facts.decisions:
        step = next_step(request, facts, SILENT)
        assert not isinstance(step, PutBack) or step.to in lawful
    restored = step_when_emptied(None, facts, hours(8))
    assert not isinstance(restored, Restore) or restored.to == custody_of(facts).way_back
