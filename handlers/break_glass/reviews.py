"""The buttons of the review: somebody else confirms what was done, or asks for the way back."""

from __future__ import annotations

import structlog

from bot.domain.break_glass.reviewing import VERDICTS, VIA, check_may_review, only_members, review
from bot.domain.broken_glass import GlassReview
from bot.domain.model import Ask, AskKind, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.registry.facts import decided, rejected_by_review
from bot.domain.text import target_label, version_name
from bot.errors import Permanent, Refused
from bot.language import _, sentences
from bot.ports import Click
from bot.services import Services
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.custody.facts import as_called_now, decisions_for, place_of
from handlers.notify.readers import for_account
from handlers.request.casting import SENT_TWICE, Reply, request_under
from handlers.request.rollbacks import foreseen, roll_back
from handlers.request.voters import Voter, member_of

log = structlog.get_logger()


def press(click: Click, s: Services) -> Reply:
    """Confirming asks for a word, which may be left out; taking it back asks for the reason."""
    with s.store.transaction() as tx:
        request = as_called_now(request_under(click, tx), tx)
        policy = tx.policy()
        holds = _holds(request, tx)
    if request.glass is None:
        raise Refused(_("nobody broke the glass here, so there is nothing to review"))
    wanted = request.glass.reviewers
    group = next((one for one in policy.groups if one.name == wanted), None)
    if group is None:
        raise Refused(
            _("the policy has no group {group} any more, which was to review this. Put it back", group=wanted)
        )
    voter = member_of(click.account, group, only_members(wanted), s)
    said = _said_by(click, voter, s)
    check_may_review(request, said)
    if said.verdict is Verdict.REJECT:
        _check_can_go_back(request, s, holds=holds)
    if not click.is_form:
        with for_account(click.account, s):
            s.notifier.ask_reason(
                click, *_question(request, said.verdict, holds=holds), optional=said.verdict is Verdict.APPROVE
            )
        return Reply(asked=True)
    with s.store.transaction() as tx:
        _record(click, said, tx, s)
    return Reply()


def _record(click: Click, said: Vote, tx: Transaction, s: Services) -> None:
    known = tx.requests.get(click.value).version
    tx.requests.lock_model(known.workspace, known.model)
    request = tx.requests.get(click.value, for_update=True)
    if tx.people.get(said.person).account != click.account:
        raise Refused(_("whose account this is has changed just now. Nothing was recorded: press again"))
    events = review(request, said, s.clock.now())
    if click.signed is not None and not tx.signed_requests.keep(click.signed, request.id, said):
        raise Refused(_(SENT_TWICE))
    tx.record(events)


def take_back(request_id: str, s: Services) -> None:
    """Effect: goes back from what the review rejected, unless that is under way, or another version has the target by now.

    Raises Permanent where there is no way back: the job waits, and is listed, until a person has gone back in another way.
    """
    with s.store.transaction() as tx:
        request = as_called_now(tx.requests.get(request_id), tx)
        rejected = rejected_by_review(request)
        if rejected is None or not _holds(request, tx) or _is_left(request, rejected, tx):
            return
        email = tx.people.get(rejected.person).email
    version = request.version
    try:
        roll_back(
            version.model,
            request.target,
            None,
            rejected.reason,
            email,
            Ask(AskKind.ROLLBACK),
            s,
            held_by=version,
            workspace=version.workspace,
        )
    except Refused as refusal:
        log.warning("glass_not_taken_back", request=request.short_id, why=str(refusal))
        raise Permanent(f"the review of {request.short_id} asks for the way back, but {refusal}") from None


def _holds(request: TransitionRequest, tx: Transaction) -> bool:
    """Whether the target has not moved on, as the registry was last seen."""
    places = tx.registry.placements(request.version.workspace, request.target_model)
    return any(one.target == request.target and one.request_id == request.id for one in places)


def _is_left(request: TransitionRequest, rejected: GlassReview, tx: Transaction) -> bool:
    """A rollback from it is under way, or the review has asked for one before. One that ended before the review counts for nothing."""
    known = decisions_for(place_of(request), tx, (request.version,))
    return any(
        one.kind is Kind.ROLLBACK
        and one.away_from == request.version
        and (one.state in LIVE or decided(one) >= rejected.at)
        for one in known
    )


def _check_can_go_back(request: TransitionRequest, s: Services, *, holds: bool) -> None:
    """Before anything is recorded: a review must not promise a way back that does not exist. It promises none where the target moved on."""
    if request.state is not State.APPLIED:
        raise Refused(
            _(
                "{version} has not reached {target} by this, so nothing can be taken back. Call it off instead, or wait",
                version=version_name(request.version),
                target=target_label(request),
            )
        )
    if holds:
        foreseen(request.version.model, request.target, None, s, request.version.workspace)


def _said_by(click: Click, voter: Voter, s: Services) -> Vote:
    return Vote(
        person=voter.person.id,
        verdict=VERDICTS[click.action],
        reason=click.reason,
        at=s.clock.now(),
        groups=voter.groups,
        via=VIA,
        also=voter.also,
        team=click.team,
        account=click.account,
        signed_request=click.signed.digest if click.signed else "",
        signed_by=click.signed.signed_by if click.signed else "",
    )


def _question(request: TransitionRequest, verdict: Verdict, *, holds: bool) -> tuple[str, str]:
    where = _("What you write goes on the card, into the ticket and into the ledger.")
    version, target = version_name(request.version), target_label(request)
    if verdict is Verdict.APPROVE:
        asks = _("You say that {version} was rightly promoted to {target} at once.", version=version, target=target)
        return _("Confirm"), sentences(asks, where)
    if not holds:
        asks = _(
            "{version} no longer holds {target}, so nothing moves. Your no counts against it: without votes it does not come back. Why?",
            version=version,
            target=target,
        )
        return _("Reject"), sentences(asks, where)
    asks = _("{target} goes back from {version}. Why?", version=version, target=target)
    return _("Roll back"), sentences(asks, where)
