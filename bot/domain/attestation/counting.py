"""Which requests count when the gate asks whether a version may ship."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.attestation.decision import verdict_of
from bot.domain.model import StaleCause, State, TransitionRequest, VersionId

WITHOUT_EFFECT = (State.APPROVED, State.STALE, State.CALLED_OFF)  # approved, and the target was not moved for it


def that_count(requests: Iterable[TransitionRequest], holder: VersionId) -> list[TransitionRequest]:
    """Those that count for a version that holds its target by approval: all but later approvals that took no effect.

    Such an approval would have brought the version there again, or another copy of it. That it waits, went stale or was called off takes
    nothing from the one in use, unless the files are others: a copy shares those of its original. Of the holder's own approvals, one that
    waits for a freeze, that a person called off, or that an older release let go stale without a cause still counts.
    """
    return [one for one in requests if not _is_idle(one, holder)]


def _is_idle(request: TransitionRequest, holder: VersionId) -> bool:
    if request.state is State.STALE and request.stale_cause is StaleCause.FILES:
        return False
    if request.version == holder:
        return request.state is State.STALE and request.stale_cause is not StaleCause.UNKNOWN
    return request.state in WITHOUT_EFFECT


def newest_verdict(requests: Iterable[TransitionRequest]) -> TransitionRequest | None:
    """Of those that were approved or rejected: one that expired or was withdrawn says nothing of the version."""
    decided = [request for request in requests if verdict_of(request) is not None]
    return max(decided, key=lambda request: request.decided_at or request.opened_at, default=None)
