"""What follows when a person has sent the form in which they ask: all is checked again, and asked.

Slack waits three seconds. What needs nobody's answer is checked first; when MLflow takes longer, the person reads that it is being asked,
and the same try goes on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.domain.card.card import Card
from bot.domain.home.form import AskForm, Field, ModelRef, SentForm, demands_reason, form_for, governed_targets
from bot.domain.model import Ask, AskKind, Kind, Target, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.text import target_label, version_name
from bot.errors import OutsideError, Refused, Temporary
from bot.language import Text, _, sentences
from bot.services import Services
from bot.store.people import Person
from bot.store.web.homes import HomeRows
from handlers.home.asking import check_may_ask, gone
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account
from handlers.request.asking import AskedBefore, request_transition

log = structlog.get_logger()
ANSWERED_WITHIN = timedelta(seconds=2)  # Slack gives up after 3 s, with the way there and back


@dataclass(frozen=True)
class FormReply:
    """The answer to a form that was sent: sentences beside its fields, another form in its place, or a notice of what was asked.

    `late` is what is still being asked; `tell_late` says how it ended.
    """

    mistakes: Mapping[Field, str] | None = None
    form: AskForm | None = None
    title: str = ""
    text: str = ""
    late: Future[FormReply] | None = None


def send(account: str, sent: SentForm, begun: datetime, s: Services) -> FormReply:
    """Checks all that was sent against what holds now, then asks. Sent twice, it asks once. `begun` is when the form came."""
    try:
        person = check_may_ask(account, s)
    except Refused as refusal:
        return FormReply({Field.MODEL: _text_of(refusal)})
    with s.store.transaction() as tx:
        policy, model = tx.policy(), HomeRows(tx.connection).model_with(sent.model)
    if model is None:
        return FormReply({Field.MODEL: gone()})
    if sent.model != sent.drawn_for or not (sent.version or sent.target):
        return FormReply(form=form_for(model, policy))  # the other menus are not those of this model yet
    mistakes = _mistakes_in(sent, model, policy)
    if mistakes:
        return FormReply(mistakes)
    target, rule = governed_targets(model, policy)[sent.target]
    asking = _aside(partial(_ask, person, model, target, rule, sent, s))
    left = ANSWERED_WITHIN - (s.clock.now() - begun)
    try:
        return asking.result(max(0.0, left.total_seconds()))
    except TimeoutError:
        return FormReply(title=_("Not asked yet"), text=_under_way(rule), late=asking)


def _aside(ask: Callable[[], FormReply]) -> Future[FormReply]:
    """In a thread of its own, which ends with MLflow's answer, or with its absence."""
    pool = ThreadPoolExecutor(1, "asking")
    asking = pool.submit(ask)
    pool.shutdown(wait=False)
    return asking


def tell_late(reply: FormReply, account: str, sent: SentForm, s: Services) -> None:
    """When nothing was asked after all, the person gets it as a direct message; what was asked has a card."""
    if reply.late is not None:
        reply.late.add_done_callback(partial(_tell_ended, account, sent, s))


def _tell_ended(account: str, sent: SentForm, s: Services, asking: Future[FormReply]) -> None:
    trouble = asking.exception()
    if trouble is not None:
        log.error("form_not_asked", account=account, why=str(trouble))
        return
    said = sentences(*(asking.result().mistakes or {}).values())
    if not said:
        return
    with for_account(account, s):
        card = Card(_("Nothing was asked"), said, paragraphs=(said,))
        try:
            post_once(f"form:{sent.view}", account, card, s)
        except OutsideError as unheard:
            log.warning("form_not_asked", account=account, why=str(said), not_told=str(unheard))


def _under_way(rule: Rule) -> str:
    return _(
        "MLflow has not answered yet, so nothing is recorded so far. When it answers, the card comes to {channel}, or you get a message "
        "that says why not. If neither has come in a minute, send the form again: the same is asked only once.",
        channel=rule.channel,
    )


def _mistakes_in(sent: SentForm, model: ModelRef, policy: Policy) -> dict[Field, str]:
    mistakes: dict[Field, str] = {}
    if not (sent.version.isascii() and sent.version.isdigit() and 0 < len(sent.version) < 10):
        mistakes[Field.VERSION] = _("Choose a version.")
    governed = governed_targets(model, policy)
    if sent.target not in governed:
        changed = _("No rule of the policy governs this target any more: it has changed since you opened the form.")
        now = ", ".join(str(target) for target, _rule in governed.values())
        others = _("Governed now: {targets}. Open the form again.", targets=now) if now else ""
        mistakes[Field.TARGET] = sentences(changed, others) if sent.target else _("Choose a target.")
    elif demands_reason(governed[sent.target][1]) and not sent.reason:
        mistakes[Field.REASON] = _("The rule for this target wants a reason. Write why.")
    return mistakes


def _ask(person: Person, model: ModelRef, target: Target, rule: Rule, sent: SentForm, s: Services) -> FormReply:
    version, ask, begun = int(sent.version), Ask(AskKind.FORM), s.clock.now()
    try:
        request = request_transition(
            model.name, version, target, person.email, sent.reason, ask, s, model.workspace, once=sent.view
        )
    except AskedBefore as before:
        return _asked_already(before.request, rule)
    except Refused as refusal:
        return FormReply({Field.VERSION: _text_of(refusal)})
    except OutsideError as trouble:
        log.warning("not_asked", model=model.name, version=version, why=str(trouble))
        down = _("MLflow did not answer, so nothing was asked: {why}", why=str(trouble))
        again = _("Send the form again in a minute.") if isinstance(trouble, Temporary) else ""
        return FormReply({Field.VERSION: sentences(down, again)})
    if request.opened_at < begun and request.kind is not Kind.OBSERVED:
        return _asked_already(request, rule)
    version_asked, target_asked = version_name(request.version), target_label(request)
    said = _("You have asked for {version} as {target}.", version=version_asked, target=target_asked)
    return FormReply(title=_("Asked"), text=sentences(said, _where(request, rule)))


def _asked_already(request: TransitionRequest, rule: Rule) -> FormReply:
    """The same form once more, or another one for what waits already."""
    version, target = version_name(request.version), target_label(request)
    said = _("{version} was asked for as {target} before, so nothing new was opened.", version=version, target=target)
    ticket = request.ticket
    filed = _("Its ticket {key}: {url}", key=ticket.key, url=ticket.url) if ticket is not None else ""
    return FormReply(title=_("Already asked"), text=sentences(said, filed, _where(request, rule), between="\n"))


def _where(request: TransitionRequest, rule: Rule) -> str:
    """Where its card is."""
    if request.card is not None:
        return _("Its card: {url}", url=request.card.url)
    return _("Its card comes to {channel} in a moment.", channel=rule.channel)


def _text_of(refusal: Refused) -> str:
    """As it was marked, so that the door can read it in the person's language."""
    marked = refusal.args[0] if refusal.args else ""
    return marked if isinstance(marked, Text) else str(refusal)
