"""Answers what people did in a ticket: moves it to where it belongs, and says in a comment what became of it. Each once."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.model import State, TransitionRequest, Verdict
from bot.domain.references import TicketMove, TicketPlan, TicketRef
from bot.domain.ticket_votes.history import same_status
from bot.errors import Permanent, without_replay
from bot.language import N_, _, sentences
from bot.services import Services
from bot.store.tickets import Outcome, ReadAct
from handlers.notify.ticket_closing import is_finished

REFUSED = {
    Verdict.APPROVE: N_("This approval was not counted: {why}."),
    Verdict.REJECT: N_("This rejection was not counted: {why}."),
}
COUNTED = {
    Verdict.APPROVE: N_("Approval recorded. The decision still needs other votes, which the card lists."),
    Verdict.REJECT: N_("Rejection recorded."),
}

DECIDED = {
    Verdict.APPROVE: N_("This approval decided the request. The ticket is closed when the version is in place."),
    Verdict.REJECT: N_("This rejection decided the request. The ticket is closed when the target is put back."),
}


def answer_acts(request_id: str, plan: TicketPlan, s: Services) -> None:
    """In one comment, however many there were since the last look. Its parts are looked up by their keys before it is written, and a
    ticket that is in its place already is not moved.
    """
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        acts = [one for one in tx.ticket_acts.of(request_id) if one.answered_at is None]
    if request.ticket is not None:
        _answer(acts, request, request.ticket, plan, s)
    with s.store.transaction() as tx:
        for act in acts:
            tx.ticket_acts.note_answered(request_id, act.act, s.clock.now())


def _answer(
    acts: Sequence[ReadAct], request: TransitionRequest, ticket: TicketRef, plan: TicketPlan, s: Services
) -> None:
    """Each answer once, for all that it is about. The moves first, so that the comment says where the ticket is."""
    alike: dict[str, list[ReadAct]] = {}
    for act in acts:
        alike.setdefault(_what_became_of(act, request, plan), []).append(act)
    alike.pop("", None)
    texts = {
        f"act:{request.id}:{some[0].act}": _about(said, some, request, ticket, plan, s) for said, some in alike.items()
    }
    if texts:
        (key, text), *others = texts.items()
        s.tickets.comment(ticket, key, text, also=dict(others))


def _about(
    said: str, acts: Sequence[ReadAct], request: TransitionRequest, ticket: TicketRef, plan: TicketPlan, s: Services
) -> str:
    """Only the last move of them may have left the ticket where it is. An answer that also moved it is one act."""
    moves = [one for one in acts if one.before] or acts
    last = moves[-1]
    back = _move_back(last, request, ticket, plan, s) if last.outcome is not Outcome.NO_VOTE else ""
    times = _("That happened {count} times.", count=len(moves)) if len(moves) > 1 else ""
    return sentences(said, times, back)


def _what_became_of(act: ReadAct, request: TransitionRequest, plan: TicketPlan) -> str:
    """Empty where the ticket says it by itself: a vote that decided is in the comment about the decision."""
    if act.outcome is Outcome.NO_VOTE:
        return act.said
    if act.outcome is Outcome.CAST:
        if _is_ahead(act, request, plan):
            return _(DECIDED[Verdict(act.verdict)])
        return _(COUNTED[Verdict(act.verdict)]) if request.state is State.PENDING else ""
    return _(REFUSED[Verdict(act.verdict)], why=act.said.rstrip("."))


def _move_back(act: ReadAct, request: TransitionRequest, ticket: TicketRef, plan: TicketPlan, s: Services) -> str:
    """What is to be said about it. Raises OutsideError, but for a workflow that has no way back."""
    to = _where_it_belongs(act, request, plan)
    status = s.tickets.get_ticket(ticket).status if to is not None else ""
    if to is None or not (same_status(status, act.after) or same_status(status, to.to)):
        return ""  # somebody has moved it on since
    try:
        s.tickets.move(ticket, to)
    except Permanent as refusal:
        return _(
            "It could not be moved back to {status}: {why} Move it there by hand.",
            status=to.to,
            why=without_replay(str(refusal)),
        )
    return _("The ticket is back at {status}.", status=to.to)


def _where_it_belongs(act: ReadAct, request: TransitionRequest, plan: TicketPlan) -> TicketMove | None:
    """None when it may stay: an approver's answer moves nothing, and a ticket may wait where its decision will bring it."""
    if not act.before:
        return None
    if request.state.is_open or _is_ahead(act, request, plan):
        return TicketMove(act.before, path=(act.before,))  # with a path, no other step is tried
    end = _end(request, plan)
    decided = plan.decide_approve if request.state in (State.APPROVED, State.APPLIED) else plan.decide_reject
    if same_status(act.after, decided) or same_status(act.after, end.to):
        return None
    return end if request.ticket_status else TicketMove(act.before, path=(act.before,))


def _is_ahead(act: ReadAct, request: TransitionRequest, plan: TicketPlan) -> bool:
    """The ticket would say that what was decided has happened, and it has not: it may still be held, called off or go stale."""
    if request.state.is_open or is_finished(request) or not act.before:
        return False
    return same_status(act.after, _end(request, plan).to)


def _end(request: TransitionRequest, plan: TicketPlan) -> TicketMove:
    return plan.on_approval() if request.state in (State.APPROVED, State.APPLIED) else plan.on_rejection()
