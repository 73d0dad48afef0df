"""The README's state diagram and the changelog's version, compared with the code. Everything else: `tests/docs`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import bot
from bot.domain.events import Event
from bot.domain.model import Ask, AskKind, FastTrackMode, Kind, Origin, StaleCause, State, TransitionRequest, Vote
from bot.domain.policy.rules import Escalate
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import AlreadyDecided, Authors
from bot.errors import Refused
from tests.builders import (
    LATER,
    NOON,
    a_judgement,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    after,
    an_evidence,
    an_observed,
)

ROOT = Path(bot.__file__).parents[1]
README = (ROOT / "README.md").read_text()
DIAGRAM = re.compile(r"^```mermaid\nstateDiagram-v2\n(.*?)^```", re.MULTILINE | re.DOTALL)
ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)
FIRST = re.compile(r"^\s*\[\*\] --> (\w+)", re.MULTILINE)

MUCH_LATER = NOON + timedelta(days=30)
GOOD = a_judgement(mode=FastTrackMode.ON)
NEWER = a_request(id="newer", version=a_version(8))


def cast(vote: Vote) -> Callable[[TransitionRequest], list[Event]]:
    def command(request: TransitionRequest) -> list[Event]:
        try:
            return lifecycle.cast_vote(request, vote, a_rule(), "sha256:1")
        except (AlreadyDecided, Refused):
            return []

    return command


# Everything that can be done to a request, in the kindest of circumstances.
COMMANDS: dict[str, Callable[[TransitionRequest], list[Event]]] = {
    "freeze_evidence": lambda r: lifecycle.freeze_evidence(r, an_evidence(), Authors("bea"), "sha256:1", LATER),
    "cannot_read": lambda r: lifecycle.cannot_read(r, "the store answers 403", LATER),
    "read_origin": lambda r: lifecycle.read_origin(r, Origin("bea"), LATER),
    "decide_by_thresholds": lambda r: lifecycle.decide_by_thresholds(r, GOOD, a_rule(), "sha256:1", LATER),
    "approve_by_rule": lambda r: lifecycle.approve_by_rule(r, "sha256:1", LATER),
    "cast_vote": lambda r: cast(a_vote("cy"))(r),
    "cast_vote against": lambda r: cast(a_rejection("cy"))(r),
    "decide_by_votes": lambda r: lifecycle.decide_by_votes(
        replace(r, votes=(a_vote("cy", rule_hash="sha256:1"),)), a_rule(), "sha256:1", LATER
    ),
    "join": lambda r: lifecycle.join(r, "dan", Ask(AskKind.API), "", LATER),
    "reject_by_rule": lambda r: lifecycle.reject_by_rule(r, "the rule", "sha256:1", LATER),
    "remind": lambda r: lifecycle.remind(r, LATER),
    "escalate": lambda r: lifecycle.escalate(
        r, a_rule(escalate=Escalate(timedelta(hours=8), "heads")), "sha256:1", LATER
    ),
    "hold": lambda r: lifecycle.hold(r, "year-end", MUCH_LATER, LATER),
    "thaw": lambda r: lifecycle.thaw(r, LATER),
    "withdraw": lambda r: lifecycle.withdraw(r, "no longer asked for", LATER),
    "expire": lambda r: lifecycle.expire(r, MUCH_LATER),
    "supersede": lambda r: lifecycle.supersede(r, NEWER, LATER),
    "apply": lambda r: lifecycle.apply(r, a_version(5), LATER, moved=True),
    "put_back": lambda r: lifecycle.put_back(r, a_version(5), LATER, moved=True),
    "mark_stale": lambda r: lifecycle.mark_stale(r, "it was moved", StaleCause.TARGET, LATER),
    "call_off": lambda r: lifecycle.call_off(r, "ana", "the test data leaked", LATER),
    "renew": lambda r: lifecycle.renew(r, "0191", "the champion is another one now", LATER),
    "compare_taken_back": lambda r: lifecycle.compare_taken_back(r, a_rule(), LATER),
    "rebind": lambda r: lifecycle.rebind(r, r.rule_hash, "sha256:6", LATER),
    "void_stand_ins": lambda r: lifecycle.void_stand_ins(r, "heads", LATER),
}


def transitions_in_the_code() -> set[tuple[str, str]]:
    """From a request that was just opened, whatever can be done, until nothing new is reached."""
    found: set[tuple[str, str]] = set()
    waiting = [a_request(State.COLLECTING, kind=kind) for kind in (Kind.PROMOTION, Kind.ROLLBACK)]
    waiting.append(an_observed(State.COLLECTING))
    reached: set[tuple[State, Kind]] = set()
    while waiting:
        request = waiting.pop()
        reached.add((request.state, request.kind))
        for then in (after(request, command(request)) for command in COMMANDS.values()):
            if then.state is not request.state:
                found.add((request.state.name, then.state.name))
            if (then.state, then.kind) not in reached:
                waiting.append(then)
    return found


def the_diagram() -> str:
    (diagram,) = DIAGRAM.findall(README)
    return str(diagram)


def test_the_diagram_shows_exactly_what_can_become_of_a_request() -> None:
    drawn = ARROW.findall(the_diagram())

    assert len(set(drawn)) == len(drawn)
    assert set(drawn) == transitions_in_the_code()


def test_the_diagram_begins_where_requests_begin_and_shows_every_state() -> None:
    assert FIRST.findall(the_diagram()) == [State.COLLECTING.name]
    assert set(chain.from_iterable(ARROW.findall(the_diagram()))) == {state.name for state in State}


def test_every_command_of_the_lifecycle_is_among_those_that_were_tried() -> None:
    public = {
        name
        for name, thing in vars(lifecycle).items()
        if callable(thing) and getattr(thing, "__module__", "") == lifecycle.__name__ and name[0].islower()
    }

    asks = {"check_may_vote", "wants_reason", "lacks_origin"}
    assert public - asks == {name.partition(" ")[0] for name in COMMANDS}


def test_the_changelog_has_this_version_below_what_is_unreleased() -> None:
    headings = re.findall(r"^## (\S+)(?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    (unreleased, _), (released, day), *_ = headings
    assert (unreleased, released) == ("Unreleased", version("mlflow-countersign"))
    assert date.fromisoformat(day)
