"""Reconciles a registered model: what is new about it, and whether it was renamed or is gone.

The effect `look_at` runs after a webhook and after a sweep: it reads the registered model again and believes nothing else. Requests are
opened in `handlers.request.asking`; moves by hand are in `observed_moves`, new names in `renames`, new rules in `watches`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bot.domain.events import ModelGone
from bot.domain.model import OPEN
from bot.domain.policy.rules import Policy
from bot.domain.registry.diff import Known, News, OpenAsk, compare, fingerprint, open_asks
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.registry_events import Held
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.domain.workspaces import of_subject, subject_of
from bot.engine.deferring import NewJob
from bot.engine.lanes import Lane, model_lane
from bot.errors import TooManyHidden
from bot.language import recorded
from bot.services import Services
from bot.store.registry import ModelRow
from bot.store.transaction import Transaction
from handlers.custody.belief import is_same, is_watched
from handlers.custody.facts import is_newest_copy
from handlers.custody.reading import read_model
from handlers.registry.lookalikes import note_lookalikes
from handlers.registry.observed_moves import judge, note_departures
from handlers.registry.renames import find_renames, forget, record_renames
from handlers.registry.trust import is_loss
from handlers.registry.unreadable import telling_if_unreadable
from handlers.registry.watches import Watching, begin_all, bring_up_to_date, judged_moves, record_baseline
from handlers.request.asking import open_new, take_away

LOOK_AT = "look_at"
AT_ONCE = 20  # requests that one look opens for a target; somebody may register a thousand versions between two looks


def look_at(workspace: str, model: str) -> NewJob:
    """One look, however many hints there are: what they hint at happened before it is deferred."""
    return NewJob(LOOK_AT, subject_of(workspace, model), model_lane(Lane.LOOKS, workspace, model), once=True)


def defer_look(tx: Transaction, workspace: str, model: str) -> None:
    look = look_at(workspace, model)
    tx.defer(look.name, look.request_id, look.lane, once=True)


def reconcile_model(subject: str, s: Services) -> None:
    """Something may be new about a registered model: read it and act on the difference."""
    workspace, name = of_subject(subject)
    with s.store.turns.take(workspace, name), telling_if_unreadable(workspace, name, s):
        _look(workspace, name, s)


def _look(workspace: str, name: str, s: Services) -> None:
    with s.store.transaction() as tx:
        registry, before = tx.trust.find(workspace), tx.registry.find_model(workspace, name)
        watched = is_watched(workspace, tx)
    if registry.doubted_since is not None or not watched:
        return  # the first sweep that believes it again finds what is new
    seen = read_model(workspace, name, s)
    if is_loss(before, seen) and not is_same(registry, s):
        return  # it is for the sweep of all models to say so
    renamed = find_renames(workspace, before, seen.created if seen else None, s)
    now = s.clock.now()

    with s.store.transaction() as tx:
        for locked in sorted({name, *renamed, *renamed.values()}):
            tx.requests.lock_model(workspace, locked)
        record_renames(workspace, renamed, tx, now)
        for other in sorted({*renamed, *renamed.values()} - {name}):
            defer_look(tx, workspace, other)
        if renamed:
            defer_look(tx, workspace, name)  # its entries are not written yet, and the ledger is asked about moves
            return
        if seen is None:
            forget(workspace, name, "it was deleted or renamed", tx, now)
            return
        model = _known_model(seen, tx, now)
        if model is None:
            return  # the baseline has not been taken yet, and will include this model
        policy = tx.policy()
        news = compare(seen, tx.registry.known(model), policy)
        watching = bring_up_to_date(seen, policy, tx, now, is_new=_is_new(seen, tx))
        withdraw_what_is_gone(seen, tx, now)
        note_lookalikes(seen, policy, tx, now)
        moves = judged_moves(news, watching, seen, tx, now)
        _act_on(replace(news, moves=moves), watching, seen, policy, tx, now)
        tx.registry.put_model(row_of(seen, model.baseline, policy))
    if seen.unread:
        raise TooManyHidden(seen.unread)  # so that it is announced; what could be read is judged


def row_of(seen: ModelSnapshot, baseline: int, policy: Policy) -> ModelRow:
    newest = seen.versions[0].id if seen.versions else None
    number = max((version.id.version for version in seen.versions), default=0)
    created = next((version.id.created for version in seen.versions if version.id.version == number), None)
    mark = fingerprint(seen.aliases, seen.versions, policy.asking_tags(), number)
    return ModelRow(seen.workspace, seen.name, seen.created, baseline, number, created if newest else None, mark)


def _known_model(seen: ModelSnapshot, tx: Transaction, now: datetime) -> ModelRow | None:
    """What we knew of the model: nothing for a new one, all that it holds for one from before the baseline or one that was gone."""
    model = tx.registry.find_model(seen.workspace, seen.name, for_update=True)
    if model is not None and model.created != seen.created:
        forget(seen.workspace, seen.name, "it was deleted and created again", tx, now)
        model = None
    if model is not None:
        return model
    sweep = tx.registry.find_sweep("models", seen.workspace)
    if sweep is None or sweep.baseline_until is None:
        return None
    if seen.created <= sweep.baseline_until or _came_back(seen, tx):
        return _take_up_again(seen, tx)
    return ModelRow(seen.workspace, seen.name, seen.created, 0, 0, None, "")


def _came_back(seen: ModelSnapshot, tx: Transaction) -> bool:
    """A model was gone since this one was created, and it was this one, perhaps under another name: its versions had requests."""
    if next(tx.ledger.entries(ModelGone.__name__, since=seen.created), None) is None:
        return False
    ids = (request_id for version in seen.versions for request_id in tx.contents.about(version.id))
    return any(not tx.requests.get(request_id).state.is_open for request_id in ids)


def _take_up_again(seen: ModelSnapshot, tx: Transaction) -> ModelRow:
    """A model that comes back opens no request; its holders are judged by what custody has on record.

    What asked before it was gone was decided or withdrawn. To ask for all of it again would let the fast track pass older versions.
    """
    newest = max((version.id.version for version in seen.versions), default=0)
    tx.registry.put_asks(open_asks(seen, newest, tx.policy()))
    return ModelRow(seen.workspace, seen.name, seen.created, newest, newest, None, "")


def _is_new(seen: ModelSnapshot, tx: Transaction) -> bool:
    """Younger than the registry's baseline, so all that it holds came since."""
    sweep = tx.registry.find_sweep("models", seen.workspace)
    return sweep is not None and sweep.baseline_until is not None and seen.created > sweep.baseline_until


