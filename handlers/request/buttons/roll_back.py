"""The button Roll back, or Undo, on an applied card."""

from __future__ import annotations

from bot.domain.model import (
    Ask,
    AskKind,
    State,
    TransitionRequest,
    VersionId,
)
from bot.domain.request.quorum import groups_with_a_say
from bot.domain.request.rollback import (
    failure_of,
    ways_back,
)
from bot.domain.text import target_label, version_name
from bot.errors import Refused
from bot.language import _, from_record, sentences
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.facts import as_called_now, decided_for
from handlers.evidence.way_back import warning_on_record
from handlers.notify.readers import for_account
from handlers.notify.render_context import context_for
from handlers.request.casting import Reply, request_under, rule_of
from handlers.request.rollbacks import nothing_to_go_back_to, roll_back
from handlers.request.voters import voter_for


def press(click: Click, s: Services) -> Reply:
    """The button on an applied card: asks for the reason, then rolls back. The requester and the trainer may do it too."""
    with s.store.transaction() as tx:
        asked = request_under(click, tx)
        request = as_called_now(asked, tx)
        rule = rule_of(request, tx)
        _check_still_holds(request, tx)
        context = context_for(asked, tx, s.clock.now())
        ways = ways_back(request.version, decided_for(request, tx))
        careful = warning_on_record(ways[0], tx) if ways else ""
    voter = voter_for(click.account, rule, request, s)
    may_have_a_say = groups_with_a_say(request, rule)
    if not set(may_have_a_say) & set(voter.groups):
        raise Refused(
            _(
                "only members of {groups} may take {target} back. Ask one of them",
                groups=", ".join(may_have_a_say),
                target=target_label(request),
            )
        )
    if not ways:
        raise Refused(nothing_to_go_back_to(request.version.model, request.target))

    ask = Ask(AskKind.UNDO if context.may_undo else AskKind.ROLLBACK)
    if not click.reason:
        with for_account(click.account, s):
            title = _("Undo") if context.may_undo else _("Roll back")
            s.notifier.ask_reason(click, title, sentences(careful, _question(request, ways[0])))
        return Reply(asked=True)
    model, target, email = request.version.model, request.target, voter.person.email
    workspace = request.version.workspace
    roll_back(model, target, None, click.reason, email, ask, s, held_by=request.version, workspace=workspace)
    return Reply()


def _check_still_holds(request: TransitionRequest, tx: Transaction) -> None:
    """As the registry was last seen; `roll_back` reads it again."""
    if request.state is not State.APPLIED:
        raise Refused(
            _(
                "{version} has not reached {target} by this request, so nothing can be taken back",
                version=version_name(request.version),
                target=target_label(request),
            )
        )
    places = tx.registry.placements(request.version.workspace, request.target_model)
    newest = next((place for place in places if place.target == request.target), None)
    if newest is None or newest.request_id != request.id:
        taken_back = failure_of(request.version, decided_for(request, tx))
        gone = _(
            "version {version} no longer holds {target} by this request",
            version=str(request.version.version),
            target=target_label(request),
        )
        why = (
            _("it was {failed}", failed=from_record(taken_back))
            if taken_back
            else _("use the card of the one that does")
        )
        raise Refused(sentences(gone, why, between=": "))


def _question(request: TransitionRequest, back_to: VersionId) -> str:
    return _(
        "{target} goes back from {version} to {before}. Why? Your reason goes on the card, into the ticket and "
        "into the ledger, and {version} is marked with it.",
        target=target_label(request),
        version=version_name(request.version),
        before=version_name(back_to),
    )
