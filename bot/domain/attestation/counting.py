"""Which requests count when the gate asks whether a version may ship."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.attestation.decision import verdict_of
from bot.domain.model import State, TransitionRequest, VersionId

WITHOUT_EFFECT = (State.APPROVED, State.STALE, State.CALLED_OFF)  # approved, and the target was not moved for it


def that_count(requests: Iterable[TransitionRequest], copy: VersionId) -> list[TransitionRequest]:
    """Those that count for a copy that holds its target by approval: all but approvals of its original without effect.

    Such an approval would make another copy. That it waits, went stale or was called off takes nothing from the one in use.
    """
    return [one for one in requests if one.version == copy or one.state not in WITHOUT_EFFECT]


def newest_verdict(requests: Iterable[TransitionRequest]) -> TransitionRequest | None:
    """Of those that were approved or rejected: one that expired or was withdrawn says nothing of the version."""
    decided = [request for request in requests if verdict_of(request) is not None]
    return max(decided, key=lambda request: request.decided_at or request.opened_at, default=None)