def take_baseline(workspace: str, models: Iterable[ModelSnapshot], tx: Transaction, now: datetime) -> int:
    """Records who holds what, or that no one does, and what asks already, and asks nothing. Returns how many targets are held.

    A few ledger entries have what is baseline in all these models.
    """
    baseline, count = list[Held](), 0
    for seen in models:
        begun, held = _take_baseline_of(seen, tx, now)
        baseline += begun
        count += held
    record_baseline(workspace, baseline, tx, now)
    return count


def _take_baseline_of(seen: ModelSnapshot, tx: Transaction, now: datetime) -> tuple[list[Held], int]:
    policy = tx.policy()
    newest = max((version.id.version for version in seen.versions), default=0)
    news = compare(seen, Known(newest, newest), policy)
    tx.registry.put_asks([*news.asked, *news.muted])
    before = tx.registry.find_model(seen.workspace, seen.name)
    on_record = tx.registry.known(before).placements if before else {}
    for target, holders in {**dict.fromkeys(on_record, ()), **news.holders}.items():
        tx.registry.put_placements(seen.workspace, seen.name, target, holders, now)
    begun = begin_all(seen, policy, tx, now)
    tx.registry.put_model(row_of(seen, newest, policy))
    return begun, sum(1 for holders in news.holders.values() if holders)


def _act_on(
    news: News, watching: Watching, seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime
) -> None:
    note_departures(news.left, seen, policy, tx, now)
    approved_before = {
        move: judge(move, seen, tx, now, under=watching.tightened.get(move.target)) for move in news.moves
    }
    for target, holders in {**dict.fromkeys((move.target for move in news.moves), ()), **news.holders}.items():
        tx.registry.put_placements(
            seen.workspace, seen.name, target, holders, tx.in_order(now, seen.workspace, seen.name)
        )
    for move, request_id in approved_before.items():
        if request_id is not None and move.version is not None:
            tx.registry.approve_placement(move.version, seen.name, move.target, request_id)
    tx.registry.put_asks(news.muted)
    for ask in news.no_longer_asked:
        if not _is_overtaken(ask, news.asked):
            take_away(ask, seen, tx, now)
    overtaken = _overtaken_at_once(news.asked)
    for ask in news.asked:
        if ask in overtaken or is_newest_copy(ask.version, ask.target, tx):
            tx.registry.put_asks([ask])
            continue
        request = open_new(NewRequest(ask.version, ask.target, ask.ask), tx, now)
        tx.registry.put_asks([ask], request.id)
    for ask in news.no_longer_asked:
        take_away(ask, seen, tx, now, overtaken=True)


def _overtaken_at_once(asked: tuple[OpenAsk, ...]) -> frozenset[OpenAsk]:
    """All but the newest AT_ONCE for each target: each would open a request only for the next one to supersede it."""
    found: set[OpenAsk] = set()
    for target in {ask.target for ask in asked}:
        oldest_first = sorted((ask for ask in asked if ask.target == target), key=lambda ask: ask.version.version)
        found.update(oldest_first[:-AT_ONCE])
    return frozenset(found)


def _is_overtaken(ask: OpenAsk, asked: tuple[OpenAsk, ...]) -> bool:
    """An asking alias that moved to a newer version supersedes the older request; one that moved to an older version withdraws it."""
    return any(new.target == ask.target and new.version.version > ask.version.version for new in asked)


def withdraw_what_is_gone(seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    there = {version.id for version in seen.versions}
    for request in tx.requests.find(workspace=seen.workspace, model=seen.name, states=OPEN, for_update=True):
        if request.version not in there:
            tx.record(
                lifecycle.withdraw(
                    request,
                    recorded("outcome", "{version} was deleted from the registry", version=str(request.version)),
                    now,
                )
            )
