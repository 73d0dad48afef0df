"""The form in which a person asks for a transition: its menus, and what follows when it is sent.

The menus are filled from what the last sweep saw, so they answer at once, also while MLflow is down. When the form is sent, everything is
checked again: the policy in force, and MLflow itself. It asks through the same story as the command line and the API.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import structlog

from bot.domain.home.form import (
    OFFERED,
    AskForm,
    Choice,
    Field,
    ModelRef,
    SentForm,
    demands_reason,
    form_for,
    governed_targets,
    model_choices,
    numbers_like,
    version_choice,
)
from bot.domain.model import Ask, AskKind, Target, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.text import target_label, version_name
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import OutsideError, Refused, Temporary
from bot.language import Text, _, sentences
from bot.ports import AccountKind
from bot.ports.home import HomePress, Typed
from bot.services import Services
from bot.store.people import Person
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from handlers.home.viewing import NO_PAGE, NoPage, viewer_of
from handlers.notify.who_reads import reads_all
from handlers.request.asking import AskedBefore, request_transition
from handlers.request.voters import VoterUnknown, person_of

log = structlog.get_logger()
NAMED = re.compile(r"(?P<model>.+?)(?:\s+v?(?P<version>[1-9][0-9]{0,8}))?(?:\s+in\s+(?P<place>\S+))?")


@dataclass(frozen=True)
class FormReply:
    """The answer to a form that was sent: sentences beside its fields, another form in its place, or a notice of what was asked."""

    mistakes: Mapping[Field, str] | None = None
    form: AskForm | None = None
    title: str = ""
    text: str = ""


def check_may_ask(account: str, s: Services) -> Person:
    """The one person whose account it is, bound to it from now on. Raises Refused with what to do."""
    try:
        kind = s.notifier.account(account).kind
    except Temporary:
        raise VoterUnknown from None
    if kind is not AccountKind.MEMBER:
        raise Refused(_(NO_PAGE[kind]))
    return person_of(account, s)


def begin(trigger: str, asker: Person, named: str, s: Services) -> None:
    """Opens the form for a person who may ask. `named` is what they typed: nothing, a model, or a model and a version.

    Raises Refused, OutsideError.
    """
    reads = bool(named) and _reads_all(asker, s)
    with s.store.transaction() as tx:
        form = _form_named(named, tx, reads=reads) if named else AskForm()
    s.home.open_form(trigger, form)


def choose_model(press: HomePress, s: Services) -> None:
    """Puts the other menus below it."""
    with s.store.transaction() as tx:
        model = HomeRows(tx.connection).model_with(press.chosen)
        form = form_for(model, tx.policy()) if model else AskForm(notice=_gone())
    s.home.update_form(press, form)


def choices_for(typed: Typed, s: Services) -> tuple[Choice, ...]:
    """What the menu offers for what was typed so far; nothing for people who may not ask."""
    try:
        if s.notifier.account(typed.account).kind is not AccountKind.MEMBER:
            return ()
    except OutsideError as trouble:
        log.warning("menu_stays_empty", account=typed.account, why=str(trouble))
        return ()
    reads = typed.menu is Field.VERSION and _account_reads_all(typed.account, s)
    with s.store.transaction() as tx:
        rows = HomeRows(tx.connection)
        if typed.menu is Field.MODEL:
            return model_choices(rows.models(typed.text), tx.policy())
        model = rows.model_with(typed.model)
        return _versions(model, typed.text, tx, reads=reads) if model else ()


def _account_reads_all(account: str, s: Services) -> bool:
    """As on the person's own page. Without an answer about who they are, they choose among bare numbers."""
    try:
        return viewer_of(account, s).reads_all
    except (NoPage, OutsideError) as why:
        log.warning("versions_shown_bare", account=account, why=str(why))
        return False


def _reads_all(person: Person, s: Services) -> bool:
    try:
        return reads_all(person, s.store.policy(), s)
    except OutsideError as why:
        log.warning("versions_shown_bare", account=person.account, why=str(why))
        return False


def send(account: str, sent: SentForm, s: Services) -> FormReply:
    """Checks all that was sent against what holds now, then asks. Sent twice, it asks once."""
    try:
        person = check_may_ask(account, s)
    except Refused as refusal:
        return FormReply({Field.MODEL: _text_of(refusal)})
    with s.store.transaction() as tx:
        policy, model = tx.policy(), HomeRows(tx.connection).model_with(sent.model)
    if model is None:
        return FormReply({Field.MODEL: _gone()})
    if sent.model != sent.drawn_for or not (sent.version or sent.target):
        return FormReply(form=form_for(model, policy))  # the other menus are not those of this model yet
    mistakes = _mistakes_in(sent, model, policy)
    if mistakes:
        return FormReply(mistakes)
    target, rule = governed_targets(model, policy)[sent.target]
    return _ask(person, model, int(sent.version), target, rule, sent, s)


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


