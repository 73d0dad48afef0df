"""Whether a vote on record was cast by its person: the notifier's signed request is verified again before anything is signed.

A vote counts for this when its kept request is signed, says what the vote says, and came from an account that the ledger binds to the
person; when this worker's own key has signed it before; or when `migrate` has listed it as older than signed requests. What a table says
is never enough: rows can be written by others than the bot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from bot.domain.events import AccountBound
from bot.domain.model import VOTE, TransitionRequest, Vote
from bot.domain.names import storable
from bot.domain.vote_events import OldBinding, OldVote
from bot.errors import NotVerified, Rejected
from bot.ports import Click, PublicKey
from bot.services import Services
from bot.signatures import TrustedKey, verify
from bot.store.attestations import Attestation, KeptRequest
from bot.store.transaction import Transaction

CLOCKS_DIFFER_BY = timedelta(minutes=5)  # of the machines that bind accounts and record votes, at the most
NO_REQUEST = "no signed request of the notifier is on record with it"
CHANGED = "what is on record is not what was cast"
OTHER_CLICK = "the signed request that it names says something else"
NOT_THEIRS = "the ledger does not bind the account that pressed to this person"


def why_unproven(request: TransitionRequest, vote: Vote, tx: Transaction, s: Services) -> str:
    """Why nothing proves that the person cast this vote, as a clause; empty when it is proven. Calls no one."""
    if _is_signed_by_us(request, vote, tx.attestations.of(request.id), s.signer.key):
        return ""
    if not vote.signed_request:
        return "" if _is_listed(request, vote, tx) else NO_REQUEST
    kept = tx.signed_requests.find(vote.signed_request)
    if kept is None:
        return NO_REQUEST
    if kept.request_id != request.id or not _is_same(vote, kept.vote):
        return CHANGED
    return _why_not_pressed(request, vote, kept, tx, s)


def _why_not_pressed(request: TransitionRequest, vote: Vote, kept: KeptRequest, tx: Transaction, s: Services) -> str:
    try:
        click = s.notifier.read_signed(kept.signed)
    except Rejected as refusal:
        return str(refusal)
    if kept.signed.signed_by != vote.signed_by or not _says_the_same(click, request, vote):
        return OTHER_CLICK
    return "" if _belongs_to(vote, tx) else NOT_THEIRS


def _is_same(vote: Vote, cast: Vote) -> bool:
    """As it was cast, but for what happens to votes later: the rule's hash after an upgrade, and voided stand-ins."""
    if not set(vote.groups) <= set(cast.groups):
        return False
    said = [
        (one.person, one.verdict, one.reason, one.at, one.via, one.standing_in_for, one.also, one.team, one.account)
        for one in (vote, cast)
    ]
    return said[0] == said[1]


def _says_the_same(click: Click, request: TransitionRequest, vote: Vote) -> bool:
    card = request.card
    if card is None or (click.team, click.app, click.channel, click.message) != (
        card.team,
        card.app,
        card.channel,
        card.message,
    ):
        return False
    said = (click.account, click.team, click.value, click.action, storable(click.reason))
    return said == (vote.account, vote.team, request.id, str(vote.verdict), vote.reason)


def _belongs_to(vote: Vote, tx: Transaction) -> bool:
    """By the ledger, whose account it was at the vote. A binding from before bindings were entries must be listed."""
    changes = tx.signed_requests.changes_of(vote.account)
    before = [change for change in changes if change.at <= vote.at]
    at_once = [change for change in changes if vote.at < change.at <= vote.at + CLOCKS_DIFFER_BY]
    if before or at_once:
        then = [*before[-1:], *at_once]
        return any(isinstance(change, AccountBound) and change.person == vote.person for change in then)
    listed = tx.signed_requests.listed()
    return listed is not None and OldBinding(vote.account, vote.person) in listed.bindings


def _is_listed(request: TransitionRequest, vote: Vote, tx: Transaction) -> bool:
    listed = tx.signed_requests.listed()
    return listed is not None and OldVote(request.id, vote.person, vote.at) in listed.votes


def _is_signed_by_us(request: TransitionRequest, vote: Vote, signed: Sequence[Attestation], key: PublicKey) -> bool:
    """With this worker's own key: keys in the table can be anybody's. So a secret that changed since then voids no signed vote."""
    ring = {key.id: TrustedKey(key.id, key.algorithm, key.pem)}
    for one in signed:
        if one.about != VOTE or one.person != vote.person or one.key_id != key.id:
            continue
        try:
            found = json.loads(verify(one.envelope, ring).payload)
        except NotVerified:
            continue
        if _is_about(found.get("predicate", {}), request, vote):
            return True
    return False


def _is_about(predicate: dict[str, object], request: TransitionRequest, vote: Vote) -> bool:
    person = predicate.get("person")
    groups = predicate.get("groups")
    said = (predicate.get("about"), predicate.get("request"), predicate.get("verdict"), predicate.get("at"))
    return (
        said == (VOTE, request.id, str(vote.verdict), vote.at.isoformat())
        and isinstance(person, dict)
        and person.get("id") == vote.person
        and isinstance(groups, list)
        and set(vote.groups) <= set(groups)
    )
