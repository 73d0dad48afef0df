"""Story of the evidence: collected by a worker and frozen, judged by the fast track, and only then does the vote open."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.events import Event
from bot.domain.evidence import lineage
from bot.domain.evidence.changes import changes
from bot.domain.model import PERSON, Check, Evidence, FastTrackMode, Kind, State, TransitionRequest, VersionId
from bot.domain.policy.rules import Demand, LineageDemand, Policy, Rule
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import fast_track, lifecycle
from bot.domain.request.lifecycle import Authors
from bot.domain.request.rollback import needs_no_vote
from bot.domain.text import target_label
from bot.services import Services
from bot.store.requests import target_model
from bot.store.transaction import Lane, Transaction
from handlers.notify.render_context import needed_rule
from handlers.request.rollbacks import overtaken

LARGE = 10**9  # bytes; what takes minutes to read
TELL_EVERY = timedelta(seconds=15)


def freeze_evidence(request_id: str, s: Services) -> None:
    """Collects what the vote will be based on; only then does the vote open."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        policy = tx.policy()
        rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if request.state is not State.COLLECTING:
        return
    model = s.registry.find_model(request.version.workspace, request.version.model)
    champion = _champion(request, _target_model(request, model, s))
    pointless = _why_pointless(request, champion, model, s)
    if pointless:
        with s.store.transaction() as tx:
            tx.record(lifecycle.withdraw(tx.requests.get(request_id, for_update=True), pointless, s.clock.now()))
        return
    demand = (rule.lineage if rule else None) or LineageDemand()
    reading = _Reading(request_id, s)
    seen = s.registry.read_evidence(request.version, champion, policy.artifact_stores, demand, reading)

    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        found = policy.rule_for(request.version.workspace, request.version.model, request.target)
        rule = needed_rule(request, found)
        locked = tx.requests.get(request_id, for_update=True)
        authors, evidence = _authors_of(seen, policy, tx), _without_addresses(seen, tx)
        why_people = _why_people_decide(locked, evidence, tx)
        rule_hash = policy.rule_hash(rule)
        frozen = lifecycle.freeze_evidence(locked, evidence, authors, rule_hash, now, people_decide=why_people)
        if seen.artifacts is not None:
            tx.manifests.keep(seen.artifacts.digest, reading.manifest)
        tx.readings.forget(request_id)
        tx.record(frozen)
        if frozen:  # else another worker was quicker, and the vote is open since
            tx.record(_decide_without_people(tx.requests.get(request_id), rule, rule_hash, tx, now))


class _Reading:
    """Tells on the card how far it is when the files are so large that people begin to wonder."""

    def __init__(self, request_id: str, s: Services) -> None:
        self._request_id = request_id
        self._s = s
        self._told_at: datetime | None = None
        self.manifest = ""

    def on_progress(self, done: int, size: int) -> None:
        """Only leaves word: the card is brought up to date in its own lane, and the reading waits for nobody."""
        now = self._s.clock.now()
        if size < LARGE or (self._told_at is not None and now - self._told_at < TELL_EVERY):
            return
        with self._s.store.transaction() as tx:
            tx.readings.put(self._request_id, done, size)
            if (
                self._told_at is None or tx.requests.get(self._request_id).card is not None
            ):  # else the first job still tries
                tx.defer("sync_card", self._request_id, f"{Lane.SLACK}:{self._request_id}", once=True)
        self._told_at = now

    def on_manifest(self, manifest: str) -> None:
        self.manifest = manifest


def _decide_without_people(
    request: TransitionRequest, rule: Rule, rule_hash: str, tx: Transaction, now: datetime
) -> list[Event]:
    """Good versions pass without waiting for a person, and the way back to an approved one is short."""
    if request.state is not State.PENDING or request.evidence is None:
        return []
    if request.kind is Kind.ROLLBACK:
        at_once = needs_no_vote(request, rule, was_approved=not request.people_decide)
        return lifecycle.approve_by_rule(request, rule_hash, now) if at_once else []
    if request.kind is not Kind.PROMOTION or rule.fast_track is None or rule.fast_track.mode is FastTrackMode.OFF:
        return []
    is_on = tx.switches.fast_track_is_on(lock=True)  # whoever switches it off waits for us, or we see that it is off
    lot = tx.requests.find(version=request.version, target=request.target)[0].id
    judgement = fast_track.judge(request, request.evidence, rule.fast_track, is_switched_on=is_on, lot=lot)
    blocked = () if Demand.LINEAGE in rule.fast_track.require else lineage.blocking(request.evidence, rule.lineage)
    judgement = replace(judgement, checks=(*judgement.checks, *(Check(False, one.sentence) for one in blocked)))
    return lifecycle.decide_by_thresholds(request, judgement, rule, rule_hash, now)


def _why_people_decide(request: TransitionRequest, seen: Evidence, tx: Transaction) -> str:
    """The way back is short only to the very bytes and figures that people, or the rule, have approved for this target."""
    if request.kind is not Kind.ROLLBACK:
        return ""
    approval = tx.requests.last_approval(request.version, request.target)
    approved = tx.requests.get(approval) if approval else None
    if approved is None or approved.evidence is None:
        return f"{request.version} was never approved for {target_label(request)}"
    if request.failed_before:
        return f"{request.version} was {request.failed_before}"
    differs = "; ".join(changes(approved.evidence, seen))
    return f"{request.version} is not what was approved: {differs}" if differs else ""


def _why_pointless(
    request: TransitionRequest, champion: VersionId | None, model: ModelSnapshot | None, s: Services
) -> str:
    """What has become of the wish since it was asked; empty when it still makes sense."""
    seen = model.version(request.version.version) if model else None
    if seen is None or seen.id != request.version:
        return f"{request.version} is no longer in the registry"
    with s.store.transaction() as tx:
        return overtaken(request, champion, tx)


def _authors_of(evidence: Evidence, policy: Policy, tx: Transaction) -> Authors:
    return Authors(_person(evidence.author, policy, tx), _person(evidence.commit_author, policy, tx))


def _without_addresses(seen: Evidence, tx: Transaction) -> Evidence:
    """The ledger keeps ids and no addresses: who claims to have trained or committed under one is named by the id of a person."""
    return replace(seen, author=_claim(seen.author, tx), commit_author=_claim(seen.commit_author, tx))


def _claim(claimed: str | None, tx: Transaction) -> str | None:
    return f"{PERSON}{tx.people.get_or_add(claimed, claimed).id}" if claimed and "@" in claimed else claimed


def _person(claimed: str | None, policy: Policy, tx: Transaction) -> str | None:
    entry = policy.person_by_mlflow_user(claimed) if claimed else None
    return tx.people.get_or_add(entry.email, entry.name).id if entry else None


def _target_model(request: TransitionRequest, own: ModelSnapshot | None, s: Services) -> ModelSnapshot | None:
    """The model whose target it is: the version's own, unless it is to be copied into another."""
    name = target_model(request)
    return own if name == request.version.model else s.registry.find_model(request.version.workspace, name)


def _champion(request: TransitionRequest, model: ModelSnapshot | None) -> VersionId | None:
    if request.kind is Kind.OBSERVED:
        before = model.version(request.previous.version) if model and request.previous else None
        return before.id if before and before.id == request.previous else None  # it may have been deleted since
    holders = model.holders(request.target) if model else ()
    return holders[0] if holders else None
