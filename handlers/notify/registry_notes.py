"""Notes about the registry itself: models that are gone, renamed or unreadable, and a registry that is not believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from bot.domain.card.card import Card
from bot.domain.card.context import name_or_someone
from bot.domain.events import (
    DatabaseRestored,
    LookalikeSeen,
    ModelGone,
    ModelReadable,
    ModelRenamed,
    ModelUnreadable,
    RegistryDoubted,
    RegistryTrusted,
)
from bot.domain.ledger.chain import Plain
from bot.domain.names import in_one_line, shown
from bot.domain.policy.rules import Policy
from bot.domain.text import model_name
from bot.domain.workspaces import DEFAULT, option_for
from bot.language import N_, _, capitalised, ngettext, sentences

Body = dict[str, Plain]
MODEL_NAMES = ("model", "before", "after")  # the fields by which an entry names the registered models that it is about
HELD_SHOWN = 5
ACCEPT = "countersign registry accept --reason TEXT"


def channels_of(body: Body, policy: Policy) -> tuple[str, ...]:
    """Of every rule that speaks of the model, under its old name or its new one."""
    workspace, names = str(body["workspace"]), [str(body[field]) for field in MODEL_NAMES if body.get(field)]
    concerned = [
        rule
        for name in names
        for rule in policy.rules
        if rule.matches(workspace, name) or rule.covers_copies_into(workspace, name)
    ]
    return tuple(dict.fromkeys(rule.channel for rule in concerned))


def _gone(body: Body) -> Card | None:
    if body.get("accepted"):
        return None  # told with the acceptance
    model = _model(body)
    gone = _("The registered model {model} is gone: {why}.", model=model, why=in_one_line(str(body["reason"])))
    said = sentences(gone, _held(body))
    advice = _(
        "Requests for its versions are withdrawn. Whoever deleted it by mistake registers it again, and it is asked for anew."
    )
    return Card(_("{model} is gone", model=model), said, paragraphs=(said, advice))


def _held(body: Body) -> str:
    placements = body["placements"]
    held = [_placement(one) for one in placements if isinstance(one, dict)] if isinstance(placements, list) else []
    if not held:
        return _("It held no target.")
    shown_ones = ", ".join(held[:HELD_SHOWN])
    if len(held) > HELD_SHOWN:
        return _("It held {targets} and {count} more.", targets=shown_ones, count=len(held) - HELD_SHOWN)
    return _("It held {targets}.", targets=shown_ones)


def _model(body: Body) -> str:
    return model_name(shown(str(body["model"])), str(body["workspace"]))


def _registry(body: Body) -> str:
    """With the name of the place, where it is not the default one."""
    place = str(body["workspace"])
    return _("the registry") if place == DEFAULT else _("the registry in {workspace}", workspace=place)


def _placement(placed: Body) -> str:
    target, version = placed["target"], placed["version"]
    if not isinstance(target, dict) or not isinstance(version, dict):
        raise TypeError("a ledger entry about a placement names its target and its version")
    return f"{shown(str(target['name']))} (v{version['version']})"


def _renamed(body: Body) -> Card:
    before, after = shown(str(body["before"])), shown(str(body["after"]))
    where = model_name(before, str(body["workspace"]))
    said = _("The registered model {before} is called {after} now.", before=where, after=after)
    advice = _(
        "Open requests under the old name are withdrawn: ask again under the new one. Check that a rule still speaks of it."
    )
    return Card(_("{model} was renamed", model=before), said, paragraphs=(said, advice))


def _unreadable(body: Body) -> Card:
    model = _model(body)
    why = in_one_line(str(body["reason"])).rstrip(".")
    said = _("Countersign cannot look at the registered model {model}: {why}.", model=model, why=why)
    advice = _(
        "Moves in it go unnoticed until this is fixed. Every sweep tries again, and the other models are watched as usual."
    )
    return Card(_("{model} cannot be read", model=model), said, paragraphs=(said, advice))


def _readable(body: Body) -> Card:
    model = _model(body)
    said = _(
        "The registered model {model} can be read again. What happened in it meanwhile has been judged.", model=model
    )
    return Card(_("{model} can be read again", model=model), said, paragraphs=(said,))


LOOKALIKES = {
    "alias": (
        N_(
            "{model} has the alias {name}, and the rule waits for {meant}. "
            "To MLflow these are two names, so nothing was asked."
        ),
        N_("If a request was meant, set the alias {meant}, and take {name} away."),
        N_("{model}: an alias that looks like another"),
    ),
    "tag": (
        N_(
            "{model} has the tag {name}, and the rule waits for {meant}. "
            "To MLflow these are two names, so nothing was asked."
        ),
        N_("If a request was meant, set the tag {meant}, and take {name} away."),
        N_("{model}: a tag that looks like another"),
    ),
    "stage": (
        N_(
            "{model} has the stage {name}, and the rule waits for {meant}. "
            "To MLflow these are two names, so nothing was asked."
        ),
        N_("If a request was meant, set the stage {meant}, and take {name} away."),
        N_("{model}: a stage that looks like another"),
    ),
}


def _lookalike(body: Body) -> Card:
    name, meant = (f"{shown(str(body[field]))!a}" for field in ("name", "meant"))
    model = model_name(f"{shown(str(body['model']))} v{body['version']}", str(body["workspace"]))
    has, advice, title = LOOKALIKES[str(body["what"])]
    said = _(has, model=model, name=name, meant=meant)
    return Card(_(title, model=model), said, paragraphs=(said, _(advice, meant=meant, name=name)))


def _doubted(body: Body, _names: Mapping[str, str]) -> Card:
    registry = _registry(body)
    doubt = _("Countersign does not believe {registry} any more.", registry=registry)
    said = sentences(doubt, in_one_line(str(body["reason"])))
    stops = _("Until it does, it moves no target, puts nothing back, and drops no approval; no request expires.")
    place = str(body["workspace"])
    check = (
        _("Check MLFLOW_TRACKING_URI and the database behind MLflow.")
        if place == DEFAULT
        else _("Check the address of the registry in the policy and the database behind MLflow.")
    )
    goes_on = _("When everything is there again, Countersign goes on by itself.")
    command = f"{ACCEPT}{option_for(place)}"
    accept = _("When what is there now is right, an admin says so: {command}", command=command)
    title = _title(_("{registry} is not believed", registry=registry))
    return Card(title, said, paragraphs=(said, stops, sentences(check, goes_on, accept)))


def _trusted(body: Body, names: Mapping[str, str]) -> Card:
    registry = _registry(body)
    if not body["person"]:
        said = _("What was missing in {registry} is there again. Countersign goes on.", registry=registry)
        return Card(_title(_("{registry} is believed again", registry=registry)), said, paragraphs=(said,))
    who = name_or_someone(names, str(body["person"]))
    reason = in_one_line(str(body["reason"]))
    said = _(
        "{person} has accepted {registry} as it is now. Reason: {reason}", person=who, registry=registry, reason=reason
    )
    advice = _("What holds a target now is the baseline. To have the holders ratified, run: countersign adopt")
    return Card(_title(_("{registry} was accepted", registry=registry)), said, paragraphs=(said, advice))


def _title(text: str) -> str:
    return capitalised(text)


def _restored(body: Body, _names: Mapping[str, str]) -> Card:
    said = _(
        "Countersign's database was restored from a backup of {when}.",
        when=datetime.fromisoformat(str(body["made_at"])),
    )
    lost = _(
        "What was asked and decided after that is not on record. The cards of that time no longer work, and the gate does not know its "
        "approvals."
    )
    ended = int(str(body["ended"]))
    again = ngettext(
        "{count} request that waited then was ended: ask again for what is still wanted.",
        "{count} requests that waited then were ended: ask again for what is still wanted.",
        ended,
    )
    advice = _(
        "It moves no target until an admin has looked at what changed since, and says: {command}", command=ACCEPT
    )
    return Card(_("Restored from a backup"), said, paragraphs=(said, lost, *([again] if ended else []), advice))


ABOUT_A_MODEL: dict[str, Callable[[Body], Card | None]] = {
    ModelGone.__name__: _gone,
    ModelRenamed.__name__: _renamed,
    ModelUnreadable.__name__: _unreadable,
    ModelReadable.__name__: _readable,
    LookalikeSeen.__name__: _lookalike,
}
ABOUT_THE_REGISTRY: dict[str, Callable[[Body, Mapping[str, str]], Card | None]] = {
    RegistryDoubted.__name__: _doubted,
    RegistryTrusted.__name__: _trusted,
    DatabaseRestored.__name__: _restored,
}
