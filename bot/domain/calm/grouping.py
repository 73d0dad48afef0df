"""When requests share one card in a channel, and which never do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.model import AskKind, Kind, State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.references import PostedCard

GATHERS_FOR = timedelta(minutes=1)  # after the last one has joined; also how long a card that was posted alone counts
SOON = timedelta(hours=2)  # what ends within this time has its own card in the channel
URGENT_ASKS = (AskKind.UNDO, AskKind.ROLLBACK, AskKind.OBSERVED, AskKind.ADOPTED)
FEWEST = 2  # a list of one request helps no reader


@dataclass(frozen=True)
class CardGroup:
    """One message in `channel` that lists the requests of one rule; `posted` is None until it is there."""

    id: str
    channel: str
    rule: str
    opened_at: datetime
    joined_at: datetime
    posted: PostedCard | None = None


@dataclass(frozen=True)
class Member:
    """A request of a group, in short."""

    id: str
    state: State
    opened_at: datetime
    decided_at: datetime | None = None


def is_listed(request: TransitionRequest) -> bool:
    """Whether its card, or one that was deleted since, is or was below the list of a group. False while it has none."""
    posted = (*request.earlier_cards, *((request.card,) if request.card else ()))
    return any(card.thread for card in posted)


def may_share(request: TransitionRequest, now: datetime) -> bool:
    """Never a rollback, a move by hand or a broken glass, and nothing that ends soon: their cards are in the channel, and call people."""
    ends_soon = request.expires_at is not None and request.expires_at - now < SOON
    return request.kind is Kind.PROMOTION and request.ask.kind not in URGENT_ASKS and not (ends_soon or request.glass)


def is_a_crowd(waiting: int, alone_lately: int, rule: Rule) -> bool:
    """`waiting` have no card yet; `alone_lately` had one of their own within the last minute. Both are of one rule and channel."""
    return rule.group_above > 0 and waiting >= FEWEST and waiting + alone_lately > rule.group_above


def still_gathers(group: CardGroup, now: datetime) -> bool:
    """Whether a request that comes now is added to the list."""
    return now - group.joined_at < GATHERS_FOR
