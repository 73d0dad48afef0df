"""What the text of a card, a ticket or a message needs beyond the request: names, the rule in force, the current holder of the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.card.card import Called, Mention
from bot.domain.card.changes import size_of
from bot.domain.card.context import CardContext
from bot.domain.conversation.reassignment import in_charge
from bot.domain.model import ENDED_UNDECIDED, PERSON, DecidedBy, State, TransitionRequest
from bot.domain.policy.freezes import freeze_on
from bot.domain.policy.rules import Policy, Rule
from bot.domain.references import PostedCard, TicketPlan
from bot.domain.request.askers import is_stranger
from bot.domain.request.needed import Away, Electorate
from bot.domain.request.rollback import failing, failure_of, ways_back
from bot.domain.workspaces import in_workspace
from bot.errors import Permanent
from bot.language import _
from bot.store.fast_track import FastTrackRows
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.custody.facts import as_called_now, decided_for

ENDED_UNAPPLIED = (*ENDED_UNDECIDED, State.STALE, State.CALLED_OFF)
REMEMBERED = timedelta(days=90)  # how far back the fast track's record on a card goes


def context_for(request: TransitionRequest, tx: Transaction, now: datetime) -> CardContext:
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    called_now = as_called_now(request, tx) if request.state is State.APPLIED else request
    holds = _still_holds(called_now, tx)
    applied = decided_for(called_now, tx) if request.state is State.APPLIED else ()
    voters = {person for vote in request.votes for person in (vote.person, *vote.standing_in_for)}
    emails, away = people_of([request], policy, tx, now)
    return CardContext(
        names=tx.people.names(
            voters
            | request.parties
            | _claimed(request)
            | _objectors(request)
            | request.conversation.people
            | set(emails)
        ),
        rule=rule,
        rule_hash=policy.rule_hash(rule) if rule else "",
        holds=holds,
        back_to=next(iter(ways_back(called_now.version, applied)), None) if holds else None,
        rolled_back=failure_of(called_now.version, applied) if applied and not holds else "",
        may_undo=_may_undo(request, rule, now),
        freeze=freeze_on(request, policy, now),
        agreement=FastTrackRows(tx.connection).agreement(rule.label, now - REMEMBERED)
        if rule and rule.fast_track
        else None,
        groups=policy.groups_of(rule) if rule else (),
        progress=_progress(request, tx),
        earlier=tx.requests.get(request.follows).card if request.follows else None,
        later=_later_card(called_now, applied, tx),
        stranger=_stranger(request, policy, tx),
        unread=unread_of(request, tx),
        addresses=frozenset(emails[party] for party in request.parties if party in emails),
        in_charge=_in_charge(request, tx),
        electorate=Electorate(policy.groups_of(rule), emails, away) if rule else None,
    )


def people_of(
    requests: Sequence[TransitionRequest], policy: Policy, tx: Transaction, now: datetime
) -> tuple[Mapping[str, str], Mapping[str, Away]]:
    """The addresses of parties, voters and who is away, by id; and who is away, by address. Absences matter to open votes alone."""
    is_open = any(one.state is State.PENDING for one in requests) and any(group.people for group in policy.groups)
    absences = tx.absences.everybody(now) if is_open else []
    people = {person for one in requests for person in one.parties}
    people |= {person for one in requests for vote in one.votes for person in (*vote.ids, *vote.standing_in_for)}
    people |= {person for absence in absences for person in (absence.person, absence.delegate)}
    emails = tx.people.emails(people)
    away = {
        emails[one.person]: Away(one.until, emails[one.delegate])
        for one in absences
        if {one.person, one.delegate} <= set(emails)
    }
    return emails, away


def _in_charge(request: TransitionRequest, tx: Transaction) -> Mention | None:
    handover = in_charge(request)
    return mention_of(handover.to, tx) if handover else None


def mention_of(person_id: str, tx: Transaction) -> Mention:
    person = tx.people.get(person_id)
    return Mention(Called.PERSON, person.email, person.name)


def unread_key(request: TransitionRequest) -> str:
    """The row that keeps why the evidence of an open vote cannot be read any more."""
    return f"unread:{request.id}"


def unread_of(request: TransitionRequest, tx: Transaction) -> str:
    """Why the evidence of an open vote cannot be read now; empty while it can."""
    key = unread_key(request)
    return SentRows(tx.connection).digests([key]).get(key, "") if request.state is State.PENDING else ""


def _stranger(request: TransitionRequest, policy: Policy, tx: Transaction) -> str:
    if request.requester is None:
        return ""
    person = tx.people.get(request.requester)
    return person.email if is_stranger(person.email, person.account, policy) else ""


def _later_card(request: TransitionRequest, applied: Sequence[TransitionRequest], tx: Transaction) -> PostedCard | None:
    """The card of the request that took this one's place, or of the rollback away from its version."""
    if request.state is State.APPLIED:
        rollback = failing(request.version, applied)
        return rollback.card if rollback else None
    if request.superseded_by:
        return tx.requests.get(request.superseded_by).card
    if request.state not in ENDED_UNAPPLIED:
        return None
    version = request.version
    found = tx.requests.find(workspace=version.workspace, model=version.model, target=request.target)
    return next((one.card for one in reversed(found) if one.follows == request.id and one.card), None)