def _ask(
    person: Person, model: ModelRef, version: int, target: Target, rule: Rule, sent: SentForm, s: Services
) -> FormReply:
    ask = Ask(AskKind.FORM)
    try:
        request = request_transition(
            model.name, version, target, person.email, sent.reason, ask, s, model.workspace, once=sent.view
        )
    except AskedBefore as before:
        request = before.request
    except Refused as refusal:
        return FormReply({Field.VERSION: _text_of(refusal)})
    except OutsideError as trouble:
        log.warning("not_asked", model=model.name, version=version, why=str(trouble))
        down = _("MLflow did not answer, so nothing was asked: {why}", why=str(trouble))
        again = _("Send the form again in a minute.") if isinstance(trouble, Temporary) else ""
        return FormReply({Field.VERSION: sentences(down, again)})
    return FormReply(title=_("Asked"), text=_where(request, rule))


def _where(request: TransitionRequest, rule: Rule) -> str:
    """What was asked, and where its card is."""
    version, target = version_name(request.version), target_label(request)
    said = _("You have asked for {version} as {target}.", version=version, target=target)
    if request.card is not None:
        return sentences(said, _("Its card: {url}", url=request.card.url))
    return sentences(said, _("Its card comes to {channel} in a moment.", channel=rule.channel))


def _form_named(named: str, tx: Transaction, *, reads: bool) -> AskForm:
    """Raises Refused for a name that no model has, with the nearest ones."""
    found = NAMED.fullmatch(named.strip())
    whole = _models_named(named.strip(), "", tx)
    if whole or found is None:
        return form_for(_only(whole, named), tx.policy())
    models = _models_named(found["model"], found["place"] or "", tx)
    if not models:
        raise Refused(_unknown(found["model"], tx))
    model = _only(models, named)
    version = _versions(model, found["version"], tx, reads=reads) if found["version"] else ()
    exact = next((one for one in version if one.value == found["version"]), None)
    if found["version"] and exact is None:
        raise Refused(
            _(
                "there is no version {version} of {model}, as far as Countersign has seen",
                model=model.label,
                version=found["version"],
            )
        )
    return form_for(model, tx.policy(), exact)


def _models_named(name: str, place: str, tx: Transaction) -> list[ModelRef]:
    wanted = str(Workspace.parse(place)) if place else ""
    return [one for one in HomeRows(tx.connection).models_named(name) if not place or one.workspace == wanted]


def _only(models: list[ModelRef], named: str) -> ModelRef:
    """The one in the default place where several have that name; raises Refused when that does not tell them apart."""
    at_home = [one for one in models if one.workspace == DEFAULT]
    chosen = models if len(models) == 1 else at_home
    if len(chosen) != 1:
        places = ", ".join(one.workspace for one in models)
        raise Refused(
            _(
                'several workspaces have {model}: {places}. Say "/countersign request NAME VERSION in {place}", for example',
                model=named,
                places=places,
                place=models[0].workspace if models else DEFAULT,
            )
        )
    return chosen[0]


def _unknown(name: str, tx: Transaction) -> str:
    known = {one.name for one in HomeRows(tx.connection).models()}
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    said = _("there is no registered model {model}, as far as Countersign has seen.", model=name[:100])
    if near:
        return sentences(said, _("Did you mean {names}?", names=", ".join(near)))
    return sentences(said, _('Say "/countersign request" alone to search for one.'))


def _versions(model: ModelRef, typed: str, tx: Transaction, *, reads: bool) -> tuple[Choice, ...]:
    """Highest first. Numbers of deleted versions are among them: only MLflow knows, and is asked when the form is sent.

    What a version holds, or was asked for, is said to those alone who read it on their page too.
    """
    rows = HomeRows(tx.connection)
    numbers = list(islice(numbers_like(typed, rows.newest_version(model)), OFFERED))
    held: list[Placement] = tx.registry.placements(model.workspace, model.name) if reads else []
    asked = rows.asked_last(model, numbers) if reads else {}
    return tuple(
        version_choice(number, (one.target for one in held if one.version.version == number), asked.get(number))
        for number in numbers
    )


def _text_of(refusal: Refused) -> str:
    """As it was marked, so that the door can read it in the person's language."""
    marked = refusal.args[0] if refusal.args else ""
    return marked if isinstance(marked, Text) else str(refusal)


def _gone() -> str:
    return _("The registry no longer has this model. Search for another one.")
