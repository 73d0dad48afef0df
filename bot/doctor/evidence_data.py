"""Checks whether the data that live approvals rest on can be looked after: otherwise the sweep leaves it out, and a loss is not noticed."""

from __future__ import annotations

from collections import Counter

from bot.doctor.findings import Findings, World, fine, warning
from bot.domain.evidence.losses import commit_was_on_remote
from bot.domain.names import shown
from bot.domain.policy.rules import Rule
from bot.locations import parts_of
from bot.store.evidence_watch import EvidenceWatchRows
from bot.store.transaction import Transaction
from handlers.evidence.kept_pipelines import find_pipeline
from handlers.evidence.looking import data_may_be_asked_for

WHAT = "evidence data"


def data_is_looked_after(world: World) -> Findings:
    """Says nothing while no approval rests on data of DVC under a rule that names its git remote. Reads our own records only."""
    with world.services.store.transaction() as tx:
        resting = _resting_on_data(world, tx)
        places = EvidenceWatchRows(tx.connection).data_places(resting)
    if not resting:
        return
    if not world.services.data.can_look():
        for rule, count in Counter(rule.label for rule in resting.values()).items():
            yield warning(
                WHAT,
                f"{_approvals(count)} under {rule} on data of DVC, which is not installed here, so its loss is not noticed",
                "where the worker runs, install the extra: pip install 'mlflow-countersign[dvc]'",
            )
        return
    stores = world.policy.artifact_stores
    outside = [place for place in places.values() if not data_may_be_asked_for(place, stores)]
    for place, count in Counter(outside).items():
        named = _without_password(place)
        yield warning(
            WHAT,
            f"{_approvals(count)} on data in {named}, which is in none of artifact_stores, so its loss is not noticed",
            f'if the worker may read it, add "{named.rstrip("/")}/" to artifact_stores in the policy',
        )
    if not outside:
        yield fine(
            WHAT,
            f"{_approvals(len(resting))} on data of DVC; the remotes of {len(places)} are known, all in artifact_stores",
        )


def _resting_on_data(world: World, tx: Transaction) -> dict[str, Rule]:
    """The rule of each approval that holds a target and rests on data, by request."""
    placed = [one for one in tx.registry.placements() if one.request_id]
    known = tx.requests.some({one.request_id for one in placed if one.request_id})
    has_data: dict[str, bool] = {}
    found: dict[str, Rule] = {}
    for one in placed:
        request = known.get(one.request_id or "")
        rule = world.policy.rule_for(one.version.workspace, one.version.model, one.target)
        evidence = request.evidence if request else None
        if request is None or evidence is None or rule is None or rule.lineage is None or not rule.lineage.git:
            continue
        lock = evidence.lock_sha256 or ""
        if lock not in has_data:
            pipeline = find_pipeline(evidence, tx)
            has_data[lock] = pipeline is not None and any(file.md5 for file in pipeline.files)
        if has_data[lock] and commit_was_on_remote(evidence):
            found[request.id] = rule
    return found


def _approvals(count: int) -> str:
    return "1 approval rests" if count == 1 else f"{count} approvals rest"


def _without_password(place: str) -> str:
    """The trainers' repository names it, so it may hold anything."""
    parts = parts_of(place)
    if parts is None or "@" not in parts.netloc:
        return shown(place)
    return shown(place.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1))
