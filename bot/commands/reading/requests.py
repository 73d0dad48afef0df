"""`countersign requests`: the transition requests on record."""

from __future__ import annotations

import click

from bot.commands.asking.calling_off import call_off
from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.output.printing import print_rows
from bot.commands.reading.deciders import approved_by
from bot.domain.model import OPEN, TransitionRequest
from bot.domain.policy.rules import Policy


@click.group("requests")
def requests_group() -> None:
    """Read the transition requests, and call an approval off."""


requests_group.add_command(call_off)


@requests_group.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that wait for a decision.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@as_json
@telling_mistakes
def list_requests(only_open: bool, limit: int, as_json: bool) -> None:
    """Requests, oldest first."""
    states = OPEN if only_open else ()
    with services_for() as services, services.store.transaction() as tx:
        found, policy = tx.requests.find(states=states)[-limit:], tx.policy()
        names = tx.people.names({person for request in found for person in _people_in(request)})
    rows = [_row(request, dict(names), policy) for request in found]
    columns = ("id", "state", "version", "target", "asked", "requester", "ticket", "decided by")
    print_rows(rows, columns, as_json=as_json, empty="No requests.")


def _people_in(request: TransitionRequest) -> list[str]:
    people = [request.requester, *(vote.person for vote in request.votes)]
    return [person for person in people if person]


def _row(request: TransitionRequest, names: dict[str, str], policy: Policy) -> dict[str, object]:
    return {
        "id": request.short_id,
        "state": str(request.state),
        "version": str(request.version),
        "target": str(request.target),
        "asked": str(request.ask),
        "requester": names.get(request.requester) if request.requester else None,
        "ticket": request.ticket.key if request.ticket else None,
        "decided by": approved_by(request, names, policy),
        "request_id": request.id,
        "opened_at": request.opened_at,
    }
