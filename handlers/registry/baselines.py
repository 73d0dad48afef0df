"""The baseline: what the first sweep finds, and what an admin accepts after a doubt. It opens no requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bot.domain.events import BaselineTaken, RegistryTrusted
from bot.domain.registry.identity import Holdings, lost_models
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.domain.text import counted
from bot.errors import Refused
from bot.ports import ModelSummary
from bot.services import Services
from bot.store.people import Person
from bot.store.registry import Sweep
from bot.store.transaction import Transaction
from bot.store.trust import RegistryRow
from handlers.registry.reconcile import take_baseline, withdraw_what_is_gone
from handlers.registry.renames import forget
from handlers.registry.trust import go_on, known_holdings, mark_of, remember_identity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REASON_LIMIT = 1_000  # characters


def take_first(workspace: str, summaries: Sequence[ModelSummary], s: Services) -> None:
    """Reads every version once, in large pages, and writes all or nothing."""
    identity, models = s.registry_at(workspace).identity(), read_models(workspace, summaries, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        held = sum(take_baseline(model, tx, now) for model in models.values())
        _end_at(workspace, summaries, tx, now)
        remember_identity(workspace, identity, tx)
        tx.record([BaselineTaken(now, workspace, len(models), held)])


def accept(workspace: str, reason: str, person: Person, summaries: Sequence[ModelSummary], s: Services) -> str:
    """An admin accepts what is there now as the baseline. Returns a sentence that says what was done. Raises Refused."""
    why = checked_reason(reason)
    identity, models = s.registry_at(workspace).identity(), read_models(workspace, summaries, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace, for_update=True)
        if row.doubted_since is None:
            return "The registry is believed already, so nothing had to be accepted."
        lost = lost_models(known_holdings(row, tx), Holdings(identity, tuple(map(mark_of, summaries))))
        tx.record([RegistryTrusted(now, workspace, row.doubted_since, person.id, why)])
        _forget(workspace, lost, models, tx, now)
        known = {model.name for model in tx.registry.models(workspace)}
        is_new = row.backup_of is not None  # whatever moved since the backup was made may have been approved
        new = [model for name, model in models.items() if is_new or name in lost or name not in known]
        held = sum(take_baseline(model, tx, now) for model in new)
        _end_at(workspace, summaries, tx, now)
        accepted_backup = row.backup_of or row.accepted_backup
        tx.trust.put(RegistryRow(workspace, identity, accepted_backup=accepted_backup))
        tx.record([BaselineTaken(now, workspace, len(new), held)])
        go_on(workspace, tx)
    gone = f"{counted(len(lost), 'model')} {'is' if len(lost) == 1 else 'are'} gone or changed"
    return f"Accepted: of what was known, {gone}; {counted(len(new), 'model')} as now, {counted(held, 'target')} held."


def checked_reason(reason: str) -> str:
    """One line of visible characters: it goes into the ledger and into channels. Raises Refused."""
    why = " ".join("".join(letter if letter.isprintable() else " " for letter in reason).split())
    if not why:
        raise Refused("say why what is there now is right, for example: --reason 'the old server was retired'")
    if len(why) > REASON_LIMIT:
        raise Refused(f"the reason has {len(why)} characters; {REASON_LIMIT} fit. Shorten it")
    return why


def by_model(versions: Iterable[VersionSnapshot]) -> dict[str, list[VersionSnapshot]]:
    grouped: dict[str, list[VersionSnapshot]] = defaultdict(list)
    for version in versions:
        grouped[version.id.model].append(version)
    return grouped


def read_models(workspace: str, summaries: Sequence[ModelSummary], s: Services) -> Mapping[str, ModelSnapshot]:
    versions = by_model(s.registry_at(workspace).every_version())
    return {summary.name: _as_seen(summary, versions.get(summary.name, [])) for summary in summaries}


def _as_seen(summary: ModelSummary, versions: list[VersionSnapshot]) -> ModelSnapshot:
    newest_first = tuple(sorted(versions, key=lambda version: version.id.version, reverse=True))
    there = {version.id.version for version in versions}
    aliases = {alias: number for alias, number in summary.aliases.items() if number in there}
    return ModelSnapshot(summary.workspace, summary.name, summary.created, aliases, newest_first)


def _end_at(workspace: str, summaries: Sequence[ModelSummary], tx: Transaction, now: datetime) -> None:
    until = max((summary.created for summary in summaries), default=EPOCH)
    tx.registry.put_sweep("models", workspace, Sweep(None, (), until), now)


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
