"""What must be true of decisions in the end: who made them, with how many votes, and what the fast track let through."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.domain.events import ApprovalStale, RequestApproved, RequestRejected
from bot.domain.ledger.chain import Entry
from bot.domain.model import (
    AskKind,
    DecidedBy,
    State,
    TargetKind,
    TransitionRequest,
)
from bot.domain.policy.rules import UnknownRequester
from bot.store.transaction import Transaction
from tests.sim.laws import truth
from tests.sim.laws.after_sweeps import Broken
from tests.sim.world import World

DECIDED = (RequestApproved.__name__, RequestRejected.__name__)


class Votes:
    def __init__(self, world: World) -> None:
        self.world = world

    def check(self, requests: list[TransitionRequest], entries: list[Entry], tx: Transaction) -> Broken:
        yield from self._check_votes(requests, entries, tx)
        yield from self._check_fast_track(requests, tx)
        yield from self._check_voided(requests, entries)

    def _check_votes(self, requests: list[TransitionRequest], entries: list[Entry], tx: Transaction) -> Broken:
        by_id = {request.id: request for request in requests}
        for entry in entries:
            if entry.kind not in DECIDED:
                continue
            body = json.loads(entry.body)
            request = by_id[body["request_id"]]
            voted = set(body.get("approvers", [body.get("person")])) - {"policy", None}
            if not voted:
                continue
            parties = self._parties(request, by_id, entry)
            own = truth.humans_of(voted, self.world, tx) & parties
            if own:
                how = f"{', '.join(sorted(own))} decided on {request.version} -> {request.target} ({request.kind})"
                yield "a party decided", how
            if entry.kind == RequestApproved.__name__ and request.ask.kind is AskKind.OBSERVED:
                yield from self._too_few(request, len(voted))

    def _parties(self, request: TransitionRequest, by_id: dict[str, TransitionRequest], entry: Entry) -> set[str]:
        """Who trained it, asked for it or joined; also for the same request before it was taken back or opened anew."""
        chain, one = {request.id}, request
        while one.follows in by_id and by_id[one.follows].version == request.version:
            one = by_id[one.follows]
            chain.add(one.id)
        for other in by_id.values():
            alike = (other.version.created, other.target) == (request.version.created, request.target)
            if alike and other.state in (State.WITHDRAWN, State.STALE, State.SUPERSEDED):
                chain.add(other.id)
        asked = {one.human for one in self.world.asked if one.request_id in chain and one.at < entry.at}
        return {self.world.registry.authors[request.version], *asked}

    def _too_few(self, request: TransitionRequest, votes: int) -> Broken:
        """As many as if the same version had asked for the same place by its alias, or in words once somebody says that it was theirs."""
        for one in self.world.policies:
            rule = truth.rule_at(one.policy, (request.version.model, request.target))
            if rule is not None and one.policy.rule_hash(rule) == request.rule_hash:
                is_known = any(asked.request_id == request.id for asked in self.world.asked)
                more = rule.approve.unknown_requester is UnknownRequester.ONE_MORE and not is_known
                wanted = sum(needed.quorum for needed in rule.approve.all_of) + more
                if votes < wanted:
                    yield "a move by hand needed fewer votes than asking", f"{votes} of {wanted} for {request.version}"
                return

    def _check_fast_track(self, requests: list[TransitionRequest], tx: Transaction) -> Broken:
        contents = self.world.registry.contents
        for request in requests:
            if request.decided_by is not DecidedBy.FAST_TRACK or request.decided_at is None or not request.evidence:
                continue
            content = contents[request.version]
            alike = [v for v, text in contents.items() if text == content]
            found = sorted(
                (
                    one
                    for version in alike
                    for one in truth.decisions(version, request.target, self.world, tx, request.decided_at)
                    if one.request.decided_by is not DecidedBy.FAST_TRACK or not one.approved
                ),
                key=lambda one: one.at,
            )
            if found and not found[-1].approved:
                how = f"{request.version} has the bytes that {found[-1].request.short_id} turned down"
                yield "the fast track passed what people turned down", how
            champion = request.evidence.champion
            place = (request.version.model, request.target)
            compares = request.judgement is not None and any("champion" in c.sentence for c in request.judgement.checks)
            if champion is None or not compares or request.target.kind is TargetKind.MODEL:
                continue
            if not truth.is_lawful(champion.version, place, self.world, tx, request.decided_at):
                how = f"{request.version} was compared with {champion.version}"
                yield "the fast track compared with a holder that is not lawful", how

    def _check_voided(self, requests: list[TransitionRequest], entries: list[Entry]) -> Broken:
        """Reminders and notices are no part of what a vote is bound to. The rule that counts is the one when the approval went stale."""
        ended = {json.loads(one.body)["request_id"]: one.at for one in entries if one.kind == ApprovalStale.__name__}
        for request in requests:
            if request.state is not State.STALE or "the rule, or a group" not in request.outcome:
                continue
            place = (request.version.model, request.target)
            rules = [(one, truth.rule_at(one.policy, place)) for one in self.world.policies]
            decided = next(
                (rule for one, rule in rules if rule and one.policy.rule_hash(rule) == request.rule_hash), None
            )
            then = [rule for one, rule in rules if one.at <= ended[request.id]][-1]
            if decided and then and replace(decided, remind_after=None) == replace(then, remind_after=None):
                yield "a change that concerns no vote voided one", f"request {request.short_id} for {request.version}"
