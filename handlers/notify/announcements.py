"""Notes: cards about ledger entries that belong to no request, for the channels concerned."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.card.card import Card
from bot.domain.card.context import name_or_someone
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
from bot.domain.names import in_one_line, shown
from bot.domain.policy.rules import Observed, Policy, Rule
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.text import model_name
from bot.domain.workspaces import DEFAULT, option_for
from bot.language import Value, _, ngettext, sentences
from handlers.notify.registry_notes import ABOUT_A_MODEL, ABOUT_THE_REGISTRY, channels_of

LINES_SHOWN = 15
APPROVED = "approved"  # as `observed` records a move by hand to a version that is approved
PERSON = re.compile(r"person:([0-9a-f]{32})")

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
    models, held = int(str(body["models"])), int(str(body["held"]))
    place = str(body["workspace"])
    counts: dict[str, Value] = {
        "models": ngettext("{count} model", "{count} models", models),
        "targets": ngettext("{count} target", "{count} targets", held),
    }
    said = (
        _("Countersign is running: {models}, {targets} without an approval.", **counts)
        if place == DEFAULT
        else _(
            "Countersign is running in {workspace}: {models}, {targets} without an approval.", workspace=place, **counts
        )
    )
    advice = _("Existing versions need no approval; to have them approved retroactively, run: countersign adopt")
    return Card(_("Baseline taken"), said, paragraphs=(said, advice))


def _policy_changed(body: Body, names: Mapping[str, str]) -> Card | None:
    """The first policy changes nothing, and neither does one with other comments."""
    changes = _printed(body["changes"], names)
    if not changes:
        return None
    said = ngettext(
        "A new policy is in force, {count} change, from {source}.",
        "A new policy is in force, {count} changes, from {source}.",
        len(changes),
        source=str(body["source"]),
    )
    advice = _(
        "Votes under a rule that has changed count no longer; the cards say which, and whoever cast them may vote again."
    )
    return Card(_("The policy has changed"), said, paragraphs=(said, _as_list(changes), advice))


def _policy_refused(body: Body, names: Mapping[str, str]) -> Card:
    mistakes = _printed(body["mistakes"], names)
    source = str(body["source"])
    said = ngettext(
        "A new policy was refused, {count} mistake, from {source}. The one before stays in force.",
        "A new policy was refused, {count} mistakes, from {source}. The one before stays in force.",
        len(mistakes),
        source=source,
    )
    advice = _("Fix it and check it with: countersign policy check {source}", source=source)
    return Card(_("A broken policy was refused"), said, paragraphs=(said, _as_list(mistakes), advice))


def _switched(body: Body, names: Mapping[str, str]) -> Card:
    person = name_or_someone(names, str(body["person"]))
    because = _("Reason: {reason}", reason=in_one_line(str(body["reason"]))) if body["reason"] else ""
    if body["on"]:
        title = _("The fast track is on")
        switched = _("{person} switched the fast track on, for all rules.", person=person)
        advice = _("Versions that reach their rule's thresholds pass without people again.")
    else:
        title = _("The fast track is off")
        switched = _("{person} switched the fast track off, for all rules.", person=person)
        advice = _("People decide on every version. Any approver switches it on again with: /countersign fast-track on")
    said = sentences(switched, because)
    return Card(title, said, paragraphs=(said, advice))


FOR_EVERY_CHANNEL: dict[str, Callable[[Body, Mapping[str, str]], Card | None]] = {
    BaselineTaken.__name__: _baseline,
    PolicyActivated.__name__: _policy_changed,
    PolicyRefused.__name__: _policy_refused,
    FastTrackSwitched.__name__: _switched,
    **ABOUT_THE_REGISTRY,
}


def _printed(lines: Plain, names: Mapping[str, str]) -> list[str]:
    """The ledger keeps ids; a channel shows names."""
    said = [in_one_line(str(line)) for line in lines] if isinstance(lines, list) else []
    return [PERSON.sub(lambda found: name_or_someone(names, found[1]), line) for line in said]


def _as_list(lines: Sequence[str]) -> str:
    more = [_("• and {count} more", count=len(lines) - LINES_SHOWN)] if len(lines) > LINES_SHOWN else []
    return "\n".join([*(f"• {line}" for line in lines[:LINES_SHOWN]), *more])


def _reported(body: Body, policy: Policy) -> Note | None:
    """The rule asks for no decision about it, only for a report."""
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = _(
        "{target} of {model} went from {before} to {now} without an approval.",
        target=str(target),
        model=_model(body),
        before=_holder(body["previous"]),
        now=_holder(body["version"]),
    )
    advice = _("The rule says to report such moves and no more. To have the holder ratified, run: countersign adopt")
    return Note((rule.channel,), Card(_("{target} was moved", target=target.name), said, paragraphs=(said, advice)))


def _moved_with_approval(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = _(
        "{target} of {model} was moved by hand from {before} to {now}. {now} is approved for it.",
        target=str(target),
        model=_model(body),
        before=_holder(body["previous"]),
        now=_holder(body["version"]),
    )
    advice = _("An approval that is not applied yet counts once its evidence, its rule and any freeze were checked.")
    title = _("{target} was moved by hand", target=target.name)
    return Note((rule.channel,), Card(title, said, paragraphs=(said, advice)))


def _left(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = _(
        "{version} left {target} of {model} without a request; {holder} still holds it.",
        version=_holder(body["version"]),
        target=str(target),
        model=_model(body),
        holder=_holder(body["stays"]),
    )
    return Note((rule.channel,), Card(_("A version left {target}", target=target.name), said, paragraphs=(said,)))


def _restored(body: Body, policy: Policy) -> Note | None:
    target, rule = _target_and_rule(body, policy)
    if rule is None:
        return None
    said = _(
        "{target} of {model} was taken away without asking, and given back to {holder}, as the rule says.",
        target=str(target),
        model=_model(body),
        holder=_holder(body["to"]),
    )
    return Note((rule.channel,), Card(_("{target} was put back", target=target.name), said, paragraphs=(said,)))


def _target_and_rule(body: Body, policy: Policy) -> tuple[Target, Rule | None]:
    where = body["target"]
    if not isinstance(where, dict):
        raise TypeError("a ledger entry about a target names it")
    target = Target(TargetKind(str(where["kind"])), str(where["name"]))
    return target, policy.rule_for(str(body["workspace"]), str(body["model"]), target)


def _model(body: Body) -> str:
    return model_name(shown(str(body["model"])), str(body["workspace"]))


def _holder(version: Plain) -> str:
    return f"v{version['version']}" if isinstance(version, dict) else _("nobody")


def _emptied(body: Body, policy: Policy) -> Note | None:
    """A target without a holder cannot be voted on, so a note reports it; at once, for giving it back may take long or be overtaken."""
    target, rule = _target_and_rule(body, policy)
    was = body["previous"]
    if rule is None or not isinstance(was, dict):
        return None
    said = _(
        "{target} of {model} is held by nobody: {version} was taken away without asking.",
        target=str(target),
        model=_model(body),
        version=_holder(was),
    )
    command = (
        f"countersign request-transition --name {shown(str(body['model']))} --version {was['version']} --to {target}"
    )
    command += option_for(str(body["workspace"]))
    advice = _("To bring it back: {command}", command=command)
    if body["handling"] == Observed.REVERT:
        advice = _(
            "The rule gives it back to its lawful holder, unless another version holds it by then. A note says so once it is back."
        )
    return Note((rule.channel,), Card(_("Nobody holds {target}", target=target.name), said, paragraphs=(said, advice)))
