"""Going back: which version a target returns to, and which version has failed there. Opening the request for it is a handler's story.

`applied` always means the APPLIED requests of one registered model and one target, in the order in which they were settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.model import AskKind, Kind, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import RollbackBy, Rule
from bot.domain.text import format_utc, target_label

FAILED_TAG = "countersign.failed"
TAG_LIMIT = 5_000  # characters of a value that any MLflow takes; the newest take 100,000: mlflow/utils/validation.py


def ways_back(holder: VersionId, applied: Sequence[TransitionRequest]) -> tuple[VersionId, ...]:
    """Versions that were approved for the target and have not failed there, the latest first.

    When there are none, the version that the holder replaced: it was there before anybody was asked, so going back to it needs votes.
    """
    latest_first = dict.fromkeys(request.version for request in reversed(applied))
    ways = tuple(version for version in latest_first if version != holder and failing(version, applied) is None)
    return ways or _replaced_by(holder, applied)


def _replaced_by(holder: VersionId, applied: Sequence[TransitionRequest]) -> tuple[VersionId, ...]:
    brought = brought_by(holder, applied)
    before = brought.previous if brought else None
    is_a_copy = before is not None and before.model != holder.model  # of a version that we do not know
    if before is None or before == holder or is_a_copy or failing(before, applied) is not None:
        return ()
    return (before,)


def brought_by(holder: VersionId, applied: Sequence[TransitionRequest]) -> TransitionRequest | None:
    """The request by which the holder got the target; None when it came there without one."""
    return next((request for request in reversed(applied) if request.version == holder), None)


def failing(version: VersionId, applied: Iterable[TransitionRequest]) -> TransitionRequest | None:
    """The rollback away from this version, unless the version was approved for the target again since."""
    last = None
    for request in applied:
        if request.version == version:
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
    return f"rolled back from {target_label(rollback)} on {format_utc(rollback.settled_at)}: {reason}"


def failed_tag(version: VersionId, applied: Sequence[TransitionRequest]) -> str:
    """The value of the tag that marks the version in the registry; empty when it stands failed for none of the targets in `applied`."""
    by_target: dict[Target, list[TransitionRequest]] = {}
    for request in applied:
        by_target.setdefault(request.target, []).append(request)
    standing = [found for requests in by_target.values() if (found := failing(version, requests)) is not None]
    last = max(standing, key=applied.index, default=None)
    return f"{last.id}: {last.comment}"[:TAG_LIMIT] if last else ""


def needs_no_vote(request: TransitionRequest, rule: Rule, *, was_approved: bool) -> bool:
    """Whether the rule opens the way back without asking people again. `was_approved`: the version, for this very target."""
    is_short = request.ask.kind is AskKind.UNDO or rule.rollback is RollbackBy.RULE
    has_doubts = bool(request.failed_before or request.people_decide)
    return request.kind is Kind.ROLLBACK and is_short and was_approved and not has_doubts
