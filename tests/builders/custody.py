"""Facts about a place, for tests of custody: plain ones, and any that Hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from bot.domain.model import (
    Artifacts,
    Ask,
    AskKind,
    Champion,
    DecidedBy,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.registry.facts import Facts, Handling, Intent
from tests.builders import CHAMPION, NOON, PRODUCTION, a_request, a_version, an_evidence, an_observed

WATCHED = NOON - timedelta(days=30)
PROD = "prod.bike-demand"
INTO_PROD = Target(TargetKind.MODEL, PROD)
V1, V2, V3 = a_version(1), a_version(2), a_version(3)
C1, C2, C3 = (a_version(number, PROD) for number in (1, 2, 3))


def hours(number: float) -> datetime:
    return NOON + timedelta(hours=number)


def the_facts(*decisions: TransitionRequest, holders: tuple[VersionId, ...] = (), **changes: Any) -> Facts:
    """About alias:champion of bike-demand under `observed: revert`, watched for a month; all that it names exists."""
    target: Target = changes.get("target", CHAMPION)
    model = target.name if target.kind is TargetKind.MODEL else "bike-demand"
    usual = Facts(
        "default",
        model,
        target,
        holders=holders,
        there=frozenset({V1, V2, V3, C1, C2, C3}),
        decisions=tuple(sorted(decisions, key=lambda one: one.opened_at)),
        handling=Handling.REVERT,
        watched_since=WATCHED,
    )
    return replace(usual, **changes)


def applied(version: VersionId, at: float, **changes: Any) -> TransitionRequest:
    """Asked for, approved and moved by us, `at` hours after noon."""
    usual = a_request(
        State.APPLIED,
        id=f"applied-{version.version}-{at}",
        version=version,
        opened_at=hours(at),
        decided_at=hours(at),
        settled_at=hours(at),
        settled_by_us=True,
        decided_by=DecidedBy.PEOPLE,
    )
    return replace(usual, **changes)


def approved(version: VersionId, at: float, found: tuple[VersionId, ...] = (), **changes: Any) -> TransitionRequest:
    """Approved, and not applied yet."""
    evidence = an_evidence(champion=Champion(found[0]) if found else None)
    usual = a_request(
        State.APPROVED,
        id=f"approved-{version.version}-{at}",
        version=version,
        opened_at=hours(at),
        decided_at=hours(at),
        evidence=evidence,
        found=found,
        decided_by=DecidedBy.PEOPLE,
    )
    return replace(usual, **changes)


def moved_by_hand(version: VersionId, state: State, at: float, **changes: Any) -> TransitionRequest:
    usual = an_observed(
        state,
        id=f"observed-{version.version}-{at}",
        version=version,
        opened_at=hours(at),
        decided_at=None if state.is_open else hours(at),
        settled_at=hours(at) if state is State.APPLIED else None,
        decided_by=None if state.is_open else DecidedBy.PEOPLE,
    )
    return replace(usual, **changes)


def rejected(version: VersionId, at: float, **changes: Any) -> TransitionRequest:
    """Asked for, and rejected by people."""
    usual = a_request(
        State.REJECTED,
        id=f"rejected-{version.version}-{at}",
        version=version,
        opened_at=hours(at),
        decided_at=hours(at),
        decided_by=DecidedBy.PEOPLE,
    )
    return replace(usual, **changes)


def announced(request: TransitionRequest, from_version: int | None, to_version: int | None) -> Intent:
    model = request.target.name if request.target.kind is TargetKind.MODEL else request.version.model
    return Intent(request.id, "default", model, request.target, from_version, to_version, NOON)


def of_content(digest: str) -> Any:
    return an_evidence(artifacts=Artifacts(digest, 1, 1))


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """A place with up to five requests in any state, some holders, some baseline, and announcements."""
    target = draw(st.sampled_from([CHAMPION, PRODUCTION, INTO_PROD]))
    is_model = target.kind is TargetKind.MODEL
    own = [C1, C2, C3] if is_model else [V1, V2, V3]
    decisions = [_any_request(draw, number, target, own) for number in range(draw(st.integers(0, 5)))]
    held = draw(st.lists(st.sampled_from(own), unique=True, max_size=3 if target != CHAMPION else 1))
    based = draw(st.lists(st.sampled_from(own), unique=True, max_size=3))
    announcing = (
        draw(st.lists(st.sampled_from(decisions), unique_by=lambda one: one.id, max_size=2)) if decisions else []
    )
    some = st.none() | st.integers(1, 3)
    return Facts(
        "default",
        PROD if is_model else "bike-demand",
        target,
        holders=tuple(sorted(held, reverse=True)),
        there=frozenset(draw(st.sets(st.sampled_from([V1, V2, V3, *own])))) | frozenset(held),
        decisions=tuple(decisions),
        baseline={version: hours(draw(st.integers(-40, 10))) for version in based},
        sources=dict(zip(own, [V1, V2, V3], strict=True)) if is_model else {},
        intents=tuple(announced(one, draw(some), draw(some)) for one in announcing),
        handling=draw(st.sampled_from(Handling)),
        deletes_copies=draw(st.booleans()),
        watched_since=draw(st.none() | st.sampled_from([WATCHED, hours(2), hours(5)])),
        restored=tuple(hours(at) for at in draw(st.lists(st.integers(0, 30), max_size=2))),
    )


def _any_request(draw: st.DrawFn, number: int, target: Target, own: list[VersionId]) -> TransitionRequest:
    kind = draw(st.sampled_from(Kind))
    state = draw(st.sampled_from(State))
    version = draw(st.sampled_from(own if kind is Kind.OBSERVED else [V1, V2, V3]))
    is_copied = target.kind is TargetKind.MODEL and kind is not Kind.OBSERVED and state is State.APPLIED
    asks = [AskKind.OBSERVED, AskKind.ADOPTED] if kind is Kind.OBSERVED else [AskKind.COMMAND]
    at = hours(number)
    return a_request(
        state,
        id=f"request-{number}",
        kind=kind,
        version=version,
        target=target,
        ask=Ask(draw(st.sampled_from(asks))),
        opened_at=at,
        decided_at=None if state.is_open else at,
        settled_at=at if state is State.APPLIED else None,
        settled_by_us=draw(st.booleans()),
        decided_by=None if state.is_open else draw(st.sampled_from(DecidedBy)),
        copies=(own[version.version - 1],) if is_copied else (),
        found=draw(st.none() | st.just(()) | st.sampled_from(own).map(lambda one: (one,))),
        evidence=of_content(draw(st.sampled_from(["sha256:a", "sha256:b", "sha256:c"]))),
    )
