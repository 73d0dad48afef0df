"""What a vote brings about, in one sentence: for the form that asks why, and for the ticket."""

from __future__ import annotations

from bot.domain.model import Kind, TargetKind, TransitionRequest
from bot.domain.registry.comparisons import compared_with
from bot.domain.text import target_label, version_name
from bot.language import _


def what_reject_does(request: TransitionRequest) -> str:
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.PROMOTION:
        return _("{version} does not become {target}.", version=version, target=target)
    if request.kind is Kind.ROLLBACK:
        if request.away_from is None:
            return _("{target} does not go back to {version}.", target=target, version=version)
        return _("{target} stays with {holder}.", target=target, holder=version_name(request.away_from))
    if request.is_adopted:
        return _("{version} stays {target}, without an approval.", version=version, target=target)
    if request.target.kind is TargetKind.MODEL:
        return _(
            "{version} is put back: tagged countersign.denied and denied by the gate, or deleted if the rule deletes copies.",
            version=version,
        )
    if request.previous is None:
        return _("{target} is removed from {version} and is unassigned, as before.", target=target, version=version)
    return _("{target} goes back to {before}.", target=target, before=version_name(request.previous))


def what_approve_does(request: TransitionRequest) -> str:
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.OBSERVED:
        return _("{version} stays {target}.", version=version, target=target)
    if request.kind is not Kind.ROLLBACK:
        before = compared_with(request)
        if before is None or before.model != request.version.model or before == request.version:
            return _("{version} becomes {target}.", version=version, target=target)
        old, new = f"v{before.version}", f"v{request.version.version}"
        return _("{target} moves from {old} to {new}.", target=target, old=old, new=new)
    if request.away_from is None:
        return _("{target} goes back to {version}.", target=target, version=version)
    return _(
        "{target} goes back from {away} to {version}.",
        target=target,
        away=version_name(request.away_from),
        version=version,
    )
