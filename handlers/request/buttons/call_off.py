"""Calling an approval off, by button or command: approvers under the rule and the requester may."""

from __future__ import annotations

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import groups_with_a_say
from bot.domain.text import target_label, version_name
from bot.errors import Refused
from bot.language import _
from bot.ports import Click
from bot.services import Services
from handlers.notify.readers import for_account
from handlers.request.calling_off import call_off, check_can_be_called_off
from handlers.request.casting import Reply, request_under, rule_of
from handlers.request.voters import Voter, voter_for


def press(click: Click, s: Services) -> Reply:
    """The button on an approved card: asks for the reason first."""
    with s.store.transaction() as tx:
        request = request_under(click, tx)
        rule = rule_of(request, tx)
        check_can_be_called_off(request)
    voter = voter_for(click.account, rule, request, s)
    _check_may(request, voter, rule)
    if not click.reason:
        with for_account(click.account, s):
            s.notifier.ask_reason(click, _("Call off"), _question(request))
        return Reply(asked=True)
    call_off(request.id, voter.person, click.reason, s)
    return Reply()


def say(account_id: str, beginning: str, reason: str, s: Services) -> TransitionRequest:
    """By command: `beginning` are the first letters of the request's id, as the card's last line shows them."""
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(beginning))
        rule = rule_of(request, tx)
        check_can_be_called_off(request)
    voter = voter_for(account_id, rule, request, s)
    _check_may(request, voter, rule)
    return call_off(request.id, voter.person, reason, s)


def _check_may(request: TransitionRequest, voter: Voter, rule: Rule) -> None:
    asked = {request.requester, *request.joined, *request.latecomers}
    groups = groups_with_a_say(request, rule)
    if not set(groups) & set(voter.groups) and not asked & {voter.person.id, *voter.also}:
        raise Refused(
            _(
                "only members of {groups}, or those who asked for it, may call this off. Ask one of them",
                groups=", ".join(groups),
            )
        )


def _question(request: TransitionRequest) -> str:
    return _(
        "The approval of {version} for {target} is not applied yet, and will not be. Why? Your reason goes on the card, "
        "into the ticket and into the ledger. Asking again opens a fresh request.",
        version=version_name(request.version),
        target=target_label(request),
    )
