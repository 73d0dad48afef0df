"""`countersign evidence`: what is gone of the evidence of approvals, and saying that it is known."""

from __future__ import annotations

from collections.abc import Mapping

import click

from bot.commands.context import as_json, git_email, services_for, telling_mistakes
from bot.commands.output.printing import print_rows, say
from bot.domain.evidence.loss_text import kept_text
from bot.domain.evidence.losses import Kept
from bot.domain.model import TransitionRequest
from bot.store.evidence_watch import EvidenceWatchRows

COLUMNS = ("id", "version", "target", "part", "state", "since")
BELOW = ("what", "acknowledged_by", "reason")


@click.group("evidence")
def evidence_group() -> None:
    """List what is gone of the evidence that approvals rest on, and acknowledge it."""


@evidence_group.command("list")
@as_json
@telling_mistakes
def list_losses(as_json: bool) -> None:
    """List what is gone, or could not be looked at several times in a row, of what holds a target or is a way back."""
    with services_for() as services, services.store.transaction() as tx:
        kept = EvidenceWatchRows(tx.connection).all_open_or_known()
        requests, names = tx.requests.some({one.request_id for one in kept}), tx.people.all_names()
    rows = [_row(one, requests[one.request_id], names, whole=as_json) for one in kept]
    empty = "Nothing is known to be gone. How often the worker looks is in the policy, under evidence_watch."
    print_rows(rows, COLUMNS, as_json=as_json, empty=empty, below=BELOW)


@evidence_group.command("acknowledge")
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help="Why it stays so; it is recorded in the ledger.")
@click.option("--by", default="", help="Who says so, by e-mail. Default: git's user.email.")
@telling_mistakes
def acknowledge(id_: str, reason: str, by: str) -> None:
    """Say that what is gone of a request's evidence is known, so that the digest names it no longer.

    ID is the request's, or the first characters of it. If more is lost later, that is reported again.
    """
    from handlers.evidence.acknowledging import acknowledge as acknowledging
    from handlers.policy.kill_switch import person_named

    email = by or git_email("--by")
    with services_for() as services:
        request, parts = acknowledging(id_, person_named(email, services), reason, services)
    say(f"{request.short_id}  {request.version} for {request.target}: acknowledged ({', '.join(parts)}).")


def _row(kept: Kept, request: TransitionRequest, names: Mapping[str, str], *, whole: bool) -> dict[str, object]:
    return {
        "id": request.id if whole else request.short_id,
        "version": str(request.version),
        "target": str(request.target),
        "part": str(kept.part),
        "state": "gone" if kept.lost_since else "not looked at",
        "since": kept.lost_since or kept.unread_since,
        "last_seen": kept.seen_at,
        "what": kept_text(kept, request),
        "acknowledged_by": names.get(kept.acknowledged_by, kept.acknowledged_by) if kept.acknowledged_by else "",
        "reason": kept.acknowledged_because,
    }
