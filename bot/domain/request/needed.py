"""Whose vote would bring a request forward."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bot.domain.grounds import Assertion
from bot.domain.model import State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import tally, under

WITH_PASSKEY = Assertion("", "", "", "", "")  # the person would sign with it, where the rule asks for one


def is_needed_from(
    ids: Collection[str], groups: Collection[str], request: TransitionRequest, rule: Rule, rule_hash: str
) -> bool:
    """Whether an approval by this person would fill a place that is still open. `ids` are all of the person's, `groups` of the rule's.

    Neither a party of the request nor a person who has voted can.
    """
    valid = under(request, rule_hash)
    has_voted = any(set(ids) & {*vote.ids, *vote.standing_in_for} for vote in valid.votes)
    if request.state is not State.PENDING or request.parties & set(ids) or has_voted or not groups:
        return False
    vote = Vote(min(ids), Verdict.APPROVE, "", request.opened_at, tuple(groups), "", rule_hash, passkey=WITH_PASSKEY)
    with_it = replace(valid, votes=(*valid.votes, vote))
    return len(tally(with_it, rule).missing) < len(tally(valid, rule).missing)
