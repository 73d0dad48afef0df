"""The next step for a request that was decided and signed: promote, settle, wait, give up, or put back."""

from __future__ import annotations

from bot.domain.model import Kind, StaleCause, State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.comparisons import changed_hands, compared_with, newest, other_holders
from bot.domain.registry.custody import ever_approved, way_back_from
from bot.domain.registry.facts import Facts, copies_of, decided, intent_of
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
    Settle,
    Step,
    Wait,
)
from bot.language import recorded


def next_step(request: TransitionRequest, facts: Facts, guard: Guard | None) -> Step:
    """What follows from a decision that is signed. `guard` is None as long as it was not read."""
    if request.settled_at is not None:
        return Nothing("settled already")
    if request.state is State.APPROVED and request.kind is Kind.OBSERVED:
        return _ratify(request, facts, guard)
    if request.state is State.APPROVED:
        return _promote(request, facts, guard)
    if request.state is State.REJECTED and request.kind is Kind.OBSERVED:
        return _put_back(request, facts)
    return Nothing(f"it is {request.state}")


def _promote(request: TransitionRequest, facts: Facts, guard: Guard | None) -> Step:
    newer = _approved_later(request, facts)
    if request.version not in facts.there:
        gone = recorded("outcome", "{version} was deleted, or deleted and created again", version=str(request.version))
        return GoStale(gone, StaleCause.TARGET, reopen=False)
    if newer is not None:
        return GoStale(
            recorded(
                "outcome",
                "{version} was approved for {target} later and takes its place",
                version=str(newer.version),
                target=str(request.target),
            ),
            StaleCause.OVERTAKEN,
            reopen=False,
        )
    ask = dict(facts.taken_away).get(request.id)
    if ask is not None:
        version = str(request.version)
        return CallOff(recorded("outcome", "{version} no longer asks {ask}", version=version, ask=str(ask)))
    intent, ours = intent_of(request, facts), copies_of(request, facts)
    arrived = request.version in facts.holders or bool(ours)
    others = other_holders(request, facts)
    now_held, expected = newest(others), compared_with(request)
    if intent is not None and not arrived and _number(now_held) != intent.from_version:
        return GoStale(
            recorded(
                "outcome",
                "{target} was moved by somebody else while Countersign was moving it",
                target=str(request.target),
            ),
            StaleCause.TARGET,
        )
    is_ours = intent is not None and arrived
    is_there_alone = arrived and not others
    if not is_ours and not is_there_alone and now_held != expected:
        return GoStale(changed_hands(request, now_held), StaleCause.TARGET)
    if guard is None:
        return CheckGuard()
    if guard.objection:
        return GoStale(guard.objection, guard.cause)
    if guard.until is not None and not is_ours:
        return Wait(guard.until, guard.freeze)
    archive = _to_archive(others, intent.from_version if intent else _number(expected), facts)
    if arrived and not archive and (is_ours or not others or facts.target.kind is TargetKind.MODEL):
        return Settle(moved=is_ours)
    return Move(expected, archive)


def _ratify(request: TransitionRequest, facts: Facts, guard: Guard | None) -> Step:
    if request.version not in facts.holders:
        gone = recorded(
            "outcome",
            "{version} no longer holds {target}",
            version=str(request.version),
            target=str(request.target),
        )
        return GoStale(gone, StaleCause.TARGET, reopen=False)
    if guard is None:
        return CheckGuard()
    return GoStale(guard.objection, guard.cause) if guard.objection else Settle(moved=False)


def _put_back(request: TransitionRequest, facts: Facts) -> Step:
    version, lawful = request.version, way_back_from(request.version, facts)
    if request.is_adopted or _asked_since(request, facts):
        return LeaveIt(moved=_is_put_back(request, facts))
    if facts.target.kind is TargetKind.MODEL:
        return _put_back_copy(request, facts)
    if version not in facts.holders:
        return LeaveIt(moved=_is_put_back(request, facts))
    if lawful is not None and lawful not in facts.there:
        return CallPeople(
            f"{request.target} cannot go back to {lawful}, which is no longer in the registry. "
            "Request another version for it with `countersign request-transition`, then drop this job"
        )
    return PutBack(version, lawful, How.MOVE)


def _is_put_back(request: TransitionRequest, facts: Facts) -> bool:
    """We announced it, and the place is as the put-back leaves it."""
    lawful, is_copy = way_back_from(request.version, facts), facts.target.kind is TargetKind.MODEL
    is_back = request.version not in facts.holders and (is_copy or lawful is None or lawful in facts.holders)
    return is_back and intent_of(request, facts) is not None


def _put_back_copy(request: TransitionRequest, facts: Facts) -> Step:
    """A version is deleted only where the rule says so, when it came while the place was watched, and no one ever approved it."""
    version = request.version
    if version not in facts.holders:
        return LeaveIt(moved=_is_put_back(request, facts))
    is_new = version not in facts.baseline and version not in facts.spared and facts.watched_since is not None
    came_later = facts.watched_since is not None and min(request.opened_at, version.created) >= facts.watched_since
    deletes = facts.deletes_copies and is_new and came_later and not ever_approved(version, facts)
    return PutBack(version, None, How.DELETE if deletes else How.DENY)


def _asked_since(request: TransitionRequest, facts: Facts) -> bool:
    """A put-back that is replayed late must not undo what was approved, or is being asked about, meanwhile."""
    live = (State.COLLECTING, State.PENDING, State.APPROVED, State.APPLIED)
    later = (one for one in facts.about(request.version) if decided(one) > decided(request))
    return any(one.state in live for one in later)


def _approved_later(request: TransitionRequest, facts: Facts) -> TransitionRequest | None:
    """Of several approvals the newest is applied, in whatever order their jobs come to it."""
    approved = [
        one
        for one in facts.decisions
        if one.state in (State.APPROVED, State.APPLIED)
        and one.kind is not Kind.OBSERVED
        and one.version.model == request.version.model
    ]
    newest = max(approved, key=lambda one: (decided(one), one.opened_at), default=None)
    return newest if newest is not None and newest.id != request.id and decided(newest) > decided(request) else None


def _to_archive(others: tuple[VersionId, ...], up_to: int | None, facts: Facts) -> tuple[VersionId, ...]:
    """`models:/name/Stage` means the highest number there, so the former holder must leave; later arrivals are judged by the next look."""
    if facts.target.kind is not TargetKind.STAGE:
        return ()
    return tuple(other for other in others if other.version <= (up_to or 0))


def _number(version: VersionId | None) -> int | None:
    return version.version if version else None
