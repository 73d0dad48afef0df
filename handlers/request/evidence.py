"""Collects the evidence in a worker, freezes it, lets the fast track judge it, and only then opens the vote."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.break_glass.breaking import decide_by_glass
from bot.domain.events import Event
from bot.domain.evidence import lineage
from bot.domain.evidence.changes import changes
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import PERSON, Check, Evidence, FastTrackMode, Kind, Origin, State, TransitionRequest, VersionId
from bot.domain.policy.freezes import freeze_on
from bot.domain.policy.rules import Demand, LineageDemand, PersonEntry, Policy, Rule
from bot.domain.queries.description import Pipeline
from bot.domain.registry.comparisons import lawful_there
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import fast_track, lifecycle
from bot.domain.request.lifecycle import Authors
from bot.domain.request.rollback import how_rejected, needs_no_vote, rejection_of, relied_on, why_not_approved
from bot.domain.text import target_label
from bot.engine.lanes import Lane
from bot.errors import Permanent
from bot.language import recorded
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.baselines import is_champion_off_record
from handlers.custody.belief import check_believed, check_row_believed
from handlers.custody.facts import decided_for, facts_of, is_champion_unconfirmed, on_record, place_of
from handlers.custody.hidden import is_any_hidden_since
from handlers.custody.on_record import check_on_record
from handlers.custody.own_keys import is_approval_believed
from handlers.notify.render_context import needed_rule
from handlers.request import memory
from handlers.request.pipelines import keep_pipeline, read_pipeline
from handlers.request.rollbacks import overtaken
from handlers.request.waiting import telling_if_unreadable

LARGE = 10**9  # bytes; what takes minutes to read
TELL_EVERY = timedelta(seconds=15)


def freeze_evidence(request_id: str, s: Services) -> None:
    """Collects what the vote will be based on; only then does the vote open. While it cannot be read, the card says so."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if request.state is not State.COLLECTING:
            return
        registry, policy = tx.trust.find(request.version.workspace), tx.policy()
    check_row_believed(registry, s)
    reading = _Reading(request_id, s)
    try:
        with s.store.readers.take(is_way_back=request.kind is Kind.ROLLBACK), telling_if_unreadable(request, s):
            read = _read(request, policy, reading, s)
    except Permanent:
        return  # the card says so, and the clock retries it (`tell_waiting`)
    if read is not None:
        seen, holder = read
        _freeze(request_id, seen, holder, reading, s)


def read_origin(request_id: str, s: Services) -> None:
    """Who trained a version that the rule put back at once: as an earlier request for it has it, else as its run says now.

    It comes after the signature in its lane, so the way back does not wait for it, and it reads no files.
    """
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        earlier = [one for one in tx.requests.find(version=request.version) if one.evidence is not None]
    if not lifecycle.lacks_origin(request):
        return
    origin = _origin_on_record(earlier[-1]) if earlier else _origin_now(request.version, s)
    with s.store.transaction() as tx:
        tx.record(lifecycle.read_origin(tx.requests.get(request_id, for_update=True), origin, s.clock.now()))


def _origin_on_record(earlier: TransitionRequest) -> Origin:
    return _origin(earlier.evidence, earlier.author) if earlier.evidence else Origin()


def _origin_now(version: VersionId, s: Services) -> Origin:
    try:
        seen = s.registry_at(version.workspace).read_evidence(version, None, ())
    except Permanent as trouble:
        check_believed(version.workspace, s)  # else another registry's answer would be the last word
        return Origin(unread=str(trouble).rstrip("."))
    with s.store.transaction() as tx:
        policy = tx.policy()
        return _origin(_without_addresses(seen, policy, tx), _authors_of(seen, policy, tx).trained)


def _origin(seen: Evidence, author: str | None) -> Origin:
    return Origin(author, seen.author or "", seen.author_from, seen.not_believed)


def _read(
    request: TransitionRequest, policy: Policy, reading: _Reading, s: Services
) -> tuple[Evidence, VersionId | None] | None:
    """The evidence, and who holds the target now; None when there is nothing to decide any more and the request is withdrawn."""
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    model = s.registry_at(request.version.workspace).find_model(request.version.workspace, request.version.model)
    of_target = _target_model(request, model, s)
    with s.store.transaction() as tx:
        champion, holder = _champion(request, of_target, tx, s.clock.now())
        pointless = _why_pointless(request, holder, model, tx)
        if pointless:
            tx.record(lifecycle.withdraw(tx.requests.get(request.id, for_update=True), pointless, s.clock.now()))
            return None
        known = _known(request, tx)
    demand = (rule.lineage if rule else None) or LineageDemand()
    return s.registry_at(request.version.workspace).read_evidence(
        request.version, champion, policy.artifact_stores, demand, reading, known=known
    ), holder


