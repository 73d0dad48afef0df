"""Whether what a request compares with still holds its target: a vote on another holder's figures cannot lead to a move.

The open card (`handlers.registry.renewals`) and the move (`decided`) ask here.
"""

from __future__ import annotations

from bot.domain.model import Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.custody import custody_of
from bot.domain.registry.facts import Facts, copies_of
from bot.language import recorded


def compared_with(request: TransitionRequest) -> VersionId | None:
    """The holder of the target when the evidence was frozen; requests of older releases name only the champion."""
    if request.found is not None:
        return newest(request.found)
    return request.evidence.champion.version if request.evidence and request.evidence.champion else None


def other_holders(request: TransitionRequest, facts: Facts) -> tuple[VersionId, ...]:
    """Who holds the target besides the version that is asked for and its own copies; newest first."""
    ours = copies_of(request, facts)
    return tuple(holder for holder in facts.holders if holder != request.version and holder not in ours)


def changed_hands(request: TransitionRequest, now: VersionId | None) -> str:
    """Says that `now` holds the target, and who held it when the evidence was frozen."""
    target, before = str(request.target), compared_with(request)
    if before is None:
        return recorded(
            "outcome",
            "{target} changed from unassigned to {after} after the evidence of this request was frozen",
            target=target,
            after=str(now),
        )
    if now is None:
        return recorded(
            "outcome",
            "{target} changed from {before} to unassigned after the evidence of this request was frozen",
            target=target,
            before=str(before),
        )
    return recorded(
        "outcome",
        "{target} changed from {before} to {after} after the evidence of this request was frozen",
        target=target,
        before=str(before),
        after=str(now),
    )


def lawful_there(facts: Facts) -> VersionId | None:
    """Who a version is compared with: the lawful holder, as long as the registry still has it."""
    lawful = custody_of(facts).champion
    return lawful if lawful in facts.there else None


def why_outdated(request: TransitionRequest, facts: Facts) -> str:
    """Why the votes on an open request can no longer count, because the target changed hands; empty when they can.

    Nothing is said while a move of ours or a put-back is under way: who holds the target then is not known before it ends.
    """
    is_open = request.state is State.PENDING and request.evidence is not None
    if not is_open or request.kind is Kind.OBSERVED or request.version in facts.holders or _is_moving(facts):
        return ""
    if request.kind is Kind.ROLLBACK:
        return _why_overtaken(request, facts)
    now = newest(other_holders(request, facts))
    if now != compared_with(request):
        return changed_hands(request, now)
    return _compares_with_another(request, lawful_there(facts))


def newest(holders: tuple[VersionId, ...]) -> VersionId | None:
    return holders[0] if holders else None


def _compares_with_another(request: TransitionRequest, lawful: VersionId | None) -> str:
    """The same version holds the target, but it was approved there since, or its approval has ended."""
    champion = request.evidence.champion if request.evidence else None
    before = champion.version if champion else None
    if before == lawful:
        return ""
    target = str(request.target)
    if before is None:
        return recorded(
            "outcome",
            "{after} is approved for {target} now; when the evidence was frozen it was no version",
            after=str(lawful),
            target=target,
        )
    if lawful is None:
        return recorded(
            "outcome",
            "no version is approved for {target} now; when the evidence was frozen it was {before}",
            target=target,
            before=str(before),
        )
    return recorded(
        "outcome",
        "{after} is approved for {target} now; when the evidence was frozen it was {before}",
        after=str(lawful),
        target=target,
        before=str(before),
    )


def _why_overtaken(request: TransitionRequest, facts: Facts) -> str:
    """A rollback goes on while what it leads away from is the lawful holder, also when somebody moves the target by hand."""
    lawful = lawful_there(facts)
    if facts.target.kind is TargetKind.MODEL or request.away_from is None or lawful == request.away_from:
        return ""
    return changed_hands(request, newest(other_holders(request, facts)))


def _is_moving(facts: Facts) -> bool:
    leaving = (
        one.version
        for one in facts.decisions
        if one.kind is Kind.OBSERVED and one.state is State.REJECTED and one.settled_at is None and not one.is_adopted
    )
    return bool(facts.intents) or any(version in facts.holders for version in leaving)
