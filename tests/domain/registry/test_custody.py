"""What holds a target, by what right, and who it goes back to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given

from bot.domain.model import Ask, AskKind, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.registry.custody import Basis, custody_of, ever_approved, lawful_holders, left_by, may_hold
from bot.domain.registry.facts import Facts
from tests.builders import CHAMPION, PRODUCTION, a_version
from tests.builders.custody import (
    C1,
    C2,
    C3,
    INTO_PROD,
    V1,
    V2,
    V3,
    announced,
    any_facts,
    applied,
    approved,
    hours,
    moved_by_hand,
    rejected,
    the_facts,
)


def basis(facts: Facts) -> list[Basis]:
    return [holding.basis for holding in custody_of(facts).holdings]


def test_a_version_that_was_approved_and_applied_holds_by_that_approval() -> None:
    (holding,) = custody_of(the_facts(applied(V1, 1), holders=(V1,))).holdings

    assert (holding.basis, holding.request_id) == (Basis.APPROVED, "applied-1-1")


@pytest.mark.parametrize(
    ("state", "expected"),
    [(State.APPLIED, Basis.RATIFIED), (State.PENDING, Basis.FOREIGN), (State.REJECTED, Basis.FOREIGN)],
)
def test_a_move_by_hand_is_foreign_until_it_is_ratified(state: State, expected: Basis) -> None:
    facts = the_facts(applied(V1, 1), moved_by_hand(V2, state, 2), holders=(V2,))

    assert basis(facts) == [expected]


def test_what_our_open_intent_leads_to_is_in_flight() -> None:
    request = approved(V2, 2, (V1,))

    facts = the_facts(applied(V1, 1), request, holders=(V2,), intents=(announced(request, 1, 2),))

    assert basis(facts) == [Basis.IN_FLIGHT]


def test_what_was_there_when_the_watch_began_is_baseline() -> None:
    assert basis(the_facts(holders=(V1,), baseline={V1: hours(0)})) == [Basis.BASELINE]


def test_baseline_that_people_are_asked_to_ratify_is_adopted() -> None:
    adopted = moved_by_hand(V1, State.PENDING, 1, ask=Ask(AskKind.ADOPTED))

    assert basis(the_facts(adopted, holders=(V1,), baseline={V1: hours(0)})) == [Basis.ADOPTED]


def test_baseline_that_was_replaced_by_a_decision_is_foreign_when_it_returns_by_hand() -> None:
    facts = the_facts(applied(V2, 1), holders=(V1,), baseline={V1: hours(0)})

    assert basis(facts) == [Basis.FOREIGN]
    assert not may_hold(V1, facts)


def test_baseline_that_people_rejected_stays_and_is_foreign_when_it_returns_by_hand() -> None:
    no = moved_by_hand(V1, State.REJECTED, 1, ask=Ask(AskKind.ADOPTED))
    stands = the_facts(no, holders=(V1,), baseline={V1: hours(0)}, seen={V1: hours(0)})

    assert basis(stands) == [Basis.BASELINE]
    assert may_hold(V1, stands)
    assert not may_hold(V1, replace(stands, seen={}))
    assert basis(replace(stands, seen={V1: hours(2)})) == [Basis.FOREIGN]


def test_a_copy_is_approved_through_the_request_for_its_source() -> None:
    request = applied(V1, 1, target=INTO_PROD, copies=(C1,))

    facts = the_facts(request, holders=(C2, C1), target=INTO_PROD, sources={C1: V1, C2: V1})

    assert basis(facts) == [Basis.FOREIGN, Basis.APPROVED]


def test_an_older_copy_stays_approved_when_the_newest_is_deleted() -> None:
    first, second = (applied(v, at, target=INTO_PROD, copies=(c,)) for v, at, c in ((V1, 1, C1), (V2, 2, C2)))

    assert basis(the_facts(first, second, holders=(C1,), target=INTO_PROD)) == [Basis.APPROVED]


def test_two_that_were_ratified_in_a_stage_hold_it_together_until_a_promotion_takes_it() -> None:
    both = (applied(V1, 1, target=PRODUCTION), moved_by_hand(V2, State.APPLIED, 2, target=PRODUCTION))
    promoted = applied(V3, 3, target=PRODUCTION)

    assert basis(the_facts(*both, holders=(V2, V1), target=PRODUCTION)) == [Basis.RATIFIED, Basis.APPROVED]
    assert basis(the_facts(*both, promoted, holders=(V3, V1), target=PRODUCTION)) == [Basis.APPROVED, Basis.FOREIGN]


# What an approval leaves behind that has ended


def test_an_approval_that_ended_leaves_the_version_that_somebody_has_moved_meanwhile() -> None:
    ended = approved(V2, 2, state=State.STALE)

    assert left_by(ended, None, the_facts(applied(V1, 1), ended, holders=(V2,))) == (V2,)
    assert left_by(ended, None, the_facts(applied(V2, 1), ended, holders=(V2,))) == ()


def test_an_approval_that_ended_leaves_the_copies_that_it_has_made() -> None:
    first = applied(V1, 1, target=INTO_PROD, copies=(C1,))
    ended = approved(V2, 2, (C1,), target=INTO_PROD, state=State.CALLED_OFF)
    facts = the_facts(first, ended, holders=(C3, C2, C1), target=INTO_PROD)
    asked = moved_by_hand(C3, State.PENDING, 3, target=INTO_PROD)

    assert left_by(ended, None, facts) == ()
    assert left_by(ended, announced(ended, 1, None), facts) == (C3, C2)
    assert left_by(ended, announced(ended, 1, None), replace(facts, decisions=(first, ended, asked))) == (C2,)


# The way back


def test_a_target_goes_back_to_the_newest_that_was_approved() -> None:
    facts = the_facts(applied(V1, 1), applied(V2, 2), moved_by_hand(V3, State.PENDING, 3), holders=(V3,))

    assert custody_of(facts).way_back == V2


def test_without_any_approval_a_target_goes_back_to_its_baseline() -> None:
    assert custody_of(the_facts(holders=(V3,), baseline={V1: hours(0)})).way_back == V1


def test_a_holder_of_a_time_under_report_is_no_place_to_go_back_to_while_one_was_approved() -> None:
    facts = the_facts(applied(V1, 1), holders=(V3,), baseline={V2: hours(5)})

    assert custody_of(facts).way_back == V1
    assert may_hold(V2, facts)


@pytest.mark.parametrize(
    ("backup", "approved_since", "expected"),
    [(2, (), V2), (0, (), V1), (2, (applied(V3, 6),), V3), (2, (applied(V3, 6), rejected(V3, 7)), V2)],
)
def test_what_an_admin_accepted_after_a_restore_takes_the_place_of_what_the_backup_knows(
    backup: int, approved_since: tuple[TransitionRequest, ...], expected: VersionId
) -> None:
    facts = the_facts(applied(V1, 1), *approved_since, baseline={V2: hours(5)}, accepted_backup=hours(backup))

    assert custody_of(facts).way_back == expected
    assert may_hold(V1, facts) is (expected == V1)


@pytest.mark.parametrize("target", [CHAMPION, PRODUCTION])
@pytest.mark.parametrize(
    ("known", "baseline"),
    [
        ((applied(V1, 1),), {}),
        ((), {V1: hours(0)}),
        ((applied(V1, 1),), {V1: hours(0)}),
        ((applied(V1, 1),), {V2: hours(1)}),
    ],
)
def test_a_place_that_no_one_held_when_an_admin_accepted_goes_back_to_no_one(
    known: tuple[TransitionRequest, ...], baseline: dict[VersionId, datetime], target: Target
) -> None:
    known = tuple(replace(one, target=target) for one in known)
    facts = the_facts(*known, holders=(V3,), target=target, baseline=baseline, accepted_backup=hours(2))

    assert custody_of(facts).way_back is None
    assert not any(may_hold(version, facts) for version in (V1, V2, V3))


def test_what_is_approved_after_the_place_was_accepted_as_empty_is_its_way_back() -> None:
    facts = the_facts(applied(V1, 1), applied(V2, 6), holders=(V3,), accepted_backup=hours(2))

    assert custody_of(facts).way_back == V2


def test_a_copy_in_a_target_model_gives_way_to_no_restore() -> None:
    facts = the_facts(
        applied(V1, 1, target=INTO_PROD, copies=(C1,)), holders=(C1,), target=INTO_PROD, accepted_backup=hours(2)
    )

    assert may_hold(C1, facts)


def test_what_failed_and_was_rolled_back_is_no_way_back() -> None:
    back = applied(V1, 3, kind=Kind.ROLLBACK, away_from=V2)

    assert lawful_holders(the_facts(applied(V1, 1), applied(V2, 2), back)) == (V1,)


def test_what_people_rejected_later_is_no_way_back() -> None:
    facts = the_facts(applied(V1, 1), applied(V2, 2), rejected(V2, 3), rejected(V1, 4), holders=(V3,))

    assert custody_of(facts).way_back is None


# Laws


@given(any_facts())
def test_law_3_the_answer_is_the_same_under_a_new_name(facts: Facts) -> None:
    renamed = _renamed(facts)

    before, after = custody_of(facts), custody_of(renamed)

    assert [one.basis for one in before.holdings] == [one.basis for one in after.holdings]
    assert [one.version for one in before.lawful] == [one.version for one in after.lawful]


@given(any_facts())
def test_law_3_what_other_holders_come_and_go_changes_nothing_about_one(facts: Facts) -> None:
    for holding in custody_of(facts).holdings:
        alone = custody_of(replace(facts, holders=(holding.version,)))

        assert alone.of(holding.version) == holding


@given(any_facts())
def test_law_8_the_champion_of_the_fast_track_is_lawful(facts: Facts) -> None:
    custody = custody_of(facts)

    assert custody.champion is None or may_hold(custody.champion, facts) or custody.champion in custody.lawful
    holding = custody.of(custody.champion) if custody.champion else None
    assert holding is None or holding.basis.is_lawful or custody.champion == custody.way_back


@given(any_facts())
def test_law_7_no_way_leads_back_to_what_people_rejected_last(facts: Facts) -> None:
    for version in lawful_holders(facts):
        newest = max(
            (one for one in facts.about(version) if one.state in (State.APPLIED, State.REJECTED)),
            key=lambda one: one.opened_at,
            default=None,
        )
        by_people = newest is not None and newest.decided_by != "rule" and newest.version == version

        assert not (by_people and newest is not None and newest.state is State.REJECTED)


def _renamed(facts: Facts) -> Facts:
    """The same place under another name, as its facts are gathered after the rename."""
    if facts.model != "bike-demand":
        return facts

    def anew(version):  # type: ignore[no-untyped-def]
        return replace(version, model="bikes") if version is not None else None

    return replace(
        facts,
        model="bikes",
        holders=tuple(map(anew, facts.holders)),
        there=frozenset(map(anew, facts.there)),
        decisions=tuple(replace(one, version=anew(one.version)) for one in facts.decisions),
        baseline={anew(version): at for version, at in facts.baseline.items()},
    )


def test_a_version_of_the_same_name_and_number_is_another_one() -> None:
    again = a_version(1, created=hours(9))

    assert basis(the_facts(applied(V1, 1), holders=(again,))) == [Basis.FOREIGN]


@pytest.mark.parametrize("state", [State.APPROVED, State.APPLIED, State.STALE, State.CALLED_OFF])
def test_an_approval_protects_a_copy_whatever_came_of_it(state: State) -> None:
    asked = replace(approved(V1, 1), state=state, target=INTO_PROD)
    facts = the_facts(asked, holders=(C1,), target=INTO_PROD, model=C1.model, sources={C1: V1})

    assert ever_approved(C1, facts)
