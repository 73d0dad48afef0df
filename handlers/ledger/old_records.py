"""What an older release left, which this one believes as it is: listed once in the ledger, by the first `migrate` of this release.

From then on a vote counts only with a signed request, and a binding or a row of a baseline only with its ledger entry. Rows that are
written later cannot claim to be old.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import OldBaselinesListed, OldRecordsListed
from bot.domain.model import Kind, State, TransitionRequest
from bot.domain.registry_events import in_lists
from bot.domain.vote_events import OldBinding, OldVote
from bot.engine.lanes import Lane
from bot.services import Services
from bot.signatures import digest_of
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from bot.store.vouched.baselines import is_listed, without_entry


def list_old_records(s: Services) -> None:
    """Also when there are none, so that none can be listed later."""
    with s.store.transaction() as tx:
        tx.keys.lock()  # two release steps at once: the second waits, and finds it listed
        if tx.signed_requests.listed() is None:
            tx.record([OldRecordsListed(s.clock.now(), _old_votes(tx), _old_bindings(tx), _old_verdicts(tx))])
            _renew_cards(tx)
        if not is_listed(tx.connection):
            tx.record(_old_baselines(tx, s.clock.now()))


def _old_baselines(tx: Transaction, now: datetime) -> list[OldBaselinesListed]:
    lists = in_lists(without_entry(tx.connection)) or [()]
    return [OldBaselinesListed(now, some, len(lists) - number) for number, some in enumerate(lists, 1)]


def _renew_cards(tx: Transaction) -> None:
    """The buttons of an older release do not say what their card shows, and votes need that."""
    for request in tx.requests.find(states=(State.PENDING,)):
        if request.card is not None:
            tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)


def _old_votes(tx: Transaction) -> tuple[OldVote, ...]:
    """Of requests that may still be decided or carried out; on others nothing is signed or moved any more."""
    rejected = [request for request in tx.requests.find(states=(State.REJECTED,)) if _has_something_to_do(request)]
    return tuple(
        OldVote(request.id, vote.person, vote.at)
        for request in (*tx.requests.find(states=LIVE), *rejected)
        for vote in request.votes
        if not vote.signed_request
    )


def _has_something_to_do(rejected: TransitionRequest) -> bool:
    is_to_be_put_back = rejected.kind is Kind.OBSERVED and rejected.settled_at is None
    return rejected.attested_at is None or is_to_be_put_back


def _old_verdicts(tx: Transaction) -> tuple[str, ...]:
    return tuple(sorted(digest_of(envelope) for envelope in tx.verdicts.envelopes()))


def _old_bindings(tx: Transaction) -> tuple[OldBinding, ...]:
    bound = (row for row in tx.people.accounts() if row.unbound_at is None)
    return tuple(OldBinding(row.account, row.person) for row in bound if not tx.signed_requests.changes_of(row.account))
