"""Gathers the facts about a place, for `bot.domain.registry` to judge. Only reads; everyone who asks about a target comes here."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.events import MoveObserved
from bot.domain.model import Ask, Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Copies, Observed, Policy
from bot.domain.registry.arrivals import WITHIN
from bot.domain.registry.facts import Facts, Handling, is_a_no, is_unconfirmed, when
from bot.domain.registry.model_uri import source_of
from bot.domain.registry.names import Renamed, former_names, present_name, request_now, under_present_name
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.registry.taken_away import last_taken_away
from bot.domain.request.approvals import Approval, approval_behind, restores
from bot.domain.request.askers import asks_by_the_registry_alone
from bot.domain.request.renamed import carried_over
from bot.services import Services
from bot.store.audit import event_of
from bot.store.registry import Placement
from bot.store.requests import REQUEST
from bot.store.transaction import Transaction
from bot.store.vouched.baselines import baseline_by_ledger, was_there_before
from bot.store.vouched.restored import restored_by_ledger
from handlers.custody.reading import read_model


@dataclass(frozen=True)
class Place:
    """A target of a registered model, by name. For a target model it is that model's own."""

    workspace: str
    model: str
    target: Target


def place_of(request: TransitionRequest) -> Place:
    return Place(request.version.workspace, request.target_model, request.target)


def as_called_now(request: TransitionRequest, tx: Transaction) -> TransitionRequest:
    """With the names that its models have now: one may have been renamed since it was opened."""
    return request_now(request, tx.custody.renames(request.version.workspace))


def facts_of(
    place: Place,
    seen: ModelSnapshot | None,
    tx: Transaction,
    now: datetime,
    *,
    about: Iterable[VersionId] = (),
    there: Iterable[VersionId] = (),
) -> Facts:
    """`seen` is the model as the registry shows it now. `about`: versions whose requests matter in addition to the newest ones.

    `there`: versions of other models that the registry still has, for what is copied.
    """
    holders = seen.holders(place.target) if seen else ()
    return _facts(place, seen, holders, _placed(place, tx), tx, now, about=about, there=there)


def _placed(place: Place, tx: Transaction) -> list[Placement]:
    return [held for held in tx.registry.placements(place.workspace, place.model) if held.target == place.target]


def _facts(
    place: Place,
    seen: ModelSnapshot | None,
    holders: tuple[VersionId, ...],
    on_record: Sequence[Placement],
    tx: Transaction,
    now: datetime,
    *,
    about: Iterable[VersionId],
    there: Iterable[VersionId],
) -> Facts:
    policy, renames = tx.policy(), tx.custody.renames(place.workspace)
    wanted = (*about, *holders[: 1 if place.target.kind is TargetKind.MODEL else None])
    intents = tx.registry.open_intents(place.workspace, place.model, place.target)
    by_request = [held.request_id for held in on_record if held.version in wanted]
    by_request += [intent.request_id for intent in intents]
    numbers = {one.version for one in wanted} | _copied_numbers(seen, wanted)
    decisions = _decisions(place, renames, numbers, by_request, tx)
    return Facts(
        place.workspace,
        place.model,
        place.target,
        holders=holders,
        there=frozenset((*(one.id for one in (seen.versions if seen else ())), *there)),
        decisions=decisions,
        baseline=baseline_of(place, tx),
        seen={held.version: held.since for held in on_record},
        sources=_sources(seen, decisions, renames, place.target),
        intents=tuple(intents),
        handling=handling_of(place, policy),
        deletes_copies=_deletes_copies(place, policy),
        watched_since=_watched_since(place, tx),
        accepted_backup=_accepted_backup(place.workspace, tx),
        restored=tuple(tx.custody.restored(place.workspace, place.model, place.target, now - WITHIN)),
    )


def facts_about(request: TransitionRequest, s: Services) -> Facts:
    """Reads the registry again, once or, for a copy, twice. Always the versions too: an alias says which number holds it, and the
    version that is about to get it may have been deleted, or created again under its number, since it was read before.
    """
    place, version = place_of(request), request.version
    seen = own = read_model(place.workspace, place.model, s)
    may_end = request.state is State.APPROVED and asks_by_the_registry_alone(request)
    there: tuple[VersionId, ...] = ()
    if version.model != place.model:
        own, there = _read_source(version, s, with_model=may_end)
    with s.store.transaction() as tx:
        facts = facts_of(place, seen, tx, s.clock.now(), about=(version,), there=there)
        ask = _taken_away(request, own, tx) if may_end else None
        may_delete = facts.deletes_copies and request.kind is Kind.OBSERVED
        is_spared = may_delete and (was_there_before(version, tx.connection) or _was_reported(version, place, tx))
        return replace(
            facts,
            taken_away=((request.id, ask),) if ask else (),
            spared=frozenset((version,)) if is_spared else frozenset(),
        )


