"""Stories of the poller: a first-class road, because webhooks are lossy, know no stage changes, and do not reach private networks.

A sweep decides nothing. It finds the registered models that may hold news and asks for a look at each (`transitions.look_at`), which is
just what a webhook does. The first sweep of a registry is the baseline: it records placements and asks nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from bot.domain.events import BaselineTaken
from bot.domain.model import DEFAULT_WORKSPACE, OPEN
from bot.domain.registry.diff import fingerprint
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.ports import ModelSummary
from bot.services import Services
from bot.store.registry import Sweep
from bot.store.transaction import Transaction
from handlers.registry.reconcile import defer_look, take_baseline

OVERLAP = timedelta(
    seconds=60
)  # MLflow's clock is not ours, and several of its workers do not agree to the millisecond
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sweep_versions(_: str, s: Services) -> None:
    """New versions and stage changes: newest first, down to an overlapping watermark. One call when nothing changed."""
    with s.store.transaction() as tx:
        before = tx.registry.find_sweep("versions", DEFAULT_WORKSPACE)
    edge = (before.watermark - OVERLAP) if before and before.watermark else None
    recent = _down_to(edge, s.registry.versions_newest_first())

    with s.store.transaction() as tx:
        seen_before = set(before.seen) if before else set()
        changed = {(v.id.workspace, v.id.model) for v in recent if _mark(v) not in seen_before}
        for workspace, model in sorted(changed) if before else ():
            defer_look(tx, workspace, model)
        watermark = max((v.updated for v in recent), default=before.watermark if before else None)
        at_the_edge = tuple(_mark(v) for v in recent if watermark and v.updated >= watermark - OVERLAP)
        tx.registry.put_sweep("versions", DEFAULT_WORKSPACE, Sweep(watermark, at_the_edge, None), s.clock.now())


def sweep_models(_: str, s: Services) -> None:
    """Aliases, tags and deletions, which no timestamp shows: a page of 1,000 models a call."""
    with s.store.transaction() as tx:
        before = tx.registry.find_sweep("models", DEFAULT_WORKSPACE)
        tags = tx.policy().asking_tags()
    glances = list(s.registry.list_models())
    if before is None or before.baseline_until is None:
        _take_baseline(glances, s)
        return
    tagged = _by_model(version for tag in tags for version in s.registry.versions_tagged(tag))

    with s.store.transaction() as tx:
        for name in sorted(_worth_a_look(glances, tagged, tags, tx)):
            defer_look(tx, DEFAULT_WORKSPACE, name)
        tx.registry.put_sweep("models", DEFAULT_WORKSPACE, before, s.clock.now())


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


def _worth_a_look(
    glances: list[ModelSummary], tagged: Mapping[str, list[VersionSnapshot]], tags: tuple[str, ...], tx: Transaction
) -> set[str]:
    known = {model.name: model for model in tx.registry.models(DEFAULT_WORKSPACE)}
    awaited = {request.version.model for request in tx.requests.find(workspace=DEFAULT_WORKSPACE, states=OPEN)}
    gone = set(known) - {glance.name for glance in glances}
    changed = set()
    for glance in glances:
        mark = fingerprint(glance.aliases, [*glance.latest, *tagged.get(glance.name, ())], tags, glance.newest)
        model = known.get(glance.name)
        if model is None or model.created != glance.created or model.fingerprint != mark:
            changed.add(glance.name)
    return changed | gone | awaited


def _take_baseline(glances: list[ModelSummary], s: Services) -> None:
    """Reads every version once, in large pages, and writes all or nothing."""
    versions = _by_model(s.registry.every_version())
    now = s.clock.now()
    held = 0
    with s.store.transaction() as tx:
        for glance in glances:
            mine = tuple(sorted(versions.get(glance.name, ()), key=lambda version: version.id.version, reverse=True))
            there = {version.id.version for version in mine}
            aliases = {alias: number for alias, number in glance.aliases.items() if number in there}
            held += take_baseline(ModelSnapshot(glance.workspace, glance.name, glance.created, aliases, mine), tx, now)
        until = max((glance.created for glance in glances), default=EPOCH)
        tx.registry.put_sweep("models", DEFAULT_WORKSPACE, Sweep(None, (), until), now)
        tx.record([BaselineTaken(now, DEFAULT_WORKSPACE, len(glances), held)])


def _by_model(versions: Iterable[VersionSnapshot]) -> dict[str, list[VersionSnapshot]]:
    grouped: dict[str, list[VersionSnapshot]] = defaultdict(list)
    for version in versions:
        grouped[version.id.model].append(version)
    return grouped
