"""Before votes from tickets are signed, and before what they decided is carried out: the history is read at the ticket system again.

The ticket system signs nothing, so a vote's sealed entry shows only that the bot has read it. Whoever could write rows and make seals could
still not write the ticket system's history. When it does not answer, or the ticket is gone, the seal alone counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.domain.model import TransitionRequest, Vote
from bot.domain.request.proofs import fall_without_grounds, refuse_vote
from bot.domain.ticket_votes.history import TICKET, TicketAct, TicketHistory
from bot.errors import OutsideError, Rejected
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.attestation import signing
from handlers.attestation.proven import is_asked_anew, why_not_proven

log = structlog.get_logger()
READINGS = 10  # at most: each one more takes one vote more
NOT_THERE = "the ticket's history does not have the entry that it came from"
OTHERS = "the ticket's history has another entry in the place of the one that it came from"


def sign(request_id: str, s: Services) -> None:
    """Signs every vote and decision that is not signed yet. What nothing proves, or a ticket's history denies, is refused first."""
    read_history_again(request_id, s)
    signing.sign(request_id, s)


def read_history_again(request_id: str, s: Services) -> None:
    """Takes off votes that the history denies, and what rested on them; each is recorded.

    A vote that comes while the history is read may be younger than what was read: it is judged by another reading.
    """
    judged: frozenset[str] = frozenset()
    for _ in range(READINGS):
        with s.store.transaction() as tx:
            request = tx.requests.get(request_id)
            entries = _entries_of(request, tx, s)
        if request.ticket is None or entries.keys() <= judged or request.settled_at is not None:
            return
        try:
            history = s.decisions.history_of(request.ticket, approvals=any(one.answer for one in entries.values()))
        except OutsideError as trouble:
            log.warning("ticket_history_unread", request=request.short_id, why=str(trouble))
            return
        with s.store.transaction() as tx:
            _refuse_denied(tx.requests.get(request_id, for_update=True), entries, history, tx, s)
        judged = frozenset(entries)


def _refuse_denied(
    request: TransitionRequest, entries: Mapping[str, TicketAct], history: TicketHistory, tx: Transaction, s: Services
) -> None:
    """Of the votes that `entries` has, and no others."""
    now = s.clock.now()
    known = [vote for vote in request.votes if vote.signed_request in entries]
    denied = [(vote, why) for vote in known if (why := _why_denied(entries[vote.signed_request], request, history))]
    for vote, why in denied:
        log.warning("vote_refused", request=request.short_id, person=vote.person, why=why)
        tx.record(refuse_vote(request, vote, why, now))
    if denied:
        request = tx.requests.get(request.id)
        why = why_not_proven(request, tx, s)
        tx.record(fall_without_grounds(request, why, now, is_asked_anew=is_asked_anew(request, tx)))


def _entries_of(request: TransitionRequest, tx: Transaction, s: Services) -> dict[str, TicketAct]:
    """By the digest of the sealed entry, which is of one vote alone."""
    found = ((vote.signed_request, _entry_of(vote, tx, s)) for vote in request.votes)
    return {digest: entry for digest, entry in found if entry is not None}


def _entry_of(vote: Vote, tx: Transaction, s: Services) -> TicketAct | None:
    """What the vote came in; None for a vote by card, and for one whose seal does not hold, which `vote_proofs` refuses."""
    kept = tx.signed_requests.find(vote.signed_request) if vote.via == TICKET else None
    try:
        return s.decisions.read_sealed(kept.signed).act if kept is not None else None
    except Rejected:
        return None


def _why_denied(entry: TicketAct, request: TransitionRequest, history: TicketHistory) -> str:
    if entry.answer is not None and not history.has_answers:  # as after a move to a project that has no approvals
        log.warning("ticket_history_unread", request=request.short_id, why="its approvals are not to be seen any more")
        return ""
    there = next((act for act in history.acts if act.id == entry.id), None)
    if there is None:
        return NOT_THERE
    found, sealed = ((one.account, one.before, one.after, one.answer) for one in (there, entry))
    return "" if found == sealed else OTHERS