def _was_reported(version: VersionId, place: Place, tx: Transaction) -> bool:
    """Whether an entry says of the version that it was moved there while the rule only reported that: then it may stay."""
    names = (place.model, *former_names(place.model, tx.custody.renames(place.workspace)))
    seen = map(event_of, tx.ledger.seen_at(names))
    reported = (one.version for one in seen if isinstance(one, MoveObserved) and one.handling == Observed.REPORT)
    return any(one is not None and (one.version, one.created) == (version.version, version.created) for one in reported)


def _read_source(
    version: VersionId, s: Services, *, with_model: bool
) -> tuple[ModelSnapshot | None, tuple[VersionId, ...]]:
    """What a copy is made from, if it is there: in its model, where it matters what asks for it, or by itself."""
    if with_model:
        own = read_model(version.workspace, version.model, s)
        source = own.version(version.version) if own else None
    else:
        own = None
        source = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
    return own, (source.id,) if source else ()


def _taken_away(request: TransitionRequest, own: ModelSnapshot | None, tx: Transaction) -> Ask | None:
    """The ask of the request, when a person has taken away all that asked for it since the last look."""
    version, intent = request.version, tx.registry.find_intent(request.id)
    asks = [ask for ask, by in tx.registry.asks_with_requests(version.workspace, version.model) if by == request.id]
    return last_taken_away(asks, own, is_moving=intent is not None and intent.done_at is None)


def on_record(place: Place, tx: Transaction, now: datetime) -> Facts:
    """The facts without reading the registry: the holders when it was last seen."""
    placed = _placed(place, tx)
    holders = tuple(held.version for held in placed)
    return _facts(place, None, holders, placed, tx, now, about=holders, there=holders)


def facts_of_champion(request: TransitionRequest, tx: Transaction, now: datetime) -> tuple[VersionId, Facts] | None:
    """The version that its evidence compares with, if any, and the facts about the place as the registry was last seen."""
    champion, place = request.evidence.champion if request.evidence else None, place_of(request)
    if champion is None:
        return None
    placed = _placed(place, tx)
    holders = tuple(held.version for held in placed)
    about = (*holders, champion.version)
    return champion.version, _facts(place, None, holders, placed, tx, now, about=about, there=holders)


def is_champion_unconfirmed(request: TransitionRequest, tx: Transaction, now: datetime) -> bool:
    """Whether the version that its evidence compares with has its place by a broken glass alone."""
    there = facts_of_champion(request, tx, now)
    if there is None:
        return False
    champion, facts = there
    brought = max((one for one in facts.about(champion) if one.state is State.APPLIED), key=when, default=None)
    return brought is not None and is_unconfirmed(brought)


def is_newest_copy(version: VersionId, target: Target, tx: Transaction) -> bool:
    """Whether the target model was last seen with an approved copy of the version as its newest."""
    if target.kind is not TargetKind.MODEL:
        return False
    held = [one for one in tx.registry.placements(version.workspace, target.name) if one.target == target]
    brought = held[0].request_id if held else None
    return brought is not None and tx.requests.get(brought).version == version


def handling_of(place: Place, policy: Policy) -> Handling:
    rule = policy.rule_for(place.workspace, place.model, place.target)
    return Handling(rule.observed if rule else policy.default)


def decisions_for(place: Place, tx: Transaction, about: Iterable[VersionId] = ()) -> tuple[TransitionRequest, ...]:
    """The newest requests about a place and all about these versions, under all names that it had, oldest first."""
    return _decisions(place, tx.custody.renames(place.workspace), {one.version for one in about}, [], tx)


def decided_for(request: TransitionRequest, tx: Transaction) -> tuple[TransitionRequest, ...]:
    """What was applied for the request's target, or rejected by people, among the versions of its model; as it was settled."""
    return decided_at(place_of(request), request.version.model, tx, (request.version,))


def behind(request: TransitionRequest | None, tx: Transaction) -> Approval | None:
    """The approval on which a request brought its version to the target."""
    if request is None or not restores(request):
        return Approval(request) if request else None
    return approval_behind(request, decided_for(request, tx))


