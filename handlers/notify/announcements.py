"""Notes: cards about ledger entries that belong to no request, for the channels concerned."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.card.card import Card
from bot.domain.events import (
    BaselineTaken,
    FastTrackSwitched,
    MoveObserved,
    MoveReverted,
    PolicyActivated,
    PolicyRefused,
)
from bot.domain.ledger.chain import Plain
from bot.domain.model import Target, TargetKind
from bot.domain.policy.rules import Observed, Policy, Rule
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.text import counted
from bot.domain.workspaces import in_workspace, option_for
from handlers.notify.registry_notes import ABOUT_A_MODEL, ABOUT_THE_REGISTRY, channels_of

LINES_SHOWN = 15
APPROVED = "approved"  # as `observed` records a move by hand to a version that is approved
PERSON = re.compile(r"person:([0-9a-f]{32})")
SOMEBODY = "someone"

Body = dict[str, Plain]


@dataclass(frozen=True)
class Note:
    channels: tuple[str, ...]
    card: Card


def note_of(kind: str, body: Body, policy: Policy, names: Mapping[str, str]) -> Note | None:
    """None for entries that a request's own card shows, or that only the digest reports. `names` are of people, by id."""
    if kind in FOR_EVERY_CHANNEL:
        card = FOR_EVERY_CHANNEL[kind](body, names)
        return Note(policy.channels(), card) if card else None
    if kind in ABOUT_A_MODEL:
        about = ABOUT_A_MODEL[kind](body)
        return Note(channels_of(body, policy), about) if about else None
    if kind == MoveReverted.__name__:
        return _restored(body, policy)
    if kind == MoveObserved.__name__ and body["handling"] == Observed.REPORT:
        return _reported(body, policy)
    if kind == MoveObserved.__name__ and body["handling"] == APPROVED:
        return _moved_with_approval(body, policy)
    if kind == MoveObserved.__name__ and body["version"] is None:
        return _emptied(body, policy)
    if kind == HolderLeft.__name__:
        return _left(body, policy)
    return None


def _baseline(body: Body, _names: Mapping[str, str]) -> Card:
    models, held = (counted(int(str(body[what])), noun) for what, noun in (("models", "model"), ("held", "target")))
    said = f"Countersign is running{in_workspace(str(body['workspace']))}: {models}, {held} without an approval."
    advice = "Existing versions need no approval; to have them approved retroactively, run: countersign adopt"
    return Card("Baseline taken", said, paragraphs=(said, advice))


def _policy_changed(body: Body, names: Mapping[str, str]) -> Card | None:
    """The first policy changes nothing, and neither does one with other comments."""
    changes = _printed(body["changes"], names)
    if not changes:
        return None
    said = f"A new policy is in force, {counted(len(changes), 'change')}, from {body['source']}."
    advice = "Votes under a rule that has changed count no longer; the cards say which, and whoever cast them may vote again."
    return Card("The policy has changed", said, paragraphs=(said, _as_list(changes), advice))


def _policy_refused(body: Body, names: Mapping[str, str]) -> Card:
    mistakes = _printed(body["mistakes"], names)
    said = f"A new policy was refused, {counted(len(mistakes), 'mistake')}, from {body['source']}. The one before stays in force."
    advice = f"Fix it and check it with: countersign policy check {body['source']}"
    return Card("A broken policy was refused", said, paragraphs=(said, _as_list(mistakes), advice))


def _switched(body: Body, names: Mapping[str, str]) -> Card:
    state = "on" if body["on"] else "off"
    because = f" Reason: {body['reason']}" if body["reason"] else ""
    said = f"{names.get(str(body['person']), SOMEBODY)} switched the fast track {state}, for all rules.{because}"
    advice = (
        "Versions that reach their rule's thresholds pass without people again."
        if body["on"]
        else "People decide on every version. Any approver switches it on again with: /countersign fast-track on"
    )
    return Card(f"The fast track is {state}", said, paragraphs=(said, advice))


FOR_EVERY_CHANNEL: dict[str, Callable[[Body, Mapping[str, str]], Card | None]] = {
    BaselineTaken.__name__: _baseline,
    PolicyActivated.__name__: _policy_changed,
    PolicyRefused.__name__: _policy_refused,
    FastTrackSwitched.__name__: _switched,
    **ABOUT_THE_REGISTRY,
}


def _printed(lines: Plain, names: Mapping[str, str]) -> list[str]:
    """The ledger keeps ids; a channel shows names."""
    said = [str(line) for line in lines] if isinstance(lines, list) else []
    return [PERSON.sub(lambda found: names.get(found[1], SOMEBODY), line) for line in said]


def _as_list(lines: Sequence[str]) -> str:
    more = [f"• and {len(lines) - LINES_SHOWN} more"] if len(lines) > LINES_SHOWN else []
    return "\n".join([*(f"• {line}" for line in lines[:LINES_SHOWN]), *more])


def _reported(body: Body, policy: Policy) -> Note | None:
    """The rule asks for no decision about it, only for a report."""
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = f"{target} of {_model(body)} went from {_holder(body['previous'])} to {_holder(body['version'])} without an approval."
    advice = "The rule says to report such moves and no more. To have the holder ratified, run: countersign adopt"
    return Note((rule.channel,), Card(f"{target.name} was moved", said, paragraphs=(said, advice)))


def _moved_with_approval(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    now, before = _holder(body["version"]), _holder(body["previous"])
    said = f"{target} of {_model(body)} was moved by hand from {before} to {now}. {now} is approved for it."
    advice = "An approval that is not applied yet counts once its evidence, its rule and any freeze were checked."
    return Note((rule.channel,), Card(f"{target.name} was moved by hand", said, paragraphs=(said, advice)))


def _left(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = f"{_holder(body['version'])} left {target} of {_model(body)} without a request; {_holder(body['stays'])} still holds it."
    return Note((rule.channel,), Card(f"A version left {target.name}", said, paragraphs=(said,)))


def _restored(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = f"{target} of {_model(body)} was taken away without asking, and given back to {_holder(body['to'])}, as the rule says."
    return Note((rule.channel,), Card(f"{target.name} was put back", said, paragraphs=(said,)))


def _target_and_rule(body: Body, policy: Policy) -> tuple[Target, Rule | None]:
    where = body["target"]
    if not isinstance(where, dict):
        raise TypeError("a ledger entry about a target names it")
    target = Target(TargetKind(str(where["kind"])), str(where["name"]))
    return target, policy.rule_for(str(body["workspace"]), str(body["model"]), target)


def _model(body: Body) -> str:
    return f"{body['model']}{in_workspace(str(body['workspace']))}"


def _holder(version: Plain) -> str:
    return f"v{version['version']}" if isinstance(version, dict) else "nobody"


def _emptied(body: Body, policy: Policy) -> Note | None:
    """A target without a holder cannot be voted on, so a note reports it; at once, for giving it back may take long or be overtaken."""
    target, rule = _target_and_rule(body, policy)
    was = body["previous"]
    if rule is None or not isinstance(was, dict):
        return None
    said = f"{target} of {_model(body)} is held by nobody: v{was['version']} was taken away without asking."
    advice = f"To bring it back: countersign request-transition --name {body['model']} --version {was['version']} --to {target}"
    advice += option_for(str(body["workspace"]))
    if body["handling"] == Observed.REVERT:
        advice = "The rule gives it back to its lawful holder, unless another version holds it by then. A note says so once it is back."
    return Note((rule.channel,), Card(f"Nobody holds {target.name}", said, paragraphs=(said, advice)))
