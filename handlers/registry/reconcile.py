"""Stories of the registry: what is new about a registered model, and whether it was renamed or is gone.

`look_at` is where both roads, webhook and poll, end: it reads the registered model anew and believes nothing else.
What to make of an ask is in `asking`, of a move that nobody asked for in `observed`.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import Event, ModelGone, ModelRenamed
from bot.domain.model import OPEN, Placed
from bot.domain.policy.rules import Policy
from bot.domain.registry.diff import Known, News, OpenAsk, compare, fingerprint
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.services import Services
from bot.store.registry import ModelRow
from bot.store.transaction import Transaction, registry_lane
from handlers.registry.observed_moves import judge
from handlers.request.asking import open_new, take_away

LOOK_AT = "look_at"


def defer_look(tx: Transaction, workspace: str, model: str) -> None:
    """Asks for a fresh look, once however many hints there are: what they hint at happened before this transaction."""
    tx.defer(LOOK_AT, f"{workspace}/{model}", registry_lane(workspace, model), once=True)


def reconcile_model(subject: str, s: Services) -> None:
    """Something may be new about a registered model: read it and act on the difference."""
    workspace, _, name = subject.partition("/")
    seen = s.registry.find_model(workspace, name)
    renamed_from = _find_former_name(seen, s) if seen else None
    renamed_to = _find_new_name(workspace, name, s) if seen is None else None
    now = s.clock.now()

    with s.store.transaction() as tx:
        tx.requests.lock_model(workspace, name)
        if renamed_to is not None:
            defer_look(tx, workspace, renamed_to)  # which finds what we know under the old name
            return
        if seen is None:
            _forget(workspace, name, "it was deleted or renamed", tx, now)
            return
        if renamed_from is not None:
            _rename(renamed_from, seen, tx, now)
        model = _known_model(seen, tx, now)
        if model is None:
            return  # the baseline has not been taken yet, and will include this model
        policy = tx.policy()
        known = tx.registry.known(model)
        _withdraw_what_is_gone(seen, tx, now)
        _act_on(compare(seen, known, policy), seen, policy, tx, now)
        tx.registry.put_model(row_of(seen, model.baseline, policy))


def row_of(seen: ModelSnapshot, baseline: int, policy: Policy) -> ModelRow:
    newest = seen.versions[0].id if seen.versions else None
    number = max((version.id.version for version in seen.versions), default=0)
    created = next((version.id.created for version in seen.versions if version.id.version == number), None)
    mark = fingerprint(seen.aliases, seen.versions, policy.asking_tags(), number)
    return ModelRow(seen.workspace, seen.name, seen.created, baseline, number, created if newest else None, mark)


def _known_model(seen: ModelSnapshot, tx: Transaction, now: datetime) -> ModelRow | None:
    """What we knew of the model; a new one starts at nothing, one of before the baseline starts with all it has."""
    model = tx.registry.find_model(seen.workspace, seen.name, for_update=True)
    if model is not None and model.created != seen.created:
        _forget(seen.workspace, seen.name, "it was deleted and created again", tx, now)
        model = None
    if model is not None:
        return model
    sweep = tx.registry.find_sweep("models", seen.workspace)
    if sweep is None or sweep.baseline_until is None:
        return None
    if seen.created <= sweep.baseline_until:
        take_baseline(seen, tx, now)
        return tx.registry.find_model(seen.workspace, seen.name)
    return ModelRow(seen.workspace, seen.name, seen.created, 0, 0, None, "")


def take_baseline(seen: ModelSnapshot, tx: Transaction, now: datetime) -> int:
    """Records who holds what and what asks already, and asks nothing. Returns how many targets are held."""
    policy = tx.policy()
    newest = max((version.id.version for version in seen.versions), default=0)
    news = compare(seen, Known(newest, newest), policy)
    tx.registry.put_asks([*news.asked, *news.muted])
    for target, holders in news.holders.items():
        tx.registry.put_placements(seen.workspace, seen.name, target, holders, now)
    tx.registry.put_model(row_of(seen, newest, policy))
    return sum(1 for holders in news.holders.values() if holders)


def _act_on(news: News, seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime) -> None:
    approved_before = {move: judge(move, seen, policy, tx, now) for move in news.moves}
    for target, holders in {**dict.fromkeys((move.target for move in news.moves), ()), **news.holders}.items():
        tx.registry.put_placements(seen.workspace, seen.name, target, holders, now)
    for move, request_id in approved_before.items():
        if request_id is not None and move.version is not None:
            tx.registry.approve_placement(move.version, seen.name, move.target, request_id)
    tx.registry.put_asks(news.muted)
    for ask in news.no_longer_asked:
        if not _is_overtaken(ask, news.asked):
            take_away(ask, tx, now)
    for ask in news.asked:
        request = open_new(NewRequest(ask.version, ask.target, ask.ask), tx, now)
        tx.registry.put_asks([ask], request.id)
    for ask in news.no_longer_asked:
        take_away(ask, tx, now)


def _is_overtaken(ask: OpenAsk, asked: tuple[OpenAsk, ...]) -> bool:
    """An asking alias that went on to a newer version supersedes; one that went back to an older version takes the ask away."""
    return any(new.target == ask.target and new.version.version > ask.version.version for new in asked)


def _withdraw_what_is_gone(seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    there = {version.id for version in seen.versions}
    for request in tx.requests.find(workspace=seen.workspace, model=seen.name, states=OPEN, for_update=True):
        if request.version not in there:
            tx.record(lifecycle.withdraw(request, f"{request.version} was deleted from the registry", now))


def _forget(workspace: str, name: str, why: str, tx: Transaction, now: datetime) -> None:
    if tx.registry.find_model(workspace, name, for_update=True) is None:
        return
    held = tuple(
        Placed(one.target, one.version, one.since, one.request_id) for one in tx.registry.placements(workspace, name)
    )
    tx.registry.forget_model(workspace, name)
    events: list[Event] = [ModelGone(now, workspace, name, why, held)]
    for request in tx.requests.find(workspace=workspace, model=name, states=OPEN, for_update=True):
        events += lifecycle.withdraw(request, f"{name} is gone: {why}", now)
    tx.record(events)


def _find_former_name(seen: ModelSnapshot, s: Services) -> str | None:
    """A model that we do not know may be a known one under a new name: the same creation time, and the old name is gone."""
    with s.store.transaction() as tx:
        if tx.registry.find_model(seen.workspace, seen.name) is not None:
            return None
        namesakes = tx.registry.models_created_at(seen.workspace, seen.created)
    gone = [model for model in namesakes if s.registry.find_model(seen.workspace, model.name) is None]
    alike = [model for model in gone if _has_newest_of(model, seen)]
    return next((model.name for model in alike or gone), None)


def _has_newest_of(model: ModelRow, seen: ModelSnapshot) -> bool:
    """Chooses among several that were created in the same millisecond."""
    newest = seen.version(model.newest)
    return (newest.id.created if newest else None) == model.newest_created


def _find_new_name(workspace: str, name: str, s: Services) -> str | None:
    """A model that is gone may only be called otherwise: one that we do not know yet, of the very same creation time."""
    with s.store.transaction() as tx:
        gone = tx.registry.find_model(workspace, name)
        known = {model.name for model in tx.registry.models(workspace)}
    if gone is None:
        return None
    glances = s.registry.list_models()
    return next((one.name for one in glances if one.created == gone.created and one.name not in known), None)


def _rename(before: str, seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    tx.registry.rename_model(seen.workspace, before, seen.name)
    events: list[Event] = [ModelRenamed(now, seen.workspace, before, seen.name)]
    for request in tx.requests.find(workspace=seen.workspace, model=before, states=OPEN, for_update=True):
        events += lifecycle.withdraw(request, f"{before} is called {seen.name} now. Ask again under that name", now)
    tx.record(events)