def decided_at(
    place: Place, model: str, tx: Transaction, about: Iterable[VersionId] = ()
) -> tuple[TransitionRequest, ...]:
    """`model` is the one whose versions are asked for: another than the place's where they are copied."""
    found = decisions_for(place, tx, about)
    counted = [one for one in found if one.version.model == model and (one.state is State.APPLIED or is_a_no(one))]
    return tuple(sorted(counted, key=when))


def _decisions(
    place: Place, renames: Sequence[Renamed], numbers: Collection[int], ids: Sequence[str | None], tx: Transaction
) -> tuple[TransitionRequest, ...]:
    bodies, policy = _bodies(place, renames, numbers, [one for one in ids if one], tx), tx.policy()
    read = ((kept_as, REQUEST.validate_python(json.loads(body))) for kept_as, body in bodies.items())
    found = [request for kept_as, request in read if request.id == kept_as]  # another's body says nothing here
    if place.target.kind is TargetKind.MODEL:
        made = tx.custody.copies([one.id for one in found])
        found = [replace(one, copies=one.copies or made.get(one.id, ())) for one in found]
    return tuple(carried_over(found, place.workspace, place.model, place.target, policy, renames))


def ids_of_decisions(place: Place, tx: Transaction) -> tuple[str, ...]:
    """Of the newest rows about the place, also those that count for nothing under its present name."""
    return tuple(_bodies(place, tx.custody.renames(place.workspace), (), (), tx))


def _bodies(
    place: Place, renames: Sequence[Renamed], numbers: Collection[int], ids: Collection[str], tx: Transaction
) -> dict[str, str]:
    called = (place.model, *former_names(place.model, renames))
    is_model = place.target.kind is TargetKind.MODEL
    targets = [Target(TargetKind.MODEL, name) for name in called] if is_model else [place.target]
    return tx.custody.decisions(place.workspace, None if is_model else called, targets, numbers, ids)


def baseline_of(place: Place, tx: Transaction, *, by_ledger: bool = False) -> dict[VersionId, datetime]:
    """Of this very name; a rename to a name that was not watched has copied it (`watches.carry_over`)."""
    of_name, renames = (place.workspace, place.model, place.target), tx.custody.renames(place.workspace)
    rows = baseline_by_ledger(*of_name, tx.connection, tx.unwritten) if by_ledger else tx.custody.baseline(*of_name)
    return {under_present_name(version, since, renames): since for version, since in rows.items()}


def _sources(
    seen: ModelSnapshot | None, decisions: Sequence[TransitionRequest], renames: Sequence[Renamed], target: Target
) -> dict[VersionId, VersionId]:
    """The version that each copy was made from, as far as a request names it. A copy names it as it was called then."""
    if seen is None or target.kind is not TargetKind.MODEL:
        return {}
    asked: dict[tuple[str, int], set[VersionId]] = {}
    for one in decisions:
        asked.setdefault((one.version.model, one.version.version), set()).add(one.version)
    sources = {}
    for copy in seen.versions:
        named = source_of(copy.source)
        key = (present_name(named[0], copy.id.created, renames), named[1]) if named else None
        older = [one for one in asked.get(key, ()) if one.created <= copy.id.created] if key else []
        if older:
            sources[copy.id] = max(older, key=lambda one: one.created)
    return sources


def _copied_numbers(seen: ModelSnapshot | None, copies: Collection[VersionId]) -> set[int]:
    """The numbers of the versions that these were copied from, where the registry says so."""
    named = (source_of(one.source) for one in (seen.versions if seen else ()) if one.id in copies)
    return {number for _, number in filter(None, named)}


def _accepted_backup(workspace: str, tx: Transaction) -> datetime | None:
    """As the ledger says, which is read only where the row says that there is one: the bot's database role may change the row."""
    if tx.trust.find(workspace).accepted_backup is None:
        return None
    accepted = restored_by_ledger(workspace, tx.ledger).accepted
    return accepted.made_at if accepted else None


def _deletes_copies(place: Place, policy: Policy) -> bool:
    rule = policy.rule_for(place.workspace, place.model, place.target)
    return rule is not None and rule.copies is Copies.DELETE


def _watched_since(place: Place, tx: Transaction) -> datetime | None:
    watch = tx.custody.watches(place.workspace, place.model).get(place.target)
    if watch is not None:
        return watch.since
    policy_id, _ = tx.custody.policy_since()
    return tx.custody.watched_before(place.workspace, place.model, policy_id)
