"""Rollbacks: on the command line, through the API, or by the button on an applied card.

A rollback is a new request, linked to the one that it undoes, whose decision does not change. `handlers.request.evidence` decides whether
it needs votes; `handlers.registry.apply` moves the target, as for every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.model import (
    DEFAULT_WORKSPACE,
    Ask,
    AskKind,
    Kind,
    StaleCause,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.rollback import (
    FAILED_TAG,
    brought_by,
    failed_tag,
    needs_no_vote,
    rejection_of,
    relied_on,
    ways_back,
    why_not_approved,
)
from bot.domain.text import model_name, target_label, version_name
from bot.errors import Refused
from bot.language import N_, _, recorded, sentences
from bot.services import Services
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.custody.belief import check_believed
from handlers.custody.facts import Place, decided_at, decided_for, facts_of
from handlers.request.asking import COMMENT_LIMIT, checked_email, open_new, person_with, rule_for_new
from handlers.request.calling_off import judge_anew
from handlers.request.casting import rule_of

REASON_WANTED = N_(
    "say in a sentence why: the reason goes on the card, into the ticket, and marks the version that failed"
)


def roll_back(
    model: str,
    target: Target,
    version: int | None,
    reason: str,
    requester_email: str,
    ask: Ask,
    s: Services,
    *,
    held_by: VersionId | None = None,
    workspace: str = DEFAULT_WORKSPACE,
) -> TransitionRequest:
    """Asks to take a target back to `version`, or to the one approved before; `held_by` is who must hold it still, if given."""
    email, why = checked_email(requester_email), _checked_reason(reason)
    source, there = _models_of(model, target, workspace, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.requests.lock_model(source.workspace, model)
        rule_for_new(source.workspace, model, target, tx.policy())
        holder, decided = _holder_and_decided(source, target, there, tx)
        if held_by not in (None, holder):
            raise Refused(
                _(
                    "{version} no longer holds {target}: {holder} does. Use the card of that one",
                    version=str(held_by),
                    target=str(target),
                    holder=version_name(holder),
                )
            )
        back_to = _way_back(version, holder, source, target, decided)
        _make_way(back_to, target, ask, tx, now)
        brought = brought_by(holder, decided)
        new = NewRequest(back_to, target, ask, Kind.ROLLBACK, person_with(email, tx).id, why, away_from=holder)
        return open_new(replace(new, follows=brought.id if brought else None), tx, now)


def foreseen(
    model: str, target: Target, version: int | None, s: Services, workspace: str = DEFAULT_WORKSPACE
) -> tuple[VersionId, VersionId]:
    """Which version holds the target now, and which one `roll_back` would bring back. Records nothing. Raises Refused, OutsideError."""
    source, there = _models_of(model, target, workspace, s)
    with s.store.transaction() as tx:
        rule_for_new(source.workspace, model, target, tx.policy())
        holder, decided = _holder_and_decided(source, target, there, tx)
        return holder, _way_back(version, holder, source, target, decided)


def _models_of(model: str, target: Target, workspace: str, s: Services) -> tuple[ModelSnapshot, ModelSnapshot | None]:
    """The model as MLflow has it, and the one that the target is of."""
    registry = s.registry_at(workspace)
    source = registry.find_model(workspace, model)
    if source is None:
        raise Refused(_("MLflow has no registered model {model}. Check the name", model=model_name(model, workspace)))
    return source, source if target.kind is not TargetKind.MODEL else registry.find_model(workspace, target.name)


def _holder_and_decided(
    source: ModelSnapshot, target: Target, there: ModelSnapshot | None, tx: Transaction
) -> tuple[VersionId, Sequence[TransitionRequest]]:
    holder = _holder(source.name, target, there, tx)
    place = Place(source.workspace, there.name if there else source.name, target)
    return holder, decided_at(place, source.name, tx, (holder,))


def what_follows(request: TransitionRequest, s: Services) -> str:
    """Whether the target goes back at once or waits for votes, and where to look."""
    with s.store.transaction() as tx:
        rule = rule_of(request, tx)
        decided = decided_for(request, tx)
    was_approved = relied_on(request.version, decided) is not None
    never = "" if was_approved else why_not_approved(request.version, target_label(request), decided)
    rejected = rejection_of(request.version, decided) is not None
    card = f"Its card: {request.card.url}" if request.card else f"Its card comes to {rule.channel}."
    if request.state is State.APPROVED:
        return f"It is approved already and moves as soon as the registry answers. {card}"
    if needs_no_vote(request, rule, was_approved=was_approved and not rejected):
        before = f"{request.version} was approved for {target_label(request)} before"
        return f"{before}, so it goes back at once, if it is still what was approved. {card}"
    votes = " and ".join(f"{needed.quorum} of {needed.group}" for needed in rule.approve.all_of)
    return f"{_why_votes(request, never=never, rejected=rejected)}, so it needs votes: {votes}. {card}"


def mark_failed(request_id: str, s: Services) -> None:
    """Tags a version that was rolled back, for readers of the registry; removes the tag when it is approved again."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        again = request.version if request.failed_before else None
        concerned = [version for version in (again, request.away_from) if version is not None]
        if request.state is not State.APPLIED or not concerned:
            return
        applied = tx.requests.find(
            workspace=request.version.workspace, model=request.version.model, states=(State.APPLIED,)
        )
    in_order = sorted(applied, key=lambda one: one.settled_at or one.opened_at)
    for version in concerned:
        seen = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
        if seen is None or seen.id != version:
            check_believed(version.workspace, s)
        else:
            s.registry_at(version.workspace).tag_version(
                version.model, version.version, {FAILED_TAG: failed_tag(version, in_order)}
            )


