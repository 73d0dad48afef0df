"""What is news about a registered model, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Ask, AskKind, Target, TargetKind
from bot.domain.policy.rules import Policy
from bot.domain.registry.diff import (
    Known,
    Left,
    Move,
    News,
    OpenAsk,
    compare,
    fingerprint,
    open_asks,
    ruled_places,
    watched_holders,
)
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from tests.builders import (
    BY_ALIAS,
    CHAMPION,
    NOON,
    PRODUCTION,
    a_policy,
    a_rule,
    a_seen_model,
    a_seen_version,
    a_version,
)

BY_TAG = Ask(AskKind.TAG, "countersign.ask")
BY_STAGE = Ask(AskKind.STAGE, "Staging")
BY_CREATION = Ask(AskKind.NEW_VERSION)
COPIED = "models:/bike-demand-dev/3"
NOTHING = Known(baseline=0, newest=0)
POLICY = a_policy()


def asking(ask: Ask, number: int = 7, target: Target = CHAMPION) -> OpenAsk:
    return OpenAsk(a_version(number), target, ask)


def known_after(news: News, seen: ModelSnapshot, known: Known) -> Known:
    """What the story remembers when it has acted on the news."""
    newest = max((version.id.version for version in seen.versions), default=0)
    asks = (known.asks - frozenset(news.no_longer_asked)) | frozenset(news.asked) | frozenset(news.muted)
    placements = dict(known.placements) | dict.fromkeys((move.target for move in news.moves), ()) | dict(news.holders)
    return Known(known.baseline, newest, {place: held for place, held in placements.items() if held}, asks)


# Moves by hand of what is judged anew


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        (5, [Move(CHAMPION, a_version(5), None)]),
        (None, [Move(CHAMPION, None, a_version(5))]),
        (6, [Move(CHAMPION, a_version(6), a_version(5))]),
    ],
    ids=["it is there still", "the target was emptied", "another took its place"],
)
def test_a_placement_whose_approval_has_ended_is_news_whether_it_stays_or_leaves(
    now: int | None, moved: list[Move]
) -> None:
    versions = (a_seen_version(5), a_seen_version(6))
    seen = a_seen_model(*versions, aliases={} if now is None else {"champion": now})
    known = Known(6, 6, {CHAMPION: (a_version(5),)}, unjudged=frozenset({(CHAMPION, a_version(5))}))

    assert list(compare(seen, known, POLICY).moves) == moved


@pytest.mark.parametrize(
    ("stages", "moved", "left"),
    [
        ({5: "Production", 6: "Production"}, [Move(PRODUCTION, a_version(5), a_version(6))], []),
        ({6: "Production"}, [], [Left(PRODUCTION, a_version(5), a_version(6))]),
        ({}, [Move(PRODUCTION, None, a_version(6))], []),
    ],
    ids=["it is there still", "it left alone", "all left"],
)
def test_so_it_is_beside_others_in_a_stage(stages: dict[int, str], moved: list[Move], left: list[Left]) -> None:
    seen = a_seen_model(*(a_seen_version(number, stage=stages.get(number, "None")) for number in (5, 6)))
    known = Known(6, 6, {PRODUCTION: (a_version(6), a_version(5))}, unjudged=frozenset({(PRODUCTION, a_version(5))}))

    news = compare(seen, known, a_policy(a_rule(target=PRODUCTION)))

    assert (list(news.moves), list(news.left)) == (moved, left)


# Asking


def test_setting_the_asking_alias_asks_once() -> None:
    seen = a_seen_model(a_seen_version(), aliases={"candidate": 7})

    news = compare(seen, NOTHING, POLICY)

    assert news.asked == (asking(BY_ALIAS),)
    assert compare(seen, known_after(news, seen, NOTHING), POLICY).asked == ()


def test_moving_the_asking_alias_asks_for_the_new_and_takes_the_old_wish_away() -> None:
    known = replace(NOTHING, newest=8, asks=frozenset({asking(BY_ALIAS, 7)}))
    seen = a_seen_model(a_seen_version(7), a_seen_version(8), aliases={"candidate": 8})

    news = compare(seen, known, POLICY)

    assert (news.asked, news.no_longer_asked) == ((asking(BY_ALIAS, 8),), (asking(BY_ALIAS, 7),))


def test_the_asking_alias_is_no_place_to_be_in() -> None:
    seen = a_seen_model(a_seen_version(), aliases={"candidate": 7, "champion": 7})

    assert set(watched_holders(seen, POLICY)) == {CHAMPION}


def test_an_alias_that_asks_for_one_target_and_is_another_is_watched() -> None:
    shadow = Target(TargetKind.ALIAS, "candidate")
    policy = a_policy(a_rule(), a_rule(target=shadow, ask_on=(BY_TAG,)))
    seen = a_seen_model(a_seen_version(), aliases={"candidate": 7})

    assert watched_holders(seen, policy) == {shadow: (a_version(),)}


@pytest.mark.parametrize(
    ("value", "asks"),
    [
        ("", True),
        ("yes", True),
        ("https://example.com/why", True),
        ("alias:champion", True),
        ("alias: champion ", True),
        ("alias:shadow", False),
        ("stage:Production", False),
        ("alias:", True),
    ],
)
def test_a_tag_asks_for_what_its_value_names_or_for_what_the_rule_says(value: str, asks: bool) -> None:
    seen = a_seen_model(a_seen_version(tags={"countersign.ask": value}))

    assert bool(compare(seen, NOTHING, POLICY).asked) is asks


def test_a_tag_that_came_with_a_copy_is_muted_for_good() -> None:
    seen = a_seen_model(a_seen_version(tags={"countersign.ask": "yes"}, source=COPIED))

    news = compare(seen, NOTHING, POLICY)

    assert (news.asked, news.muted) == ((), (asking(BY_TAG),))
    assert compare(seen, known_after(news, seen, NOTHING), POLICY).asked == ()


def test_a_tag_that_is_set_on_a_copy_later_asks() -> None:
    seen = a_seen_model(a_seen_version(tags={"countersign.ask": "yes"}, source=COPIED))

    news = compare(seen, replace(NOTHING, newest=7), POLICY)

    assert news.asked == (asking(BY_TAG),)


def test_an_alias_set_on_a_copy_asks_at_first_sight() -> None:
    seen = a_seen_model(a_seen_version(source=COPIED), aliases={"candidate": 7})

    assert compare(seen, NOTHING, POLICY).asked == (asking(BY_ALIAS),)


@pytest.mark.parametrize("source", ["models:/m-4f2", "mlflow-artifacts:/0/run/artifacts/model", "s3://models/bike"])
def test_what_was_logged_and_not_copied_keeps_its_tag(source: str) -> None:
    seen = a_seen_model(a_seen_version(tags={"countersign.ask": "yes"}, source=source))

    assert compare(seen, NOTHING, POLICY).asked == (asking(BY_TAG),)


def test_who_holds_the_target_already_asks_for_nothing() -> None:
    seen = a_seen_model(a_seen_version(), aliases={"candidate": 7, "champion": 7})

    news = compare(seen, NOTHING, POLICY)

    assert (news.asked, news.muted) == ((), (asking(BY_ALIAS),))


def test_a_stage_asks_while_the_version_is_in_it() -> None:
    policy = a_policy(a_rule(ask_on=(BY_STAGE,)))
    known = replace(NOTHING, asks=frozenset({asking(BY_STAGE)}))

    arrived = compare(a_seen_model(a_seen_version(stage="Staging")), NOTHING, policy)
    left = compare(a_seen_model(a_seen_version(stage="Archived")), known, policy)

    assert arrived.asked == left.no_longer_asked == (asking(BY_STAGE),)


@pytest.mark.parametrize(("baseline", "asks"), [(6, True), (7, False), (8, False)])
def test_only_versions_newer_than_the_baseline_ask_by_having_been_created(baseline: int, asks: bool) -> None:
    policy = a_policy(a_rule(ask_on=(BY_CREATION,)))

    standing = open_asks(a_seen_model(a_seen_version()), baseline, policy)

    assert standing == (frozenset({asking(BY_CREATION)}) if asks else frozenset())


def test_a_version_that_was_deleted_and_created_again_asks_anew() -> None:
    known = replace(NOTHING, newest=7, asks=frozenset({asking(BY_ALIAS)}))
    again = replace(a_seen_version(), id=a_version(created=NOON + timedelta(hours=1)))

    news = compare(a_seen_model(again, aliases={"candidate": 7}), known, POLICY)

    assert [ask.version for ask in news.asked] == [again.id]
    assert [ask.version for ask in news.no_longer_asked] == [a_version()]


def test_models_that_no_rule_speaks_of_ask_for_nothing() -> None:
    seen = a_seen_model(a_seen_version(model="churn"), aliases={"candidate": 7}, name="churn")

    assert compare(seen, NOTHING, POLICY).asked == ()


# Moving


def test_a_target_that_changed_hands_is_a_move_from_one_to_the_other() -> None:
    known = replace(NOTHING, placements={CHAMPION: (a_version(5),)})
    seen = a_seen_model(a_seen_version(5), a_seen_version(7), aliases={"champion": 7})

    assert compare(seen, known, POLICY).moves == (Move(CHAMPION, a_version(7), a_version(5)),)


def test_a_target_that_is_where_we_knew_it_to_be_is_no_news() -> None:
    known = replace(NOTHING, placements={CHAMPION: (a_version(7),)})

    assert compare(a_seen_model(a_seen_version(), aliases={"champion": 7}), known, POLICY).moves == ()


def test_a_target_that_nobody_holds_any_more_was_emptied() -> None:
    known = replace(NOTHING, placements={CHAMPION: (a_version(7),)})

    assert compare(a_seen_model(a_seen_version()), known, POLICY).moves == (Move(CHAMPION, None, a_version(7)),)


def test_an_alias_that_points_at_a_deleted_version_is_held_by_nobody() -> None:
    known = replace(NOTHING, placements={CHAMPION: (a_version(7),)})

    news = compare(a_seen_model(a_seen_version(5), aliases={"champion": 7}), known, POLICY)

    assert news.moves == (Move(CHAMPION, None, a_version(7)),)


@pytest.mark.parametrize(("leaves", "stays"), [(7, 5), (5, 7)])
def test_a_version_that_leaves_a_stage_in_which_another_stays_has_left_and_nothing_has_moved(
    leaves: int, stays: int
) -> None:
    known = replace(NOTHING, placements={PRODUCTION: (a_version(7), a_version(5))})
    seen = a_seen_model(a_seen_version(stays, stage="Production"), a_seen_version(leaves, stage="Archived"))

    news = compare(seen, known, POLICY)

    assert news.moves == ()
    assert news.left == (Left(PRODUCTION, a_version(leaves), a_version(stays)),)


def test_an_alias_that_is_moved_is_no_departure() -> None:
    known = replace(NOTHING, placements={CHAMPION: (a_version(5),)})
    seen = a_seen_model(a_seen_version(5), a_seen_version(7), aliases={"champion": 7})

    assert compare(seen, known, POLICY).left == ()


def test_the_places_that_a_rule_covers_are_named_whether_or_not_anyone_holds_them() -> None:
    policy = a_policy(a_rule(), a_rule(target=PRODUCTION), a_rule(target=Target(TargetKind.MODEL, "prod.{name}")))

    assert ruled_places(a_seen_model(a_seen_version()), policy) == (CHAMPION, PRODUCTION)
    prod = ModelSnapshot("default", "prod.bike-demand", NOON, {}, ())
    assert ruled_places(prod, policy) == (Target(TargetKind.MODEL, "prod.bike-demand"),)


def test_a_rule_that_lets_new_versions_ask_speaks_of_none_that_were_there_when_it_came() -> None:
    policy = a_policy(a_rule(ask_on=(BY_CREATION,)))
    seen = a_seen_model(a_seen_version(6), a_seen_version(7))

    news = compare(seen, replace(NOTHING, newest=6), policy)

    assert (news.asked, news.muted) == ((asking(BY_CREATION, 7),), (asking(BY_CREATION, 6),))


def test_every_version_that_reaches_a_stage_is_a_move() -> None:
    known = replace(NOTHING, placements={PRODUCTION: (a_version(5), a_version(4))})
    seen = a_seen_model(*(a_seen_version(number, stage="Production") for number in (5, 6, 7)))

    moves = compare(seen, known, POLICY).moves

    assert moves == (Move(PRODUCTION, a_version(7), a_version(5)), Move(PRODUCTION, a_version(6), a_version(5)))


@pytest.mark.parametrize("stage", ["None", "Archived"])
def test_no_stage_and_the_archive_are_no_places(stage: str) -> None:
    assert watched_holders(a_seen_model(a_seen_version(stage=stage)), POLICY) == {}


def test_a_version_that_appears_in_a_target_model_moved_there() -> None:
    into = Target(TargetKind.MODEL, "prod.{name}")
    policy = a_policy(a_rule(target=into))
    seen = a_seen_model(a_seen_version(1, model="prod.bike-demand"), name="prod.bike-demand")

    moves = compare(seen, NOTHING, policy).moves

    place = Target(TargetKind.MODEL, "prod.bike-demand")
    assert moves == (Move(place, a_version(1, "prod.bike-demand"), None),)


def test_a_place_that_a_new_policy_asks_by_is_left_and_not_emptied() -> None:
    staging = Target(TargetKind.ALIAS, "staging")
    known = replace(NOTHING, placements={staging: (a_version(),)})
    seen = a_seen_model(a_seen_version(), aliases={"staging": 7})

    news = compare(seen, known, a_policy(a_rule(ask_on=(Ask(AskKind.ALIAS, "staging"),))))

    assert news.moves == ()
    assert news.holders == {staging: ()}


# In general

NUMBERS = st.integers(1, 4)
TAGS = st.dictionaries(st.just("countersign.ask"), st.sampled_from(["", "alias:champion", "alias:x"]))
STAGES = st.sampled_from(["None", "Staging", "Production", "Archived"])
ANY_POLICY = st.sets(st.sampled_from([BY_ALIAS, BY_TAG, BY_STAGE, BY_CREATION])).flatmap(
    lambda asks: st.sampled_from([CHAMPION, PRODUCTION, Target(TargetKind.ALIAS, "candidate")]).map(
        lambda target: a_policy(a_rule(target=target, ask_on=tuple(sorted(asks))))
    )
)


@st.composite
def models(draw: st.DrawFn) -> ModelSnapshot:
    numbers = draw(st.sets(NUMBERS))
    source = st.sampled_from(["models:/m-1", COPIED])
    versions = [a_seen_version(n, stage=draw(STAGES), tags=draw(TAGS), source=draw(source)) for n in numbers]
    return a_seen_model(*versions, aliases=draw(st.dictionaries(st.sampled_from(["candidate", "champion"]), NUMBERS)))


@given(models(), models(), ANY_POLICY)
def test_the_same_sight_twice_is_no_news(before: ModelSnapshot, seen: ModelSnapshot, policy: Policy) -> None:
    known = known_after(compare(before, NOTHING, policy), before, NOTHING)

    after = known_after(compare(seen, known, policy), seen, known)

    again = compare(seen, after, policy)
    assert (again.asked, again.muted, again.no_longer_asked, again.moves) == ((), (), (), ())


@given(models(), models(), ANY_POLICY)
def test_whoever_arrived_somewhere_moved_there_and_whoever_is_gone_while_others_stay_has_left(
    before: ModelSnapshot, seen: ModelSnapshot, policy: Policy
) -> None:
    known = known_after(compare(before, NOTHING, policy), before, NOTHING)

    news = compare(seen, known, policy)

    held, holds = known.placements, watched_holders(seen, policy)
    arrived = {(place, v) for place, holders in holds.items() for v in holders if v not in held.get(place, ())}
    shared = {place for place in held if place.kind is not TargetKind.ALIAS and holds.get(place)}
    left = {(place, v) for place in shared for v in held[place] if v not in holds[place]}
    assert {(move.target, move.version) for move in news.moves if move.version} == arrived
    assert {(one.target, one.version) for one in news.left} == left


def _print(seen: ModelSnapshot, policy: Policy) -> str:
    newest = max((version.id.version for version in seen.versions), default=0)
    return fingerprint(seen.aliases, seen.versions, policy.asking_tags(), newest)


@pytest.mark.parametrize(
    "changed",
    [
        a_seen_model(a_seen_version(7), a_seen_version(5), aliases={"champion": 5}),
        a_seen_model(a_seen_version(7), a_seen_version(5), aliases={"champion": 7, "candidate": 7}),
        a_seen_model(a_seen_version(7, stage="Production"), a_seen_version(5), aliases={"champion": 7}),
        a_seen_model(a_seen_version(7, tags={"countersign.ask": ""}), a_seen_version(5), aliases={"champion": 7}),
        a_seen_model(a_seen_version(8), a_seen_version(7), a_seen_version(5), aliases={"champion": 7}),
    ],
)
def test_whatever_may_be_news_changes_the_fingerprint(changed: ModelSnapshot) -> None:
    before = a_seen_model(a_seen_version(7), a_seen_version(5), aliases={"champion": 7})

    assert _print(changed, POLICY) != _print(before, POLICY)


def test_tags_that_ask_for_nothing_leave_the_fingerprint_alone() -> None:
    plain: VersionSnapshot = a_seen_version(7)
    tagged = replace(plain, tags={"validated": "yes", "countersign.decision": "approved"})

    assert _print(a_seen_model(tagged), POLICY) == _print(a_seen_model(plain), POLICY)
