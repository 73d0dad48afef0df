"""Whether a vote on record was cast by its person: the notifier's signed request is verified again before anything is signed.

A vote counts for this when its kept request is signed, says what the vote says and that the card showed this version, target, evidence and
rule, and came from an account that the ledger binds to the person; when a key that this worker believes has signed the same vote, under the
same rule, before; or when `migrate` has listed it as older than signed requests. Whichever it is, the signature of a passkey, where there
is one, must hold too (`passkey_proofs`).
What a table says is never enough: rows can be written by others than the bot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.domain.attestation.vote_statement import is_about, parts_of, passkey_parts, rule_in
from bot.domain.events import GlassBroken, VoteCast
from bot.domain.model import VOTE, SignedBy, TransitionRequest, Vote
from bot.domain.names import storable
from bot.domain.request.proofs import is_account_of_voter
from bot.domain.request.shown import shown_on
from bot.domain.ticket_votes.history import TICKET
from bot.domain.vote_events import OldBinding, OldVote
from bot.errors import Rejected
from bot.ports import Click
from bot.services import Services
from bot.store.attestations import KeptRequest
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import is_same_rule
from handlers.attestation.passkey_proofs import why_not_signed
from handlers.custody.own_keys import believed_keys, read_signed

CAST = (VoteCast.__name__, GlassBroken.__name__)  # the entries that a signed request leads to
NO_REQUEST = "no signed request of the notifier is on record with it"
CHANGED = "what is on record is not what was cast"
OTHER_RULE = "it was cast under another rule"
OTHER_CLICK = "the signed request that it names says something else"
OTHER_ENTRY = "the sealed entry of the ticket's history that it names says something else"
NOT_THEIRS = "the ledger does not bind the account that pressed to this person"


def why_unproven(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> str:
    """Why nothing proves that the person cast this vote, as a clause; empty when it is proven. Calls no other system.

    Raises Temporary while this worker does not know the secret that signed the request.
    """
    why = "" if _is_signed_by_us(request, vote, tx, s) else _why_not_cast(request, vote, tx, s)
    return why or why_not_signed(request, vote, tx, s)


def _why_not_cast(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> str:
    if not vote.signed_request:
        return "" if _is_listed(request, vote, tx) else NO_REQUEST
    kept = tx.signed_requests.find(vote.signed_request)
    if kept is None:
        return NO_REQUEST
    if kept.request_id != request.id or not _is_same(vote, kept.vote):
        return CHANGED
    if vote.rule_hash and not is_same_rule(vote.rule_hash, kept.vote.rule_hash, request, tx, s):
        return OTHER_RULE
    return _why_not_pressed(request, vote, kept, tx, s)


def _why_not_pressed(request: TransitionRequest, vote: Vote, kept: KeptRequest, tx: Transaction, s: Services) -> str:
    if kept.signed.signed_by is SignedBy.TICKETS:
        return _why_not_in_ticket(request, vote, kept, tx, s)
    try:
        click = s.notifier.read_signed(kept.signed)
    except Rejected as refusal:
        return str(refusal)
    if kept.signed.signed_by != vote.signed_by or not _says_the_same(click, request, kept.vote):
        return OTHER_CLICK
    return "" if belongs_to(request, vote, tx) else NOT_THEIRS


def _why_not_in_ticket(request: TransitionRequest, vote: Vote, kept: KeptRequest, tx: Transaction, s: Services) -> str:
    """Of a vote that was cast in a ticket: the sealed entry of its history. `handlers.tickets.grounds` has read it there again."""
    try:
        cast = s.decisions.read_sealed(kept.signed)
    except Rejected as refusal:
        return str(refusal)
    said = (cast.request_id, cast.ticket_id, cast.act.account, cast.verdict, storable(cast.reason), cast.shown)
    ticket, shown = request.ticket.id if request.ticket else "", shown_on(request, kept.vote.rule_hash)
    if said != (request.id, ticket, vote.account, vote.verdict, vote.reason, shown) or vote.via != TICKET:
        return OTHER_ENTRY
    if kept.signed.signed_by != vote.signed_by:
        return OTHER_ENTRY
    before = tx.ticket_accounts.changes_of(vote.account, before=_place_of(request, vote, tx))
    return "" if is_account_of_voter(vote, before, is_listed=False) else NOT_THEIRS


def with_card_pressed(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> TransitionRequest:
    """The request with the card that the vote was cast on, which may have been deleted and posted anew since. For a proven vote.

    Without a card for a vote that was cast in the ticket.
    """
    if vote.via == TICKET:
        return replace(request, card=None)
    kept = tx.signed_requests.find(vote.signed_request) if request.earlier_cards and vote.signed_request else None
    if kept is None:
        return request
    click = s.notifier.read_signed(kept.signed)
    return replace(request, card=request.card_at(click.team, click.app, click.channel, click.message))


def _is_same(vote: Vote, cast: Vote) -> bool:
    """As it was cast, but for what happens to votes later: voided stand-ins, and the rule's hash, which is compared apart."""
    if not set(vote.groups) <= set(cast.groups):
        return False
    said = [
        (
            *(one.person, one.verdict, one.reason, one.at, one.via, one.standing_in_for, one.also),
            *(one.team, one.account, one.passkey),
        )
        for one in (vote, cast)
    ]
    return said[0] == said[1]


