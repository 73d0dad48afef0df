"""The rule that a request was decided under: the one in force, or one of an earlier policy.

Only policies that a `PolicyActivated` entry names are believed: a row of a policy that no entry names was written by something else.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.errors import InvalidPolicy, Permanent
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.render_context import needed_rule


def decided_rule(request: TransitionRequest, tx: Transaction, s: Services) -> Rule | None:
    """The rule whose hash the request has; None when no policy that was put in force has it.

    Raises Permanent when a policy that may have it cannot be read by this release.
    """
    unreadable = 0
    for policy in _policies(tx, s):
        rule = _rule_in(policy, request) if policy else None
        if policy is not None and rule is not None and request.rule_hash in policy.hashes(rule):
            return rule
        unreadable += policy is None
    if unreadable:
        raise Permanent(
            f"request {request.short_id} was decided under a rule of an earlier policy, and this release cannot read "
            f"{unreadable} of the policies on record. Nothing is signed. Call the approval off, and ask again"
        )
    return None


def rule_with(rule_hash: str, request: TransitionRequest, tx: Transaction, s: Services) -> Rule:
    """The rule with this hash, for its label alone; the one in force when no policy that can be read has it."""
    for policy in filter(None, _policies(tx, s)):
        rule = _rule_in(policy, request)
        if rule is not None and rule_hash in policy.hashes(rule):
            return rule
    return needed_rule(request, _rule_in(tx.policy(), request))


def is_same_rule(one: str, other: str, request: TransitionRequest, tx: Transaction, s: Services) -> bool:
    """Whether both are hashes of one rule for this request: releases may hash the same rule differently."""
    if one == other:
        return True
    found = ((policy, _rule_in(policy, request)) for policy in filter(None, _policies(tx, s)))
    return any(rule is not None and {one, other} <= set(policy.hashes(rule)) for policy, rule in found)


def _policies(tx: Transaction, s: Services) -> Iterator[Policy | None]:
    """Those that were put in force, the newest first; None for one that was written for another release."""
    for text in tx.policies.texts():
        try:
            yield s.store.parse_policy(text)
        except InvalidPolicy:
            yield None


def _rule_in(policy: Policy, request: TransitionRequest) -> Rule | None:
    return policy.rule_for(request.version.workspace, request.version.model, request.target)
