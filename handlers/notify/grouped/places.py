"""Where the card of a request is posted: alone in its channel, or below the list of a group. Decided once for each request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.calm.grouping import GATHERS_FOR, CardGroup, is_a_crowd, is_listed, may_share, still_gathers
from bot.domain.card.context import CardContext
from bot.domain.model import State, Target, TransitionRequest
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
    groups, is_new = GroupRows(tx.connection), False
    if request.card is not None:
        group = groups.of(request.id) if is_listed(request) else None
    else:
        group, is_new = _before_its_card(request, context.rule, groups, tx, now)
    if group is not None:
        defer_list(group.id, tx, is_new=is_new)
    return group


def group_lane(group_id: str) -> str:
    return f"{Lane.SLACK}:group:{group_id}"


def defer_list(group_id: str, tx: Transaction, *, is_new: bool) -> None:
    """One that waits already shows what was committed before it starts. It may not yet see a request that joins now: `is_new`."""
    tx.defer("sync_group", group_id, group_lane(group_id), once=not is_new)


def is_kept_short(request: TransitionRequest, tx: Transaction) -> bool:
    """On a list, the thread holds each request's card alone; details and history follow once somebody opens it."""
    return is_listed(request) and not _is_opened(request.id, tx)


def note_opened(request_id: str, tx: Transaction, now: datetime) -> None:
    SentRows(tx.connection).put(_opened(request_id), "", now)


def urgency_in(request: TransitionRequest, s: Services) -> Urgency:
    """Of the card below a list: somebody waits for it once they have pressed Open."""
    with s.store.transaction() as tx:
        return Urgency.CARD if _is_opened(request.id, tx) else Urgency.LOOK


def _before_its_card(
    request: TransitionRequest, rule: Rule | None, groups: GroupRows, tx: Transaction, now: datetime
) -> tuple[CardGroup | None, bool]:
    """Its group, and whether it has just joined one whose list is still to come."""
    may_join = rule is not None and rule.group_above > 0 and request.state in UNDECIDED and may_share(request, now)
    if rule is None or not may_join or groups.is_placed(request.id):
        return groups.of(request.id), False
    group = _placed(request, rule, groups, tx, now)
    return group, group is not None and group.posted is None


def _placed(
    request: TransitionRequest, rule: Rule, groups: GroupRows, tx: Transaction, now: datetime
) -> CardGroup | None:
    """One worker decides for all that wait, while the others wait for its decision, which then holds."""
    channel, name = rule.channel, rule.label
    groups.lock(channel, name)
    newest = groups.newest(channel, name)
    if newest is not None and still_gathers(newest, now):
        groups.join(newest, [request.id], now)
        return groups.of(request.id)
    alike = _under(rule, groups.waiting(), tx, now)
    if is_a_crowd(len(alike), groups.alone_since(channel, name, now - GATHERS_FOR) if alike[1:] else 0, rule):
        group = CardGroup(new_id(), channel, name, now, now)
        groups.add(group)
        groups.join(group, alike, now)
    else:
        groups.stay_alone(request.id, channel, name, now)
    return groups.of(request.id)


def _under(rule: Rule, waiting: Sequence[tuple[str, str, str, Target]], tx: Transaction, now: datetime) -> list[str]:
    """Those of them that this rule matches and that may share a card, by their ids: so no two workers wait for each other."""
    if len(waiting) == 1:
        return [waiting[0][0]]
    policy = tx.policy()
    ids = [id_ for id_, place, model, target in waiting if policy.rule_for(place, model, target) == rule]
    return sorted(id_ for id_ in ids if may_share(tx.requests.get(id_), now))


def _is_opened(request_id: str, tx: Transaction) -> bool:
    return bool(SentRows(tx.connection).digests([_opened(request_id)]).keys())


def _opened(request_id: str) -> str:
    return f"opened:{request_id}"
