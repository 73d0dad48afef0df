"""`countersign list`: what holds which target."""

from __future__ import annotations

import click

from bot.commands.context import as_json, records_for, telling_mistakes
from bot.commands.output.printing import print_rows
from bot.commands.reading.deciders import holder_approved_by
from bot.domain.workspaces import DEFAULT


@click.command("list")
@as_json
@telling_mistakes
def list_placements(as_json: bool) -> None:
    """List what holds each target, since when, by what right, and who approved it."""
    from handlers.custody.bases import basis_of
    from handlers.custody.facts import behind

    with records_for() as services, services.store.transaction() as tx:
        policy, rows = tx.policy(), []
        placements, names = tx.registry.placements(), tx.people.all_names()
        known = tx.requests.some({one.request_id for one in placements if one.request_id})
        bases = basis_of(placements, known, tx, services.clock.now())
        for placement in placements:
            version = placement.version
            rule = policy.rule_for(version.workspace, version.model, placement.target)
            request = known.get(placement.request_id) if placement.request_id else None
            approval = behind(request, tx)
            basis = bases.get((version, placement.target))
            rows.append(
                {
                    "model": version.model,
                    "target": str(placement.target),
                    "version": placement.version.version,
                    "since": placement.since,
                    "held": str(basis) if basis else None,
                    "approved_by": holder_approved_by(approval, names, policy) if approval else None,
                    "ticket": request.ticket.key if request and request.ticket else None,
                    "rule": rule.label if rule else None,
                    "workspace": version.workspace,
                }
            )
    elsewhere = ("workspace",) if any(row["workspace"] != DEFAULT for row in rows) else ()
    columns = (*elsewhere, "model", "target", "version", "since", "ticket")
    empty = "No target has a version, or no sweep has run yet."
    print_rows(rows, columns, as_json=as_json, empty=empty, below=("held", "approved_by", "rule"))
