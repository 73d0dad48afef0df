"""A ledger entry as one line of a model's history: what happened, to which version, by whom and why.

`handlers.queries.history` reads the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain import events as e
from bot.domain.card.details import ASKED as HOW
from bot.domain.model import DecidedBy, Kind, Target, TransitionRequest, Verdict, VersionId
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.request.evolution import BY_RULE
from bot.domain.text import person_name
from bot.language import N_, _, listed

ASKED = {Kind.PROMOTION: N_("asked"), Kind.OBSERVED: N_("asked to ratify"), Kind.ROLLBACK: N_("asked to go back")}
APPROVED = {Kind.PROMOTION: N_("approved"), Kind.OBSERVED: N_("ratified"), Kind.ROLLBACK: N_("approved to go back")}
WITHOUT_PEOPLE = {
    DecidedBy.FAST_TRACK: (N_("the fast track"), N_("its figures reach the rule's thresholds")),
    DecidedBy.RULE: (N_("the rule"), N_("it was approved for this target before")),
    DecidedBy.BREAK_GLASS: (N_("nobody: the glass was broken"), N_("without the votes of the rule")),
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
    told = (
        _decision(event, request, names) or _ending(event, names) or _move(event, request, names) or _said(event, names)
    )
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
        return HistoryEntry(
            event.at,
            _("left by hand"),
            event.version,
            event.target,
            why=_("{version} holds it still", version=str(event.stays)),
        )
    if isinstance(event, e.MoveReverted):
        return HistoryEntry(event.at, _("given back"), event.to, event.target, why=_("as the rule says"))
    what = _("moved by hand") if event.version else _("taken away by hand")
    gone = (event.previous,) if event.previous and event.previous != event.version else ()
    return HistoryEntry(event.at, what, event.version, event.target, why=_held_before(event.previous), gone=gone)


def _decision(event: e.RequestEvent, request: TransitionRequest, names: Names) -> Words | None:
    match event:
        case e.RequestOpened():
            asked = _(HOW[event.ask.kind], name=event.ask.name)
            if event.away_from:
                asked = _("away from {version}", version=str(event.away_from))
            failed = _("it was {failed}", failed=event.failed_before)
            warning = f" ({failed})" if event.failed_before else ""
            return (
                _(ASKED[event.kind]),
                _names((event.requester,), names),
                _because(asked, event.comment) + _vouching(event.vouched_by) + warning,
            )
        case e.AskJoined():
            return (
                _("joined"),
                _names((event.person,), names),
                _because(_(HOW[event.ask.kind], name=event.ask.name), event.comment) + _vouching(event.vouched_by),
            )
        case e.OwnAskApproved():
            said = _("had asked for it: {voucher} vouches for the name", voucher=_(event.vouched_by))
            return _("approved their own ask"), _names((event.person,), names), said
        case e.RequestApproved():
            decider, grounds = WITHOUT_PEOPLE.get(event.by, ("", ""))
            return (
                _(APPROVED[request.kind]),
                _(decider) if decider else _deciders(event, request, names),
                _(grounds) if grounds else _reasons(event, request),
            )
        case e.GlassBroken():
            return _("glass broken"), _names((event.deed.person,), names), event.deed.reason
        case e.GlassReviewed():
            confirmed = event.said.verdict is Verdict.APPROVE
            what = _("break glass confirmed") if confirmed else _("break glass to be taken back")
            return what, _names((event.said.person,), names), event.said.reason
        case e.RequestRejected():
            who = _("the rule") if event.person == BY_RULE else _names((event.person,), names)
            return _("rejected"), who, event.reason
        case _:
            return None


def _vouching(voucher: str) -> str:
    said = _("{voucher} vouches for the name", voucher=_(voucher)) if voucher else ""
    return f" ({said})" if said else ""


def _ending(event: e.RequestEvent, names: Names) -> Words | None:
    match event:
        case e.RequestExpired():
            return _("expired"), "", event.reason
        case e.RequestWithdrawn():
            return _("withdrawn"), "", event.reason
        case e.RequestSuperseded():
            return _("superseded"), "", event.reason
        case e.ApprovalStale():
            return _("not applied"), "", event.reason
        case e.VoteRefused():
            return _("vote refused"), _names((event.person,), names), event.reason
        case e.DecisionReopened():
            return _("open again"), "", event.reason
        case e.ApprovalCalledOff():
            return _("called off"), _names((event.person,), names), event.reason
        case _:
            return None


def _move(event: e.RequestEvent, request: TransitionRequest, names: Names) -> Words | None:
    match event:
        case e.VersionSealed():
            until = _("locked until {until}", until=event.lock.until) if event.lock else ""
            return _("sealed"), "", _because(event.sealed.uri, until)
        case e.ApprovalHeld():
            return _("held by a freeze"), "", _("{freeze}, until {when}", freeze=event.freeze, when=event.until)
        case e.FreezeEnded():
            return _("freeze ended"), "", event.freeze
        case e.TargetMoved() if request.kind is Kind.ROLLBACK:
            return (
                _("rolled back"),
                _names((request.requester,), names),
                _because(_("away from {version}", version=str(request.away_from)), request.comment),
            )
        case e.TargetMoved() if request.kind is Kind.OBSERVED:
            return _("stays"), "", ""
        case e.TargetMoved():
            return _("moved") if event.moved else _("found there"), "", _held_before(event.previous)
        case e.TargetPutBack():
            what = _("put back") if event.moved else _("left where it is")
            return what, "", _("away from {version}", version=str(event.away_from))
        case _:
            return None


def _said(event: e.RequestEvent, names: Names) -> Words | None:
    match event:
        case e.QuestionAsked():
            return _("question asked"), _names((event.person,), names), event.text
        case e.QuestionAnswered():
            return _("question answered"), _names((event.person,), names), event.text
        case e.RequestReassigned():
            to = _("to {person}", person=_names((event.person,), names))
            return _("handed over"), _names((event.by,), names), _because(to, event.note)
        case e.CommentRecorded():
            comment = event.comment
            by = _("put on record by {person}", person=_names((comment.marked_by,), names))
            return _("comment"), _names((comment.author,), names), _because(by, comment.text)
        case _:
            return None


def _names(people: Iterable[str | None], names: Names) -> str:
    return listed(person_name(person, names) for person in people if person)


def _deciders(event: e.RequestApproved, request: TransitionRequest, names: Mapping[str, str]) -> str:
    """Each approver's name, and the absent person they voted for."""
    lent = {vote.person: vote.standing_in_for for vote in request.votes if vote.standing_in_for}
    said = [
        _("{person} for {absent}", person=_names((person,), names), absent=_names(lent[person], names))
        if person in lent
        else _names((person,), names)
        for person in event.approvers
    ]
    return listed(said)


def _reasons(event: e.RequestApproved, request: TransitionRequest) -> str:
    """The reasons of those who decided, in the order of their votes."""
    return "; ".join(vote.reason for vote in request.votes if vote.person in event.approvers and vote.reason)


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _held_before(version: VersionId | None) -> str:
    return _("{version} held it before", version=str(version)) if version else _("nobody held it before")
