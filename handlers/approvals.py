"""Stories of the vote: who pressed, may they, and what follows. Recorded before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain import lifecycle
from bot.domain.events import Event, RequestApproved, RequestRejected
from bot.domain.lifecycle import AlreadyDecided
from bot.domain.model import ENDED_UNDECIDED, Refused, State, TransitionRequest, Verdict, Vote
from bot.domain.policy import Group, Rule
from bot.domain.wording import deeds, what_approve_does, what_reject_does
from bot.people import Person
from bot.ports import Account, AccountKind, Click, Temporary
from bot.services import Services
from bot.store import Transaction

VERDICTS = {"approve": Verdict.APPROVE, "reject": Verdict.REJECT}
UNWELCOME = {
    AccountKind.GUEST: "guests of the workspace may not decide",
    AccountKind.BOT: "a bot may not decide",
    AccountKind.DEACTIVATED: "this account is deactivated",
    AccountKind.FOREIGN: "people from other workspaces may not decide",
}
PRESS_AGAIN = "Slack did not answer in time when asked who you are. Nothing was recorded: press again"


@dataclass(frozen=True)
class Reply:
    """What only the one who pressed sees; empty when the card itself is the answer."""

    text: str = ""
    asked: bool = False


def press(click: Click, s: Services) -> Reply:
    """A button on a card: a vote, or first the question why."""
    verdict = _verdict_of(click)
    with s.store.transaction() as tx:
        request = _request_under(click, tx)
        rule = _rule_for(request, tx)
    voter = _voter(click.account, rule, s)

    if _wants_reason(verdict, rule) and not click.reason:
        _check_may_vote(request, click, voter, rule, s)
        s.notifier.ask_reason(click, *_question(request, verdict))
        return Reply(asked=True)
    return cast_vote(click, voter, s)


def cast_vote(click: Click, voter: Voter, s: Services) -> Reply:
    """A verdict, with its reason if one was asked for."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        request = tx.get_request(click.value, for_update=True)
        rule = _rule_for(request, tx)
        vote = _vote_of(click, voter, now)
        try:
            events = lifecycle.cast_vote(request, vote, rule, tx.policy().rule_hash(rule))
        except AlreadyDecided as late:
            raise Refused(who_decided(late.request, tx)) from None
        tx.record(events)

    return _reply_for(events)


@dataclass(frozen=True)
class Voter:
    """A person with those of the rule's groups that they belong to at this moment."""

    person: Person
    groups: tuple[str, ...]


def who_decided(request: TransitionRequest, tx: Transaction) -> str:
    verdict = (
        None
        if request.state in ENDED_UNDECIDED
        else Verdict.REJECT
        if request.state is State.REJECTED
        else Verdict.APPROVE
    )
    names = tx.people.names([vote.person for vote in request.votes if vote.verdict is verdict])
    done = "approved" if verdict is Verdict.APPROVE else request.state
    when = f" on {request.decided_at:%Y-%m-%d at %H:%M} UTC" if request.decided_at else ""
    by = f" by {' and '.join(names.values())}" if names else ""
    return f"this was already {done}{by}{when}: {request.version} for {request.target}. Your click changed nothing"


def _vote_of(click: Click, voter: Voter, now: datetime) -> Vote:
    return Vote(voter.person.id, _verdict_of(click), click.reason, now, voter.groups, "card")


def _verdict_of(click: Click) -> Verdict:
    if click.action not in VERDICTS:
        raise Refused(f'this button says "{click.action[:40]}", which Countersign does not know')
    return VERDICTS[click.action]


def _request_under(click: Click, tx: Transaction) -> TransitionRequest:
    """The button's id must be of the very message that we posted: team, app, channel and message all agree."""
    request = tx.get_request(click.value)
    card = request.card
    here = (click.team, click.app, click.channel, click.message)
    if card is None:
        raise Refused("the card has only just been posted and is still being recorded. Press again in a moment")
    if here != (card.team, card.app, card.channel, card.message):
        raise Refused(
            "this button is not on the message that Countersign posted for the request. Use the original card"
        )
    return request


def _rule_for(request: TransitionRequest, tx: Transaction) -> Rule:
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        raise Refused(f"no rule in the policy speaks of {request.target} for {request.version.model} any more")
    return rule


def _voter(account_id: str, rule: Rule, s: Services) -> Voter:
    """Exactly one person, with what groups they belong to now; whatever cannot be told is refused, never let through."""
    try:
        account = s.notifier.account(account_id)
        if account.kind is not AccountKind.MEMBER:
            raise Refused(UNWELCOME[account.kind])
        groups = tuple(group.name for group in s.store.policy().groups_of(rule) if _belongs(account, group, s))
    except Temporary:
        raise Refused(PRESS_AGAIN) from None
    if not account.email:
        raise Refused("Slack does not tell your e-mail address, so Countersign cannot know who you are")
    with s.store.transaction() as tx:
        person = tx.people.get_or_add(account.email, account.name)
        return Voter(tx.people.bind_account(person, account.id), groups)


def _belongs(account: Account, group: Group, s: Services) -> bool:
    if group.slack_group is not None:
        return account.id in s.notifier.members_of(group.slack_group)
    return account.email.lower() in group.people


def _wants_reason(verdict: Verdict, rule: Rule) -> bool:
    if verdict is Verdict.APPROVE:
        return rule.approve.wants_reason_to_approve()
    return rule.approve.wants_reason_to_reject()


def _check_may_vote(request: TransitionRequest, click: Click, voter: Voter, rule: Rule, s: Services) -> None:
    try:
        lifecycle.check_may_vote(request, _vote_of(click, voter, s.clock.now()), rule)
    except AlreadyDecided as late:
        with s.store.transaction() as tx:
            raise Refused(who_decided(late.request, tx)) from None


def _question(request: TransitionRequest, verdict: Verdict) -> tuple[str, str]:
    """Says what will happen as well: the form stands in for the confirmation."""
    happens = what_approve_does(request) if verdict is Verdict.APPROVE else what_reject_does(request)
    approve, reject = deeds(request)
    prompt = f"{happens} Why? Your reason goes on the card, into the ticket and into the ledger."
    return (approve if verdict is Verdict.APPROVE else reject), prompt


def _reply_for(events: list[Event]) -> Reply:
    if any(isinstance(event, RequestApproved | RequestRejected) for event in events):
        return Reply()
    return Reply("Your vote is recorded. The card shows what is still missing.")
