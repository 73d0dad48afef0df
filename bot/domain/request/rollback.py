"""Rollbacks: which version a target returns to, and which version has failed there. `handlers.request.rollbacks` opens the request.

`decided` always means what was applied for one target among the versions of one registered model, and what people rejected for it, in the
order in which it was settled; `applied` means the former alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.grounds import HOW, No
from bot.domain.model import AskKind, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import RollbackBy, Rule
from bot.domain.registry.facts import is_a_no, is_unconfirmed, last_word, rejected_by_review, when
from bot.domain.request.content import content_of
from bot.domain.text import format_utc, target_label
from bot.language import recorded

FAILED_TAG = "countersign.failed"
TAG_LIMIT = 5_000  # characters of a value that any MLflow takes; the newest take 100,000: mlflow/utils/validation.py


def ways_back(holder: VersionId, decided: Sequence[TransitionRequest]) -> tuple[VersionId, ...]:
    """Versions that were approved for the target, have not failed there, and were not rejected since; the latest first.

    When there are none, the version that the holder replaced: it was there before anybody was asked, so going back to it needs votes.
    """
    applied = [request for request in decided if request.state is State.APPLIED]
    latest_first = dict.fromkeys(request.version for request in reversed(applied))
    ways = tuple(
        version
        for version in latest_first
        if version != holder and failing(version, applied) is None and rejection_of(version, decided) is None
    )
    return ways or _replaced_by(holder, applied)


def rejection_of(version: VersionId, decided: Sequence[TransitionRequest]) -> TransitionRequest | None:
    """The rejection, if it is the newest decision on the version, or on the same content under another number."""
    contents = [content_of(one.evidence) for one in decided if one.version == version]
    about = [one for one in decided if one.version == version or any(map(content_of(one.evidence).is_like, contents))]
    newest = max(about, key=last_word, default=None)
    return newest if newest is not None and is_a_no(newest) else None


def _replaced_by(holder: VersionId, applied: Sequence[TransitionRequest]) -> tuple[VersionId, ...]:
    brought = brought_by(holder, applied)
    before = brought.previous if brought else None
    is_a_copy = before is not None and before.model != holder.model  # of a version that we do not know
    if before is None or before == holder or is_a_copy or failing(before, applied) is not None:
        return ()
    return (before,)


def brought_by(holder: VersionId, applied: Sequence[TransitionRequest]) -> TransitionRequest | None:
    """The request by which the holder got the target; None when it came there without one."""
    brought = (one for one in reversed(applied) if one.version == holder and one.state is State.APPLIED)
    return next(brought, None)


def relied_on(version: VersionId, decided: Sequence[TransitionRequest]) -> TransitionRequest | None:
    """The newest request by which the version was approved and got the target. A broken glass counts once its review has confirmed it."""
    brought = (one for one in reversed(decided) if one.version == version and one.state is State.APPLIED)
    return next((one for one in brought if not is_unconfirmed(one)), None)


def why_not_approved(version: VersionId, target: str, decided: Sequence[TransitionRequest]) -> str:
    """As a phrase, of a version for which `relied_on` finds nothing."""
    if brought_by(version, decided) is None:
        return recorded("outcome", "{version} was never approved for {target}", version=str(version), target=target)
    return recorded(
        "outcome",
        "{version} got {target} by a broken glass alone, and nobody has confirmed that",
        version=str(version),
        target=target,
    )


def how_rejected(rejected: TransitionRequest) -> str:
    """How, when and why people said no, as a phrase without its full stop."""
    review = rejected_by_review(rejected)
    return recorded(
        "outcome",
        "{version} was {how} for {target} on {when}: {reason}",
        version=str(rejected.version),
        how=HOW[No.REVIEWED if review else No.REJECTED],
        target=target_label(rejected),
        when=format_utc(last_word(rejected)),
        reason=(review.reason if review else rejected.outcome).rstrip("."),
    )


def failing(version: VersionId, applied: Iterable[TransitionRequest]) -> TransitionRequest | None:
    """The rollback away from this version, unless the version was approved for the target again since.

    What was approved before the rollback and settled after it says nothing about what the rollback found.
    """
    last: TransitionRequest | None = None
    for request in applied:
        if request.state is not State.APPLIED:
            continue
        if request.version == version and (last is None or (request.decided_at or request.opened_at) >= when(last)):
            last = None
        elif request.away_from == version:
            last = request
    return last


def failure_of(version: VersionId, applied: Iterable[TransitionRequest]) -> str:
    """When and why the version was rolled back from the target, as a phrase without its full stop; empty when it was not."""
    rollback = failing(version, applied)
    if rollback is None or rollback.settled_at is None:
        return ""
    reason = rollback.comment.strip().removesuffix(".")
    return recorded(
        "outcome",
        "rolled back from {target} on {when}: {reason}",
        target=target_label(rollback),
        when=format_utc(rollback.settled_at),
        reason=reason,
    )


def failed_tag(version: VersionId, applied: Sequence[TransitionRequest]) -> str:
    """The value of the tag that marks the version in the registry; empty when it has failed for none of the targets in `applied`."""
    by_target: dict[Target, list[TransitionRequest]] = {}
    for request in applied:
        by_target.setdefault(request.target, []).append(request)
    standing = [found for requests in by_target.values() if (found := failing(version, requests)) is not None]
    last = max(standing, key=applied.index, default=None)
    return f"{last.id}: {last.comment}"[:TAG_LIMIT] if last else ""


def needs_no_vote(request: TransitionRequest, rule: Rule, *, was_approved: bool) -> bool:
    """Whether the rule allows the rollback without new votes. `was_approved`: the version, for this very target."""
    is_short = request.ask.kind is AskKind.UNDO or rule.rollback is RollbackBy.RULE
    has_doubts = bool(request.failed_before or request.people_decide)
    return request.kind is Kind.ROLLBACK and is_short and was_approved and not has_doubts
