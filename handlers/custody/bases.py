"""By what right versions hold their places, for lists and pages: for many places in few statements.

Most holders are plain: they hold an alias or a stage by the last decision about it, a target model as a copy that no one has rejected, or
since the baseline. For these a few columns tell what all facts would. The others are judged by all facts about their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.model import Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.custody import Basis, custody_of
from bot.domain.registry.facts import rejected_by_review
from bot.store.custody import Standing
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, on_record

Key = tuple[VersionId, Target]


def basis_of(
    placements: Sequence[Placement],
    known: Mapping[str, TransitionRequest],
    tx: Transaction,
    now: datetime,
) -> dict[Key, Basis]:
    """Only for the targets that a rule covers, as the registry was last seen. `known` are the requests that the placements name, by id."""
    policy = tx.policy()
    ruled = [one for one in placements if policy.rule_for(one.version.workspace, one.version.model, one.target)]
    found = by_columns(ruled, known, tx)
    rest = [one for one in ruled if _key(one) not in found]
    for place in dict.fromkeys(Place(one.version.workspace, one.version.model, one.target) for one in rest):
        for holding in custody_of(on_record(place, tx, now)).holdings:
            found.setdefault((holding.version, place.target), holding.basis)
    return found


def by_columns(
    placements: Sequence[Placement], known: Mapping[str, TransitionRequest], tx: Transaction
) -> dict[Key, Basis]:
    """Without those of a model that was renamed, or of a registry that was accepted after a restore."""
    places = {one.version.workspace for one in placements}
    renamed = {
        (place, name) for place in places for one in tx.custody.renames(place) for name in (one.before, one.after)
    }
    accepted = {row.workspace for row in tx.trust.all() if row.accepted_backup is not None}
    asked = [
        one
        for one in placements
        if one.version.workspace not in accepted and (one.version.workspace, one.version.model) not in renamed
    ]
    keys = [_key(one) for one in asked]
    standings, baseline = tx.custody.standings(keys), tx.custody.in_baseline(keys)
    found: dict[Key, Basis] = {}
    for one, key, standing in zip(asked, keys, standings, strict=True):
        request = known.get(one.request_id) if one.request_id else None
        if one.request_id is None:
            basis = _without_approval(key in baseline, standing)
        else:
            basis = _by_approval(one, request, standing) if request else None
        if basis is not None:
            found[key] = basis
    return found


def _by_approval(held: Placement, request: TransitionRequest, standing: Standing) -> Basis | None:
    """None when a later decision may have changed it. What is decided later is applied later, so no earlier one is applied after it
    (`bot.domain.registry.decided`); only a move by hand may be.
    """
    decided_at, settled_at = request.decided_at, request.settled_at
    if request.state is not State.APPLIED or decided_at is None or settled_at is None or standing.has_gaps:
        return None
    if held.version not in (request.version, *request.copies) or standing.was_rejected_after(decided_at):
        return None
    review = rejected_by_review(request)
    if review is not None and held.since > review.at:
        return None
    is_observed = request.kind is Kind.OBSERVED
    if held.target.kind is not TargetKind.MODEL and standing.was_applied_after(decided_at):
        return None
    if is_observed and (held.target.kind is TargetKind.STAGE or held.since > settled_at):
        return None
    return Basis.RATIFIED if is_observed else Basis.APPROVED


def _without_approval(is_baseline: bool, standing: Standing) -> Basis | None:
    """Where nothing was ever applied, and no one ever asked about the version."""
    if standing.applied_at is not None or standing.is_asked_about or standing.has_gaps:
        return None
    return Basis.BASELINE if is_baseline else Basis.FOREIGN


def _key(placement: Placement) -> Key:
    return placement.version, placement.target
