"""The buttons of the review: somebody else confirms what was done, or asks for the way back."""

from __future__ import annotations

import structlog

from bot.domain.break_glass.reviewing import VERDICTS, VIA, check_may_review, review
from bot.domain.model import Ask, AskKind, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.text import target_label, version_name
from bot.errors import Permanent, Refused
from bot.language import _, sentences
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.readers import for_account
from handlers.request.casting import SENT_TWICE, Reply, request_under
from handlers.request.rollbacks import foreseen, roll_back
from handlers.request.voters import Voter, member_of

log = structlog.get_logger()


def press(click: Click, s: Services) -> Reply:
    """Confirming asks for a word, which may be left out; taking it back asks for the reason."""
    with s.store.transaction() as tx:
        request = request_under(click, tx)
        policy = tx.policy()
    if request.glass is None:
        raise Refused(_("nobody broke the glass here, so there is nothing to review"))
    wanted = request.glass.reviewers
    group = next((one for one in policy.groups if one.name == wanted), None)
    if group is None:
        raise Refused(
            _("the policy has no group {group} any more, which was to review this. Put it back", group=wanted)
        )
    refusal = _("only members of {group} may review this. Ask one of them", group=wanted)
    voter = member_of(click.account, group, refusal, s)
    said = _said_by(click, voter, s)
    check_may_review(request, said)
    if said.verdict is Verdict.REJECT:
        _check_can_go_back(request, s)
    if not click.is_form:
        with for_account(click.account, s):
            s.notifier.ask_reason(click, *_question(request, said.verdict), optional=said.verdict is Verdict.APPROVE)
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
    """Effect: goes back from what the review rejected, unless that is under way, or another version has the target by now."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        rejected = request.glass.review if request.glass else None
        if rejected is None or rejected.is_confirmed or request.state is not State.APPLIED or _is_left(request, tx):
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


def _is_left(request: TransitionRequest, tx: Transaction) -> bool:
    """A rollback from it was asked for, or the target has moved on."""
    version = request.version
    found = tx.requests.find(workspace=version.workspace, model=version.model, target=request.target)
    asked = any(
        one.kind is Kind.ROLLBACK and one.away_from == version and one.opened_at > request.opened_at for one in found
    )
    places = tx.registry.placements(version.workspace, request.target_model)
    holds = any(one.target == request.target and one.request_id == request.id for one in places)
    return asked or not holds


def _check_can_go_back(request: TransitionRequest, s: Services) -> None:
    """Before anything is recorded: a review must not promise a way back that does not exist."""
    if request.state is not State.APPLIED:
        raise Refused(
            _(
                "{version} has not reached {target} by this, so nothing can be taken back. Call it off instead, or wait",
                version=version_name(request.version),
                target=target_label(request),
            )
        )
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


def _question(request: TransitionRequest, verdict: Verdict) -> tuple[str, str]:
    where = _("What you write goes on the card, into the ticket and into the ledger.")
    version, target = version_name(request.version), target_label(request)
    if verdict is Verdict.APPROVE:
        asks = _("You say that {version} was rightly promoted to {target} at once.", version=version, target=target)
        return _("Confirm"), sentences(asks, where)
    asks = _("{target} goes back from {version}. Why?", version=version, target=target)
    return _("Roll back"), sentences(asks, where)
