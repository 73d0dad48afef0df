"""The baseline: what the first sweep finds, and what an admin accepts after a doubt. It opens no requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.domain.events import BaselineTaken, RegistryTrusted
from bot.domain.model import Target, VersionId
from bot.domain.registry.identity import Holdings, lost_models
from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot
from bot.domain.text import check_reason_fits, counted
from bot.errors import Permanent, Refused
from bot.ports import ModelRegistry, ModelSummary
from bot.services import Services
from bot.store.people import Person
from bot.store.registry import Sweep
from bot.store.transaction import Transaction, after
from bot.store.trust import RegistryRow
from handlers.custody.reading import read_model
from handlers.registry.reconcile import take_baseline, withdraw_what_is_gone
from handlers.registry.renames import forget, record_renames, renames_among
from handlers.registry.trust import go_on, is_believed, known_holdings, mark_of, remember_identity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASELINE = "baseline"  # how far a first baseline is, kept as a sweep


@dataclass(frozen=True)
class Progress:
    """Of a first baseline: the page to go on with, and how many models and held targets are on record."""

    mark: str = ""
    models: int = 0
    held: int = 0


def take_first(workspace: str, summaries: Sequence[ModelSummary], s: Services) -> None:
    """Reads every version once and writes the models of a page before it reads the next. After a failure it goes on from there.

    What has changed meanwhile of a model that is on record is news. Raises OutsideError.
    """
    with s.store.transaction() as tx:
        progress = _progress(workspace, tx)
    if progress is not None and not is_believed(workspace, summaries, s):
        return
    if progress is None:
        progress, identity = Progress(), s.registry_at(workspace).identity()
        with s.store.transaction() as tx:
            remember_identity(workspace, identity, tx)
            _note(workspace, progress, tx, s.clock.now())
    listed = {summary.name: summary for summary in summaries}
    for mark, versions in _parts(_pages_from(progress.mark, s.registry_at(workspace))):
        part = [(listed[name], some) for name, some in versions.items() if name in listed]
        progress = _take_part(workspace, part, replace(progress, mark=mark), s)
    with s.store.transaction() as tx:
        known = {model.name for model in tx.registry.models(workspace)}
    rest = [(summary, list[VersionSnapshot]()) for summary in summaries if summary.name not in known]
    progress = _take_part(workspace, rest, progress, s)

    now = s.clock.now()
    with s.store.transaction() as tx:
        _end_at(workspace, summaries, tx, now)
        tx.record([BaselineTaken(now, workspace, progress.models, progress.held)])


def _pages_from(mark: str, registry: ModelRegistry) -> Iterator[VersionPage]:
    """From the beginning when the server does not know the page any more."""
    pages = registry.version_pages(mark)
    try:
        first = next(pages, None)
    except Permanent:
        if not mark:
            raise
        yield from registry.version_pages()
        return
    if first is not None:
        yield first
        yield from pages


def _parts(pages: Iterable[VersionPage]) -> Iterator[tuple[str, Mapping[str, list[VersionSnapshot]]]]:
    """Whole models, and the page to go on with after them: the last model of a page may continue on the next one."""
    mark, last, waiting = "", "", list[VersionSnapshot]()
    for page in pages:
        found = by_model([*waiting, *page.versions])
        newest = next(reversed(found), "")
        mark = mark if newest == last else page.mark
        last, waiting = newest, found.pop(newest, [])
        yield mark, found
    yield mark, {last: waiting}


def _take_part(
    workspace: str, part: Iterable[tuple[ModelSummary, list[VersionSnapshot]]], progress: Progress, s: Services
) -> Progress:
    """Writes these models, except those on record, and how far the baseline is, in one transaction."""
    seen = [model for summary, versions in part if (model := _whole(summary, versions, s)) is not None]
    now = s.clock.now()
    with s.store.transaction() as tx:
        new = [model for model in seen if tx.registry.find_model(workspace, model.name) is None]
        held = take_baseline(workspace, new, tx, now)
        done = replace(progress, models=progress.models + len(new), held=progress.held + held)
        _note(workspace, done, tx, now)
    return done


def _whole(summary: ModelSummary, versions: list[VersionSnapshot], s: Services) -> ModelSnapshot | None:
    """The model as listed. One of which versions are missing, as when others were deleted meanwhile, is read by itself."""
    listed = {*summary.aliases.values(), *(version.id.version for version in summary.latest)}
    if listed <= {version.id.version for version in versions}:
        return _as_seen(summary, versions)
    return read_model(summary.workspace, summary.name, s)


def _progress(workspace: str, tx: Transaction) -> Progress | None:
    sweep = tx.registry.find_sweep(BASELINE, workspace)
    return Progress(sweep.seen[0], *map(int, sweep.seen[1:])) if sweep and sweep.seen else None


def _note(workspace: str, progress: Progress, tx: Transaction, now: datetime) -> None:
    row = (progress.mark, str(progress.models), str(progress.held))
    tx.registry.put_sweep(BASELINE, workspace, Sweep(None, row, None), now)


def accept(workspace: str, reason: str, person: Person, summaries: Sequence[ModelSummary], s: Services) -> str:
    """An admin accepts what is there now as the baseline. Returns a sentence that says what was done. Raises Refused."""
    why = checked_reason(reason)
    identity, models = s.registry_at(workspace).identity(), read_models(workspace, summaries, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace, for_update=True)
        if row.doubted_since is None:
            return "The registry is believed already, so nothing had to be accepted."
        before = _holders(workspace, tx)
        lost = lost_models(known_holdings(row, tx), Holdings(identity, tuple(map(mark_of, summaries))))
        at = after(tx.ledger.latest(), now)  # also when a clock was set back
        tx.record([RegistryTrusted(at, workspace, row.doubted_since, person.id, why)])
        renamed = renames_among(tx.registry.models(workspace), summaries)
        for locked in sorted({*renamed, *renamed.values()}):
            tx.requests.lock_model(workspace, locked)
        record_renames(workspace, renamed, tx, now)
        _forget(workspace, lost, models, tx, now)
        known = {model.name for model in tx.registry.models(workspace)}
        is_new = row.backup_of is not None  # whatever moved since the backup was made may have been approved
        new = [model for name, model in models.items() if is_new or name in lost or name not in known]
        held = take_baseline(workspace, new, tx, at)  # with that time it is told apart from what became baseline later
        _end_at(workspace, summaries, tx, now)
        accepted_backup = row.backup_of or row.accepted_backup
        tx.trust.put(RegistryRow(workspace, identity, accepted_backup=accepted_backup))
        tx.record([BaselineTaken(now, workspace, len(new), held)])
        go_on(workspace, tx)
        holders = _holders(workspace, tx)
    others = sum(before[place] != holders[place] for place in before.keys() | holders.keys())
    gone = f"{counted(len(lost), 'model')} {'is' if len(lost) == 1 else 'are'} gone or changed"
    return (
        f"Accepted: {counted(others, 'target')} held by others than on record, or by none; {gone}. The new baseline: "
        f"{counted(len(new), 'model')}, {counted(held, 'target')} held."
    )


def _holders(workspace: str, tx: Transaction) -> Mapping[tuple[str, Target], set[VersionId]]:
    """Which versions held each target, by what is on record."""
    found = defaultdict[tuple[str, Target], set[VersionId]](set)
    for one in tx.registry.placements(workspace):
        found[one.version.model, one.target].add(one.version)
    return found


def checked_reason(reason: str) -> str:
    """One line of visible characters: it goes into the ledger and into channels. Raises Refused."""
    why = " ".join("".join(letter if letter.isprintable() else " " for letter in reason).split())
    if not why:
        raise Refused("say why what is there now is right, for example: --reason 'the old server was retired'")
    check_reason_fits(why)
    return why


def by_model(versions: Iterable[VersionSnapshot]) -> dict[str, list[VersionSnapshot]]:
    grouped: dict[str, list[VersionSnapshot]] = defaultdict(list)
    for version in versions:
        grouped[version.id.model].append(version)
    return grouped


def read_models(workspace: str, summaries: Sequence[ModelSummary], s: Services) -> Mapping[str, ModelSnapshot]:
    versions = by_model(version for page in s.registry_at(workspace).version_pages() for version in page.versions)
    return {summary.name: _as_seen(summary, versions.get(summary.name, [])) for summary in summaries}


def _as_seen(summary: ModelSummary, versions: list[VersionSnapshot]) -> ModelSnapshot:
    newest_first = tuple(sorted(versions, key=lambda version: version.id.version, reverse=True))
    there = {version.id.version for version in versions}
    aliases = {alias: number for alias, number in summary.aliases.items() if number in there}
    return ModelSnapshot(summary.workspace, summary.name, summary.created, aliases, newest_first)


def _end_at(workspace: str, summaries: Sequence[ModelSummary], tx: Transaction, now: datetime) -> None:
    until = max((summary.created for summary in summaries), default=EPOCH)
    tx.registry.put_sweep("models", workspace, Sweep(None, (), until), now)
    tx.registry.put_sweep(BASELINE, workspace, Sweep(None, (), until), now)


def _forget(
    workspace: str, lost: Collection[str], models: Mapping[str, ModelSnapshot], tx: Transaction, now: datetime
) -> None:
    """A model that only holds fewer versions keeps the approvals of those that are left."""
    for name in lost:
        known, seen = tx.registry.find_model(workspace, name), models.get(name)
        if known is not None and seen is not None and known.created == seen.created:
            withdraw_what_is_gone(seen, tx, now)
        else:
            forget(workspace, name, "an admin has accepted a registry without it", tx, now, accepted=True)
