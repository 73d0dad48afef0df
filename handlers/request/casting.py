"""What casting a vote takes, at once by button or later with a passkey: the locked request, the checks, and what is recorded.

`approvals` answers the button, and `confirming` the page where a passkey signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.events import Event, RequestApproved, RequestRejected
from bot.domain.model import ENDED_UNDECIDED, DecidedBy, Kind, SignedBy, State, TransitionRequest, Verdict, Vote
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Rule
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import AlreadyDecided
from bot.domain.request.shown import shown_on
from bot.domain.text import version_name
from bot.domain.ticket_votes.history import TICKET
from bot.errors import Refused
from bot.language import N_, _, listed
from bot.ports import Click
from bot.store.transaction import Transaction
from handlers.notify.card_and_ticket import card_not_on_record
from handlers.notify.render_context import unread_of
from handlers.request.absences import check_is_here
from handlers.request.askers import check_askers_are_known, void_votes_of_askers
from handlers.request.calling_off import judge_anew
from handlers.request.voters import POLICY_CHANGED, Voter

OLD_CARD = N_(
    "this card is from an earlier release, or from before the policy changed, and is being renewed. Read it again in a "
    "moment, then press"
)
SENT_TWICE = N_("this click has come before, and it was recorded then. To vote again, press again")
VERDICTS = {"approve": Verdict.APPROVE, "reject": Verdict.REJECT}


@dataclass(frozen=True)
class Reply:
    """What only the person who clicked sees; empty when the card itself is the answer. `waits`: the vote is not cast yet.

    `notice` then takes a form's place, under `title`.
    """

    text: str = ""
    title: str = ""
    notice: Mapping[str, object] | None = None
    asked: bool = False
    refused: bool = False
    waits: bool = False


@dataclass(frozen=True)
class Ballot:
    """A locked request that this vote may be cast on, and the rule that it is cast under."""

    request: TransitionRequest
    rule: Rule
    rule_hash: str


def open_ballot(click: Click, voter: Voter, tx: Transaction, now: datetime) -> Ballot:
    """Locks the request. Raises Refused when the card shows something else, or the policy or the account has changed meanwhile."""
    known = tx.requests.get(click.value).version
    tx.requests.lock_model(known.workspace, known.model)
    request = tx.requests.get(click.value, for_update=True)
    rule = rule_of(request, tx)
    if shows_something_else(click, request, rule, tx):
        raise Refused(_(OLD_CARD))
    check_is_still(voter, click, tx, now)
    check_evidence_is_readable(request, click, tx)
    rule_hash = tx.policy().rule_hash(rule)
    if rule_hash != voter.rule_hash:
        raise Refused(_(POLICY_CHANGED))
    tx.record(lifecycle.rebind(request, tx.policy().former_hash(rule), rule_hash, now))
    if verdict_of(click) is Verdict.APPROVE and request.votes:
        check_askers_are_known(request, tx)
    return Ballot(void_votes_of_askers(tx.requests.get(request.id), tx, now), rule, rule_hash)


def record_vote(ballot: Ballot, vote: Vote, click: Click, tx: Transaction, now: datetime) -> list[Event]:
    """Records the vote and what follows from it, and keeps the signed request. Raises Refused."""
    request = ballot.request
    try:
        events = lifecycle.cast_vote(request, vote, ballot.rule, ballot.rule_hash, now)
    except AlreadyDecided as late:
        raise Refused(who_decided(late.request, tx)) from None
    kept = replace(vote, rule_hash=ballot.rule_hash)
    if click.signed is not None and not tx.signed_requests.keep(click.signed, request.id, kept):
        raise Refused(_(SENT_TWICE))
    tx.record(events)
    if request.kind is not Kind.OBSERVED and any(isinstance(event, RequestRejected) for event in events):
        judge_anew(request, tx, now)  # it may have come there by hand since the last look
    return events


def vote_of(click: Click, voter: Voter, now: datetime) -> Vote:
    return Vote(
        person=voter.person.id,
        verdict=verdict_of(click),
        reason=click.reason,
        at=now,
        groups=voter.groups,
        via=TICKET if is_from_ticket(click) else "card",
        standing_in_for=voter.standing_in_for,
        also=voter.also,
        team=click.team,
        account=click.account,
        signed_request=click.signed.digest if click.signed else "",
        signed_by=click.signed.signed_by if click.signed else "",
    )


def is_from_ticket(click: Click) -> bool:
    return click.signed is not None and click.signed.signed_by is SignedBy.TICKETS


def check_is_still(voter: Voter, click: Click, tx: Transaction, now: datetime) -> None:
    """After the account was looked up, an administrator may have unbound it, or somebody have gone away or come back.

    From now on the account stays the person's until the transaction ends, so that the ledger has the vote before any such change.
    """
    person = voter.person.id
    if is_from_ticket(click):
        tx.ticket_accounts.lock()
    known = tx.ticket_accounts.account_of(person) if is_from_ticket(click) else tx.people.get_and_hold(person).account
    if known != click.account:
        raise Refused(_("whose account this is has changed just now. Nothing was recorded: press again"))
    for one in (person, *voter.also):
        check_is_here(one, tx, now)
    for absent in voter.standing_in_for:
        absence = tx.absences.find(absent, now)
        if absence is None or absence.delegate != person:
            raise Refused(
                _("the people whom you stand in for have changed just now. Nothing was recorded: press again")
            )


def check_evidence_is_readable(request: TransitionRequest, click: Click, tx: Transaction) -> None:
    """The card offers no approval meanwhile; this is for one that was not renewed yet. Raises Refused."""
    why = unread_of(request, tx)
    if why and verdict_of(click) is Verdict.APPROVE:
        raise Refused(
            _(
                "its evidence cannot be read now, so an approval could not be applied: {why}. "
                "Countersign looks again every ten minutes: press then, or reject it",
                why=in_one_line(why).rstrip("."),
            )
        )


def verdict_of(click: Click) -> Verdict:
    if click.action not in VERDICTS:
        raise Refused(_('this button says "{action}", which Countersign does not know', action=click.action[:40]))
    return VERDICTS[click.action]


def request_under(click: Click, tx: Transaction) -> TransitionRequest:
    """The button's id must be of the very message that we posted: team, app, channel and message all agree. Raises Refused."""
    request = tx.requests.get(click.value)
    card, pressed = request.card, request.card_at(click.team, click.app, click.channel, click.message)
    if card is None or pressed is None:
        said = _("this button is not on the message that Countersign posted for the request. Use the original card")
        raise card_not_on_record(said, request, tx)
    if pressed != card:
        raise Refused(
            _("this card was deleted, and posted anew: {card}. Nothing was recorded: press there", card=card.url)
        )
    return request


