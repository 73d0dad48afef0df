"""Who wrote in the registry, as the guard of its server reports it: requests get to know who asked, and the model is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.model import State, TransitionRequest
from bot.domain.registry.writes import RegistryWrite, asks, since_the_last
from bot.domain.request import lifecycle
from bot.domain.request.askers import approved_by, own_ask_approved
from bot.domain.request.lifecycle import NewRequest
from bot.language import recorded
from bot.services import Services
from bot.store.people import Person
from bot.store.requests import LIVE, new_request_id
from bot.store.transaction import Transaction
from handlers.registry.reconcile import defer_look
from handlers.request.asking import join, opened, person_of_user
from handlers.request.calling_off import end_approval


def take_writes(writes: Sequence[RegistryWrite], s: Services) -> int:
    """How many are new. Each is recorded whole before the next, so a guard that reports again goes on where this ended."""
    return sum(_take(write, s) for write in writes)


def _take(write: RegistryWrite, s: Services) -> bool:
    now = s.clock.now()
    with s.store.transaction() as tx:
        if write.workspace not in tx.policy().places or not tx.writes.put(write, now):
            return False
        _name_asker(write, tx, now)
        defer_look(tx, write.workspace, write.model)
    return True


def _name_asker(write: RegistryWrite, tx: Transaction, now: datetime) -> None:
    """Open requests that come of this write get to know who wrote it."""
    person = person_of_user(write.user, tx) if write.user and write.version is not None else None
    if person is None:
        return
    tx.requests.lock_model(write.workspace, write.model)
    known = (*LIVE, State.APPLIED)
    for request in tx.requests.find(workspace=write.workspace, model=write.model, states=known, for_update=True):
        if not asks(write, request.version, request.target, request.ask, request.kind) or _is_older(write, request, tx):
            continue
        own = approved_by(request, tx.people.ids_of(person.id))
        if request.state is State.APPLIED:
            tx.record(own_ask_approved(request, person.id, own, write, now))
        elif request.state is State.APPROVED and own:
            _ask_others(request, person, write.vouched_by, tx, now)
        else:
            said = NewRequest(
                request.version, request.target, request.ask, requester=person.id, vouched_by=write.vouched_by
            )
            join(request, said, tx, now)


def _is_older(write: RegistryWrite, request: TransitionRequest, tx: Transaction) -> bool:
    """It asked for an earlier request: a report may come late."""
    alike = tx.requests.find(version=request.version, target=request.target)
    before = since_the_last((one for one in alike if one.opened_at < request.opened_at), request.kind)
    return before is not None and write.at <= before


def _ask_others(approved: TransitionRequest, person: Person, vouched_by: str, tx: Transaction, now: datetime) -> None:
    """An approval that rests on the vote of its own requester is not carried out: a new request asks, and they may not vote on it."""
    why = recorded("outcome", "{person} approved it and, as became known since, had asked for it", person=person.name)
    end_approval(approved, "", why, tx, now)
    fresh_id = new_request_id()
    again = lifecycle.reopened(approved)
    opened(replace(again, requester=person.id, vouched_by=vouched_by), fresh_id, tx, now)
    tx.registry.hand_over_asks(approved.id, fresh_id)
