"""When a place begins to be watched, what is in it is baseline: recorded, listed, and never put back.

A watch begins when a rule first covers a place, or covers it more strictly than before. It belongs to the name: it stays while the model is
away, and a model that comes back under the name, or is renamed to it, is judged by what was approved for the place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from bot.domain.events import BaselineRecorded, ModelGone
from bot.domain.model import Target, TargetKind, VersionId
from bot.domain.policy.rules import Policy
from bot.domain.registry.custody import Holding, custody_of, is_unapproved, may_hold
from bot.domain.registry.diff import Move, News, ruled_places
from bot.domain.registry.facts import Handling
from bot.domain.registry.names import former_names
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.registry.watch_events import WatchBegun
from bot.domain.registry_events import LISTED, Held, in_lists
from bot.store.custody import Watch
from bot.store.ledger import read_event
from bot.store.transaction import A_MOMENT, Transaction
from bot.store.vouched.baselines import baseline_by_ledger
from bot.store.vouched.restored import restored_by_ledger
from handlers.custody.facts import Place, facts_of, handling_of


@dataclass(frozen=True)
class Watching:
    """`begun`: places whose holders are baseline from now on. `arrived`: places of a new model, or one that was away or another until now.

    `away`: since when no model has had the name of an arrived place. `tightened`: the handling until now of places that the rule covers
    more strictly than when they were last looked at.
    """

    begun: frozenset[Target]
    arrived: frozenset[Target]
    tightened: Mapping[Target, Handling]
    away: Mapping[Target, datetime]


def bring_up_to_date(seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime, *, is_new: bool) -> Watching:
    """Begins, renews and ends the watches of a model's places. `is_new`: it is younger than the registry's baseline."""
    known = tx.custody.watches(seen.workspace, seen.name)
    policy_id, _ = tx.custody.policy_since()
    unnamed = tx.custody.watched_before(seen.workspace, seen.name, policy_id)
    places = ruled_places(seen, policy)
    begun, arrived, tightened, away = set(), set(), {}, {}
    for target in places:
        place = Place(seen.workspace, seen.name, target)
        before, handling = known.get(target), handling_of(place, policy)
        if before is None and unnamed is not None:
            tx.custody.put_watch(seen.workspace, seen.name, target, Watch(unnamed, handling))
        elif before is None and is_new and _was_covered_all_along(place, seen, tx):
            arrived.add(target)  # it may have had another name, where no rule covered it
            tx.custody.put_watch(seen.workspace, seen.name, target, Watch(seen.created, handling))
        elif before is None:
            begun.add(target)
            _begin(place, handling, seen.holders(target), tx, now)
        else:
            if handling.is_stricter_than(before.handling):
                tightened[target] = before.handling
            if target in tightened and before.absent_since is None:
                _begin(place, handling, _held_before(place, before, seen, tx, now), tx, now)
                continue
            if before.absent_since is not None:
                arrived.add(target)
                away[target] = before.absent_since
            now_watched = replace(before, handling=handling, absent_since=None)
            if now_watched != before:
                tx.custody.put_watch(seen.workspace, seen.name, target, now_watched)
    for target in known.keys() - set(places):
        tx.custody.end_watch(seen.workspace, seen.name, target)
    tx.custody.drop_unnamed(seen.workspace, seen.name)
    return Watching(frozenset(begun), frozenset(arrived), tightened, away)


def _was_covered_all_along(place: Place, seen: ModelSnapshot, tx: Transaction) -> bool:
    """Rules have covered the place since the model was made, so all that it holds came while it was watched."""
    policies = tx.policies.in_force_since(seen.created)
    covered = [
        place.workspace in one.places and one.rule_for(place.workspace, place.model, place.target) is not None
        for one in policies
    ]
    return bool(covered) and all(covered)


def _held_before(
    place: Place, watch: Watch, seen: ModelSnapshot, tx: Transaction, now: datetime
) -> tuple[VersionId, ...]:
    """Who was there when the rule became stricter. None of them is what came by hand and nobody approved where people were to be asked,
    be it since the last look.
    """
    on_record = {
        one.version for one in tx.registry.placements(place.workspace, place.model) if one.target == place.target
    }
    facts = replace(facts_of(place, seen, tx, now, about=seen.holders(place.target)), handling=watch.handling)
    here = (one for one in facts.holders if one in on_record or watch.handling is not Handling.ASK)
    return tuple(one for one in here if not is_unapproved(one, facts))


def judged_moves(
    news: News, watching: Watching, seen: ModelSnapshot, tx: Transaction, now: datetime
) -> tuple[Move, ...]:
    """The moves to judge: none of what a new watch finds; of an arrived model all that nobody approved under this name.

    Of a model that was away also what has changed meanwhile, and of a new one that a place was emptied which we had moved ourselves.
    """
    elsewhere = (watching.begun - watching.tightened.keys()) | watching.arrived
    moves = [move for move in news.moves if move.target not in elsewhere]
    emptied = {move.target: move.previous for move in news.moves if move.version is None}
    for target in sorted(watching.arrived):
        since = watching.away.get(target)
        left = _held_when_it_went(target, since, seen, tx) if since is not None else None
        moves += _arrivals(target, left, emptied.get(target), seen, tx, now)
    return tuple(moves)


def _held_when_it_went(
    target: Target, since: datetime, seen: ModelSnapshot, tx: Transaction
) -> tuple[VersionId, ...] | None:
    """The holders on record when the model went; None when that is not known."""
    for entry in tx.ledger.entries(ModelGone.__name__, since=since, until=since + A_MOMENT):
        event = read_event(entry.kind, entry.body)
        if isinstance(event, ModelGone) and (event.workspace, event.model) == (seen.workspace, seen.name):
            held = tuple(one.version for one in event.placements if one.target == target)
            return held if event.placements else None
    return None


def _begin(place: Place, handling: Handling, holders: tuple[VersionId, ...], tx: Transaction, now: datetime) -> None:
    now = tx.in_order(now, place.workspace, place.model)
    tx.custody.put_watch(place.workspace, place.model, place.target, Watch(now, handling))
    tx.custody.put_baseline(place.model, place.target, holders, now)
    if holders:
        tx.record([WatchBegun(now, place.workspace, place.target, place.model, handling, holders[:LISTED])])
        record_baseline(place.workspace, [Held(place.target, one) for one in holders[LISTED:]], tx, now)


def begin_all(seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime) -> list[Held]:
    """Begins all watches at the registry's baseline. Returns what is baseline, for `record_baseline` to write with that of other models."""
    held = []
    for target in ruled_places(seen, policy):
        place, holders = Place(seen.workspace, seen.name, target), seen.holders(target)
        tx.custody.put_watch(seen.workspace, seen.name, target, Watch(now, handling_of(place, policy)))
        tx.custody.put_baseline(seen.name, target, holders, now)
        held += [Held(target, one) for one in holders]
    return held


