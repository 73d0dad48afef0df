"""What must be true of cards, tickets and requests in the end: they agree, and everything is there once."""

from __future__ import annotations

import json
from collections import Counter

from bot.domain.events import MoveObserved
from bot.domain.ledger.chain import Entry
from bot.domain.model import (
    ENDED_UNDECIDED,
    Kind,
    State,
    TransitionRequest,
)
from bot.domain.policy.freezes import freeze_on
from bot.domain.policy.rules import Observed, Policy, Rule
from bot.store.transaction import Transaction
from tests.sim.laws import truth
from tests.sim.laws.after_sweeps import Broken
from tests.sim.world import World


class Messages:
    def __init__(self, world: World) -> None:
        self.world = world

    def check(self, requests: list[TransitionRequest], entries: list[Entry], tx: Transaction) -> Broken:
        yield from self._check_requests(requests, tx)
        yield from self._check_once(requests)
        yield from self._check_told(requests, entries)

    def _check_requests(self, requests: list[TransitionRequest], tx: Transaction) -> Broken:
        """Cards, tickets and requests agree, and an approval is applied or held by a freeze that is on."""
        policy, now = tx.policy(), self.world.clock.now()
        for request in requests:
            about = (
                f"request {request.short_id} ({request.version} -> {request.target}, {request.kind}, {request.state})"
            )
            rule = rule_of(request, policy)
            if rule is None:
                continue
            if request.state is State.APPROVED and freeze_on(request, policy, now) is None:
                yield "an approval is neither applied nor held", about
            if request.state is State.PENDING and request.card is None:
                yield "a request waits without a card", about
            if is_to_be_put_back(request) and not waits_for_people(request, self.world):
                yield "a rejected move is neither put back nor settled", about
            yield from self._check_card(request, about)
            yield from self._check_ticket(request, about, wants=rule.ticket is not None)

    def _check_card(self, request: TransitionRequest, about: str) -> Broken:
        shown = [m for m in self.world.notifier.messages if request.card and m.ts == request.card.message]
        votable = any(button.action == "approve" for message in shown for button in message.card.buttons)
        if request.card is not None and not shown:
            yield "a card is not where we believe", about
        if shown and votable is not (request.state is State.PENDING):
            yield "a card differs from its request", f"{about} {'has' if votable else 'lacks'} its buttons"

    def _check_ticket(self, request: TransitionRequest, about: str, *, wants: bool) -> Broken:
        issue = next((one for one in self.world.tickets.issues if request.ticket and one.ref == request.ticket), None)
        if issue is None:
            silent = request.state in (*ENDED_UNDECIDED, State.COLLECTING)
            if wants and not silent:
                yield "a request has no ticket", about
            return
        if request.state.is_open or request.state is State.APPROVED or is_to_be_put_back(request):
            expected = "To Do"
        else:
            expected = "Done" if request.state is State.APPLIED else "Rejected"
        if wants and issue.status != expected:
            yield "a ticket differs from its request", f"{about}: {issue.ref.key} is {issue.status}"

    def _check_once(self, requests: list[TransitionRequest]) -> Broken:
        posted = Counter((message.channel, message.key) for message in self.world.notifier.messages)
        for (channel, key), count in posted.items():
            if count > 1:
                yield "a message was posted twice", f"{key} in {channel}"
        opened = Counter(issue.key for issue in self.world.tickets.issues)
        for key, count in opened.items():
            if count > 1:
                yield "a ticket was opened twice", key

    def _check_told(self, requests: list[TransitionRequest], entries: list[Entry]) -> Broken:
        """A foreign move that is in the ledger was told in a channel: by a card of its own, or in a note."""
        keys = {message.key.rpartition(":")[0] for message in self.world.notifier.messages}
        for entry in entries:
            body = json.loads(entry.body)
            if entry.kind != MoveObserved.__name__ or f"note:{entry.seq}" in keys:
                continue
            if body["version"] is None:
                if body["handling"] != Observed.REPORT:
                    yield "a foreign move was recorded and nobody was told", f"entry {entry.seq}: a target was emptied"
                continue
            created = body["version"]["created"]
            about = [r for r in requests if r.version.created.isoformat() == created and r.kind is Kind.OBSERVED]
            silent = [r for r in about if r.card is None and r.state not in (State.WITHDRAWN, State.SUPERSEDED)]
            if silent and len(silent) == len(about):
                yield "a foreign move was recorded and nobody was told", f"entry {entry.seq}: {silent[0].short_id}"


def rule_of(request: TransitionRequest, policy: Policy) -> Rule | None:
    """None where the policy speaks of its target no more."""
    return policy.rule_for(request.version.workspace, request.version.model, request.target)


def is_to_be_put_back(request: TransitionRequest) -> bool:
    return request.state is State.REJECTED and request.kind is Kind.OBSERVED and request.settled_at is None


def waits_for_people(request: TransitionRequest, world: World) -> bool:
    """A put-back whose way back is no longer in the registry is parked, and says so: people have to choose another version."""
    return is_to_be_put_back(request) and not truth.can_go_back(request, world)
