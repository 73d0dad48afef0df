"""Whether people are mentioned: once for each thing that happens to a request, whatever becomes of its message.

A card may be posted again after it was deleted, stand on a shared list, or make room for the card of a renewed comparison. None of these is
news for those who were called before. A reminder and an escalation are. All handlers that mention people ask here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.card.card import Called, Mention
from bot.domain.card.context import CardContext
from bot.domain.card.needs import may_stand_in
from bot.domain.card.request_card import first_reminded, mentions_of
from bot.domain.model import State, TransitionRequest


class Occasion(StrEnum):
    CARD = "card"
    ESCALATION = "escalation"
    REMINDER = "reminder"


def call_key(request: TransitionRequest, occasion: Occasion) -> str:
    """Under which it is noted that people were mentioned for this."""
    if occasion is Occasion.CARD:
        return f"called:{request.id}"
    if occasion is Occasion.ESCALATION:
        return f"called:{request.id}:escalation"
    return f"called:{request.id}:reminder:{request.reminders}"


def call_keys(request: TransitionRequest, earlier: Sequence[TransitionRequest]) -> tuple[str, ...]:
    """The keys of the same request to vote: its own, and those of the `earlier` ones whose place it took before anybody had voted.

    Who had voted must vote again, and would not know.
    """
    unvoted: list[TransitionRequest] = []
    for before in earlier:
        if not before.renewed or before.votes:
            break
        unvoted.append(before)
    return tuple(call_key(one, Occasion.CARD) for one in (request, *unvoted))


@dataclass(frozen=True)
class ListCall:
    """A mention in a list, or in a reply to it, in a round of votes.

    In each round, a list mentions each person or group once, for all requests that lack their vote. A request is in the next round when a
    renewed comparison took the place of one that somebody had voted on.
    """

    group: str
    round: int
    mention: Mention

    @property
    def key(self) -> str:
        return f"{list_calls(self.group)}{self.round}:{self.mention.kind}:{self.mention.key}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Whoever is called in one round needs no call in those before it."""
        return tuple(ListCall(self.group, number, self.mention).key for number in range(self.round + 1))

    @classmethod
    def parse(cls, key: str) -> ListCall:
        _, _, group, number, kind, name = key.split(":", 5)
        return cls(group, int(number), Mention(Called(kind), name, name))


def list_calls(group_id: str) -> str:
    """How the keys of a list's calls begin."""
    return f"called:group:{group_id}:"


def calls_on_list(
    group_id: str, request: TransitionRequest, context: CardContext, earlier: Sequence[TransitionRequest]
) -> tuple[ListCall, ...]:
    """Those that the open vote on a request needs from its list."""
    voted = sum(bool(one.votes) for one in earlier)
    return tuple(ListCall(group_id, voted, mention) for mention in mentions_of(request, context))


def calls(
    request: TransitionRequest,
    context: CardContext,
    noted: Collection[str],
    *,
    earlier: Sequence[TransitionRequest] = (),
    is_grouped: bool = False,
) -> bool:
    """Whether the request's own message mentions those whose votes are missing. For a grouped one its list does."""
    is_new = not set(call_keys(request, earlier)) & set(noted)
    return is_new and not is_grouped and request.state is State.PENDING and not context.unread


def escalated_to(request: TransitionRequest, context: CardContext, noted: Collection[str]) -> tuple[Mention, ...]:
    """The group that may vote from now on. The others know of the request already."""
    rule = context.rule
    if call_key(request, Occasion.ESCALATION) in noted or request.state is not State.PENDING:
        return ()
    if rule is None or rule.escalate is None or not may_stand_in(request, context):
        return ()
    group = next((one for one in context.groups if rule.escalate and one.name == rule.escalate.group), None)
    if group is None:
        return ()
    if group.slack_group is not None:
        return (Mention(Called.GROUP, group.slack_group, group.name),)
    return tuple(Mention(Called.PERSON, email, email) for email in group.people if email not in context.addresses)


def missing(request: TransitionRequest, context: CardContext) -> tuple[Mention, ...]:
    """Who is reminded."""
    if request.state is not State.PENDING or context.unread:
        return ()
    return first_reminded(request, context) or mentions_of(request, context)
