"""A person says that a loss is known: the digest names it no longer, until more is lost. It changes nothing else."""

from __future__ import annotations

from bot.domain.events import LossAcknowledged
from bot.domain.evidence.losses import Kept
from bot.domain.model import TransitionRequest, VersionId
from bot.domain.names import in_one_line
from bot.domain.registry.names import request_now
from bot.domain.text import check_reason_fits
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.evidence_watch import EvidenceWatchRows
from bot.store.people import Person
from bot.store.transaction import Transaction


def acknowledge(beginning: str, person: Person, reason: str, s: Services) -> tuple[TransitionRequest, tuple[str, ...]]:
    """`beginning` is a request's id, or the first characters of it. Returns it with the parts. Raises Refused, NotFound."""
    why = _checked(reason)
    now = s.clock.now()
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(beginning), for_update=True)
        parts = EvidenceWatchRows(tx.connection).acknowledge(request.id, person.id, why, now)
        if not parts:
            raise Refused(
                _(
                    "request {id} has no loss that is not yet acknowledged. See: countersign evidence list",
                    id=request.short_id,
                )
            )
        tx.record([LossAcknowledged(now, request.id, parts, person.id, why)])
    return request, parts


def losses_of(version: VersionId, tx: Transaction) -> list[tuple[TransitionRequest, Kept]]:
    """What is lost or out of sight of all approvals of a version, under all names that its model had; the newest approval first."""
    renames = tx.custody.renames(version.workspace)
    found = [tx.requests.get(one) for one in tx.contents.about(version)]
    about = [one for one in found if request_now(one, renames).version == version]
    kept = EvidenceWatchRows(tx.connection).of_requests([one.id for one in about])
    return [(request, one) for request in reversed(about) for one in kept.get(request.id, ())]


def _checked(reason: str) -> str:
    """One line of visible characters: it goes into the ledger and to terminals."""
    why = in_one_line(reason)
    if not why:
        raise Refused(_("say why the loss is known and stays: the reason is recorded in the ledger"))
    check_reason_fits(why)
    return why
