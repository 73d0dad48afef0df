"""Asking, adopting and reading: requests, who holds which target, people."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

import click
import requests as http

from bot.commands.context import as_json, print_rows, services_for, settings_for, telling_mistakes
from bot.domain.model import OPEN, Ask, AskKind, Refused, Target, TransitionRequest
from config.settings import Need, Settings


@click.command("request-transition")
@click.option("--name", required=True, help="Registered model.")
@click.option("--version", required=True, type=click.IntRange(min=1), help="Model version.")
@click.option("--to", "target", required=True, help="alias:champion, stage:Production or model:prod.x.")
@click.option("--comment", default="", help="Why; the approvers read it on the card.")
@click.option("--requester", default="", help="Who asks, by e-mail. Default: git's user.email.")
@telling_mistakes
def request_transition(name: str, version: int, target: str, comment: str, requester: str) -> None:
    """Ask for a version to reach a target.

    With COUNTERSIGN_URL and COUNTERSIGN_API_TOKEN set it asks the bot there; else it writes to the bot's own database.
    """
    wish = Wish(name, version, _target_of(target), comment, requester or _git_email())
    settings = settings_for()
    if settings.public_url and settings.api_token.get_secret_value():
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


@click.command()
@telling_mistakes
def adopt() -> None:
    """Turn targets that are held without an approval into requests to ratify them."""
    from handlers import asking

    with services_for(Need.REGISTRY) as services:
        adopted = asking.adopt(services)
    for request in adopted:
        click.echo(f"{request.short_id}  {request.version} holds {request.target}: asking to ratify")
    if not adopted:
        click.echo("Every target that a rule speaks of is held with an approval; nothing to adopt.")


@click.group("requests")
def requests_group() -> None:
    """Read the transition requests."""


@requests_group.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that wait for a decision.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@as_json
@telling_mistakes
def list_requests(only_open: bool, limit: int, as_json: bool) -> None:
    """Requests, oldest first."""
    states = OPEN if only_open else ()
    with services_for() as services, services.store.transaction() as tx:
        found = tx.find_requests(states=states)[-limit:]
        names = tx.people.names({person for request in found for person in _people_in(request)})
    rows = [_row(request, dict(names)) for request in found]
    columns = ("id", "state", "version", "target", "asked", "requester", "ticket", "decided by")
    print_rows(rows, columns, as_json=as_json, empty="No requests.")


@click.command("list")
@as_json
@telling_mistakes
def list_placements(as_json: bool) -> None:
    """What holds which target, since when, and who approved it."""
    with services_for() as services, services.store.transaction() as tx:
        rows = []
        for placement in tx.registry.placements():
            request = tx.get_request(placement.request_id) if placement.request_id else None
            voters = tx.people.names([vote.person for vote in request.votes]) if request else {}
            rows.append(
                {
                    "model": placement.version.model,
                    "target": str(placement.target),
                    "version": placement.version.version,
                    "since": f"{placement.since:%Y-%m-%d %H:%M}",
                    "approved by": ", ".join(voters.values()) if request else "nobody",
                    "ticket": request.ticket.key if request and request.ticket else None,
                }
            )
    columns = ("model", "target", "version", "since", "approved by", "ticket")
    print_rows(rows, columns, as_json=as_json, empty="No target is held, or no sweep has run yet.")


@click.group("people")
def people_group() -> None:
    """Who is bound to which Slack account."""


@people_group.command("unbind")
@click.argument("email")
@telling_mistakes
def unbind(email: str) -> None:
    """Forget a person's Slack account, so that the next click binds a new one."""
    with services_for() as services, services.store.transaction() as tx:
        tx.people.unbind(email)
    click.echo(f"{email} is bound to no Slack account now.")


def _ask_over_http(wish: Wish, settings: Settings) -> None:
    body = {
        "name": wish.name,
        "version": wish.version,
        "to": str(wish.target),
        "comment": wish.comment,
        "requester": wish.requester,
    }
    token = settings.api_token.get_secret_value()
    address = f"{settings.public_url.rstrip('/')}/api/requests"
    try:
        answer = http.post(address, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    except http.RequestException as trouble:
        raise click.ClickException(
            f"{address} does not answer ({type(trouble).__name__}). Is the bot running?"
        ) from None
    if answer.status_code != 201:
        raise click.ClickException(_sentence_of(answer))
    opened = answer.json()
    click.echo(f"{opened['id'][:8]}  {opened['version']} asks for {opened['target']}: {opened['state']}")


def _sentence_of(answer: http.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}: {answer.text[:200].strip()}"


def _ask_here(wish: Wish) -> None:
    from handlers import asking

    with services_for(Need.REGISTRY) as services:
        opened = asking.request_transition(
            wish.name, wish.version, wish.target, wish.requester, wish.comment, Ask(AskKind.COMMAND), services
        )
    click.echo(f"{opened.short_id}  {opened.version} asks for {opened.target}: {opened.state}")


def _target_of(text: str) -> Target:
    try:
        return Target.parse(text)
    except Refused as refusal:
        raise click.UsageError(str(refusal)) from None


def _git_email() -> str:
    git = shutil.which("git")
    found = subprocess.run([git, "config", "user.email"], capture_output=True, text=True, check=False) if git else None
    email = found.stdout.strip() if found else ""
    if not email:
        raise click.UsageError("nobody is named as the requester. Add --requester EMAIL, or set git's user.email")
    return email


def _people_in(request: TransitionRequest) -> list[str]:
    people = [request.requester, *(vote.person for vote in request.votes)]
    return [person for person in people if person]


def _row(request: TransitionRequest, names: dict[str, str]) -> dict[str, object]:
    return {
        "id": request.short_id,
        "state": str(request.state),
        "version": str(request.version),
        "target": str(request.target),
        "asked": str(request.ask),
        "requester": names.get(request.requester) if request.requester else None,
        "ticket": request.ticket.key if request.ticket else None,
        "decided by": ", ".join(names.get(vote.person, vote.person) for vote in request.votes),
        "request_id": request.id,
        "opened_at": request.opened_at,
    }
