"""Handing a request to another person who may decide it. It takes no vote from others: they may still decide first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.conversation.speakers import Speaker, check_is_open, has_a_say
from bot.domain.conversation_state import Handover
from bot.domain.events import Event, RequestReassigned
from bot.domain.model import State, TransitionRequest
from bot.domain.names import storable
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import groups_with_a_say, under
from bot.errors import Refused
from bot.language import _

MOST = 25  # of one request
NOTE_LIMIT = 1_000  # characters, as in the form


@dataclass(frozen=True)
class Candidate:
    """Who is to decide. `away_until` is set while they are away, and `delegate` is then the name of who votes for them."""

    speaker: Speaker
    name: str
    away_until: datetime | None = None
    delegate: str = ""


def in_charge(request: TransitionRequest) -> Handover | None:
    """The last hand-over, while that person has not voted and the request waits; None when it is with no one in particular."""
    handover = next(reversed(request.conversation.handovers), None)
    if handover is None or request.state is not State.PENDING:
        return None
    has_voted = any(handover.to in vote.ids and vote.at >= handover.at for vote in request.votes)
    return None if has_voted else handover


def check_may_hand_over(request: TransitionRequest, by: Speaker, rule: Rule, at: datetime) -> None:
    """Who may vote on it, or has voted, may hand it over. Raises Refused, also before the form is opened."""
    check_is_open(request, at)
    if by.ids & request.parties:
        raise Refused(
            _(
                "you asked for this transition or trained the version, so you have no say in who decides it. Ask an approver"
            )
        )
    if not has_a_say(request, by, rule):
        raise Refused(
            _(
                "only people who may vote on this hand it over: members of {groups}. Ask one of them",
                groups=", ".join(groups_with_a_say(request, rule)),
            )
        )
    if len(request.conversation.handovers) >= MOST:
        raise Refused(_("it was handed over {count} times already. Agree in the thread who decides", count=MOST))


def reassign(
    request: TransitionRequest, by: Speaker, to: Candidate, note: str, under_rule: tuple[Rule, str], at: datetime
) -> list[Event]:
    """`under_rule`: the rule in force, with its hash."""
    check_may_hand_over(request, by, under_rule[0], at)
    check_may_take(request, to, *under_rule)
    said = storable(note).strip()
    if len(said) > NOTE_LIMIT:
        raise Refused(_("the note has more than {count} characters. Say it more briefly", count=NOTE_LIMIT))
    return [RequestReassigned(at, request.id, by.person, to.speaker.person, said)]


def check_may_take(request: TransitionRequest, to: Candidate, rule: Rule, rule_hash: str) -> None:
    now = in_charge(request)
    if now is not None and now.to in to.speaker.ids:
        raise Refused(_("it is with {person} already", person=to.name))
    if to.speaker.ids & request.parties:
        raise Refused(
            _(
                "{person} asked for this or trained the version, so someone else must decide it. Pick another person",
                person=to.name,
            )
        )
    if any(vote.ids & to.speaker.ids for vote in under(request, rule_hash).votes):
        raise Refused(_("{person} has voted on this already. Pick another person", person=to.name))
    if to.away_until is not None:
        raise Refused(
            _(
                "{person} is away until {until}, and {delegate} decides for them. Pick {delegate}",
                person=to.name,
                until=to.away_until,
                delegate=to.delegate,
            )
        )
    groups = groups_with_a_say(request, rule)
    if not set(groups) & set(to.speaker.groups):
        raise Refused(
            _(
                "only members of {groups} may decide this, and {person} is in none of them. Pick one of them",
                groups=", ".join(groups),
                person=to.name,
            )
        )
