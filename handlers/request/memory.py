"""What earlier requests for the same version or content mean for a new one: who may not vote, objections, and the sample's draw.

Content counts, not names and numbers: the same files registered again, under any number or model of the same rule, are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.model import Evidence, Kind, Objection, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.facts import when
from bot.domain.registry.names import Renamed, former_names, request_now
from bot.domain.request.content import content_of
from bot.domain.request.objections import objections_to
from bot.domain.request.opening import NewRequest, remembered
from bot.store.transaction import Transaction

DONE = (State.APPLIED,)


def with_memory(new: NewRequest, rule: Rule, tx: Transaction) -> NewRequest:
    """The new request, without votes from those who asked for this version or trained it before, by any of their accounts."""
    earlier = _under(rule, new.target, tx.contents.about(new.version), new.version.workspace, tx)
    people = {person for one in earlier for person in remembered(one, new.kind)}
    asked = {new.requester, *new.joined} - {None}
    ids = {one for person in asked for one in tx.people.ids_of(str(person))}
    return replace(new, barred=tuple(sorted({*new.barred, *people, *ids} - asked)))


def alike(
    version: VersionId, target: Target, evidence: Evidence, rule: Rule, tx: Transaction
) -> list[TransitionRequest]:
    """Requests under the same rule for the same files, or the same source and run; the oldest first."""
    ids = tx.contents.alike(version.workspace, content_of(evidence))
    return _under(rule, target, ids, version.workspace, tx)


def who_had_part(
    version: VersionId, target: Target, evidence: Evidence, rule: Rule, kind: Kind, tx: Transaction
) -> frozenset[str]:
    """Who asked for the version or its content before, or trained it: they may not vote on a new request of that kind."""
    about = _under(rule, target, tx.contents.about(version), version.workspace, tx)
    earlier = (*about, *alike(version, target, evidence, rule, tx))
    return frozenset(person for one in earlier for person in remembered(one, kind))


def barred_by(
    request: TransitionRequest, earlier: Iterable[TransitionRequest], authors: set[str], tx: Transaction
) -> tuple[str, ...]:
    """Who asked for the same content or trained it before, and the other ids of its authors."""
    people = {person for one in earlier if one.id != request.id for person in remembered(one, request.kind)}
    ids = {one for author in authors for one in tx.people.ids_of(author)}
    return tuple(sorted((people | ids) - authors))


def objections(
    request: TransitionRequest, earlier: Iterable[TransitionRequest], tx: Transaction
) -> tuple[Objection, ...]:
    others = [one for one in earlier if one.id != request.id]
    workspace, renames = request.version.workspace, tx.custody.renames(request.version.workspace)
    places = {(_asked_model(one), one.target) for one in others}
    applied = [found for place in sorted(places, key=str) for found in _applied(workspace, *place, renames, tx)]
    return objections_to(request, others, applied)


def _asked_model(request: TransitionRequest) -> str | None:
    """The model that the target is one of. None for a target model: versions of any model are copied into it, and it has some itself."""
    return None if request.target.kind is TargetKind.MODEL else request.version.model


def _applied(
    workspace: str, model: str | None, target: Target, renames: Sequence[Renamed], tx: Transaction
) -> list[TransitionRequest]:
    """In order, whatever the models were called then."""
    if model is None:
        targets = [Target(target.kind, name) for name in (target.name, *former_names(target.name, renames))]
        rows = [one for to in targets for one in tx.requests.find(workspace=workspace, target=to, states=DONE)]
    else:
        names = (model, *former_names(model, renames))
        rows = [one for name in names for one in tx.requests.find(workspace=workspace, model=name, states=DONE)]
    found = (request_now(row, renames) for row in rows)
    return sorted((one for one in found if one.target == target and _asked_model(one) == model), key=when)


def lot_of(request: TransitionRequest, tx: Transaction, rule: Rule) -> str:
    """The id of the first request for this version or content: unguessable, and the same however often it is asked for."""
    same = tx.requests.find(version=request.version, target=request.target)
    if request.evidence is not None:
        same += alike(request.version, request.target, request.evidence, rule, tx)
    return min(same, key=lambda one: (one.opened_at, one.id)).id


def _under(rule: Rule, target: Target, ids: Iterable[str], workspace: str, tx: Transaction) -> list[TransitionRequest]:
    """Those for the same target, or for the one that the same rule has for another model; all under their present names."""
    policy, renames = tx.policy(), tx.custody.renames(workspace)
    found = (request_now(tx.requests.get(one), renames) for one in ids)
    return [one for one in found if one.target == target or _rule_of(one, policy) == rule]


def _rule_of(request: TransitionRequest, policy: Policy) -> Rule | None:
    return policy.rule_for(request.version.workspace, request.version.model, request.target)
