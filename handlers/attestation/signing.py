"""Effect `sign`: signs each vote after it has committed, then the decision; and which keys count.

What is signed is composed in `bot.domain.attestation.decision`. The target moves only once the decision is signed
(`handlers.registry.apply`), and the envelopes travel with the version as its tags (`handlers.registry.tags`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.attestation import decision as attestation
from bot.domain.events import DecisionSigned, KeyAdded, KeyRetired, VoteSigned
from bot.domain.ledger.chain import Plain
from bot.domain.model import DECISION, VOTE, State, TransitionRequest
from bot.errors import NotFound, OutsideError, Permanent, Refused
from bot.ports import PublicKey
from bot.services import Services
from bot.signatures import APPROVALS, PAYLOAD_TYPE, digest_of
from bot.store.attestations import Attestation, KnownKey
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import rule_with
from handlers.attestation.passkey_proofs import statement_with_passkey
from handlers.attestation.proven import refuse_unproven, signed_so_far, unsigned_votes, why_not_proven
from handlers.attestation.vote_proofs import with_card_pressed


@dataclass(frozen=True)
class Due:
    """What is not signed yet; `earlier` is how many signatures about the same there must be before it."""

    about: str
    person: str
    statement: Plain
    earlier: int = 0


@dataclass(frozen=True)
class Signed:
    due: Due
    envelope: str


def sign(request_id: str, s: Services) -> None:
    """Signs every vote and decision that is not signed yet, in the order in which they happened. What nothing proves is refused first."""
    with s.store.transaction() as tx:
        unsigned = _unsigned(refuse_unproven(request_id, tx, s), tx, s)
        is_registered = tx.keys.find(s.signer.key.id) is not None
    if unsigned and not is_registered:
        register_key(s)
    signed: list[Signed] = []
    for due in unsigned:
        try:
            envelope = s.signer.sign(attestation.payload_of(due.statement), PAYLOAD_TYPE)
        except OutsideError:
            _record(request_id, signed, s)
            raise
        signed.append(Signed(due, envelope))
    _record(request_id, signed, s)


def register_key(s: Services) -> None:
    """The worker's own key counts from now on, unless it did before. A retired key stays retired."""
    now, key = s.clock.now(), s.signer.key
    with s.store.transaction() as tx:
        if tx.keys.find(key.id) is not None:
            return
        tx.keys.lock()
        if tx.keys.find(key.id) is None:
            seq = tx.record_now(KeyAdded(now, key.id, key.algorithm, APPROVALS))
            tx.keys.add(KnownKey(key.id, APPROVALS, key.algorithm, key.pem, now, seq))


def retire_key(beginning: str, reason: str, s: Services) -> KnownKey:
    """What the key signs from here on no longer counts. `beginning` are the first letters of its id, as many as tell it apart."""
    if not reason.strip():
        raise Refused("say in a sentence why: the reason is kept in the ledger, for those who read it later")
    now = s.clock.now()
    with s.store.transaction() as tx:
        key = key_beginning_with(beginning, tx, for_update=True)
        if key.retired_seq is not None:
            raise Refused(f"key {key.id[:12]} was retired before: {key.retired_because}")
        seq = tx.record_now(KeyRetired(now, key.id, reason))
        tx.keys.retire(key.id, seq, reason)
    return replace(key, retired_seq=seq, retired_because=reason)


def _record(request_id: str, signed: Sequence[Signed], s: Services) -> None:
    """In one transaction, but for what another worker has recorded meanwhile."""
    if not signed:
        return
    now, key = s.clock.now(), s.signer.key
    with s.store.transaction() as tx:
        tx.requests.get(request_id, for_update=True)
        there = signed_so_far(request_id, tx)
        new = [one for one in signed if there[one.due.about, one.due.person] <= one.due.earlier]
        if new:
            check_counts(key, tx)
        for one in new:
            about, person, digest = one.due.about, one.due.person, digest_of(one.envelope)
            event = VoteSigned if about == VOTE else DecisionSigned
            seq = tx.record_now(event(now, request_id, about, person, key.id, digest))
            tx.attestations.add(
                Attestation(request_id, about, person, key.id, one.envelope, digest, seq=seq, signed_at=now)
            )


def _unsigned(request: TransitionRequest, tx: Transaction, s: Services) -> list[Due]:
    """A vote under a rule that has changed since is signed as well: it happened."""
    signed = signed_so_far(request.id, tx)
    names, emails = _people_in(request, tx)
    due = []
    for vote, earlier in unsigned_votes(request, tx):
        statement = (
            statement_with_passkey(request, vote, tx, s)
            if vote.passkey
            else attestation.of_vote(
                with_card_pressed(request, vote, tx, s),
                vote,
                rule_with(vote.rule_hash, request, tx, s),
                names,
                emails,
            )
        )
        due.append(Due(VOTE, vote.person, statement, earlier))
    taken_back = (
        request.state is State.CALLED_OFF and request.attested_at is None
    )  # after an approval that may be signed
    if attestation.verdict_of(request) is not None and (taken_back or not signed[DECISION, ""]):
        rule = rule_with(request.rule_hash, request, tx, s)
        if taken_back or not why_not_proven(request, tx, s):
            statement = attestation.of_decision(request, rule, names, emails)
            due.append(Due(DECISION, "", statement, earlier=signed[DECISION, ""]))
    return due


def _people_in(request: TransitionRequest, tx: Transaction) -> tuple[attestation.Names, attestation.Names]:
    """Names and e-mail addresses."""
    ids = attestation.ids_named_in(request)
    return tx.people.names(ids), tx.people.emails(ids)


def check_counts(key: PublicKey, tx: Transaction) -> None:
    """Raises Permanent unless what the key signs now will count."""
    known = tx.keys.find_and_hold(key.id)
    if known is None or known.purpose != APPROVALS:
        raise Permanent(
            f"key {key.id[:12]} is not registered for approvals, and one key is for one purpose. Make another with "
            "`countersign keys new --out FILE`, name it in COUNTERSIGN_SIGNING_KEY, restart the worker, then replay this job"
        )
    if known.retired_seq is not None:
        raise Permanent(
            f"key {key.id[:12]} was retired: {known.retired_because}. Make another with `countersign keys new --out FILE`, name it in "
            "COUNTERSIGN_SIGNING_KEY, restart the worker, then replay this job"
        )


def key_beginning_with(beginning: str, tx: Transaction, *, for_update: bool = False) -> KnownKey:
    """The one key whose id begins so. Raises NotFound, or Refused when there are several."""
    found = tx.keys.starting_with(beginning, for_update=for_update)
    if not found:
        raise NotFound(
            f'no key begins with "{beginning[:64]}". `countersign keys list` shows those that are registered'
        )
    if len(found) > 1:
        raise Refused(f'{len(found)} keys begin with "{beginning[:64]}". Write more of the one you mean')
    return found[0]
