"""Who asked, once their account is known: their own votes count no more, and votes of others that are enough decide."""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import OPEN, TransitionRequest
from bot.domain.request import lifecycle
from bot.domain.request.askers import asked_by, known_as
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.transaction import Transaction

BIND_PERSON = "bind_person"


def check_askers_are_known(request: TransitionRequest, tx: Transaction) -> None:
    """Raises Refused while the account of an asker is being looked up: a vote that was cast may be theirs."""
    if are_looked_up(request, tx):
        raise Refused(
            _("it is being looked up whose address asked for this. Nothing was recorded: press again in a moment")
        )


def are_looked_up(request: TransitionRequest, tx: Transaction) -> bool:
    return not tx.unfinished(BIND_PERSON).isdisjoint(asked_by(request))


def void_votes_of_askers(request: TransitionRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """The request without the votes of people who turned out, since they asked or voted, to be one person with an asker."""
    for person in asked_by(request):
        tx.record(known_as(request, person, tx.people.ids_of(person), now))
        request = tx.requests.get(request.id)
    return request


def look_at_votes_again(person_id: str, s: Services) -> None:
    """An asker's account was looked up, so what waited for that is decided."""
    with s.store.transaction() as tx:
        asked = [one for one in tx.requests.find(states=OPEN) if person_id in asked_by(one)]
    for request in asked:
        with s.store.transaction() as tx:
            tx.requests.lock_model(request.version.workspace, request.version.model)
            now, policy = s.clock.now(), tx.policy()
            locked = void_votes_of_askers(tx.requests.get(request.id, for_update=True), tx, now)
            rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
            if rule is not None:
                tx.record(lifecycle.decide_by_votes(locked, rule, policy.rule_hash(rule), now))
