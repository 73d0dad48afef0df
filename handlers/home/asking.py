"""The form in which a person asks for a transition: its menus, and what follows when it is sent.

The menus are filled from what the last sweep saw, so they answer at once, also while MLflow is down. When the form is sent, everything is
checked again: the policy in force, and MLflow itself. It asks through the same story as the command line and the API, in `sending`.
"""

from __future__ import annotations

import difflib
import re
from itertools import islice

import structlog

from bot.domain.home.form import (
    OFFERED,
    AskForm,
    Choice,
    Field,
    ModelRef,
    form_for,
    model_choices,
    numbers_like,
    version_choice,
)
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import OutsideError, Refused, Temporary
from bot.language import _, sentences
from bot.ports import AccountKind
from bot.ports.home import HomePress, Typed
from bot.services import Services
from bot.store.people import Person
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from handlers.home.viewing import NO_PAGE, NoPage, viewer_of
from handlers.notify.who_reads import reads_all
from handlers.request.voters import VoterUnknown, person_of

log = structlog.get_logger()
NAMED = re.compile(r"(?P<model>.+?)(?:\s+v?(?P<version>[1-9][0-9]{0,8}))?(?:\s+in\s+(?P<place>\S+))?")


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
        form = form_for(model, tx.policy()) if model else AskForm(notice=gone())
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


def gone() -> str:
    return _("The registry no longer has this model. Search for another one.")
