"""`countersign requests list`: the requests on record, searched and in pages."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from bot.commands.asking.options import target_of
from bot.commands.context import (
    as_json,
    git_email,
    place_named,
    records_for,
    services_for,
    settings_for,
    telling_mistakes,
)
from bot.commands.moments import Day
from bot.commands.output.printing import print_rows, say
from bot.commands.reading.deciders import approved_by
from bot.domain.model import OPEN, State, TransitionRequest
from bot.errors import NotFound
from bot.store.people import Person
from bot.store.requests import Wanted

if TYPE_CHECKING:
    from bot.services import Records
    from handlers.queries.needed_votes import WaitingVotes

COLUMNS = ("id", "state", "version", "target", "ticket")
BELOW = ("opened_at", "asked", "requester", "decided_by")
PAGE = 200  # requests read at once while those are sought that wait for one person


@dataclass(frozen=True)
class Search:
    """`which` the database finds. `needs`, an address, keeps those that wait for this person's vote; `after` is where the page begins."""

    which: Wanted
    requester: str
    needs: str
    after: str

    @property
    def is_narrowed(self) -> bool:
        return bool(self.which != Wanted() or self.requester or self.needs or self.after)


@click.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that wait for a decision.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in State]),
    help="Only in this state. May be given again.",
)
@click.option("--model", help="Only of this registered model.")
@click.option(
    "--to", "target", default="", help="Only for this target: alias:champion, stage:Production or model:prod.x."
)
@click.option("--workspace", default="", metavar="REGISTRY/WORKSPACE", help="Only of this place. Default: all.")
@click.option("--requester", default="", metavar="EMAIL", help="Only those that this person asked for.")
@click.option("--approver", default="", metavar="EMAIL", help="Only those that wait for the vote of this person.")
@click.option("--needs-me", is_flag=True, help="The same for you, whose address git knows.")
@click.option("--since", type=Day(ends=False), help="Only those opened from this day or moment on (UTC).")
@click.option(
    "--until", type=Day(ends=True), help="Only those opened up to the end of this day, or before this moment (UTC)."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1, max=1000), help="So many at most.")
@click.option("--after", default="", metavar="ID", help="The next page: the requests that are older than this one.")
@as_json
@telling_mistakes
def list_requests(
    only_open: bool,
    states: tuple[State, ...],
    model: str | None,
    target: str,
    workspace: str,
    requester: str,
    approver: str,
    needs_me: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    after: str,
    as_json: bool,
) -> None:
    """List requests, the newest first."""
    which = Wanted(
        _chosen(states, only_open),
        place_named(workspace) if workspace else None,
        model,
        target_of(target) if target else None,
        since=since,
        until=until,
    )
    needs = git_email("--approver") if needs_me and not approver else approver
    search = Search(which, requester, needs, after)
    with _opened_for(needs) as (records, votes):
        found = list(islice(_found(search, limit + 1, votes, records), limit + 1))
        rows = _rows(found[:limit], records)
    print_rows(rows, COLUMNS, as_json=as_json, empty="No requests.", below=BELOW, is_narrowed=search.is_narrowed)
    if len(found) > limit and not as_json:
        say(f"There are older ones: add --after {found[limit - 1].short_id}", err=True)


def _chosen(states: Collection[State], only_open: bool) -> tuple[State, ...]:
    if states and only_open:
        raise click.UsageError("--open means the states collecting and pending; say --open or --state")
    return OPEN if only_open else tuple(map(State, states))


@contextmanager
def _opened_for(needs: str) -> Iterator[tuple[Records, WaitingVotes | None]]:
    """Whose vote is needed may be a matter of a Slack group; all else is in the records."""
    if not needs:
        with records_for() as records:
            yield records, None
        return
    from handlers.queries.needed_votes import WaitingVotes

    with services_for() as services:
        can_ask = bool(settings_for().slack_bot_token.get_secret_value())
        yield services, WaitingVotes(_known(needs, services), services, asks_notifier=can_ask)


def _found(search: Search, limit: int, votes: WaitingVotes | None, s: Records) -> Iterator[TransitionRequest]:
    from handlers.queries.needed_votes import each_request

    which = search.which
    if search.requester:
        which = replace(which, requesters=_ids_of(_known(search.requester, s), s))
    if votes:
        which = replace(which, states=which.states or (State.PENDING,))  # no other state takes votes
    size = PAGE if votes else limit

    def page(last: str) -> list[TransitionRequest]:
        with s.store.transaction() as tx:
            return tx.requests.page(which, size, last or tx.requests.full_id(search.after))

    everything = each_request(page)
    return filter(votes.is_needed_for, everything) if votes else everything


def _known(email: str, s: Records) -> Person:
    with s.store.transaction() as tx:
        person = tx.people.find(email.strip())
    if person is None:
        raise NotFound(f"no one here has the e-mail {email}. `countersign people list` shows who is known")
    return person


def _ids_of(person: Person, s: Records) -> frozenset[str]:
    with s.store.transaction() as tx:
        return tx.people.ids_of(person.id)


def _rows(found: Collection[TransitionRequest], s: Records) -> list[dict[str, object]]:
    with s.store.transaction() as tx:
        names = tx.people.names({person for one in found for person in _people_in(one)})
        policy = tx.policy() if found else None
    return [
        {
            "id": one.short_id,
            "state": str(one.state),
            "version": str(one.version),
            "target": str(one.target),
            "asked": str(one.ask),
            "requester": names.get(one.requester) if one.requester else None,
            "ticket": one.ticket.key if one.ticket else None,
            "decided_by": approved_by(one, names, policy) or None,
            "opened_at": one.opened_at,
            "request_id": one.id,
            "model": one.version.model,
            "version_number": one.version.version,
            "workspace": one.version.workspace,
        }
        for one in found
    ]


def _people_in(request: TransitionRequest) -> list[str]:
    people = [request.requester, *(vote.person for vote in request.votes)]
    return [person for person in people if person]