def overtaken(request: TransitionRequest, champion: VersionId | None, tx: Transaction) -> str:
    """Why a rollback has become pointless: another version holds the target by now. Empty when it has not."""
    holder = held_as_asked(champion, request.target, tx) if champion else None
    if request.away_from in (None, holder):
        return ""
    away, target = str(request.away_from), str(request.target)
    if holder is None:
        return recorded("outcome", "{version} no longer holds {target}: nobody does", version=away, target=target)
    return recorded(
        "outcome", "{version} no longer holds {target}: {holder} does", version=away, target=target, holder=str(holder)
    )


def held_as_asked(held: VersionId, target: Target, tx: Transaction) -> VersionId:
    """A copy in a target model, named by the version that a request of ours had asked for; itself when it came there otherwise."""
    if target.kind is not TargetKind.MODEL:
        return held
    facts = facts_of(Place(held.workspace, held.model, target), None, tx, held.created, about=(held,))
    copied = next((one for one in reversed(facts.about(held)) if held in one.copies), None)
    return copied.version if copied else held


def _holder(model: str, target: Target, there: ModelSnapshot | None, tx: Transaction) -> VersionId:
    holders = there.holders(target) if there else ()
    if not holders:
        raise Refused(
            _(
                "nobody holds {target} of {model}, so there is nothing to go back from. "
                "To bring a version there: countersign request-transition --name {model} --version V --to {target}",
                target=str(target),
                model=model,
            )
        )
    holder = held_as_asked(holders[0], target, tx)
    if holder.model not in (model, target.name):
        raise Refused(
            _(
                "{target} is held by {holder}. Go back with the name of that model: --name {model}",
                target=str(target),
                holder=version_name(holder),
                model=holder.model,
            )
        )
    return holder


def _way_back(
    version: int | None,
    holder: VersionId,
    source: ModelSnapshot,
    target: Target,
    decided: Sequence[TransitionRequest],
) -> VersionId:
    if version is None:
        there = {seen.id for seen in source.versions}
        way = next((way for way in ways_back(holder, decided) if way in there), None)
        if way is None:
            raise Refused(nothing_to_go_back_to(source.name, target))
        return way
    named = source.version(version)
    if named is None:
        raise Refused(
            _(
                "MLflow has no version {version} of {model}. Check the name and the number",
                version=str(version),
                model=source.name,
            )
        )
    if named.id == holder:
        raise Refused(
            _(
                "{holder} is the one that holds {target} now. Name the version that it should go back to",
                holder=version_name(holder),
                target=str(target),
            )
        )
    return named.id


def _make_way(back_to: VersionId, target: Target, ask: Ask, tx: Transaction, now: datetime) -> None:
    """A version that waits for votes, or for a freeze, is put back by the rollback, which may need neither.

    A person who asks again for the same does not join the request: they would lose their vote on it.
    """
    for overtaken in tx.requests.find(version=back_to, target=target, states=LIVE, for_update=True):
        if overtaken.kind is Kind.ROLLBACK and not _is_quicker(ask, overtaken):
            going = _(
                "{target} is being taken back to {version} already",
                target=target_label(overtaken),
                version=version_name(back_to),
            )
            card = _("Its card: {card}", card=overtaken.card.url) if overtaken.card else ""
            raise Refused(sentences(going, card, between=". "))
        why = recorded(
            "outcome",
            "{target} is to go back to {version} now, by a rollback",
            target=str(target),
            version=str(back_to),
        )
        tx.record(lifecycle.withdraw(overtaken, why, now))
        if overtaken.state is State.APPROVED:
            tx.record(lifecycle.mark_stale(overtaken, why, StaleCause.OVERTAKEN, now))
            tx.registry.close_intent(overtaken.id, now)
            judge_anew(overtaken, tx, now)


def _is_quicker(ask: Ask, waiting: TransitionRequest) -> bool:
    """Undo needs no votes where only the rule wants them; what people must decide keeps the votes that it has."""
    waits_for_the_rule = waiting.state.is_open and waiting.ask.kind is not AskKind.UNDO and not waiting.people_decide
    return ask.kind is AskKind.UNDO and waits_for_the_rule


def nothing_to_go_back_to(model: str, target: Target) -> str:
    return _(
        "there is nothing to go back to: no other version that was approved for {target} is still there, or each was rolled back "
        "itself. To choose a version all the same: countersign rollback --name {model} --to {target} --version V --reason R",
        target=str(target),
        model=model,
    )


def _checked_reason(reason: str) -> str:
    if not reason.strip():
        raise Refused(_(REASON_WANTED))
    if len(reason) > COMMENT_LIMIT:
        raise Refused(
            _(
                "the reason has {count} characters; {limit} fit on a card. Shorten it",
                count=len(reason),
                limit=COMMENT_LIMIT,
            )
        )
    return reason.strip()


def _why_votes(request: TransitionRequest, *, never: str, rejected: bool) -> str:
    version, target = str(request.version), target_label(request)
    if request.failed_before:
        return recorded("outcome", "{version} was {failed}", version=version, failed=request.failed_before)
    if rejected:
        return recorded(
            "outcome", "{version} was rejected for {target} since it was approved", version=version, target=target
        )
    if never:
        return never
    return recorded("outcome", "The rule for {target} wants votes to go back as well", target=target)
