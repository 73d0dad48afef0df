"""Who takes part in a request's conversation, and the checks that questions, answers and hand-overs share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import groups_with_a_say
from bot.domain.request.voting import AlreadyDecided
from bot.errors import Refused
from bot.language import _


@dataclass(frozen=True)
class Speaker:
    """`groups` are the rule's groups that the person may vote for now; `also` are the person's other ids."""

    person: str
    groups: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.person, *self.also))


def check_is_open(request: TransitionRequest, at: datetime) -> None:
    """Raises Refused unless the request waits for votes."""
    if request.state is State.COLLECTING:
        raise Refused(_("the evidence is still being collected. Try again in a moment"))
    if request.state is not State.PENDING:
        raise AlreadyDecided(request)
    if request.expires_at is not None and at >= request.expires_at:
        raise Refused(_("the time to decide is over. Ask again if it is still wanted"))


def has_a_say(request: TransitionRequest, speaker: Speaker, rule: Rule) -> bool:
    """Whether the person may vote on it now, or has."""
    has_voted = any(vote.ids & speaker.ids for vote in request.votes)
    return has_voted or bool(set(groups_with_a_say(request, rule)) & set(speaker.groups))
