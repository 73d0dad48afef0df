"""Whether the passkey's signature on a vote is its person's: verified over the kept statement, by the ledger's entries before the vote.

The statement is kept beside the vote as a text, and only its digest makes it the one that was signed, so it does not matter who could
have written its row. Which passkeys counted is read from the ledger at the vote's own place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple

from bot.assertions import NAMES, SignedByPasskey, check_assertion, origin_of
from bot.domain.attestation.decision import payload_of, with_passkey
from bot.domain.attestation.vote_statement import rule_in, says_all
from bot.domain.events import VoteCast
from bot.domain.grounds import Assertion
from bot.domain.ledger.chain import Plain
from bot.domain.model import TransitionRequest, Vote
from bot.domain.request.passkeys import Passkey
from bot.errors import AssertionRefused, Permanent
from bot.services import Services
from bot.store.audit import event_of
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import is_same_rule

NO_STATEMENT = "the statement that its passkey signed is not on record"
OTHER_STATEMENT = "its passkey signed a statement that says something else"
NOT_CAST = "the ledger has no entry of this vote with this passkey"
NOT_THEIR_PASSKEY = "the ledger says that its passkey is not this person's"
NOT_CONFIRMED = "its passkey was not confirmed by others when the vote was cast"
REVOKED = "its passkey had been revoked when the vote was cast"


def why_not_signed(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> str:
    """Why the passkey's signature proves nothing, as a clause; empty when it holds, and for a vote without one.

    Whether the rule needs one is the tally's question, which seats no vote without it.
    """
    if vote.passkey is None:
        return ""
    kept = _kept(request, vote.passkey, tx)
    if kept is None:
        return NO_STATEMENT
    statement = _read(kept)
    if (
        statement is None
        or not says_all(statement, request, vote)
        or not _is_same_rule(statement, request, vote, tx, s)
    ):
        return OTHER_STATEMENT
    place = _place_of(request, vote, tx)
    if place is None:
        return NOT_CAST
    key = tx.passkeys.find(vote.passkey.credential, before=place)
    return why_not_theirs(key, vote) or _why_not_good(key, vote.passkey, kept)


def why_not_theirs(key: Passkey | None, vote: Vote) -> str:
    """`key` is the passkey as the ledger made it before the vote."""
    if key is None or key.person != vote.person:
        return NOT_THEIR_PASSKEY
    if key.is_revoked:
        return REVOKED
    return "" if key.is_confirmed else NOT_CONFIRMED


def statement_with_passkey(request: TransitionRequest, vote: Vote, tx: Transaction) -> Plain:
    """What is signed about a vote by passkey: the very statement that the person signed, and their signature. Raises Permanent."""
    kept = _kept(request, vote.passkey, tx) if vote.passkey else None
    key = tx.passkeys.find(vote.passkey.credential) if vote.passkey else None
    if vote.passkey is None or kept is None or key is None:
        raise Permanent(f"request {request.short_id} has a vote by passkey, and {NO_STATEMENT}")
    signed = astuple(_signed(vote.passkey, key))
    return with_passkey(json.loads(kept), dict(zip(NAMES, signed, strict=True)))


def _why_not_good(key: Passkey | None, assertion: Assertion, kept: str) -> str:
    if key is None:
        return NOT_THEIR_PASSKEY
    try:
        check_assertion(_signed(assertion, key), kept.encode())
    except AssertionRefused as refusal:
        return str(refusal)
    return ""


def _signed(assertion: Assertion, key: Passkey) -> SignedByPasskey:
    """With the page that the browser names: that it is one of the passkey's site is checked with the rest."""
    return SignedByPasskey(
        assertion.credential,
        key.public_key,
        assertion.client_data,
        assertion.authenticator_data,
        assertion.signature,
        key.rp_id,
        origin_of(assertion.client_data),
    )


def _read(kept: str) -> dict[str, Plain] | None:
    """None unless the text is exactly what the statement has as canonical JSON, so that its digest can be found again from its content."""
    try:
        read = json.loads(kept)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and payload_of(read) == kept.encode() else None


def _kept(request: TransitionRequest, assertion: Assertion, tx: Transaction) -> str | None:
    found = tx.passkeys.pending_of(request.id, assertion.statement)
    return found.statement if found else None


def _is_same_rule(
    statement: Mapping[str, object], request: TransitionRequest, vote: Vote, tx: Transaction, s: Services
) -> bool:
    """A vote whose stand-ins were voided has no rule any more, and counts under none."""
    return not vote.rule_hash or is_same_rule(vote.rule_hash, rule_in(statement), request, tx, s)


def _place_of(request: TransitionRequest, vote: Vote, tx: Transaction) -> int | None:
    """The number of the ledger's entry of this vote."""
    cast = ((seq, one) for seq, one in _votes(request, tx) if (one.person, one.at) == (vote.person, vote.at))
    return next((seq for seq, one in cast if one.passkey == vote.passkey), None)


def _votes(request: TransitionRequest, tx: Transaction) -> Iterator[tuple[int, Vote]]:
    for entry in tx.ledger.about(request.id):
        event = event_of(entry) if entry.kind == VoteCast.__name__ else None
        if isinstance(event, VoteCast):
            yield entry.seq, event.vote
