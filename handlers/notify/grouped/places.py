"""Where the card of a request is posted: alone in its channel, or below the list of a group. Decided once for each request."""

from __future__ import annotations

from datetime import datetime

from bot.domain.calm.grouping import GATHERS_FOR, CardGroup, is_a_crowd, may_share, still_gathers
from bot.domain.card.context import CardContext
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.engine.lanes import Lane, Urgency
from bot.ids import new_id
from bot.services import Services
from bot.store.calm.groups import GroupRows
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction

UNDECIDED = (State.COLLECTING, State.PENDING)


def group_for(request: TransitionRequest, context: CardContext, tx: Transaction, now: datetime) -> CardGroup | None:
    """The group whose list the request is on, which is then brought up to date; joins one or makes one when that is due."""
    groups = GroupRows(tx.connection)
    group, is_new = groups.of(request.id), False
    if group is None and request.card is None and context.rule is not None:
        group = _placed(request, context.rule, groups, tx, now)
        is_new = group is not None and group.posted is None
    if group is not None:
        defer_list(group.id, tx, is_new=is_new)
    return group


def group_lane(group_id: str) -> str:
    return f"{Lane.SLACK}:group:{group_id}"


def defer_list(group_id: str, tx: Transaction, *, is_new: bool) -> None:
    """One that waits already shows what was committed before it starts. It may not yet see a request that joins now: `is_new`."""
    tx.defer("sync_group", group_id, group_lane(group_id), once=not is_new)


def is_kept_short(request_id: str, tx: Transaction) -> bool:
    """On a list, the thread holds each request's card alone; details and history follow once somebody opens it."""
    if GroupRows(tx.connection).of(request_id) is None:
        return False
    return not _is_opened(request_id, tx)


def note_opened(request_id: str, tx: Transaction, now: datetime) -> None:
    SentRows(tx.connection).put(_opened(request_id), "", now)


def urgency_in(request: TransitionRequest, s: Services) -> Urgency:
    """Of the card below a list: somebody waits for it once they have pressed Open."""
    with s.store.transaction() as tx:
        return Urgency.CARD if _is_opened(request.id, tx) else Urgency.LOOK


def _placed(
    request: TransitionRequest, rule: Rule, groups: GroupRows, tx: Transaction, now: datetime
) -> CardGroup | None:
    """Nothing for what is posted alone whatever else waits; it does not count either."""
    if not rule.group_above or request.state not in UNDECIDED or not may_share(request, now):
        return None
    if groups.has_place(request.id) or tx.outbox.begun(f"card:{request.id}"):
        return None
    channel, name = rule.channel, rule.label
    groups.lock(channel, name)
    if groups.has_place(request.id):  # another worker was quicker
        return groups.of(request.id)
    newest = groups.newest(channel, name)
    if newest is not None and still_gathers(newest, now):
        groups.join(newest, [request.id], now)
        return newest
    waiting = _waiting_under(rule, groups, tx, now)
    if not is_a_crowd(len(waiting), groups.alone_since(channel, name, now - GATHERS_FOR), rule):
        groups.stay_alone(request.id, channel, name, now)
        return None
    group = CardGroup(new_id(), channel, name, now, now)
    groups.add(group, waiting)
    return group


def _waiting_under(rule: Rule, groups: GroupRows, tx: Transaction, now: datetime) -> list[str]:
    """The requests that this rule matches, whose cards have no place yet and may share one."""
    policy = tx.policy()
    ids = [id_ for id_, place, model, target in groups.waiting() if policy.rule_for(place, model, target) == rule]
    if len(ids) <= 1:
        return ids
    return [id_ for id_ in ids if may_share(tx.requests.get(id_), now)]


def _is_opened(request_id: str, tx: Transaction) -> bool:
    return bool(SentRows(tx.connection).digests([_opened(request_id)]).keys())


def _opened(request_id: str) -> str:
    return f"opened:{request_id}"