def record_baseline(workspace: str, held: Sequence[Held], tx: Transaction, now: datetime) -> None:
    """In the transaction that wrote the rows, and with their time: these entries vouch for them (`bot.store.vouched.baselines`)."""
    tx.record([BaselineRecorded(now, workspace, some) for some in in_lists(held)])


def _record_copied(target: Target, copied: Mapping[VersionId, datetime], tx: Transaction, now: datetime) -> None:
    by_time = defaultdict[datetime, list[Held]](list)
    for version, since in copied.items():
        by_time[since].append(Held(target, version))
    for since, held in sorted(by_time.items()):
        tx.record([BaselineRecorded(now, held[0].version.workspace, some, since) for some in in_lists(held)])


def own_target(target: Target, before: str, after: str) -> Target:
    """What the target is called once its model is called `after`."""
    return Target(target.kind, after) if target == Target(TargetKind.MODEL, before) else target


def carry_over(workspace: str, before: str, after: str, tx: Transaction, now: datetime) -> None:
    """A model was renamed: places under its new name are watched as those under the old one were, which stay watched.

    What was baseline is copied by the ledger, for a row that was changed must not get an entry. Where the new name has a watch of its own,
    the holders arrive: what was baseline elsewhere is none there, but for what an admin has accepted since the model last had that name.
    """
    there, called = tx.custody.watches(workspace, after), (before, *former_names(before, tx.custody.renames(workspace)))
    if after in called:
        _carry_back(workspace, called[: called.index(after)], after, tx, now)
    for target, watch in tx.custody.watches(workspace, before).items():
        renamed = own_target(target, before, after)
        if renamed not in there:
            tx.custody.put_watch(workspace, after, renamed, watch)
            said = baseline_by_ledger(workspace, before, target, tx.connection, tx.unwritten)
            _copy(after, renamed, said, tx, now)
    tx.custody.leave(workspace, before, now)


def _carry_back(workspace: str, names: Sequence[str], after: str, tx: Transaction, now: datetime) -> None:
    """`names`: what the model was called since it was last called `after`. What an admin accepted then is accepted for the same place."""
    for at in restored_by_ledger(workspace, tx.ledger).accepted_at:
        for target, name in product(tx.custody.watches(workspace, after), names):
            there = (workspace, name, own_target(target, after, name))
            accepted = baseline_by_ledger(*there, tx.connection, tx.unwritten, since=at)
            known = baseline_by_ledger(workspace, after, target, tx.connection, tx.unwritten)
            older = {one for one, since in known.items() if since < at}
            new = (one for one in accepted if replace(one, model=after) not in known.keys() - older)
            _copy(after, target, dict.fromkeys(new, at), tx, now)


def _copy(model: str, target: Target, said: Mapping[VersionId, datetime], tx: Transaction, now: datetime) -> None:
    copied = {replace(version, model=model): since for version, since in said.items()}
    for version, since in copied.items():
        tx.custody.put_baseline(model, target, (version,), since)
    _record_copied(target, copied, tx, now)


def _arrivals(
    target: Target,
    left: tuple[VersionId, ...] | None,
    emptied_of: VersionId | None,
    seen: ModelSnapshot,
    tx: Transaction,
    now: datetime,
) -> list[Move]:
    """`left` held the target when the model went, if that is known; `emptied_of` is on record for it and no one holds it now."""
    place = Place(seen.workspace, seen.name, target)
    facts = facts_of(place, seen, tx, now, about=seen.holders(target))
    custody = custody_of(facts)
    lawful = custody.way_back
    known = [
        one.version
        for one in custody.holdings
        if may_hold(one.version, facts)
        and not _is_from_elsewhere(one, place, tx)
        and (left is None or one.version in left)
    ]
    previous = left[0] if left else lawful
    arrived = [Move(target, version, previous) for version in facts.holders if version not in known]
    before = emptied_of or next((one for one in (*(left or ()), lawful) if one in facts.there), None)
    return [*arrived, Move(target, None, before)] if not facts.holders and before is not None else arrived


def _is_from_elsewhere(holding: Holding, place: Place, tx: Transaction) -> bool:
    """It was approved under another name, so that nobody has seen it arrive here."""
    return holding.request_id is not None and tx.requests.get(holding.request_id).target_model != place.model
