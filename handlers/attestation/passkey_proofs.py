"""Whether the passkey's signature on a vote is its person's: verified over the kept statement, by the ledger's entries before the vote.

The statement is kept beside the vote as a text, and only its digest makes it the one that was signed, so it does not matter who could
have written its row. It must be the very text that the bot composes from the ledger's entries before the vote's own, and which passkeys
counted is read from there too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from bot.assertions import NAMES, SignedByPasskey, check_assertion, origin_of
from bot.domain.attestation.decision import payload_of, with_passkey
from bot.domain.attestation.vote_statement import is_about, says_all
from bot.domain.events import VoteCast
from bot.domain.grounds import Assertion
from bot.domain.ledger.chain import Plain
from bot.domain.model import TransitionRequest, Vote
from bot.domain.request.passkeys import Passkey
from bot.errors import AssertionRefused, Permanent
from bot.services import Services
from bot.store.audit import event_of, replayed
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import is_same_rule, rule_with

NO_STATEMENT = "the statement that its passkey signed is not on record"
OTHER_STATEMENT = "its passkey signed a statement that says something else"
NOT_CAST = "the ledger has no entry of this vote with this passkey"
NOT_THEIR_PASSKEY = "the ledger says that its passkey is not this person's"
NOT_CONFIRMED = "its passkey was not confirmed by others when the vote was cast"
REVOKED = "its passkey had been revoked when the vote was cast"


@dataclass(frozen=True)
class _Proof:
    """What the person signed, and their signature, which was verified."""

    statement: dict[str, Plain]
    signed: SignedByPasskey


@dataclass(frozen=True)
class _Cast:
    """The ledger's entry of a vote: its number, the vote, and the request as the entries before it make it."""

    place: int
    vote: Vote
    request: TransitionRequest


def why_not_signed(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> str:
    """Why the passkey's signature proves nothing, as a clause; empty when it holds, and for a vote without one.

    Whether the rule needs one is the tally's question, which seats no vote without it.
    """
    found = _proof_of(request, vote, vote.passkey, tx, s) if vote.passkey else ""
    return found if isinstance(found, str) else ""


def statement_with_passkey(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> Plain:
    """What is signed about a vote by passkey: the very statement that the person signed, and their signature.

    Raises Permanent unless the passkey's signature holds, and the statement says what is on record: the text comes from a row.
    """
    found = _proof_of(request, vote, vote.passkey, tx, s) if vote.passkey else NO_STATEMENT
    if isinstance(found, str):
        raise Permanent(
            f"request {request.short_id} has a vote by passkey that proves nothing: {found}. Nothing is signed. Run "
            "`countersign audit verify`, and find out who can write to the database"
        )
    return with_passkey(found.statement, dict(zip(NAMES, astuple(found.signed), strict=True)))


def why_not_theirs(key: Passkey | None, vote: Vote) -> str:
    """`key` is the passkey as the ledger made it before the vote."""
    if key is None or key.person != vote.person:
        return NOT_THEIR_PASSKEY
    if key.is_revoked:
        return REVOKED
    return "" if key.is_confirmed else NOT_CONFIRMED


def _proof_of(
    request: TransitionRequest, vote: Vote, assertion: Assertion, tx: Transaction, s: Services
) -> _Proof | str:
    """Or why there is none."""
    kept = _kept(request, assertion, tx)
    if kept is None:
        return NO_STATEMENT
    statement = _read(kept)
    if statement is None or not is_about(statement.get("predicate"), request, vote):
        return OTHER_STATEMENT
    cast = _cast(request, vote, tx)
    if cast is None:
        return NOT_CAST
    if not _says_what_was_cast(statement, cast, vote, tx, s):
        return OTHER_STATEMENT
    key = tx.passkeys.find(assertion.credential, before=cast.place)
    why = why_not_theirs(key, vote)
    return why or _verified(statement, key, assertion, kept)


def _verified(statement: dict[str, Plain], key: Passkey | None, assertion: Assertion, kept: str) -> _Proof | str:
    if key is None:
        return NOT_THEIR_PASSKEY
    try:
        signed = _signed(assertion, key)
        check_assertion(signed, kept.encode())
    except AssertionRefused as refusal:
        return str(refusal)
    return _Proof(statement, signed)


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


def _says_what_was_cast(statement: Mapping[str, object], cast: _Cast, vote: Vote, tx: Transaction, s: Services) -> bool:
    """A vote whose stand-ins were voided has no rule any more, and counts under none."""
    if vote.rule_hash and not is_same_rule(vote.rule_hash, cast.vote.rule_hash, cast.request, tx, s):
        return False
    rule = rule_with(cast.vote.rule_hash, cast.request, tx, s)
    return says_all(statement, cast.request, cast.vote, rule)


def _cast(request: TransitionRequest, vote: Vote, tx: Transaction) -> _Cast | None:
    entries = tx.ledger.about(request.id)
    for number, entry in enumerate(entries):
        event = event_of(entry) if entry.kind == VoteCast.__name__ else None
        if isinstance(event, VoteCast) and _is_as_cast(vote, event.vote):
            before = replayed(request.id, entries[:number])
            return _Cast(entry.seq, event.vote, before) if before else None
    return None


def _is_as_cast(vote: Vote, cast: Vote) -> bool:
    """But for what happens to votes later: stand-ins are voided, and rules get other hashes, which are compared apart."""
    return set(vote.groups) <= set(cast.groups) and replace(vote, groups=cast.groups, rule_hash=cast.rule_hash) == cast
