"""Notes about the registry itself: models that are gone, renamed or unreadable, and a registry that is not believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.card.card import Card
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
from bot.domain.names import shown
from bot.domain.policy.rules import Policy
from bot.domain.text import counted
from bot.domain.workspaces import in_workspace, option_for

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
    said = f"The registered model {model} is gone: {body['reason']}. {_held(body)}"
    advice = "Requests for its versions are withdrawn. Whoever deleted it by mistake registers it again, and it is asked for anew."
    return Card(f"{model} is gone", said, paragraphs=(said, advice))


def _held(body: Body) -> str:
    placements = body["placements"]
    held = [_placement(one) for one in placements if isinstance(one, dict)] if isinstance(placements, list) else []
    if not held:
        return "It held no target."
    more = f" and {len(held) - HELD_SHOWN} more" if len(held) > HELD_SHOWN else ""
    return f"It held {', '.join(held[:HELD_SHOWN])}{more}."


def _model(body: Body) -> str:
    return f"{shown(str(body['model']))}{_place(body)}"


def _place(body: Body) -> str:
    return in_workspace(str(body["workspace"]))


def _placement(placed: Body) -> str:
    target, version = placed["target"], placed["version"]
    if not isinstance(target, dict) or not isinstance(version, dict):
        raise TypeError("a ledger entry about a placement names its target and its version")
    return f"{shown(str(target['name']))} (v{version['version']})"


def _renamed(body: Body) -> Card:
    before, after = shown(str(body["before"])), shown(str(body["after"]))
    said = f"The registered model {before}{_place(body)} is called {after} now."
    advice = "Open requests under the old name are withdrawn: ask again under the new one. Check that a rule still speaks of it."
    return Card(f"{before} was renamed", said, paragraphs=(said, advice))


def _unreadable(body: Body) -> Card:
    model = _model(body)
    said = f"Countersign cannot look at the registered model {model}: {str(body['reason']).rstrip('.')}."
    advice = "Moves in it go unnoticed until this is fixed. Every sweep tries again, and the other models are watched as usual."
    return Card(f"{model} cannot be read", said, paragraphs=(said, advice))


def _readable(body: Body) -> Card:
    model = _model(body)
    said = f"The registered model {model} can be read again. What happened in it meanwhile has been judged."
    return Card(f"{model} can be read again", said, paragraphs=(said,))


def _lookalike(body: Body) -> Card:
    name, meant, what = shown(str(body["name"])), shown(str(body["meant"])), str(body["what"])
    model = f"{shown(str(body['model']))} v{body['version']}{_place(body)}"
    said = f"{model} has the {what} {name!a}, and the rule waits for {meant!a}. To MLflow these are two names, so nothing was asked."
    advice = f"If a request was meant, set the {what} {meant!a}, and take {name!a} away."
    return Card(f"{model}: a {what} that looks like another", said, paragraphs=(said, advice))


def _doubted(body: Body, _names: Mapping[str, str]) -> Card:
    where = _place(body)
    said = f"Countersign does not believe the registry{where} any more. {body['reason']}"
    stops = "Until it does, it moves no target, puts nothing back, and drops no approval; no request expires."
    advice = (
        f"Check {'the address of the registry in the policy' if where else 'MLFLOW_TRACKING_URI'} and the database behind MLflow. "
        "When everything is there again, Countersign goes on by itself. "
        f"When what is there now is right, an admin says so: {ACCEPT}{option_for(str(body['workspace']))}"
    )
    return Card(f"The registry{where} is not believed", said, paragraphs=(said, stops, advice))


def _trusted(body: Body, names: Mapping[str, str]) -> Card:
    if not body["person"]:
        said = f"What was missing in the registry{_place(body)} is there again. Countersign goes on."
        return Card(f"The registry{_place(body)} is believed again", said, paragraphs=(said,))
    who = names.get(str(body["person"]), "somebody")
    said = f"{who} has accepted the registry{_place(body)} as it is now. Reason: {body['reason']}"
    advice = "What holds a target now is the baseline. To have the holders ratified, run: countersign adopt"
    return Card(f"The registry{_place(body)} was accepted", said, paragraphs=(said, advice))


def _restored(body: Body, _names: Mapping[str, str]) -> Card:
    said = f"Countersign's database was restored from a backup of {str(body['made_at'])[:16].replace('T', ' ')} UTC."
    lost = (
        "What was asked and decided after that is not on record. The cards of that time no longer work, and the gate does not know its "
        "approvals."
    )
    ended = int(str(body["ended"]))
    again = f"{counted(ended, 'request')} that waited then {'was' if ended == 1 else 'were'} ended: ask again for what is still wanted."
    advice = f"It moves no target until an admin has looked at what changed since, and says: {ACCEPT}"
    return Card("Restored from a backup", said, paragraphs=(said, lost, *([again] if ended else []), advice))


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
