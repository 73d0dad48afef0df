"""Who held what at a moment, from the ledger's entries alone; what a person reads is in `tests/domain/queries/test_description.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain import events as e
from bot.domain.model import Placed, Target, TargetKind
from bot.domain.registry.holders import past_at, places_at
from tests.builders import CHAMPION, NOON, a_version

DAY = timedelta(days=1)
PRODUCTION = Target(TargetKind.STAGE, "Production")


def seen(days: float, version: int | None, previous: int | None, target: Target = PRODUCTION) -> e.MoveObserved:
    here, before = (a_version(number) if number else None for number in (version, previous))
    return e.MoveObserved(NOON + days * DAY, "default", target, "bike-demand", here, before, "ask")


def test_what_went_with_a_model_names_who_held_it_before() -> None:
    held = Placed(CHAMPION, a_version(7), NOON, "r1")
    gone = e.ModelGone(NOON + 2 * DAY, "default", "bike-demand", "it was deleted", (held,))

    [place] = places_at([gone], NOON + DAY)

    assert (place.version, place.since, place.request_id) == (a_version(7), NOON, "r1")
    assert places_at([gone], NOON + 3 * DAY) == ()


def test_who_is_named_by_a_later_entry_was_there_unless_it_came_in_between() -> None:
    past = past_at([seen(0, 7, None), seen(2, 8, 7), seen(3, 9, 8)], NOON + DAY)

    assert [(place.version, place.since) for place in past.holders()] == [(a_version(7), NOON)]


def test_a_ratification_says_nothing_of_who_was_there_before() -> None:
    ratified = e.TargetMoved(NOON + 2 * DAY, "r1", a_version(8), PRODUCTION, a_version(5), moved=False)

    assert list(past_at([ratified], NOON + DAY).holders()) == []


def test_a_renamed_model_keeps_both_who_was_there_and_who_came() -> None:
    renamed = e.ModelRenamed(NOON + 2.5 * DAY, "default", "bike-demand", "bikes")
    later = replace(seen(3, 9, 8), model="bikes")

    past = past_at([seen(2, 8, 7), renamed, later], NOON + DAY)

    assert [(place.model, place.version) for place in past.holders()] == [("bikes", a_version(7))]


def test_models_of_one_name_in_two_workspaces_are_two() -> None:
    theirs = replace(seen(0, 7, None, CHAMPION), workspace="theirs")

    assert [place.workspace for place in places_at([seen(0, 7, None, CHAMPION), theirs], NOON)] == ["default", "theirs"]
