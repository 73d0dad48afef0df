"""The worlds that are explored: each a place, the policies that may be in force, and what people may do how often."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.model import FastTrackMode, Target
from bot.domain.policy.rules import Copies, FastTrack, Observed, Policy, RollbackBy, Rule, Threshold, UnknownRequester
from tests.builders import CHAMPION, PRODUCTION, a_policy, a_rule
from tests.model import people
from tests.model.people import OFFERS
from tests.model.steps import Happened, by_the_bot, seen
from tests.model.world import INTO_PROD, MODEL, Placed, Rows, Setting, Truth, Watch, World, marked, version

OPEN: tuple[str, ...] = ()  # laws that are not looked at for now
WITH_CY = ("ana", "ben", "cy")
TRACK = FastTrack(FastTrackMode.ON, (Threshold("mae", False, threshold=40, min_relative_change=0.0),))


def a_policy_of(target: Target, observed: Observed, quorum: int = 1, **changes: object) -> Policy:
    usual = a_rule({"leads": quorum}, models=MODEL, target=target, observed=observed, ask_on=(), expire_after=None)
    unknown = replace(usual.approve, unknown_requester=UnknownRequester.ONE_MORE)
    rule: Rule = replace(usual, approve=unknown, freezes=("year-end",), ticket=None, **changes)  # type: ignore[arg-type]
    return a_policy(rule)


def world_of(setting: Setting, *held: int) -> World:
    """Watched, with these versions as baseline."""
    is_model = setting.target == INTO_PROD
    holders = tuple(version(one, "prod.bike-demand" if is_model else MODEL) for one in sorted(held, reverse=True))
    world = World(setting, holders, (version(1), version(2)), left=setting.budget)
    if is_model:
        world = replace(world, sources=Rows({one: version(one.version) for one in holders}))
    rule = world.rule
    began = world.now
    watch = Watch(began, rule.observed) if rule else None  # type: ignore[arg-type]
    return replace(
        world,
        watch=watch,
        baseline=Rows(dict.fromkeys(holders, began)) if rule else Rows(),
        placements=tuple(Placed(one, began, None) for one in holders),
        truth=Truth(rooted=frozenset(holders)),
        clock=1,
        mark=marked(world, holders),
    )


def budget(**may: int) -> Rows:
    return Rows(may)


def _alias(observed: Observed, quorum: int = 1, **changes: object) -> Policy:
    return a_policy_of(CHAMPION, observed, quorum, **changes)


def play(world: World, *wanted: str) -> World:
    """People do these things, each named by how its sentence begins, and the bot comes to rest after each."""
    for beginning in wanted:
        anyone = replace(world.setting, askers=WITH_CY, voters=WITH_CY)
        free = replace(world, setting=anyone, left=Rows(dict.fromkeys(OFFERS, 1)))
        action = next(one for one in people.actions(free) if one.said.startswith(beginning))
        step = seen(Happened(action.said, world, action.world, action.events))
        world = at_rest(replace(step.after, setting=world.setting, left=world.left))
    return world


def at_rest(world: World) -> World:
    while (step := next(by_the_bot(world), None)) is not None:
        world = step.after
    return world


IN_TURN = ("ben asks for bike-demand v1", "cy approves r1", "ana asks for bike-demand v2", "cy approves r2")
REJECTED = ("ana moves bike-demand v1 there", "ana asks for bike-demand v2", "cy rejects r4")


def small(name: str, target: Target, policies: tuple[Policy, ...], *held: int, **may: int) -> World:
    """A world that is small enough for all of its states to be seen."""
    return world_of(Setting(name, target, policies, budget(**may), askers=("ben",), voters=WITH_CY), *held)


def asked_by_all(world: World) -> World:
    return replace(world, setting=replace(world.setting, askers=WITH_CY))


TRACKED = (_alias(Observed.REPORT, fast_track=TRACK), _alias(Observed.REPORT))
BY_VOTES = (_alias(Observed.REVERT, rollback=RollbackBy.VOTES),)
STRICTER = (_alias(Observed.REPORT), _alias(Observed.ASK), _alias(Observed.REVERT))
COPIES = (
    a_policy_of(INTO_PROD, Observed.REVERT, copies=Copies.DELETE),
    a_policy_of(INTO_PROD, Observed.REVERT),
)
SMALL = (
    small("small: put back or approved", CHAMPION, (_alias(Observed.REVERT),), 1, hand=1, ask=1, approve=1, crash=1),
    small("small: approved meanwhile", CHAMPION, (_alias(Observed.REVERT),), 1, hand=1, adopt=1, approve=2),
    small("small: empty target", CHAMPION, (_alias(Observed.REVERT),), ask=1, approve=1, hand=1, freeze=1, crash=1),
    small("small: adopted", CHAMPION, (_alias(Observed.REVERT),), 1, adopt=1, reject=1, approve=1, hand=1, policy=1),
    play(
        small("small: v2 rejected", CHAMPION, (_alias(Observed.ASK),), hand=1, reject=1, approve=1, crash=1),
        *IN_TURN,
        *REJECTED,
    ),
    play(
        small(
            "small: reopened", CHAMPION, (_alias(Observed.REVERT), _alias(Observed.ASK)), policy=1, approve=2, hand=1
        ),
        "a freeze begins",
        *IN_TURN[:2],
    ),
    play(small("small: copies of v1", INTO_PROD, COPIES, hand=1, policy=1, crash=1), *IN_TURN[:2]),
    play(
        small("small: called off", CHAMPION, (_alias(Observed.REVERT),), 1, hand=2, call=1, crash=1, freeze=1),
        "a freeze begins",
        "ben asks for bike-demand v2",
        "cy approves r1",
    ),
    play(small("small: back in a freeze", CHAMPION, (_alias(Observed.REVERT),), back=1, freeze=1, hand=1), *IN_TURN),
    play(
        small("small: two held", CHAMPION, (_alias(Observed.REVERT), _alias(Observed.ASK)), hand=1, policy=1),
        "a freeze begins",
        *IN_TURN,
    ),
    play(
        small("small: moved meanwhile", CHAMPION, (_alias(Observed.REVERT),), 1, hand=1),
        "ana registers",
        "a freeze begins",
        "ben asks for bike-demand v2",
        "cy approves r1",
    ),
    play(
        small("small: back by votes", CHAMPION, BY_VOTES, back=1, crash=1, hand=1),
        *IN_TURN,
        "a freeze begins",
        "ben asks for bike-demand v1",
        "cy approves r3",
    ),
    small("small: emptied", CHAMPION, (_alias(Observed.REVERT),), 1, hand=3, crash=1),
    small("small: who moved it", CHAMPION, (_alias(Observed.ASK),), 1, hand=1, ask=1, approve=3),
    asked_by_all(small("small: asked before", CHAMPION, TRACKED[1:], 1, ask=2, withdraw=1, approve=2, register=1)),
    small("small: passed before", CHAMPION, TRACKED[:1], 1, ask=2, register=1, back=1, call=1, freeze=1),
    play(
        small("small: content rejected", CHAMPION, TRACKED[::-1], 1, ask=1, register=1, policy=1, approve=1),
        "ben asks for bike-demand v2",
        "cy rejects r1",
    ),
    small("small: a stricter rule", CHAMPION, STRICTER, 1, hand=2, policy=2, approve=1),
    small("small: copies adopted", INTO_PROD, COPIES, 1, adopt=1, reject=1, hand=1, policy=1),
)
WORLDS = (
    *SMALL,
    world_of(
        Setting(
            "alias, put back by the rule",
            CHAMPION,
            (_alias(Observed.REVERT),),
            budget(hand=3, ask=1, approve=1, crash=1),
            askers=("ben",),
        ),
        1,
    ),
    world_of(
        Setting(
            "alias, people are asked",
            CHAMPION,
            (_alias(Observed.ASK),),
            budget(hand=2, ask=1, approve=2, reject=1, withdraw=1, call=1, crash=1),
            askers=("ana", "ben"),
            voters=WITH_CY,
        ),
        1,
    ),
    world_of(
        Setting(
            "alias, empty target, freeze",
            CHAMPION,
            (_alias(Observed.REVERT),),
            budget(ask=2, approve=2, freeze=2, hand=1, back=1, crash=1),
            askers=("ana", "ben"),
            voters=WITH_CY,
        )
    ),
    world_of(
        Setting(
            "alias, the policy changes",
            CHAMPION,
            (_alias(Observed.REPORT), _alias(Observed.REVERT), _alias(Observed.ASK, 2)),
            budget(hand=2, policy=2, ask=1, approve=1, crash=1),
            askers=("ben",),
            voters=WITH_CY,
        ),
        1,
    ),
    world_of(
        Setting(
            "alias, joined asks",
            CHAMPION,
            (_alias(Observed.ASK), _alias(Observed.ASK, 2)),
            budget(ask=3, withdraw=1, hand=1, approve=3, policy=1),
            askers=("ana", "cy"),
            voters=WITH_CY,
        ),
        1,
    ),
    world_of(
        Setting(
            "alias, fast track",
            CHAMPION,
            TRACKED,
            budget(ask=3, call=1, hand=1, reject=1, approve=1, register=1, back=1, switch=1, policy=1),
            askers=("ben",),
            voters=WITH_CY,
        ),
        1,
    ),
    world_of(
        Setting(
            "stage, put back by the rule",
            PRODUCTION,
            (a_policy_of(PRODUCTION, Observed.REVERT), a_policy_of(PRODUCTION, Observed.ASK)),
            budget(hand=2, ask=1, approve=1, policy=1, crash=1),
            askers=("ben",),
        ),
        1,
    ),
    world_of(
        Setting(
            "target model, copies deleted",
            INTO_PROD,
            (
                a_policy_of(INTO_PROD, Observed.REVERT, copies=Copies.DELETE),
                a_policy_of(INTO_PROD, Observed.REVERT),
            ),
            budget(hand=2, ask=1, approve=1, policy=1, crash=1),
            askers=("ben",),
        ),
        1,
    ),
    world_of(
        Setting(
            "target model, people asked",
            INTO_PROD,
            (a_policy_of(INTO_PROD, Observed.ASK, copies=Copies.DELETE), a_policy_of(INTO_PROD, Observed.ASK, 2)),
            budget(hand=2, ask=1, approve=2, reject=1, policy=1, crash=1),
            askers=("ben",),
            voters=WITH_CY,
        ),
        1,
    ),
    play(
        world_of(
            Setting(
                "alias, two held by a freeze",
                CHAMPION,
                (_alias(Observed.REVERT), _alias(Observed.ASK)),
                budget(hand=1, back=1, freeze=1, crash=1, policy=1, call=1),
                askers=("ana", "ben"),
                voters=WITH_CY,
            )
        ),
        "a freeze begins",
        *IN_TURN,
    ),
    play(
        world_of(
            Setting(
                "alias, two approved in turn",
                CHAMPION,
                (_alias(Observed.REVERT),),
                budget(hand=2, back=1, ask=1, reject=1, approve=1, freeze=1, crash=1),
                askers=("ben",),
                voters=WITH_CY,
            )
        ),
        *IN_TURN,
    ),
    play(
        world_of(
            Setting(
                "stage, two approved in turn",
                PRODUCTION,
                (a_policy_of(PRODUCTION, Observed.REVERT),),
                budget(hand=2, back=1, ask=1, approve=1, crash=1),
                askers=("ben",),
                voters=WITH_CY,
            )
        ),
        *IN_TURN,
    ),
    play(
        world_of(
            Setting(
                "target model, v1 approved",
                INTO_PROD,
                (
                    a_policy_of(INTO_PROD, Observed.REVERT, copies=Copies.DELETE),
                    a_policy_of(INTO_PROD, Observed.ASK, 2),
                ),
                budget(hand=2, ask=1, approve=1, back=1, policy=1, crash=1),
                askers=("ana", "ben"),
                voters=WITH_CY,
            )
        ),
        "ben asks for bike-demand v1",
        "cy approves r1",
    ),
)