def _says_the_same(click: Click, request: TransitionRequest, vote: Vote) -> bool:
    if request.card_at(click.team, click.app, click.channel, click.message) is None:
        return False
    said = (click.account, click.team, click.value, click.action, storable(click.reason), click.shown)
    return said == (
        vote.account,
        vote.team,
        request.id,
        str(vote.verdict),
        vote.reason,
        shown_on(request, vote.rule_hash),
    )


def belongs_to(request: TransitionRequest, vote: Vote, tx: Transaction) -> bool:
    """By the ledger. A binding from before bindings were entries must be listed."""
    place = _place_of(request, vote, tx)
    changes = tx.signed_requests.changes_of(vote.account, before=place)
    listed = tx.signed_requests.listed() if place and not changes else None
    is_listed = listed is not None and OldBinding(vote.account, vote.person) in listed.bindings
    return is_account_of_voter(vote, changes, is_listed=is_listed)


def _place_of(request: TransitionRequest, vote: Vote, tx: Transaction) -> int:
    """The number of the vote's entry; 0 when there is none, before which nothing is bound."""
    said = f'"signed_request":"{vote.signed_request}"'  # bodies are canonical
    entries = tx.ledger.about(request.id)
    return next((one.seq for one in entries if one.kind in CAST and said in one.body), 0)


def _is_listed(request: TransitionRequest, vote: Vote, tx: Transaction) -> bool:
    listed = tx.signed_requests.listed()
    return listed is not None and OldVote(request.id, vote.person, vote.at) in listed.votes


def _is_signed_by_us(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> bool:
    """With a key that this worker believes. So a secret that changed since then voids no signed vote."""
    ring = believed_keys(s)
    mine = (one for one in tx.attestations.of(request.id) if (one.about, one.person) == (VOTE, vote.person))
    verified = (read_signed(one, ring, tx) for one in mine)
    return any(_says_this_vote(one.statement, request, vote, tx, s) for one in verified if one is not None)


def _says_this_vote(
    statement: Mapping[str, object], request: TransitionRequest, vote: Vote, tx: Transaction, s: Services
) -> bool:
    """Under the same rule and by the same passkey: a vote that was signed under one rule is not one under another."""
    return (
        is_about(statement.get("predicate"), request, vote)
        and passkey_parts(statement) == parts_of(vote)
        and (not vote.rule_hash or is_same_rule(vote.rule_hash, rule_in(statement), request, tx, s))
    )
