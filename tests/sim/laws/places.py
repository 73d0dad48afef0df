"""What must be true of places in the end: our rows, the registry, its holders, what asks, and the gate agree."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.events import ModelGone, ModelRenamed, MoveObserved
from bot.domain.ledger.chain import Entry
from bot.domain.model import (
    DEFAULT_WORKSPACE,
    Kind,
    State,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.rules import Observed
from bot.store.transaction import Transaction
from handlers.attestation.approval_status import approval_status, question_about
from tests.sim.laws import truth
from tests.sim.laws.after_sweeps import Broken, mentions
from tests.sim.registry import Change, Place
from tests.sim.world import World


class Places:
    def __init__(self, world: World) -> None:
        self.world = world

    def check(self, requests: list[TransitionRequest], entries: list[Entry], tx: Transaction) -> Broken:
        yield from self._check_rows(tx)
        yield from self._check_holders(requests, tx)
        yield from self._check_emptied(tx)
        yield from self._check_standing_asks(requests, tx)

    def _check_rows(self, tx: Transaction) -> Broken:
        """What we believe of each place is what the registry shows.

        Of a target model the sweep sees the newest version only: that an older one was deleted shows at the next look.
        """
        policy = tx.policy()
        rows: dict[Place, set[tuple[int, Any]]] = {}
        for held in tx.registry.placements():
            rows.setdefault((held.version.model, held.target), set()).add((held.version.version, held.version.created))
        real = {place: {(v.version, v.created) for v in held} for place, held in self.world.registry.places().items()}
        for place in sorted({*rows, *real}):
            shown, believed = real.get(place, set()), rows.get(place, set())
            if place[1].kind is TargetKind.MODEL and shown:
                believed = {held for held in believed if held in shown or held > max(shown)}
            if truth.rule_at(policy, place) and believed != shown:
                ours, theirs = (sorted(n for n, _ in side.get(place, set())) for side in (rows, real))
                yield "our rows differ from the registry", f"{place[1]} of {place[0]}: {ours}, there {theirs}"

    def _check_holders(self, requests: list[TransitionRequest], tx: Transaction) -> Broken:
        """Whoever holds a place is lawful, or people have been told; under a rule that reverts it is put back."""
        policy = tx.policy()
        for place, held in self.world.registry.places().items():
            rule = truth.rule_at(policy, place)
            for version in held if rule else ():
                if truth.is_lawful(version, place, self.world, tx):
                    yield from self._check_gate(version, place, requests, tx)
                    continue
                about = [r for r in requests if truth.speaks_of(r, version, place[1], self.world)]
                observed = [r for r in about if r.kind is Kind.OBSERVED]
                if place[1].kind is TargetKind.MODEL and truth.decisions(version, place[1], self.world, tx):
                    continue  # people have rolled back from it; a copy stays where it is, and the gate denies it
                if (
                    rule is not None
                    and rule.observed is Observed.ASK
                    and not observed
                    and not self._is_noted(version, tx)
                ):
                    yield "an unlawful holder and nobody was told", f"{version} holds {place[1]}"

    def _is_noted(self, version: VersionId, tx: Transaction) -> bool:
        kinds = (MoveObserved.__name__, ModelRenamed.__name__, ModelGone.__name__)
        return any(mentions(entry, version) for entry in tx.ledger.entries(*kinds))

    def _check_emptied(self, tx: Transaction) -> Broken:
        """Under a rule that reverts, and that a look had seen before, a target that somebody emptied goes back to its lawful holder."""
        for one in self.world.registry.history:
            for place, version in one.left if not one.arrived else ():
                looked = max((at for at in self.world.looked_at if at <= one.at), default=self.world.policies[0].at)
                known = [p.policy for p in self.world.policies if p.at <= looked][-1:]
                since = [p.policy for p in self.world.policies if p.at > looked]
                reverts = [truth.rule_at(policy, place) for policy in (*known, *since)]
                is_empty = place not in self.world.registry.places()
                last = truth.emptied_by(place, self.world) is one and self._is_last_there(place, one)
                reverting = all(rule is not None and rule.observed is Observed.REVERT for rule in reverts)
                if place[1].kind is TargetKind.MODEL or not (truth.by_hand(one) and is_empty and last and reverting):
                    continue
                if self.world.registry.is_there(version) and truth.is_lawful(version, place, self.world, tx):
                    yield "an emptied target was not given back", f"{one.by} {one.what}"

    def _is_last_there(self, place: Place, change: Change) -> bool:
        later = [c for c in self.world.registry.history if c.tick > change.tick]
        return not any(place == touched for c in later for touched, _ in (*c.arrived, *c.left))

    def _check_standing_asks(self, requests: list[TransitionRequest], tx: Transaction) -> Broken:
        """What asks by its alias has been asked about, unless it had what it asks for: by right, or by hand where that is only reported."""
        if any(change.what.startswith("renames ") for change in self.world.registry.history):
            return  # whoever renames a model asks again
        for (model, target), held in self.world.registry.places().items():
            if (target.kind, target.name) != (TargetKind.ALIAS, "candidate"):
                continue
            for rule in tx.policy().rules_for(DEFAULT_WORKSPACE, model):
                wanted = rule.target_for(model)
                place = (wanted.name if wanted.kind is TargetKind.MODEL else model, wanted)
                asks = truth.came_by(held[0], (model, target), self.world)
                if asks is None or self._is_where_it_wants(held[0], place) or self._was_reported_there(held[0], place):
                    continue
                if self._was_lost_since(model, asks, tx):
                    continue
                if truth.held_by_right(held[0], place, self.world, tx, asks.tick):
                    continue
                about = [r for r in requests if r.version == held[0] and r.target == wanted]
                if not [r for r in about if r.state is not State.WITHDRAWN]:
                    yield "a standing ask has no request", f"{held[0]} asks for {wanted} by alias candidate"

    def _was_lost_since(self, model: str, asks: Change, tx: Transaction) -> bool:
        """A model that was gone and comes back asks for nothing by what is in it then: whoever wants it asks again."""
        for entry in tx.ledger.entries(ModelGone.__name__):
            back = min((at for at in self.world.looked_at if at > entry.at), default=self.world.clock.now())
            if json.loads(entry.body)["model"] == model and asks.at <= back:
                return True
        return False

    def _is_where_it_wants(self, version: VersionId, place: Place) -> bool:
        held = self.world.registry.places().get(place, ())
        return any(version.created in truth.origins(one, self.world) for one in held)

    def _was_reported_there(self, version: VersionId, place: Place) -> bool:
        """It had what it asks for, without an approval; the rule asks about no such move, and reports the one away too."""
        moves = [one for one in self.world.registry.history if truth.by_hand(one) and (place, version) in one.arrived]
        rules = (truth.rule_at(known.policy, place) for known in self.world.policies)
        return bool(moves) and any(rule is not None and rule.observed is Observed.REPORT for rule in rules)

    def _check_gate(
        self, version: VersionId, place: Place, requests: list[TransitionRequest], tx: Transaction
    ) -> Broken:
        """The gate lets through what was approved, was applied and is still there, unless somebody has brought it back since."""
        mine = [r for r in requests if r.version == version and r.target == place[1] and r.decided_by]
        newest = max(mine, key=lambda r: r.decided_at or r.opened_at, default=None)
        if newest is None or newest.state is not State.APPLIED or newest.decided_by is None:
            return
        seen = self.world.registry.find_version(DEFAULT_WORKSPACE, version.model, version.version)
        came = truth.came_by(version, place, self.world)
        if seen is None or (truth.by_hand(came) and came is not None and came.at > (newest.settled_at or came.at)):
            return
        result = approval_status(question_about(seen, place[1], self.world.s), tx, self.world.clock.now()).result
        if not result.allowed:
            said = "; ".join(reason.sentence for reason in result.reasons)[:200]
            yield "the gate denies what was approved and applied", f"{version} for {place[1]}: {said}"
