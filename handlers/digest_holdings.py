"""Story of the inventory: who held each target when the week ended, on whose approval, and what is wrong with that.

What has moved since is told by the ledger, as `bot.domain.holders` folds it; all the rest is as the registry was last seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from bot.digest_rows import DigestFigures
from bot.domain import digest_matters as matters
from bot.domain import events as e
from bot.domain.digest import LISTED, Attention, Concern, Holding, Listed
from bot.domain.digest_words import FAST_TRACK, NOBODY, PEOPLE, RULE
from bot.domain.events import Event
from bot.domain.holders import Place, places_at
from bot.domain.lineage import missing, was_trained_on
from bot.domain.model import DecidedBy, Evidence, State, Target, TargetKind, TransitionRequest, Verdict, VersionId
from bot.domain.policy import Observed, Policy, Unruled
from bot.domain.quorum import under
from bot.domain.wording import WAS_APPROVED
from bot.placements import RegistryRows
from bot.store import REQUEST
from handlers.past_holders import READ

AT_ONCE = 200  # requests in memory
WITHOUT_PEOPLE = {DecidedBy.FAST_TRACK: FAST_TRACK, DecidedBy.RULE: RULE}
Where = tuple[str, Target]


@dataclass(frozen=True)
class Held:
    """`model` is the registered model whose target it is; `approval` the request that approved it, None when nobody has."""

    model: str
    version: VersionId
    target: Target
    since: datetime | None
    approval: TransitionRequest | None


@dataclass
class Inventory:
    """What is kept of all that is held: the first of the lists, and the counts."""

    shown: list[Holding] = field(default_factory=list)
    total: int = 0
    concerned: dict[Concern, list[Attention]] = field(default_factory=dict)
    counts: dict[Concern, int] = field(default_factory=dict)

    def add(self, holding: Holding, found: Iterable[Attention]) -> None:
        self.total += 1
        if len(self.shown) < LISTED:
            self.shown.append(holding)
        for matter in found:
            self.counts[matter.concern] = self.counts.get(matter.concern, 0) + 1
            kept = self.concerned.setdefault(matter.concern, [])
            if len(kept) < LISTED:
                kept.append(matter)

    def listed(self) -> Listed[Holding]:
        return Listed(tuple(self.shown), self.total)

    def attention(self) -> list[Listed[Attention]]:
        return [Listed(tuple(kept), self.counts[concern]) for concern, kept in self.concerned.items()]


def take_inventory(figures: DigestFigures, policy: Policy | None, ends: datetime) -> Inventory:
    inventory = Inventory()
    for held in _all_held(figures, ends):
        inventory.add(_holding(held, ends), _matters(held, policy, ends))
    return inventory


def read_request(body: str) -> TransitionRequest:
    return REQUEST.validate_python(json.loads(body))


def deciders(request: TransitionRequest) -> tuple[str, tuple[str, ...]]:
    """What decided a request, and the people who did, by their ids."""
    if request.state not in (*WAS_APPROVED, State.REJECTED):
        return NOBODY, ()
    if request.decided_by in WITHOUT_PEOPLE and request.decided_by is not None:
        return WITHOUT_PEOPLE[request.decided_by], ()
    wanted = Verdict.REJECT if request.state is State.REJECTED else Verdict.APPROVE
    counted = under(request, request.rule_hash).votes
    return PEOPLE, tuple(dict.fromkeys(vote.person for vote in counted if vote.verdict is wanted))


def _all_held(figures: DigestFigures, ends: datetime) -> Iterator[Held]:
    """By workspace, model and target, some at a time."""
    places = iter(sorted(_places(figures, ends), key=lambda one: (one.model, one.target, one.version)))
    while some := list(islice(places, AT_ONCE)):
        ids = [one.request_id for one in some if one.request_id]
        requests = {request.id: request for request in map(read_request, figures.requests(ids))}
        yield from (_approved(place, requests.get(place.request_id), figures, ends) for place in some)


@dataclass(frozen=True)
class _Place:
    """`request_id` is of the request that should have approved it; `or_before` that an earlier approval counts as well."""

    model: str
    target: Target
    version: VersionId
    since: datetime | None
    request_id: str
    or_before: bool


def _places(figures: DigestFigures, ends: datetime) -> Iterator[_Place]:
    moved = [read_event(told.kind, told.body) for told in figures.moves_since(ends)]
    touched = {model for event in moved for model in _models_of(event)}
    folded = _folded(figures, touched, ends) if touched else {}
    yield from (place for place in folded.values() if place is not None)
    since_ever = figures.baseline_at()
    for seen in RegistryRows(figures.connection).placements():
        model = seen.version.model
        if (model, seen.target) not in folded and seen.since < ends:
            since = None if seen.since == since_ever else seen.since  # at the baseline it was there already
            yield _Place(model, seen.target, seen.version, since, seen.request_id or "", or_before=False)


def _folded(figures: DigestFigures, touched: set[str], ends: datetime) -> Mapping[Where, _Place | None]:
    """What the ledger says of the models that something has happened to since; None for a target that nobody held."""
    events = _history(figures, touched)
    last: dict[Where, Event] = {}
    for event in events:
        if event.at < ends:
            last.update(dict.fromkeys(_place_of(event), event))
    found = places_at(events, ends - timedelta(microseconds=1))
    return {
        (place.model, place.target): _as_place(place, last.get((place.model, place.target)), figures)
        for place in found
        if place.model in touched
    }


def _history(figures: DigestFigures, touched: set[str]) -> list[Event]:
    """Under former names as well."""
    names = set(touched)
    renames = [read_event(told.kind, told.body) for told in figures.moves_about(())]
    for event in reversed(renames):
        if isinstance(event, e.ModelRenamed) and event.after in names:
            names.add(event.before)
    return [read_event(told.kind, told.body) for told in figures.moves_about(sorted(names))]


def _as_place(place: Place, last: Event | None, figures: DigestFigures) -> _Place | None:
    if place.version is None:
        return None
    or_before = not isinstance(last, e.TargetMoved)
    if isinstance(last, e.MoveObserved):
        or_before = last.handling != Observed.REPORT and not _was_asked_about(last, figures)
    return _Place(place.model, place.target, place.version, place.since, place.request_id, or_before)


def _was_asked_about(move: e.MoveObserved, figures: DigestFigures) -> bool:
    """A move that led to no question put back who was approved before."""
    asked = map(read_request, figures.observed([move.at]))
    return any((request.version, request.target) == (move.version, move.target) for request in asked)


def _approved(place: _Place, request: TransitionRequest | None, figures: DigestFigures, ends: datetime) -> Held:
    """A copy in a target model stands for the version that was copied."""
    version = place.version
    if request is not None and place.target.kind is TargetKind.MODEL:
        version = request.version
    approval = request if request and _is_approval(request, version, ends) else None
    if approval is None and place.or_before:
        rows = figures.applied(version.workspace, version.model, version.version, str(place.target))
        before = [one for one in map(read_request, rows) if _is_approval(one, version, ends)]
        approval = max(before, key=lambda one: one.settled_at or one.opened_at, default=None)
    return Held(place.model, version, place.target, place.since, approval)


def _is_approval(request: TransitionRequest, version: VersionId, ends: datetime) -> bool:
    decided = request.decided_at is not None and request.decided_at < ends
    return decided and request.state in WAS_APPROVED and request.version == version


def _holding(held: Held, ends: datetime) -> Holding:
    approval = held.approval
    evidence = approval.evidence if approval else None
    decided, by = deciders(approval) if approval else (NOBODY, ())
    approved_at = approval.decided_at if approval else None
    return Holding(
        version=held.version,
        target=held.target,
        since=held.since,
        decided=decided,
        by=by,
        approved_at=approved_at,
        approval_age=_age(approved_at, ends) if approved_at else None,
        commit=(evidence.commit or "") if evidence else "",
        data=_data_of(evidence) if evidence else "",
        ticket=approval.ticket.key if approval and approval.ticket else "",
        ticket_url=approval.ticket.url if approval and approval.ticket else "",
        request_id=approval.id if approval else "",
        evidence_url=evidence.version_url if evidence else "",
    )


def _matters(held: Held, policy: Policy | None, ends: datetime) -> Iterator[Attention]:
    version, model, target = held.version, held.model, held.target
    rule = policy.rule_for(version.workspace, model, target) if policy else None
    if rule is None and policy is not None:  # nobody can approve what no rule speaks of
        if policy.default is Unruled.REPORT:
            yield matters.no_rule(version, model, target)
        return
    if held.approval is None:
        yield matters.held_without_approval(version, model, target, held.since)
        return
    approved_at, valid_for = held.approval.decided_at, rule.approval_valid_for if rule else None
    if approved_at is not None and valid_for is not None and ends - approved_at > valid_for:
        age = _age(approved_at, ends)
        yield matters.approval_too_old(version, model, target, approved_at, age, valid_for)
    evidence = held.approval.evidence
    gaps = missing(evidence) if evidence else ("no evidence was frozen",)
    if gaps:
        yield matters.lineage_incomplete(version, model, target, gaps, evidence.version_url if evidence else "")


def _data_of(evidence: Evidence) -> str:
    """MLflow's digests of what the version was trained on."""
    return ", ".join(dict.fromkeys(one.digest for one in evidence.datasets if was_trained_on(one)))


def _age(approved_at: datetime, ends: datetime) -> timedelta:
    return timedelta(seconds=int((ends - approved_at).total_seconds()))


def read_event(kind: str, body: str) -> Event:
    return READ[kind].validate_python(json.loads(body))


def _place_of(event: Event) -> Sequence[Where]:
    if isinstance(event, e.TargetMoved):
        model = event.target.name if event.target.kind is TargetKind.MODEL else event.version.model
        return [(model, event.target)]
    if isinstance(event, e.TargetPutBack):
        return [(event.away_from.model, event.target)] if event.moved else []
    return [(event.model, event.target)] if isinstance(event, e.MoveObserved | e.MoveReverted) else []


def _models_of(event: Event) -> set[str]:
    if isinstance(event, e.ModelRenamed):
        return {event.after}
    return {event.model} if isinstance(event, e.ModelGone) else {model for model, _ in _place_of(event)}