def rule_of(request: TransitionRequest, tx: Transaction) -> Rule:
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        raise Refused(
            _(
                "the policy has no rule for {target} of {model} any more",
                target=str(request.target),
                model=request.version.model,
            )
        )
    return rule


def shows_something_else(click: Click, request: TransitionRequest, rule: Rule, tx: Transaction) -> bool:
    """The signature on the click covers what the card showed, and the vote is signed only if that is what the request is about."""
    return request.state is State.PENDING and click.shown != shown_on(request, tx.policy().rule_hash(rule))


DECIDED = {
    State.APPROVED: N_("this was already approved by {names} on {when}: {version} for {target}"),
    State.REJECTED: N_("this was already rejected by {names} on {when}: {version} for {target}"),
}
DECIDED_BY_NO_ONE = {
    State.APPROVED: N_("this was already approved on {when}: {version} for {target}"),
    State.REJECTED: N_("this was already rejected on {when}: {version} for {target}"),
    State.EXPIRED: N_("this has expired already, on {when}: {version} for {target}"),
    State.WITHDRAWN: N_("this was withdrawn already, on {when}: {version} for {target}"),
    State.SUPERSEDED: N_("this was superseded already, on {when}: {version} for {target}"),
}


def who_decided(request: TransitionRequest, tx: Transaction) -> str:
    said = _decided(request, tx)
    return _("{decided}. Your click changed nothing", decided=said)


def _decided(request: TransitionRequest, tx: Transaction) -> str:
    version, target = version_name(request.version), str(request.target)
    if request.decided_by is DecidedBy.FAST_TRACK:
        return _("the fast track was quicker: {version} for {target} is approved", version=version, target=target)
    if request.state is State.CALLED_OFF:
        return _("this approval was called off: {why}", why=request.outcome)
    outcome = request.state if request.state in (State.REJECTED, *ENDED_UNDECIDED) else State.APPROVED
    verdict = {State.APPROVED: Verdict.APPROVE, State.REJECTED: Verdict.REJECT}.get(outcome)
    names = tx.people.names([vote.person for vote in request.votes if vote.verdict is verdict])
    when = request.decided_at or request.opened_at
    said = DECIDED[outcome] if names else DECIDED_BY_NO_ONE[outcome]
    return _(said, names=listed(map(in_one_line, names.values())), when=when, version=version, target=target)


def reply_for(events: Sequence[Event]) -> Reply:
    if any(isinstance(event, RequestApproved | RequestRejected) for event in events):
        return Reply()
    return Reply(_("Your vote is recorded. The card shows what is still missing."))
