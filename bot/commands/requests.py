"""Asking, adopting, calling off and reading: requests, and who holds which target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import click

from bot.commands.context import (
    as_json,
    git_email,
    in_place,
    place_named,
    print_rows,
    services_for,
    settings_for,
    telling_mistakes,
)
from bot.commands.wishes import asks_over_http, place_in, post, target_of
from bot.domain.model import OPEN, Ask, AskKind, DecidedBy, Target, TransitionRequest
from bot.domain.policy.rules import Policy
from bot.domain.request.approvals import Approval
from bot.domain.request.counting import rule_of_decision, worth_of
from bot.domain.workspaces import DEFAULT
from config.settings import Need, Settings


@click.command("request-transition")
@click.option("--name", required=True, help="Registered model.")
@click.option("--version", required=True, type=click.IntRange(min=1), help="Model version.")
@click.option("--to", "target", required=True, help="alias:champion, stage:Production or model:prod.x.")
@click.option("--comment", default="", help="Why; the approvers read it on the card.")
@click.option("--requester", default="", help="Who asks, by e-mail. Default: git's user.email.")
@in_place
@telling_mistakes
def request_transition(name: str, version: int, target: str, comment: str, requester: str, workspace: str) -> None:
    """Ask for a version to reach a target.

    With COUNTERSIGN_URL and COUNTERSIGN_API_TOKEN set it asks the bot there; else it writes to the bot's own database.
    """
    wish = Wish(name, version, target_of(target), comment, requester or git_email("--requester"), workspace)
    settings = settings_for()
    if asks_over_http(settings):
        _ask_over_http(wish, settings)
    else:
        _ask_here(wish)


@dataclass(frozen=True)
class Wish:
    name: str
    version: int
    target: Target
    comment: str
    requester: str
    workspace: str


@click.command()
@telling_mistakes
def adopt() -> None:
    """Turn targets that are held without an approval into requests to ratify them."""
    from handlers.request import asking

    with services_for(Need.REGISTRY) as services:
        adopted = asking.adopt(services)
    for request in adopted:
        click.echo(f"{request.short_id}  {request.version} holds {request.target}: asking to ratify")
    if not adopted:
        click.echo("Every target that a rule speaks of is held with an approval; nothing to adopt.")


@click.group("requests")
def requests_group() -> None:
    """Read the transition requests, and call an approval off."""


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


@click.command("list")
@as_json
@telling_mistakes
def list_placements(as_json: bool) -> None:
    """What holds which target, since when, by what right, and who approved it."""
    from handlers.custody.facts import basis_of, behind

    with services_for() as services, services.store.transaction() as tx:
        policy, rows = tx.policy(), []
        placements, names = tx.registry.placements(), tx.people.all_names()
        bases = basis_of(placements, tx, services.clock.now())
        for placement in placements:
            version = placement.version
            rule = policy.rule_for(version.workspace, version.model, placement.target)
            request = tx.requests.get(placement.request_id) if placement.request_id else None
            approval = behind(request, tx)
            basis = bases.get((version, placement.target))
            rows.append(
                {
                    "model": version.model,
                    "target": str(placement.target),
                    "version": placement.version.version,
                    "since": placement.since,
                    "held": str(basis) if basis else None,
                    "approved by": holder_approved_by(approval, names, policy) if approval else "nobody",
                    "ticket": request.ticket.key if request and request.ticket else None,
                    "rule": rule.label if rule else "none speaks of it",
                    "workspace": version.workspace,
                }
            )
    elsewhere = ("workspace",) if any(row["workspace"] != DEFAULT for row in rows) else ()
    columns = (*elsewhere, "model", "target", "version", "since", "held", "approved by", "ticket", "rule")
    print_rows(rows, columns, as_json=as_json, empty="No target is held, or no sweep has run yet.")


@requests_group.command("call-off")
@click.argument("request_id")
@click.option("--reason", required=True, help="Why; it goes on the card, into the ticket and into the ledger.")
@click.option("--by", default="", help="Who calls it off, by e-mail. Default: git's user.email.")
@telling_mistakes
def call_off(request_id: str, reason: str, by: str) -> None:
    """End an approval that is not applied yet, so that it never is."""
    from handlers.policy.kill_switch import person_named
    from handlers.request.calling_off import call_off as end

    email = by or git_email("--by")
    with services_for() as services:
        person = person_named(email, services)
        with services.store.transaction() as tx:
            found = tx.requests.full_id(request_id)
        ended = end(found, person, reason, services)
    click.echo(
        f"{ended.short_id}  the approval of {ended.version} for {ended.target} is called off. Asking again opens a fresh request."
    )


def _ask_over_http(wish: Wish, settings: Settings) -> None:
    body = {
        "name": wish.name,
        "version": wish.version,
        "to": str(wish.target),
        "comment": wish.comment,
        "requester": wish.requester,
        **place_in(wish.workspace, settings, os.environ),
    }
    opened = post("/api/requests", body, settings)
    click.echo(f"{opened['id'][:8]}  {opened['version']} asks for {opened['target']}: {opened['state']}")


def _ask_here(wish: Wish) -> None:
    from handlers.request import asking

    with services_for(Need.REGISTRY) as services:
        opened = asking.request_transition(
            wish.name,
            wish.version,
            wish.target,
            wish.requester,
            wish.comment,
            Ask(AskKind.COMMAND),
            services,
            place_named(wish.workspace),
        )
    click.echo(f"{opened.short_id}  {opened.version} asks for {opened.target}: {opened.state}")


def approved_by(request: TransitionRequest, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Whose votes count, or what decided without a vote."""
    if request.decided_by is DecidedBy.FAST_TRACK:
        return "fast track"
    if request.decided_by is DecidedBy.RULE and not request.votes:
        return "rule"
    in_force = rule_of_decision(request, policy)
    counted = [vote for vote in request.votes if worth_of(vote, request, *in_force).counts]
    return ", ".join(names.get(vote.person, vote.person) for vote in counted)


def holder_approved_by(approval: Approval, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Who approved what holds a target; after a rollback, also who brought it back on that approval."""
    by, rollback = approved_by(approval.request, names, policy), approval.restored_by
    if rollback is None:
        return by
    return f"{by} (restored by a rollback{f' of {names[rollback.requester]}' if rollback.requester else ''})"


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
