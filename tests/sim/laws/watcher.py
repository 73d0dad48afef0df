"""Looks at each move of the bot in the moment in which it is made: was it lawful then?"""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import ApprovalHeld, MoveObserved
from bot.domain.model import DecidedBy, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Copies, Policy
from bot.store.transaction import Transaction
from tests.sim.fate import current
from tests.sim.laws import truth
from tests.sim.registry import BOT, Change, Place
from tests.sim.workers import Running
from tests.sim.world import World


class Watcher:
    def __init__(self, world: World) -> None:
        self.world = world
        self.copies: dict[str, list[VersionId]] = {}  # made by us, by the request that they were made for

    def saw(self, change: Change) -> None:
        """People may do what they like; the bot may not."""
        self.world.tell(f"    {change.by} {change.what}" if change.by == BOT else f"{change.by} {change.what}")
        if change.by != BOT:
            return
        activity = current()
        running = activity.job if activity else None
        if not isinstance(running, Running):
            self._no("moved outside a job", change, "whoever came by a door must not wait for the registry")
            return
        with self.world.store.transaction() as tx:
            if running.effect == "restore_target":
                self._restores(change, running, tx)
            elif running.effect == "sync_target":
                self._syncs(change, tx.requests.get(running.subject), running, tx)
            elif change.arrived or change.left or change.destroyed:
                self._no("moved by a job that has no business with it", change, running.effect)

    def _syncs(self, change: Change, request: TransitionRequest, running: Running, tx: Transaction) -> None:
        self._check_word(change, request.id, tx)
        if request.attested_at is None:
            self._no("moved before the decision was signed", change, request.id)
        if request.kind is Kind.OBSERVED:
            self._puts_back(change, request, running, tx)
        else:
            self._brings(change, request, running, tx)

    def _brings(self, change: Change, request: TransitionRequest, running: Running, tx: Transaction) -> None:
        if request.state is not State.APPROVED:
            self._no("moved without an approval in force", change, f"request {request.short_id} is {request.state}")
        if change.destroyed:
            self._no("destroyed a version for a promotion", change, request.short_id)
        for place, version in change.arrived:
            brought = change.copied_from or version
            if not truth.same(brought, request.version):
                self._no("moved another version than was approved", change, f"{request.version} was approved")
            self._check_rule(change, request, running)
            self._check_newest(change, request, place, brought, tx)
            if not truth.goes_back(request) and self._is_frozen(place, running.since) and self._is_frozen(place):
                self._no("moved in a freeze", change, f"for request {request.short_id}")
            self._check_copied_before(change, place, request, tx)
            self._check_newest_of_held(change, request, tx)
        if request.decided_by is DecidedBy.FAST_TRACK and not tx.switches.fast_track_is_on():
            switched = tx.switches.fast_track().at
            if switched is not None and switched < running.since:
                self._no("moved after the fast track was switched off", change, request.short_id)

    def _puts_back(self, change: Change, request: TransitionRequest, running: Running, tx: Transaction) -> None:
        if request.state is not State.REJECTED:
            self._no("moved without a decision in force", change, f"request {request.short_id} is {request.state}")
        self._check_way_back(change, running, tx)
        for place, version in change.left:
            self._check_taken_away(change, place, version, request, tx)
        for version in change.destroyed:
            self._check_destroyed(change, version, running, tx)

    def _restores(self, change: Change, running: Running, tx: Transaction) -> None:
        self._check_word(change, running.subject, tx)
        if not list(tx.ledger.entries(MoveObserved.__name__)):
            self._no("moved without a ledger entry before it", change, "nothing says that the target was emptied")
        self._check_way_back(change, running, tx)

    def _check_word(self, change: Change, intent_id: str, tx: Transaction) -> None:
        intent = tx.registry.find_intent(intent_id)
        if intent is None or intent.done_at is not None:
            self._no("moved without its word given before", change, f"no open intent of {intent_id[:16]}")

    def _check_rule(self, change: Change, request: TransitionRequest, running: Running) -> None:
        """The approval holds under a rule that was in force at some moment since the attempt began."""
        version, target = request.version, request.target
        rules = [(p, p.rule_for(version.workspace, version.model, target)) for p in self._policies_since(running.since)]
        if request.rule_hash not in {policy.rule_hash(rule) for policy, rule in rules if rule is not None}:
            self._no("moved under a rule that was not decided under", change, f"request {request.short_id}")

    def _check_newest(
        self, change: Change, request: TransitionRequest, place: Place, version: VersionId, tx: Transaction
    ) -> None:
        """A newer no holds; the rule alone never overrules the last word of people, which may have been about a copy of the same."""
        found = [one for one in truth.decisions(version, place[1], self.world, tx) if one.request.id != request.id]
        decided = request.decided_at
        newer = [one for one in found if not one.approved and decided is not None and one.at > decided]
        about_copies = [
            one for copy in self._copies_of(version) for one in truth.decisions(copy, place[1], self.world, tx)
        ]
        either = sorted([*found, *about_copies], key=lambda one: one.at)
        last = [one for one in either if not one.stale and one.request.decided_by is not DecidedBy.RULE]
        if newer:
            self._no("overruled a newer no", change, f"{version} was turned down by {newer[-1].request.short_id}")
        elif last and not last[-1].approved and request.decided_by is not DecidedBy.PEOPLE:
            how = f"{version} was turned down by {last[-1].request.short_id}, and {request.decided_by} brought it back"
            self._no("overruled what people had said last", change, how)

    def _copies_of(self, version: VersionId) -> list[VersionId]:
        return [one for one in self.world.registry.sources if version.created in truth.origins(one, self.world)]

    def _check_newest_of_held(self, change: Change, request: TransitionRequest, tx: Transaction) -> None:
        """Of two approvals that a freeze has held, the newest is applied."""
        version, decided = request.version, request.decided_at
        if request.kind is not Kind.PROMOTION or not self._was_held(request, tx):
            return
        for other in tx.requests.find(model=version.model, target=request.target, states=(State.APPROVED,)):
            is_newer = decided is not None and other.decided_at is not None and other.decided_at > decided
            if other.kind is Kind.PROMOTION and is_newer and self._was_held(other, tx):
                self._no("applied the older of two held approvals", change, f"{other.version} was approved later")

    def _was_held(self, request: TransitionRequest, tx: Transaction) -> bool:
        return any(request.id in entry.body for entry in tx.ledger.entries(ApprovalHeld.__name__))

    def _check_copied_before(self, change: Change, place: Place, request: TransitionRequest, tx: Transaction) -> None:
        """A request is copied once. Another request has its own copy when the version was replaced since, or when the approval that the
        earlier copy was made for went stale before it was settled."""
        if change.copied_from is None:
            return
        held = sorted(self.world.registry.places().get(place, ()), key=lambda version: version.version)
        made, before = held[-1], held[-2:-1]
        ours = self.copies.setdefault(request.id, [])
        ours.append(made)
        stale = [one for id, made in self.copies.items() if tx.requests.get(id).state is State.STALE for one in made]
        again = [one for one in before if self._is_copy_of(one, change.copied_from) and self._is_ours(one, place)]
        again = [one for one in again if one not in stale]
        if len({*ours, *again}) > 1:
            self._no("copied a version twice", change, f"{', '.join(map(str, (*again, *ours)))} are all copies of it")

    def _is_ours(self, copy: VersionId, place: Place) -> bool:
        return not truth.by_hand(truth.came_by(copy, place, self.world))

    def _is_copy_of(self, copy: VersionId, origin: VersionId) -> bool:
        return truth.same(self.world.registry.sources.get(copy), origin)

    def _check_way_back(self, change: Change, running: Running, tx: Transaction) -> None:
        for place, version in change.arrived:
            if place[1].kind is TargetKind.STAGE and place[1].name == "Archived":
                continue
            if not truth.is_lawful(version, place, self.world, tx):
                self._no("went back to a version that is not lawful", change, str(version))
                continue
            found = [one for one in truth.decisions(version, place[1], self.world, tx) if one.approved]
            waits = bool(found) and not any(one.settled for one in found)
            if waits and not truth.stood_there(version, place, self.world) and self._is_frozen(place, running.since):
                self._no("moved in a freeze", change, f"the approval of {version} is held, and it never was there")

    def _check_taken_away(
        self, change: Change, place: Place, version: VersionId, request: TransitionRequest, tx: Transaction
    ) -> None:
        if not truth.same(version, request.version):
            return
        if truth.stood_there(version, place, self.world):
            self._no("took away what stood there before", change, f"{version} stood at {place[1]}")
        approved = truth.was_ever_approved(version, place[1], self.world, tx)
        if (
            approved is not None
            and request.decided_by is DecidedBy.RULE
            and truth.is_lawful(version, place, self.world, tx)
            and not truth.was_replaced(version, place, tx)
        ):
            self._no("took away what was approved", change, f"{version} was approved by {approved.short_id}")

    def _check_destroyed(self, change: Change, version: VersionId, running: Running, tx: Transaction) -> None:
        place = next((place for place, held in change.left if held == version and place[1].kind is TargetKind.MODEL))
        approved = truth.was_ever_approved(version, place[1], self.world, tx)
        if approved is not None:
            self._no("destroyed what was approved", change, f"{version} was approved by {approved.short_id}")
        if truth.stood_there(version, place, self.world):
            self._no("destroyed what it did not see arrive", change, f"{version} was there before")
        rules = [truth.rule_at(policy, place) for policy in self._policies_since(running.since)]
        if not any(rule is not None and rule.copies is Copies.DELETE for rule in rules):
            self._no("destroyed without a word of the rule", change, f"no rule says that copies such as {version} go")

    def _is_frozen(self, place: Place, at: datetime | None = None) -> bool:
        """By the policy that was in force then."""
        moment = at or self.world.clock.now()
        policies = [one.policy for one in self.world.policies if one.at <= moment]
        rule = truth.rule_at(policies[-1], place) if policies else None
        return rule is not None and any(f.until(moment) is not None for f in policies[-1].freezes_of(rule))

    def _policies_since(self, moment: datetime) -> list[Policy]:
        before = [one.policy for one in self.world.policies if one.at <= moment][-1:]
        return [*before, *(one.policy for one in self.world.policies if one.at > moment)]

    def _no(self, law: str, change: Change, how: str) -> None:
        self.world.violate(law, f"the bot {change.what} ({how})")
