"""The form in which a person asks for a transition: its menus, what they offer, and what was sent. Plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.model import State, Target
from bot.domain.policy.rules import Policy, ReasonDemand, Rule
from bot.domain.text import model_name
from bot.language import N_, _

OFFERED = 100  # choices of a menu
KEY = 32  # characters


class Field(StrEnum):
    MODEL = "model"
    VERSION = "version"
    TARGET = "target"
    REASON = "reason"


@dataclass(frozen=True)
class Choice:
    """`value` comes back when it is chosen; `label` and `detail` are for people."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class ModelRef:
    """A registered model of a watched place."""

    workspace: str
    name: str

    @property
    def key(self) -> str:
        """Short and opaque: a name may be longer than a menu's value, and two places may each have it."""
        return hashlib.sha256(f"{self.workspace}\n{self.name}".encode()).hexdigest()[:KEY]

    @property
    def label(self) -> str:
        return model_name(self.name, self.workspace)


@dataclass(frozen=True)
class AskForm:
    """Without a `model` it only asks for one; the other menus depend on it. `wants_reason`: some target's rule demands one."""

    model: ModelRef | None = None
    version: Choice | None = None
    targets: tuple[Choice, ...] = ()
    wants_reason: bool = False
    notice: str = ""


@dataclass(frozen=True)
class SentForm:
    """What a person sent. Each value is as the menu gave it, empty where nothing was chosen; `drawn_for` is the model's key that the menus
    beside it were made for. `view` names this very form."""

    view: str
    model: str
    drawn_for: str
    version: str = ""
    target: str = ""
    reason: str = ""


HELD_AND_STATE: Mapping[State, str] = {
    State.COLLECTING: N_("asked for {target}"),
    State.PENDING: N_("asked for {target}"),
    State.APPROVED: N_("approved for {target}"),
    State.REJECTED: N_("rejected for {target}"),
}


def target_key(target: Target) -> str:
    return hashlib.sha256(str(target).encode()).hexdigest()[:KEY]


def governed_targets(model: ModelRef, policy: Policy) -> dict[str, tuple[Target, Rule]]:
    """By their keys, the targets that a rule governs for this model, in the order of the rules."""
    if model.workspace not in policy.places:
        return {}
    rules = policy.rules_for(model.workspace, model.name)
    return {target_key(target): (target, rule) for rule in rules for target in (rule.target_for(model.name),)}


def demands_reason(rule: Rule) -> bool:
    """A rule that wants a reason with every decision wants one with the request too."""
    return rule.approve.reason is ReasonDemand.ALWAYS


def model_choices(models: Iterable[ModelRef], policy: Policy) -> tuple[Choice, ...]:
    """Those of which some target is governed, at most `OFFERED`; in the order given."""
    offered: list[Choice] = []
    for model in models:
        if governed_targets(model, policy):
            offered.append(Choice(model.key, model.label))
        if len(offered) == OFFERED:
            break
    return tuple(offered)


def numbers_like(typed: str, newest: int) -> Iterator[int]:
    """The versions up to `newest` whose numbers begin so, highest first; `v7` is 7."""
    wanted = typed.strip().lower().removeprefix("v")
    if wanted and not (wanted.isascii() and wanted.isdigit()):
        return iter(())
    return (number for number in range(newest, 0, -1) if str(number).startswith(wanted))


def version_choice(number: int, held: Iterable[Target], asked: tuple[State, Target] | None) -> Choice:
    """With what it holds, else with what was asked for it last."""
    holds, detail = ", ".join(sorted(str(target) for target in held)), ""
    if holds:
        detail = _("holds {targets}", targets=holds)
    elif asked and asked[0] in HELD_AND_STATE:
        detail = _(HELD_AND_STATE[asked[0]], target=str(asked[1]))
    return Choice(str(number), f"v{number}", detail)


def form_for(model: ModelRef, policy: Policy, version: Choice | None = None) -> AskForm:
    """Its targets, and where its card will be. Without any target the notice says what to do."""
    governed = governed_targets(model, policy)
    if not governed:
        none = _(
            "No rule of the policy governs a target of {model}. Choose another model, or add a rule.", model=model.label
        )
        return AskForm(model, notice=none)
    targets = tuple(Choice(key, str(target)) for key, (target, _rule) in list(governed.items())[:OFFERED])
    wants_reason = any(demands_reason(rule) for _target, rule in governed.values())
    return AskForm(model, version, targets, wants_reason)
