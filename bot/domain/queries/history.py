"""A ledger entry as one line of a model's history: what happened, to which version, by whom and why.

`handlers.queries.history` reads the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain import events as e
from bot.domain.card.sentences import UNKNOWN
from bot.domain.model import DecidedBy, Kind, Target, TransitionRequest, VersionId
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.request.evolution import BY_RULE
from bot.domain.text import format_utc

ASKED = {Kind.PROMOTION: "asked", Kind.OBSERVED: "asked to ratify", Kind.ROLLBACK: "asked to go back"}
APPROVED = {Kind.PROMOTION: "approved", Kind.OBSERVED: "ratified", Kind.ROLLBACK: "approved to go back"}
WITHOUT_PEOPLE = {
    DecidedBy.FAST_TRACK: ("the fast track", "its figures reach the rule's thresholds"),
    DecidedBy.RULE: ("the rule", "it was approved for this target before"),
}

Names = Mapping[str, str]
Words = tuple[str, str, str]  # what, who, why


@dataclass(frozen=True)
class HistoryEntry:
    """`who` are printed names; `why` is the reason, or where the target came from; empty when none was given.

    `gone` are the versions that lost the target by it: it belongs to their history as well.
    """

    at: datetime
    what: str
    version: VersionId | None
    target: Target
    who: str = ""
    why: str = ""
    ticket: str = ""
    request_id: str = ""
    gone: tuple[VersionId, ...] = ()


def history_about(version: VersionId, entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    """What happened to one version, with what ended its hold on a target: a rollback, another promotion, a move by hand."""
    return [one for one in entries if version in (one.version, *one.gone)]


def happening(event: e.RequestEvent, request: TransitionRequest, names: Names) -> HistoryEntry | None:
    """None for events that do not concern a target: single votes, cards, tickets. `request` is the event's request as it is now."""
    told = _decision(event, request, names) or _ending(event, names) or _move(event, request, names)
    if told is None:
        return None
    what, who, why = told
    version = event.to if isinstance(event, e.TargetPutBack) else request.version
    ticket = request.ticket.key if request.ticket else ""
    return HistoryEntry(event.at, what, version, request.target, who, why, ticket, request.id, _gone(event, request))


def _gone(event: e.RequestEvent, request: TransitionRequest) -> tuple[VersionId, ...]:
    if isinstance(event, e.TargetPutBack):
        return (event.away_from,) if event.moved else ()
    if not isinstance(event, e.TargetMoved):
        return ()
    left = (event.previous, request.away_from, *event.besides)
    return tuple(dict.fromkeys(one for one in left if one is not None and one != event.version))


def seen_in_the_registry(event: e.MoveObserved | e.MoveReverted | HolderLeft) -> HistoryEntry:
    if isinstance(event, HolderLeft):
        return HistoryEntry(event.at, "left by hand", event.version, event.target, why=f"{event.stays} holds it still")
    if isinstance(event, e.MoveReverted):
        return HistoryEntry(event.at, "given back", event.to, event.target, why="as the rule says")
    what = "moved by hand" if event.version else "taken away by hand"
    gone = (event.previous,) if event.previous and event.previous != event.version else ()
    return HistoryEntry(event.at, what, event.version, event.target, why=_held_before(event.previous), gone=gone)


def _decision(event: e.RequestEvent, request: TransitionRequest, names: Names) -> Words | None:
    match event:
        case e.RequestOpened():
            asked = f"away from {event.away_from}" if event.away_from else str(event.ask)
            warning = f" (it was {event.failed_before})" if event.failed_before else ""
            return ASKED[event.kind], _names((event.requester,), names), _because(asked, event.comment) + warning
        case e.AskJoined():
            return "joined", _names((event.person,), names), _because(str(event.ask), event.comment)
        case e.RequestApproved():
            decider, grounds = WITHOUT_PEOPLE.get(
                event.by, (_deciders(event, request, names), _reasons(event, request))
            )
            return APPROVED[request.kind], decider, grounds
        case e.RequestRejected():
            who = "the rule" if event.person == BY_RULE else _names((event.person,), names)
            return "rejected", who, event.reason
        case _:
            return None


def _ending(event: e.RequestEvent, names: Names) -> Words | None:
    match event:
        case e.RequestExpired():
            return "expired", "", event.reason
        case e.RequestWithdrawn():
            return "withdrawn", "", event.reason
        case e.RequestSuperseded():
            return "superseded", "", event.reason
        case e.ApprovalStale():
            return "not applied", "", event.reason
        case e.VoteRefused():
            return "vote refused", _names((event.person,), names), event.reason
        case e.DecisionReopened():
            return "open again", "", event.reason
        case e.ApprovalCalledOff():
            return "called off", _names((event.person,), names), event.reason
        case _:
            return None


def _move(event: e.RequestEvent, request: TransitionRequest, names: Names) -> Words | None:
    match event:
        case e.ApprovalHeld():
            return "held by a freeze", "", f"{event.freeze}, until {format_utc(event.until)}"
        case e.FreezeEnded():
            return "freeze ended", "", event.freeze
        case e.TargetMoved() if request.kind is Kind.ROLLBACK:
            return (
                "rolled back",
                _names((request.requester,), names),
                _because(f"away from {request.away_from}", request.comment),
            )
        case e.TargetMoved() if request.kind is Kind.OBSERVED:
            return "stays", "", ""
        case e.TargetMoved():
            return "moved" if event.moved else "found there", "", _held_before(event.previous)
        case e.TargetPutBack():
            return "put back" if event.moved else "left where it is", "", f"away from {event.away_from}"
        case _:
            return None


def _names(people: Iterable[str | None], names: Names) -> str:
    return " and ".join(names.get(person, UNKNOWN) for person in people if person)


def _deciders(event: e.RequestApproved, request: TransitionRequest, names: Mapping[str, str]) -> str:
    """Each approver's name, and the absent person they voted for."""
    lent = {vote.person: vote.standing_in_for for vote in request.votes if vote.standing_in_for}
    said = [
        f"{_names((person,), names)} for {_names(lent[person], names)}" if person in lent else _names((person,), names)
        for person in event.approvers
    ]
    return " and ".join(said)


def _reasons(event: e.RequestApproved, request: TransitionRequest) -> str:
    """The reasons of those who decided, in the order of their votes."""
    return "; ".join(vote.reason for vote in request.votes if vote.person in event.approvers and vote.reason)


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _held_before(version: VersionId | None) -> str:
    return f"{version or 'nobody'} held it before"
