"""The poller. It is as important as the webhooks: they get lost, do not report stage changes, and do not reach private networks.

A sweep decides nothing. It finds the registered models that may have changed and defers the effect `look_at` for each, as a webhook does.
The first sweep of a registry is the baseline: it records the holders and opens no requests. A registry that is not believed (`trust`) is
not looked at. A name, tag or model that cannot be read does not stop a sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.model import DEFAULT_WORKSPACE, OPEN
from bot.domain.names import why_not_watched
from bot.domain.registry.diff import fingerprint
from bot.domain.registry.snapshot import VersionSnapshot
from bot.errors import OutsideError
from bot.ports import ModelRegistry, ModelSummary
from bot.services import Services
from bot.store.people import Person
from bot.store.registry import Sweep
from bot.store.transaction import Transaction
from handlers.custody.belief import is_doubted, is_watched
from handlers.registry.baselines import accept, by_model, take_first
from handlers.registry.reconcile import defer_look
from handlers.registry.trust import is_believed
from handlers.registry.unreadable import leave_unwatched

OVERLAP = timedelta(seconds=60)  # MLflow's clock differs from ours, and several of its workers differ by milliseconds
AWAITED_AT_ONCE = 8  # models with open requests that a sweep looks at although it sees nothing new; two calls each


def sweep_versions(place: str, s: Services) -> None:
    """Finds new versions and stage changes: newest first, down to an overlapping watermark. One call when nothing changed for a minute.

    `place` is a workspace; empty for the default one, as jobs of older releases are.
    """
    workspace, began = place or DEFAULT_WORKSPACE, s.clock.now()
    with s.store.transaction() as tx:
        before = tx.registry.find_sweep("versions", workspace)
        if is_doubted(workspace, tx) or not is_watched(workspace, tx):
            return
    there = s.registry_at(workspace)
    edge = _edge_after(before) if before else None
    recent = [version for version in _down_to(edge, there.versions_newest_first()) if _is_watched(version)]

    with s.store.transaction() as tx:
        seen_before = set(before.seen) if before else set()
        changed = {v.id.model for v in recent if _mark(v) not in seen_before}
        for model in sorted(changed) if before else ():
            defer_look(tx, workspace, model)
        watermark = max((v.updated for v in recent), default=before.watermark if before else None)
        swept = _settled(before or Sweep(None, (), None), watermark, began)
        at_the_edge = tuple(_mark(v) for v in recent if swept.settled and v.updated >= swept.settled)
        tx.registry.put_sweep("versions", workspace, replace(swept, seen=at_the_edge), s.clock.now())


def _edge_after(before: Sweep) -> datetime | None:
    """Down to where the next sweep reads. A sweep of an older release did not say."""
    return before.settled or (before.watermark - OVERLAP if before.watermark else None)


def _settled(before: Sweep, watermark: datetime | None, began: datetime) -> Sweep:
    """Where the next sweep may stop. While nothing newer comes, the overlap behind the watermark closes as time passes.

    When the registry's clock is at the watermark, what is up to OVERLAP older may still be on its way; a second later, a second less.
    """
    if watermark is None:
        return before
    is_newer = before.watermark is None or watermark > before.watermark
    met = began if is_newer or before.watermark_at is None else before.watermark_at
    passed = min(max(began - met, timedelta(0)), OVERLAP)
    settled = watermark - OVERLAP + passed
    return replace(
        before,
        watermark=watermark,
        watermark_at=met,
        settled=max(settled, before.settled) if before.settled else settled,
    )


def sweep_models(place: str, s: Services) -> None:
    """Finds changed aliases and tags, and deletions, which no timestamp shows: a page of 1,000 models a call."""
    workspace = place or DEFAULT_WORKSPACE
    with s.store.transaction() as tx:
        before = tx.registry.find_sweep("models", workspace)
        tags = tx.policy().asking_tags()
        if not is_watched(workspace, tx):
            return
    summaries = _watched(workspace, s)
    if before is None or before.baseline_until is None:
        take_first(workspace, summaries, s)
        return
    if not is_believed(workspace, summaries, s):
        return
    tagged, trouble = _tagged(tags, s.registry_at(workspace))

    with s.store.transaction() as tx:
        changed = _changed(workspace, summaries, tagged, tags, tx)
        awaited = _in_turn(tx.requests.models_with(workspace, OPEN) - changed, before.seen)
        for name in sorted({*changed, *awaited}):
            defer_look(tx, workspace, name)
        tx.registry.put_sweep("models", workspace, replace(before, seen=tuple(awaited[-1:])), s.clock.now())
    if trouble is not None:
        raise trouble


def accept_registry(reason: str, person: Person, s: Services, workspace: str = DEFAULT_WORKSPACE) -> str:
    """An admin says that what the registry holds now is right. Raises Refused, OutsideError."""
    return accept(workspace, reason, person, _watched(workspace, s), s)


def _watched(workspace: str, s: Services) -> list[ModelSummary]:
    """All registered models except those whose names cannot be stored, which are announced."""
    found = list(s.registry_at(workspace).list_models())
    leave_unwatched([one.name for one in found if why_not_watched(one.name)], workspace, s)
    return [one for one in found if not why_not_watched(one.name)]


def _is_watched(version: VersionSnapshot) -> bool:
    return not why_not_watched(version.id.model)


def _tagged(
    tags: Sequence[str], registry: ModelRegistry
) -> tuple[Mapping[str, list[VersionSnapshot]], OutsideError | None]:
    """By model. A search for tags that fails does not keep the sweep from aliases and deletions; it is raised when those are done."""
    try:
        return by_model(version for tag in tags for version in registry.versions_tagged(tag)), None
    except OutsideError as trouble:
        return {}, trouble


def _down_to(edge: datetime | None, versions: Iterable[VersionSnapshot]) -> list[VersionSnapshot]:
    """Without an edge the newest page is enough: there is no news before the first sweep."""
    recent: list[VersionSnapshot] = []
    for version in versions:
        if edge is None and recent and version.updated < recent[0].updated - OVERLAP:
            break
        if edge is not None and version.updated < edge:
            break
        recent.append(version)
    return recent


def _mark(version: VersionSnapshot) -> str:
    return f"{version.id.model}/{version.id.version}@{version.updated.isoformat()}"


def _changed(
    workspace: str,
    summaries: list[ModelSummary],
    tagged: Mapping[str, list[VersionSnapshot]],
    tags: tuple[str, ...],
    tx: Transaction,
) -> set[str]:
    known = {model.name: model for model in tx.registry.models(workspace)}
    unreadable = {trouble.name for trouble in tx.trust.unreadable(workspace)}
    gone = set(known) - {summary.name for summary in summaries}
    changed = set()
    for summary in summaries:
        mark = fingerprint(summary.aliases, [*summary.latest, *tagged.get(summary.name, ())], tags, summary.newest)
        model = known.get(summary.name)
        if model is None or model.created != summary.created or model.fingerprint != mark:
            changed.add(summary.name)
    return changed | gone | unreadable


def _in_turn(awaited: set[str], last: Sequence[str]) -> list[str]:
    """The next few after the `last` one that was looked at, then from the beginning again: each model with an open request has its turn.

    When a version that is not the newest of its stage is deleted, only a look shows it.
    """
    in_order = sorted(awaited)
    begin = next((place for place, name in enumerate(in_order) if last and name > last[0]), 0)
    return [*in_order[begin:], *in_order[:begin]][:AWAITED_AT_ONCE]
