"""The rule that a request was decided under: the one in force, or one of an earlier policy."""

from __future__ import annotations

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.errors import InvalidPolicy
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.render_context import needed_rule


def rule_with(rule_hash: str, request: TransitionRequest, tx: Transaction, s: Services) -> Rule:
    """The rule as it was when people decided under it; the one in force when no policy of ours can be read that way any more."""
    in_force = _rule_in(tx.policy(), request)
    if in_force is not None and tx.policy().rule_hash(in_force) == rule_hash:
        return in_force  # as nearly always: no other policy need be read
    for text in tx.policies.texts():
        try:
            policy = s.store.parse_policy(text)
        except InvalidPolicy:
            continue  # written for another release
        rule = _rule_in(policy, request)
        if rule is not None and rule_hash in policy.hashes(rule):
            return rule
    return needed_rule(request, in_force)


def _rule_in(policy: Policy, request: TransitionRequest) -> Rule | None:
    return policy.rule_for(request.version.workspace, request.version.model, request.target)
