"""When an ask in the registry counts as taken away by a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import Ask, AskKind, Target, TargetKind
from bot.domain.registry.diff import OpenAsk
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.domain.registry.taken_away import is_taken_away, last_taken_away, why_ended
from tests.builders import CHAMPION, NOON, a_policy, a_rule, a_version
from tests.builders.custody import INTO_PROD, V1, V2, hours

CANDIDATE, TAG, STAGING = Ask(AskKind.ALIAS, "candidate"), Ask(AskKind.TAG, "ask"), Ask(AskKind.STAGE, "Staging")
SHOWN = {CANDIDATE: {"aliases": {"candidate": 1}}, TAG: {"tags": {"ask": "x"}}, STAGING: {"stage": "Staging"}}


def a_model(number: int = 1, ask: Ask | None = None, **more: int) -> ModelSnapshot:
    """Versions 1 and 2; version `number` has what `ask` is about. `more` are further aliases."""
    has = SHOWN[ask] if ask else {}
    versions = [VersionSnapshot(one, "None", {}, "s3://files", None, NOON) for one in (V2, V1)]
    of = {key: value for key, value in has.items() if key != "aliases"}
    versions = [replace(one, **of) if one.id.version == number else one for one in versions]  # type: ignore[arg-type]
    aliases = {"candidate": number} if "aliases" in has else {}
    return ModelSnapshot("default", "bike-demand", NOON, {**aliases, **more}, tuple(versions))


@pytest.mark.parametrize("ask", [CANDIDATE, TAG, STAGING])
@pytest.mark.parametrize("target", [CHAMPION, INTO_PROD])
def test_an_ask_is_taken_away_when_it_is_gone_and_not_while_it_is_there(ask: Ask, target: Target) -> None:
    asked = OpenAsk(V1, target, ask)

    assert last_taken_away([asked], a_model(), is_moving=False) == ask
    assert last_taken_away([asked], a_model(1, ask), is_moving=False) is None


@pytest.mark.parametrize("ask", [CANDIDATE, TAG, STAGING])
def test_an_ask_that_went_on_to_a_newer_version_takes_nothing_along(ask: Ask) -> None:
    assert last_taken_away([OpenAsk(V1, CHAMPION, ask)], a_model(2, ask), is_moving=False) is None
    assert last_taken_away([OpenAsk(V2, CHAMPION, ask)], a_model(1, ask), is_moving=False) == ask


def test_the_last_of_several_asks_ends_it() -> None:
    asks = [OpenAsk(V1, CHAMPION, CANDIDATE), OpenAsk(V1, CHAMPION, TAG)]

    assert last_taken_away(asks, a_model(1, TAG), is_moving=False) is None
    assert last_taken_away(asks, a_model(), is_moving=False) in (CANDIDATE, TAG)


@pytest.mark.parametrize("ask", [CANDIDATE, TAG, STAGING])
def test_an_ask_that_ends_is_told_by_what_ended_it(ask: Ask) -> None:
    asked, ruled, unruled = OpenAsk(V1, CHAMPION, ask), a_policy(a_rule()), replace(a_policy(a_rule()), rules=())

    assert why_ended(asked, a_model(), ruled) == f"bike-demand v1 no longer asks {ask}"
    assert why_ended(asked, a_model(2, ask), unruled) == f"bike-demand v1 no longer asks {ask}"
    assert why_ended(asked, a_model(1, ask), ruled) == f"the rule no longer lets bike-demand v1 ask {ask}"
    assert why_ended(asked, a_model(1, ask), unruled) == "no rule covers bike-demand v1 for alias:champion any more"


def test_a_tag_that_names_another_target_now_asks_no_longer() -> None:
    seen = a_model(1, TAG)
    elsewhere = replace(
        seen, versions=tuple(replace(one, tags={"ask": "alias:shadow"} if one.tags else {}) for one in seen.versions)
    )

    said = why_ended(OpenAsk(V1, CHAMPION, TAG), elsewhere, a_policy(a_rule()))

    assert said == f"bike-demand v1 no longer asks {TAG}"


def test_our_own_move_and_the_versions_arrival_take_nothing_away() -> None:
    asked = OpenAsk(V1, Target(TargetKind.STAGE, "Production"), STAGING)

    assert not is_taken_away(asked, a_model(), is_moving=True)
    assert not is_taken_away(OpenAsk(V1, CHAMPION, CANDIDATE), a_model(champion=1), is_moving=False)


def test_a_version_that_was_created_again_is_no_ask_that_was_taken_away() -> None:
    earlier = a_version(1, created=hours(-5))

    assert not is_taken_away(OpenAsk(earlier, CHAMPION, CANDIDATE), a_model(), is_moving=False)


def test_without_asks_or_a_model_nothing_was_taken_away() -> None:
    assert last_taken_away([], a_model(), is_moving=False) is None
    assert last_taken_away([OpenAsk(V1, CHAMPION, CANDIDATE)], None, is_moving=False) is None
