"""Who approved what holds a target: the one answer of `countersign list`, describe, the version's page, the digest and its lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from bot.domain.registry.facts import is_unconfirmed, when


@dataclass(frozen=True)
class Approval:
    """`request` holds the votes, or what the fast track found. `restored_by` is the rollback that relied on it, if there was one."""

    request: TransitionRequest
    restored_by: TransitionRequest | None = None

    @property
    def at(self) -> datetime | None:
        """From then on its age counts: to go back to a version is no new look at it."""
        return self.request.decided_at


def approval_behind(request: TransitionRequest, decided: Iterable[TransitionRequest]) -> Approval:
    """`decided` are the requests that were applied for the target, in any order.

    A rollback without votes relies on an earlier approval of the same version; every other approval stands for itself.
    """
    if not restores(request):
        return Approval(request)
    earlier = [one for one in decided if _is_relied_on(one, request)]
    return Approval(max(earlier, key=when), request) if earlier else Approval(request)


def restores(request: TransitionRequest) -> bool:
    return request.kind is Kind.ROLLBACK and request.decided_by is DecidedBy.RULE


def _is_relied_on(one: TransitionRequest, rollback: TransitionRequest) -> bool:
    """Of the same version under whatever name the model had, which its number and time of creation say."""
    before = one.state is State.APPLIED and when(one) < when(rollback)
    same = (one.version.version, one.version.created) == (rollback.version.version, rollback.version.created)
    return before and same and one.target == rollback.target and not restores(one) and not is_unconfirmed(one)
