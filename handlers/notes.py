"""Notes: ledger entries that are no request but that people should hear of, as cards for the channels concerned."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.cards import Card
from bot.domain.events import BaselineTaken, MoveObserved, MoveReverted
from bot.domain.ledger import Plain
from bot.domain.model import Target, TargetKind
from bot.domain.policy import Observed, Policy, Rule


@dataclass(frozen=True)
class Note:
    channels: tuple[str, ...]
    card: Card


def note_of(kind: str, body: dict[str, Plain], policy: Policy) -> Note | None:
    """None for entries that a request's own card speaks of, or that only the digest reports."""
    if kind == BaselineTaken.__name__:
        return _baseline(body, policy)
    if kind == MoveReverted.__name__:
        return _restored(body, policy)
    if kind == MoveObserved.__name__ and body["handling"] == Observed.REPORT:
        return _reported(body, policy)
    if kind == MoveObserved.__name__ and body["version"] is None:
        return _emptied(body, policy)
    return None


def _baseline(body: dict[str, Plain], policy: Policy) -> Note:
    models, held = (f"{body[what]} {noun}" for what, noun in (("models", "models"), ("held", "targets")))
    said = f"Countersign is watching: {models} watched, {held} held without an approval."
    advice = "Nothing is asked about what was there before. To have the holders ratified, run: countersign adopt"
    return Note(policy.channels(), Card("Baseline taken", said, paragraphs=(said, advice)))


def _reported(body: dict[str, Plain], policy: Policy) -> Note | None:
    """The rule wants no decision about it, but people to know."""
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = f"{target} of {body['model']} went from {_holder(body['previous'])} to {_holder(body['version'])} without an approval."
    advice = "The rule says to report such moves and no more. To have the holder ratified, run: countersign adopt"
    return Note((rule.channel,), Card(f"{target.name} was moved", said, paragraphs=(said, advice)))


def _restored(body: dict[str, Plain], policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = f"{target} of {body['model']} was taken away without asking, and given back to {_holder(body['to'])}, as the rule says."
    return Note((rule.channel,), Card(f"{target.name} was put back", said, paragraphs=(said,)))


def _target_and_rule(body: dict[str, Plain], policy: Policy) -> tuple[Target, Rule | None]:
    where = body["target"]
    if not isinstance(where, dict):
        raise TypeError("a ledger entry about a target names it")
    target = Target(TargetKind(str(where["kind"])), str(where["name"]))
    return target, policy.rule_for(str(body["workspace"]), str(body["model"]), target)


def _holder(version: Plain) -> str:
    return f"v{version['version']}" if isinstance(version, dict) else "nobody"


def _emptied(body: dict[str, Plain], policy: Policy) -> Note | None:
    """A target that nobody holds any more cannot be voted on, but must not pass unnoticed."""
    target, rule = _target_and_rule(body, policy)
    was = body["previous"]
    if rule is None or not isinstance(was, dict) or body["handling"] == Observed.REVERT:
        return None
    said = f"{target} of {body['model']} is held by nobody: v{was['version']} was taken away without asking."
    advice = f"To bring it back: countersign request-transition --name {body['model']} --version {was['version']} --to {target}"
    return Note((rule.channel,), Card(f"Nobody holds {target.name}", said, paragraphs=(said, advice)))
