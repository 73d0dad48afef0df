"""Models that were renamed, exchanged their names, or are gone. What was decided about them is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from bot.domain.events import Event, ModelGone, ModelRenamed
from bot.domain.model import OPEN, Kind, Placed
from bot.domain.request import lifecycle
from bot.errors import Temporary
from bot.language import recorded
from bot.ports import ModelSummary
from bot.services import Services
from bot.store.registry import ModelRow
from bot.store.transaction import Transaction
from handlers.custody.reading import read_model
from handlers.registry.watches import carry_over, own_target


def find_renames(workspace: str, known: ModelRow | None, created: datetime | None, s: Services) -> Mapping[str, str]:
    """Renamed models, by the name that we know: all in one reading, because names may have been exchanged.

    `known` is what we know under a name, and `created` is when the model that has it now was created, None when there is none. Only
    asks the registry for all models when the two do not fit. A model is recognised by its creation time.
    """
    if (known.created if known else None) == created:
        return {}
    with s.store.transaction() as tx:
        if known is None and created is not None and not tx.registry.models_created_at(workspace, created):
            return {}
        rows = tx.registry.models(workspace)
    return renames_among(rows, s.registry_at(workspace).list_models())


def renames_among(rows: Iterable[ModelRow], listed: Iterable[ModelSummary]) -> Mapping[str, str]:
    """The present name of each model of `rows` that is `listed` under another one."""
    rows, summaries = list(rows), {one.name: one for one in listed}
    moved = [row for row in rows if row.name not in summaries or summaries[row.name].created != row.created]
    stayed = {row.name for row in rows} - {row.name for row in moved}
    free = {called: one for called, one in summaries.items() if called not in stayed}
    return _matched(moved, free)


def check_no_rename_waits(workspace: str, names: Iterable[str], s: Services) -> None:
    """Raises Temporary when a model was renamed since the last look: what is not under its name may be under the new one."""
    for name in names:
        with s.store.transaction() as tx:
            known = tx.registry.find_model(workspace, name)
        seen = read_model(workspace, name, s)
        called = find_renames(workspace, known, seen.created if seen else None, s).get(name)
        if called is not None:
            raise Temporary(f"{name} is called {called} now, and no look has recorded that yet")


def record_renames(workspace: str, renamed: Mapping[str, str], tx: Transaction, now: datetime) -> None:
    """Moves rows to the new names; withdraws open requests, which name the old ones."""
    if not renamed:
        return
    found = {row.name for row in tx.registry.models(workspace)}
    fitting = {before: after for before, after in renamed.items() if before in found}
    for taken in sorted((set(fitting.values()) & found) - set(fitting)):
        forget(workspace, taken, "another model has its name now", tx, now)
    tx.registry.rename_models(workspace, fitting)
    moment = tx.in_order(now, workspace, *sorted({*fitting, *fitting.values()}))  # one for all: names may be exchanged
    for before in sorted(fitting):
        carry_over(workspace, before, fitting[before], tx, now)
    for before, after in sorted(fitting.items()):
        events: list[Event] = [ModelRenamed(moment, workspace, before, after)]
        for request in tx.requests.find(workspace=workspace, model=before, states=OPEN, for_update=True):
            why = recorded(
                "outcome", "{before} is called {after} now. Ask again under that name", before=before, after=after
            )
            events += lifecycle.withdraw(request, why, now)
            if request.kind is Kind.OBSERVED and not request.is_adopted:  # people are asked again under the new name
                tx.registry.judge_anew(request.version, after, own_target(request.target, before, after))
        tx.record(events)


def forget(workspace: str, name: str, why: str, tx: Transaction, now: datetime, *, accepted: bool = False) -> None:
    """The model is gone. Its places stay watched, and what was approved for them stays approved, should it come back."""
    if tx.registry.find_model(workspace, name, for_update=True) is None:
        return
    held = tuple(
        Placed(one.target, one.version, one.since, one.request_id) for one in tx.registry.placements(workspace, name)
    )
    tx.registry.forget_model(workspace, name)
    tx.custody.leave(workspace, name, now)
    events: list[Event] = [ModelGone(now, workspace, name, why, held, accepted)]
    for request in tx.requests.find(workspace=workspace, model=name, states=OPEN, for_update=True):
        said = recorded("outcome", "{model} is gone: {why}. Should it come back, ask again", model=name, why=why)
        events += lifecycle.withdraw(request, said, now)
    tx.record(events)


def _matched(moved: list[ModelRow], free: Mapping[str, ModelSummary]) -> dict[str, str]:
    """Maps each model to its present name; several created in the same millisecond are distinguished by their newest version."""
    renamed: dict[str, str] = {}
    for row in moved:
        alike = [one for called, one in free.items() if one.created == row.created and called not in renamed.values()]
        best = next((one for one in alike if one.newest == row.newest), alike[0] if alike else None)
        if best is not None:
            renamed[row.name] = best.name
    return renamed
