"""Opens the form of break glass, from the command or from a card's button. Nothing is recorded before the form is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.break_glass.breaking import check_rule_allows, only_members
from bot.domain.break_glass.offer import ACTION, Offer, as_value, despite_of
from bot.domain.card.break_glass.messages import glass_question
from bot.domain.grounds import Objection
from bot.domain.model import Ask, AskKind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request.evolution import initial
from bot.domain.request.opening import NewRequest, open_request
from bot.domain.request.rollback import failure_of
from bot.domain.text import model_name, target_label
from bot.errors import Refused
from bot.language import _
from bot.ports import Click
from bot.services import Services
from bot.store.requests import LIVE, new_request_id
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, decided_at
from handlers.notify.readers import for_account
from handlers.request import memory
from handlers.request.casting import Reply, request_under, rule_of
from handlers.request.voters import Voter, member_of


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to promote at once. `number` is the version's."""

    workspace: str
    model: str
    number: int
    target: Target


@dataclass(frozen=True)
class Pressed:
    """Who may break the glass, under which rule, with the version as the registry has it now."""

    voter: Voter
    rule: Rule
    version: VersionId
    holder: VersionId | None


def press(click: Click, s: Services) -> Reply:
    """The button on a card that waits for votes."""
    with s.store.transaction() as tx:
        request = request_under(click, tx)
        rule_of(request, tx)
    version = request.version
    offer_form(click, Wanted(version.workspace, version.model, version.version, request.target), s)
    return Reply(asked=True)


def offer_form(click: Click, wanted: Wanted, s: Services) -> None:
    """`click` has the trigger that lets a form open, and the reason so far. Raises Refused, VoterUnknown, OutsideError."""
    pressed = look(click.account, wanted, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        rule_hash = tx.policy().rule_hash(pressed.rule)
        check_not_under_way(live_ones(pressed.version, wanted.target, tx), tx)
        request = _as_it_would_be(pressed, wanted.target, rule_hash, tx, now)
        objections = _known_objections(request, pressed.rule, tx)
        names = tx.people.names({one.person for one in objections} - {""})
    despite = despite_of(objections, request.failed_before)
    offer = Offer(request.id, pressed.version, wanted.target, rule_hash, despite)
    with for_account(click.account, s):
        question = glass_question(replace(request, objections=objections), pressed.rule, pressed.holder, names)
        form = replace(click, action=ACTION, value=as_value(offer), shown="")
        s.notifier.ask_reason(form, _("Break the glass"), question, initial=click.reason)


def look(account: str, wanted: Wanted, s: Services) -> Pressed:
    """Raises Refused for a person, a rule or a version for which the glass cannot be broken."""
    rule = _rule_for(wanted, s.store.policy())
    may = check_rule_allows(rule)
    voter = member_of(account, s.store.policy().group(may.group), only_members(may), s)
    registry = s.registry_at(wanted.workspace)
    seen = registry.find_model(wanted.workspace, wanted.model)
    found = seen.version(wanted.number) if seen else None
    if seen is None or found is None:
        raise Refused(
            _(
                "MLflow has no version {version} of {model}. Check the name and the number",
                version=str(wanted.number),
                model=model_name(wanted.model, wanted.workspace),
            )
        )
    holders = _holders(seen, wanted, s)
    if found.id in holders:
        raise Refused(_("{version} holds {target} already", version=str(found.id), target=str(wanted.target)))
    return Pressed(voter, rule, found.id, holders[0] if holders else None)


def _holders(seen: ModelSnapshot, wanted: Wanted, s: Services) -> tuple[VersionId, ...]:
    name = _model_with(wanted.target, wanted.model)
    there = seen if name == wanted.model else s.registry_at(wanted.workspace).find_model(wanted.workspace, name)
    return there.holders(wanted.target) if there else ()


def _model_with(target: Target, model: str) -> str:
    """The registered model that the target is of."""
    return target.name if target.kind is TargetKind.MODEL else model


def _rule_for(wanted: Wanted, policy: Policy) -> Rule:
    rule = policy.rule_for(wanted.workspace, wanted.model, wanted.target)
    if rule is None:
        raise Refused(
            _(
                "the policy has no rule for {target} of {model}",
                target=str(wanted.target),
                model=model_name(wanted.model, wanted.workspace),
            )
        )
    return rule


def live_ones(
    version: VersionId, target: Target, tx: Transaction, *, for_update: bool = False
) -> list[TransitionRequest]:
    return tx.requests.find(version=version, target=target, states=LIVE, for_update=for_update)


def check_not_under_way(live: list[TransitionRequest], tx: Transaction) -> None:
    """Refuses a second deed, and one for what is approved and moves by itself. What a freeze holds back may be promoted at once."""
    for one in live:
        if one.glass is not None and not one.glass.held_by:
            who = tx.people.get(one.glass.person).name
            raise Refused(
                _(
                    "{person} has broken the glass for {version} already, on {when}: it goes to {target} as soon as it can",
                    person=who,
                    version=str(one.version),
                    when=one.glass.at,
                    target=target_label(one),
                )
            )
        if one.state is State.APPROVED and one.frozen_until is None:
            raise Refused(
                _(
                    "{version} is approved for {target} and moves as soon as the registry answers",
                    version=str(one.version),
                    target=target_label(one),
                )
            )


def _as_it_would_be(
    pressed: Pressed, target: Target, rule_hash: str, tx: Transaction, now: datetime
) -> TransitionRequest:
    """The request that the form is about, before it is opened."""
    version = pressed.version
    place = Place(version.workspace, _model_with(target, version.model), target)
    decided = decided_at(place, version.model, tx, (version,))
    new = NewRequest(version, target, Ask(AskKind.BREAK_GLASS), requester=pressed.voter.person.id)
    new = replace(new, failed_before=failure_of(version, decided))
    return initial(open_request(new, new_request_id(), pressed.rule, rule_hash, now))


def _known_objections(request: TransitionRequest, rule: Rule, tx: Transaction) -> tuple[Objection, ...]:
    """What people said against the content, as far as an earlier request has its evidence."""
    seen = [one.evidence for one in tx.requests.find(version=request.version) if one.evidence is not None]
    if not seen:
        return ()
    earlier = memory.alike(request.version, request.target, seen[-1], rule, tx)
    return memory.objections(request, earlier, tx)
