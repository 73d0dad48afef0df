"""Before a rollback: what is known to be gone of the version that it would bring back."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.evidence.loss_text import gone_text, way_back_warning
from bot.domain.evidence.losses import Kept, Part
from bot.domain.model import State, VersionId
from bot.domain.registry.names import request_now
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.evidence.acknowledging import losses_of
from handlers.evidence.approvals import resting_on
from handlers.evidence.looking import Asked, look_at


def warning_on_record(version: VersionId, tx: Transaction) -> str:
    """What the last look has found; empty when nothing is known to be gone. Asks no one."""
    lost = losses_of(version, tx)
    kept: dict[Part, Kept] = {}
    for _request, one in lost:
        kept.setdefault(one.part, one)
    return way_back_warning(lost[0][0], list(kept.values())) if lost else ""


def warning_now(version: VersionId, s: Services) -> str:
    """Looks at its run and files now, in a few calls; empty when nothing is gone, or when it was never approved with evidence."""
    with s.store.transaction() as tx:
        renames = tx.custody.renames(version.workspace)
        found = [request_now(tx.requests.get(one), renames) for one in tx.contents.about(version)]
        approved = [one for one in found if one.version == version and one.state is State.APPLIED and one.evidence]
        if not approved:
            return ""
        resting = replace(resting_on(approved[-1], version, tx), git="", pipeline=())
        asked = Asked(tx.policy().artifact_stores)
    looked = look_at(resting, s.registry_at(version.workspace), asked, s)
    return gone_text(resting.request, {part: found.gone for part, found in looked.found.items() if found.gone})
