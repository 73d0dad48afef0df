"""Who may vote on a request, and what the vote must say: the checks before `lifecycle.cast_vote`, and their sentences."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.evidence import lineage
from bot.domain.model import State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule, UnknownRequester
from bot.domain.request.quorum import groups_with_a_say, requester_is_unknown, under
from bot.errors import Refused
from bot.language import _


class AlreadyDecided(Refused):
    """Someone else decided first. The message says who; the handler adds the names."""

    def __init__(self, request: TransitionRequest) -> None:
        super().__init__(f"request {request.short_id} is already {request.state}")
        self.request = request


class OwnRequest(Refused):
    """Separation of duties: the requester and the trainer may not decide."""


def check_may_vote(request: TransitionRequest, vote: Vote, rule: Rule) -> None:
    """Raises Refused with the sentence that the person sees, also for one who has voted. Asked before a form for a reason is opened."""
    if request.state is State.COLLECTING:
        raise Refused(_("the evidence is still being collected. Try again in a moment"))
    if request.state is not State.PENDING:
        raise AlreadyDecided(request)
    if request.expires_at is not None and vote.at >= request.expires_at:
        raise Refused(_("the time to decide is over. Ask again if it is still wanted"))
    _check_is_no_party(request, vote)
    wanted = groups_with_a_say(request, rule)
    if not set(wanted) & set(vote.groups):
        raise Refused(_("only members of {groups} may decide this. Ask one of them", groups=", ".join(wanted)))
    counted = under(request, vote.rule_hash).votes
    if any(vote.ids & earlier.ids for earlier in counted):
        raise Refused(_("you have voted on this already; your vote stands"))
    if any(vote.ids & set(earlier.standing_in_for) for earlier in counted):
        raise Refused(_("somebody has voted in your place while you were away; that vote stands"))
    if set(vote.standing_in_for) & request.parties:
        raise Refused(
            _("whom you stand in for asked for this or trained the version, and has no say to lend. Press again")
        )
    if set(vote.standing_in_for) & {person for one in counted for person in (*one.ids, *one.standing_in_for)}:
        raise Refused(_("whom you stand in for has had a vote on this by now. Press again to vote for yourself alone"))
    refuses_unknown = rule.approve.unknown_requester is UnknownRequester.REFUSE
    if vote.verdict is Verdict.APPROVE and refuses_unknown and requester_is_unknown(request):
        raise Refused(
            _(
                "nobody knows who asked for this or who trained it, and the policy refuses to approve that. "
                "Ask for it with `countersign request-transition` and map the author in the policy's people"
            )
        )
    if vote.verdict is Verdict.APPROVE:
        lineage.check_may_approve(request, rule)


def _check_is_no_party(request: TransitionRequest, vote: Vote) -> None:
    if vote.ids & replace(request, barred=()).parties:
        raise OwnRequest(_("you asked for this transition or trained the version, so someone else must decide it"))
    if vote.ids & request.parties:
        raise OwnRequest(
            _(
                "you, or somebody who had your account before, asked for this version earlier or trained it, "
                "so someone else must decide it"
            )
        )


def check_may_cast(request: TransitionRequest, vote: Vote, rule: Rule) -> None:
    """Raises Refused for a person who may not vote, and for a vote without the reason that the policy wants."""
    check_may_vote(request, vote, rule)
    if wants_reason(request, vote.verdict, rule) and not vote.reason.strip():
        raise Refused(
            _("the policy wants a reason to approve. Say in a sentence why")
            if vote.verdict is Verdict.APPROVE
            else _("the policy wants a reason to reject. Say in a sentence why")
        )


def wants_reason(request: TransitionRequest, verdict: Verdict, rule: Rule) -> bool:
    """To approve what people have rolled back or rejected before takes a reason under every rule, so that it is no accident."""
    if verdict is Verdict.REJECT:
        return rule.approve.wants_reason_to_reject()
    return rule.approve.wants_reason_to_approve() or request.failed_before != "" or request.objections != ()