def _progress(request: TransitionRequest, tx: Transaction) -> str:
    return progress_text(tx.readings.find(request.id) if request.state is State.COLLECTING else None)


def progress_text(reading: tuple[int, int] | None) -> str:
    """How much of a version's files is read; empty when none is being read."""
    if reading is None:
        return ""
    return _("{read} of {size} of its files are read.", read=size_of(reading[0]), size=size_of(reading[1]))


def _claimed(request: TransitionRequest) -> set[str]:
    """Ids of the people whom the evidence claims as author or committer."""
    claims = (request.evidence.author, request.evidence.commit_author) if request.evidence else ()
    if request.origin is not None:
        named = {request.origin.author} if request.origin.author else set()
        return named | _ids_in((request.origin.claimed,))
    return _ids_in(claims)


def _ids_in(claims: Iterable[str | None]) -> set[str]:
    return {claim.removeprefix(PERSON) for claim in claims if claim and claim.startswith(PERSON)}


def _objectors(request: TransitionRequest) -> set[str]:
    """Ids of people who said no to the same content before, or called this approval off, or whose vote was refused."""
    refused = (vote.person for vote in request.refused_votes)
    glass = request.glass
    broke = {glass.person, glass.review.person if glass.review else ""} if glass else set[str]()
    return {request.ended_by, *refused, *broke, *(objection.person for objection in request.objections)} - {""}


def needed_rule(request: TransitionRequest, rule: Rule | None) -> Rule:
    """Raises Permanent when the policy no longer has one: the job is parked until a rule is back."""
    if rule is None:
        raise Permanent(
            f"the policy has no rule for {request.target} of {request.version.model}"
            f"{in_workspace(request.version.workspace)} any more. "
            "Put one back with `countersign policy activate`, then replay this job"
        )
    return rule


def _still_holds(request: TransitionRequest, tx: Transaction) -> bool:
    """The request with the names of now, which the registry was last seen with."""
    if request.state is not State.APPLIED:
        return False
    held = tx.registry.placements(request.version.workspace, request.target_model)
    # Older copies stay in a target model, and only its newest is the one to go back from.
    newest = next((place for place in held if place.target == request.target), None)
    return newest is not None and newest.request_id == request.id


def _may_undo(request: TransitionRequest, rule: Rule | None, now: datetime) -> bool:
    if request.decided_by is not DecidedBy.FAST_TRACK or request.settled_at is None:
        return False
    return rule is not None and rule.fast_track is not None and now < request.settled_at + rule.fast_track.undo_for


def plan_of(request: TransitionRequest, context: CardContext) -> TicketPlan:
    """Raises Permanent when the rule no longer has one."""
    plan = needed_rule(request, context.rule).ticket
    if plan is None:
        raise Permanent(f"the rule for {request.target} no longer says where its tickets are. Add `ticket:` and replay")
    return plan