def _known(request: TransitionRequest, tx: Transaction) -> Evidence | None:
    """What the request that this one follows says of the same files: they need no second reading where their bucket proves that nothing was
    written since. None where the ledger does not say the same, or the list of the files is not there.
    """
    earlier = tx.requests.get(request.follows, for_update=True) if request.follows else None
    seen = earlier.evidence if earlier and earlier.version == request.version else None
    if earlier is None or seen is None or seen.artifacts is None or not seen.object_versions:
        return None
    if tx.manifests.find(seen.artifacts.digest) is None:
        return None
    try:
        check_on_record(earlier, tx)
    except Permanent:
        return None
    return seen


def _freeze(request_id: str, seen: Evidence, holder: VersionId | None, reading: _Reading, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        locked = tx.requests.get(request_id, for_update=True)
        found = policy.rule_for(locked.version.workspace, locked.version.model, locked.target)
        rule = needed_rule(locked, found)
        authors, evidence = _authors_of(seen, policy, tx), _without_addresses(seen, policy, tx)
        why_people = _why_people_decide(locked, evidence, tx, s)
        rule_hash = policy.rule_hash(rule)
        held = (holder,) if holder else ()
        earlier = memory.alike(locked.version, locked.target, evidence, rule, tx)
        frozen = lifecycle.freeze_evidence(
            locked,
            evidence,
            authors,
            rule_hash,
            now,
            people_decide=why_people,
            found=held,
            barred=memory.barred_by(locked, earlier, {*filter(None, (authors.trained, authors.committed))}, tx),
            objections=memory.objections(locked, earlier, tx),
        )
        # A list that no evidence names would be left over. There is none where the files are known from an earlier request.
        if frozen and seen.artifacts is not None and reading.manifest is not None:
            tx.manifests.keep(seen.artifacts.digest, reading.manifest)
        if reading.pipeline is not None:
            keep_pipeline(reading.pipeline, tx)
        tx.readings.forget(request_id)
        tx.record(frozen)
        if frozen:  # else another worker was quicker, and the vote is already open
            tx.record(_decide_without_people(tx.requests.get(request_id), rule, rule_hash, tx, now))


class _Reading:
    """Shows progress on the card when the files are large."""

    def __init__(self, request_id: str, s: Services) -> None:
        self._request_id = request_id
        self._s = s
        self._told_at: datetime | None = None
        self.manifest: str | None = None  # where the files were read
        self.pipeline: Pipeline | None = None

    def on_progress(self, done: int, size: int) -> None:
        """Only defers: the card is updated in its own lane, and the reading does not wait for it."""
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

    def on_lock(self, lock: KeptLock) -> None:
        self.pipeline = read_pipeline(lock)

    def on_manifest(self, manifest: str) -> None:
        self.manifest = manifest


def _decide_without_people(
    request: TransitionRequest, rule: Rule, rule_hash: str, tx: Transaction, now: datetime
) -> list[Event]:
    """Approves without a vote what passes the fast track, and a rollback to contents that were approved before."""
    if request.state is not State.PENDING or request.evidence is None:
        return []
    if request.kind is Kind.ROLLBACK:
        at_once = needs_no_vote(request, rule, was_approved=not request.people_decide)
        return lifecycle.approve_by_rule(request, rule_hash, now) if at_once else []
    if request.glass is not None and not request.glass.held_by:
        return decide_by_glass(request, rule, rule_hash, freeze_on(request, tx.policy(), now), now)
    if request.kind is not Kind.PROMOTION or rule.fast_track is None or rule.fast_track.mode is FastTrackMode.OFF:
        return []
    is_on = tx.switches.fast_track_is_on(lock=True)  # switching it off waits for us, or we see that it is off
    lot = memory.lot_of(request, tx, rule)
    judgement = fast_track.judge(
        request,
        request.evidence,
        rule.fast_track,
        is_switched_on=is_on,
        lot=lot,
        is_champion_unconfirmed=is_champion_unconfirmed(request, tx, now),
        is_champion_off_record=is_champion_off_record(request, tx, now),
    )
    blocked = () if Demand.LINEAGE in rule.fast_track.require else lineage.blocking(request.evidence, rule.lineage)
    judgement = replace(judgement, checks=(*judgement.checks, *(Check(False, one.sentence) for one in blocked)))
    return lifecycle.decide_by_thresholds(request, judgement, rule, rule_hash, now)


def _why_people_decide(request: TransitionRequest, seen: Evidence, tx: Transaction, s: Services) -> str:
    """A rollback needs no vote only to the same bytes and metrics that people, or the rule, have approved for this target.

    The newest decision counts: what people rejected since needs votes.
    """
    if request.kind is not Kind.ROLLBACK:
        return ""
    version, target = str(request.version), target_label(request)
    decided = decided_for(request, tx)
    approved = relied_on(request.version, decided)
    rejected = rejection_of(request.version, decided)
    if approved is None or approved.evidence is None:
        return how_rejected(rejected) if rejected is not None else why_not_approved(request.version, target, decided)
    if not is_approval_believed(tx.requests.get(approved.id), tx, s):
        return recorded(
            "outcome", "{version} was approved, but not with a signature that this worker believes", version=version
        )
    facts = on_record(place_of(request), tx, s.clock.now())
    if is_any_hidden_since(approved, request.version, facts, tx):
        return recorded(
            "outcome", "what the database says was decided about {target} is not what the ledger says", target=target
        )
    if seen.outside:
        return recorded(
            "outcome", "{version} runs files that are not its own: {file}", version=version, file=seen.outside[0]
        )
    if request.failed_before:
        return recorded("outcome", "{version} was {failed}", version=version, failed=request.failed_before)
    if rejected is not None:
        return how_rejected(rejected)
    differs = "; ".join(changes(approved.evidence, seen))
    if not differs:
        return ""
    return recorded("outcome", "{version} is not what was approved: {why}", version=version, why=differs)


def _why_pointless(
    request: TransitionRequest, champion: VersionId | None, model: ModelSnapshot | None, tx: Transaction
) -> str:
    """Why the request has become pointless since it was opened; empty when it has not."""
    seen = model.version(request.version.version) if model else None
    if seen is None or seen.id != request.version:
        return recorded("outcome", "{version} is no longer in the registry", version=str(request.version))
    return overtaken(request, champion, tx)


def _authors_of(evidence: Evidence, policy: Policy, tx: Transaction) -> Authors:
    """Only those whom a source names that the policy believes: else a person who can write to a run could bar others, or hide."""
    trained = policy.author_named(evidence.author, evidence.author_from)
    committed = policy.author_named(evidence.commit_author, evidence.commit_author_from)
    return Authors(_person(trained, tx), _person(committed, tx))


def _without_addresses(seen: Evidence, policy: Policy, tx: Transaction) -> Evidence:
    """The ledger keeps ids and no addresses: an address that an author claims is replaced by the id of a person."""
    claims = ((seen.author, seen.author_from), (seen.commit_author, seen.commit_author_from))
    ignored = tuple(source for claimed, source in claims if claimed and source not in policy.authors_from)
    author, commit_author = _claim(seen.author, tx), _claim(seen.commit_author, tx)
    return replace(seen, author=author, commit_author=commit_author, not_believed=ignored)


def _claim(claimed: str | None, tx: Transaction) -> str | None:
    return f"{PERSON}{tx.people.get_or_add(claimed, claimed).id}" if claimed and "@" in claimed else claimed


def _person(entry: PersonEntry | None, tx: Transaction) -> str | None:
    return tx.people.get_or_add(entry.email, entry.name).id if entry else None


def _target_model(request: TransitionRequest, own: ModelSnapshot | None, s: Services) -> ModelSnapshot | None:
    """The model whose target it is: the version's own, unless it is to be copied into another."""
    name = request.target_model
    return (
        own
        if name == request.version.model
        else s.registry_at(request.version.workspace).find_model(request.version.workspace, name)
    )


def _champion(
    request: TransitionRequest, model: ModelSnapshot | None, tx: Transaction, now: datetime
) -> tuple[VersionId | None, VersionId | None]:
    """The lawful holder, which metrics are compared with, and the present holder, lawful or not."""
    there = {seen.id for seen in model.versions} if model else set()
    holders = model.holders(request.target) if model else ()
    found = holders[0] if holders else None
    if request.kind is Kind.OBSERVED:
        before = request.previous
        return (before if before in there else None), found  # it may have been deleted since
    return lawful_there(facts_of(place_of(request), model, tx, now)), found
