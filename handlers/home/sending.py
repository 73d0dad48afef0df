"""What follows when a person has sent the form in which they ask: all is checked again, and asked.

Slack waits three seconds. What needs no answer from outside is checked first; when asking takes longer, the person reads so, the same try
goes on without them, and `late` says how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.domain.home.form import AskForm, Field, ModelRef, SentForm, demands_reason, form_for, governed_targets
from bot.domain.model import Ask, AskKind, Kind, State, Target, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.request.askers import everyone_who_asked
from bot.domain.text import target_label, version_name
from bot.errors import OutsideError, Refused, Temporary
from bot.language import Text, _, sentences
from bot.services import Services
from bot.store.people import Person
from bot.store.web.homes import HomeRows
from handlers.home.asking import check_may_ask, gone
from handlers.request.asking import Asked, AskedBefore, How, ask_for

log = structlog.get_logger()
ANSWERED_WITHIN = timedelta(seconds=2)  # Slack gives up after 3 s, with the way there and back
LEFT_AT_LEAST = timedelta(seconds=0.3)  # for asking, also when Slack was slow to say who the person is


@dataclass(frozen=True)
class FormReply:
    """The answer to a form that was sent: sentences beside its fields, another form in its place, or a notice of what was asked.

    `is_new` when a request was opened, whose card says the rest. `late` is what is still being asked.
    """

    mistakes: Mapping[Field, str] | None = None
    form: AskForm | None = None
    title: str = ""
    text: str = ""
    is_new: bool = False
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
    left = max(LEFT_AT_LEAST, ANSWERED_WITHIN - (s.clock.now() - begun))
    wait((asking,), left.total_seconds())
    if asking.done():
        return asking.result()
    return FormReply(title=_("Not asked yet"), text=_under_way(rule), late=asking)


def _aside(ask: Callable[[], FormReply]) -> Future[FormReply]:
    """In another thread, which ends with MLflow's answer, or with its absence."""
    pool = ThreadPoolExecutor(1, "asking")
    asking = pool.submit(ask)
    pool.shutdown(wait=False)
    return asking


def _under_way(rule: Rule) -> str:
    return _(
        "Asking takes longer than usual, so nothing is recorded so far. When it is done, the card comes to {channel}, or you get a "
        "message that says why not. If neither has come in five minutes, open the form again: while a request waits, the same is not "
        "asked twice.",
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
    version, ask = int(sent.version), Ask(AskKind.FORM)
    try:
        asked = ask_for(model.name, version, target, person.email, sent.reason, ask, s, model.workspace, once=sent.view)
    except AskedBefore as before:
        asked = Asked(before.request, How.ASKED_BEFORE)
    except Refused as refusal:
        return FormReply({Field.VERSION: _text_of(refusal)})
    except OutsideError as trouble:
        log.warning("not_asked", model=model.name, version=version, why=str(trouble))
        down = _("MLflow did not answer, so nothing was asked: {why}", why=str(trouble))
        again = _("Ask again in a minute.") if isinstance(trouble, Temporary) else ""
        return FormReply({Field.VERSION: sentences(down, again)})
    request, where = asked.request, _where(asked.request, rule)
    if asked.how is not How.OPENED:
        return FormReply(title=_("Already asked"), text=_asked_already(asked, person, where))
    version_asked, target_asked = version_name(request.version), target_label(request)
    said = _("You have asked for {version} as {target}.", version=version_asked, target=target_asked)
    return FormReply(title=_("Asked"), text=sentences(said, where), is_new=True)


def _asked_already(asked: Asked, person: Person, where: str) -> str:
    """The same person asked before, or somebody else: then it is now the request of both, and neither may vote on it."""
    request, ticket = asked.request, asked.request.ticket
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.OBSERVED:
        said = _(
            "{version} as {target} waits for a decision already, so nothing new was opened.",
            version=version,
            target=target,
        )
    else:
        said = _(
            "{version} was asked for as {target} before, so nothing new was opened.", version=version, target=target
        )
    shared = ""
    joined_before = request.requester != person.id and person.id in everyone_who_asked(request)
    if asked.how is How.JOINED or joined_before:
        if request.state.is_open:
            shared = _("It is now your request too, so you may not vote on it.")
        elif request.state is State.APPROVED:
            shared = _("It is approved already, and now your request too.")
    filed = _("Its ticket {key}: {url}", key=ticket.key, url=ticket.url) if ticket is not None else ""
    return sentences(said, shared, filed, where, between="\n")


def _where(request: TransitionRequest, rule: Rule) -> str:
    """Where its card is."""
    if request.card is not None:
        return _("Its card: {url}", url=request.card.url)
    return _("Its card comes to {channel} in a moment.", channel=rule.channel)


def _text_of(refusal: Refused) -> str:
    """As it was marked, so that the door can read it in the person's language."""
    marked = refusal.args[0] if refusal.args else ""
    return marked if isinstance(marked, Text) else str(refusal)
