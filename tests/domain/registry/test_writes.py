"""Which writes in the registry asked for a request, so that who wrote them may not decide it."""

from __future__ import annotations

import pytest

from bot.domain.model import Ask, AskKind, Kind, Target, TargetKind
from bot.domain.registry.writes import MOST_NAMES, RegistryWrite, WriteAct, asks
from tests.builders import CHAMPION, NOON, PRODUCTION
from tests.builders.custody import INTO_PROD, V1

STAGING, CANDIDATE, TAG = Ask(AskKind.STAGE, "Staging"), Ask(AskKind.ALIAS, "candidate"), Ask(AskKind.TAG, "ask")
BY_HAND = Ask(AskKind.OBSERVED)


def a_write(act: WriteAct, *names: str) -> RegistryWrite:
    return RegistryWrite("w1", NOON, "ana", "basic auth", act, "default", "bike-demand", 1, names)


def asked(write: RegistryWrite, ask: Ask, target: Target = CHAMPION) -> bool:
    kind = Kind.OBSERVED if ask.kind is AskKind.OBSERVED else Kind.PROMOTION
    return asks(write, V1, target, ask, kind)


@pytest.mark.parametrize("name", ["Staging", "staging", "STAGING"])
def test_a_stage_is_asked_for_and_moved_in_whatever_case_mlflow_takes_it(name: str) -> None:
    assert asked(a_write(WriteAct.SET_STAGE, name), STAGING)
    assert asked(a_write(WriteAct.SET_STAGE, name), BY_HAND, Target(TargetKind.STAGE, "Staging"))
    assert not asked(a_write(WriteAct.SET_STAGE, name), BY_HAND, PRODUCTION)


@pytest.mark.parametrize("name", ["Candidate", "candidaté", "ｃandidate", "candidate "])
def test_an_alias_that_a_database_takes_for_the_one_that_asks_is_that_one(name: str) -> None:
    assert asked(a_write(WriteAct.SET_ALIAS, name), CANDIDATE)
    assert not asked(a_write(WriteAct.SET_ALIAS, "another"), CANDIDATE)


def test_a_version_with_more_tags_than_are_reported_may_have_the_one_that_asks() -> None:
    others = [f"tag-{number}" for number in range(MOST_NAMES)]

    assert asked(a_write(WriteAct.CREATE_VERSION, *others), TAG)
    assert not asked(a_write(WriteAct.CREATE_VERSION, *others[1:]), TAG)


def test_who_copies_a_version_into_a_target_model_has_moved_it_there() -> None:
    assert asked(a_write(WriteAct.CREATE_VERSION), BY_HAND, INTO_PROD)
