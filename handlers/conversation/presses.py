"""What presses on a card that are no votes have in common with votes: the same message, card, account and policy, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from bot.domain.conversation.speakers import Speaker
from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.voting import AlreadyDecided
from bot.errors import Refused
from bot.language import _
from bot.ports import Click
from bot.store.transaction import Transaction
from handlers.request.casting import OLD_CARD, check_is_still, rule_of, shows_something_else, who_decided
from handlers.request.voters import POLICY_CHANGED, Voter


def locked_card(click: Click, voter: Voter, tx: Transaction, now: datetime) -> tuple[TransitionRequest, Rule, str]:
    """The locked request with its rule and the rule's hash. Raises Refused when the card, the policy or the account has changed."""
    request = tx.requests.get(click.value, for_update=True)
    rule = rule_of(request, tx)
    if shows_something_else(click, request, rule, tx):
        raise Refused(_(OLD_CARD))
    check_is_still(voter, click, tx, now)
    rule_hash = tx.policy().rule_hash(rule)
    if rule_hash != voter.rule_hash:
        raise Refused(_(POLICY_CHANGED))
    return request, rule, rule_hash


def speaker_of(voter: Voter) -> Speaker:
    return Speaker(voter.person.id, voter.groups, voter.also)


@contextmanager
def late_presses_answered(tx: Transaction) -> Iterator[None]:
    """Says who has decided meanwhile, as to a late vote."""
    try:
        yield
    except AlreadyDecided as late:
        raise Refused(who_decided(late.request, tx)) from None
