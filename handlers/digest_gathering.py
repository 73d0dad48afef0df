"""Story of the week's figures: gathered in one picture of the database, so that they fit together however busy the bot is meanwhile.

The figures are those of the end of the week; only parked jobs are as of now. The database counts (`bot.digest_rows`), the inventory is in
`digest_holdings`, the ledger's verification in `digest_ledger`. Here nothing is written. The registry is asked for the pipelines of what is
held; when it does not answer, the digest says so and is made all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.digest_rows import ENDINGS, DigestFigures, KindCounts, Told
from bot.domain import digest_matters as matters
from bot.domain import events as e
from bot.domain.digest import (
    LISTED,
    Attention,
    Concern,
    Digest,
    Holding,
    LedgerFigures,
    Listed,
    PolicyChange,
    Transition,
    Waiting,
    blank,
)
from bot.domain.digest_changes import CHANGES, change_text
from bot.domain.digest_words import NOBODY
from bot.domain.ledger import Broken
from bot.domain.model import State, TransitionRequest
from bot.domain.periods import Period
from bot.domain.policy import Policy
from bot.domain.wording import UNKNOWN, WAS_APPROVED, Printed, what_is_missing
from bot.job_rows import JobStatus, count_jobs, select_jobs
from bot.people import PeopleRows
from bot.services import Services
from handlers.digest_counting import Policies, fast_track_by_rule, latency_by_rule, week_of_trend, weeks_before
from handlers.digest_holdings import deciders, read_event, read_request, take_inventory
from handlers.digest_ledger import fault_in, newest_note
from handlers.digest_pipelines import pipelines_of

UNREADABLE = (LookupError, TypeError, ValueError, sa.exc.DataError)  # what an entry that was changed may lead to
Names = Mapping[str, str]


def gather(period: Period, s: Services, connection: sa.Connection) -> Digest:
    """`connection` shows one picture of the database for as long as this takes: `bot.ledger_rows.unhurried`.

    Over a ledger that somebody has changed, what cannot be counted is left out, and the digest says first that it does not verify.
    """
    figures = DigestFigures(connection)
    kinds = figures.kinds(period)
    fault, note = fault_in(connection), newest_note(connection)
    ledger = LedgerFigures(kinds.first, kinds.last, figures.count_at(period.ends), note, fault)
    try:
        with connection.begin_nested():
            return _counted(period, kinds, ledger, figures, s)
    except Broken as broken:
        return _uncounted(period, replace(ledger, fault=fault or str(broken)), s)
    except UNREADABLE:
        if not fault:
            raise
        return _uncounted(period, ledger, s)


def _counted(period: Period, kinds: KindCounts, ledger: LedgerFigures, figures: DigestFigures, s: Services) -> Digest:
    names = PeopleRows(figures.connection).all_names()
    policies = Policies(figures, s.store, period.ends)
    policy = policies.in_force()
    until = min(period.ends, s.clock.now())  # a week that is looked at while it runs has no end yet
    inventory = take_inventory(figures, policy, until)
    held = inventory.listed()
    transitions = [_transition(told) for told in figures.told(period, list(ENDINGS), LISTED)]
    outcomes = {str(state): kinds.of(kind) for kind, state in ENDINGS.items() if kinds.of(kind)}
    of_the_week = _of_the_week(period, figures, kinds, names)
    found = [_broken(ledger), *inventory.attention(), *of_the_week, _parked(figures.connection)]
    by_hash = figures.latency(period)
    this_week = week_of_trend(period.week, by_hash[""], sum(outcomes.values()))
    return Digest(
        period=period,
        closed_at=s.clock.now(),
        attention=matters.in_order(found),
        concerns=_counts(found),
        inventory=held,
        transitions=Listed(tuple(transitions), sum(outcomes.values())),
        outcomes=outcomes,
        waiting=_waiting(period, until, figures, policy),
        latency=tuple(latency_by_rule(period, by_hash, policies, figures)),
        trend=(*weeks_before(period, figures), this_week),
        fast_track=fast_track_by_rule(period, kinds, policies, figures),
        changes=_changes(period, figures, kinds, names),
        pipelines=tuple(pipelines_of(held.shown, policy, s)),
        ledger=ledger,
        names=_names_in(held.shown, transitions, names),
    )


def _uncounted(period: Period, ledger: LedgerFigures, s: Services) -> Digest:
    broken = _broken(ledger)
    return replace(blank(period, s.clock.now()), attention=broken, concerns=_counts([broken]), ledger=ledger)


def _transition(told: Told) -> Transition:
    if told.request is None:
        raise Broken(f"entry {told.seq} speaks of a request that has no row any more")
    request = read_request(told.request)
    outcome = ENDINGS[told.kind]
    decided, by = deciders(request) if outcome in (*WAS_APPROVED, State.REJECTED) else (NOBODY, ())
    return Transition(
        request_id=request.id,
        kind=request.kind,
        version=request.version,
        target=request.target,
        outcome=outcome,
        at=told.at,
        decided=decided,
        by=by,
        requester=request.requester,
        reason=_why(request),
        ticket=request.ticket.key if request.ticket else "",
        ticket_url=request.ticket.url if request.ticket else "",
        evidence_url=request.evidence.version_url if request.evidence else "",
    )


def _why(request: TransitionRequest) -> str:
    """What ended it, or the reasons of those who approved it, or what was said when it was asked."""
    _, by = deciders(request)
    reasons = "; ".join(vote.reason for vote in request.votes if vote.person in by and vote.reason)
    return request.outcome or reasons or request.comment


def _waiting(period: Period, until: datetime, figures: DigestFigures, policy: Policy | None) -> Listed[Waiting]:
    rows, total = figures.waiting(period, LISTED)
    return Listed(tuple(_as_waiting(read_request(row), until, policy) for row in rows), total)


def _as_waiting(request: TransitionRequest, ends: datetime, policy: Policy | None) -> Waiting:
    return Waiting(
        request_id=request.id,
        version=request.version,
        target=request.target,
        opened_at=request.opened_at,
        age=_whole_seconds(ends - request.opened_at),
        missing=_missing(request, ends, policy),
        ticket=request.ticket.key if request.ticket else "",
    )


def _missing(request: TransitionRequest, ends: datetime, policy: Policy | None) -> str:
    """As it was when the week ended."""
    if request.pending_since is None or request.pending_since >= ends:
        return "its evidence"
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target) if policy else None
    if policy is None or rule is None:
        return "a rule that speaks of it"
    escalated = request.escalated_at if request.escalated_at and request.escalated_at < ends else None
    votes = tuple(vote for vote in request.votes if vote.at < ends)
    then = replace(request, state=State.PENDING, votes=votes, escalated_at=escalated)
    missing = what_is_missing(then, Printed({}, rule, policy.rule_hash(rule)))
    return " and ".join(f"{missing.count(group)} of {group}" for group in dict.fromkeys(missing)) or "one vote more"


def _of_the_week(
    period: Period, figures: DigestFigures, kinds: KindCounts, names: Names
) -> Iterator[Listed[Attention]]:
    """What the week's entries tell of, each kind with its number."""
    moved, refused = e.MoveObserved.__name__, e.SelfApprovalRefused.__name__
    seen = figures.told(period, [moved], LISTED) if kinds.of(moved) else []
    yield Listed(tuple(_moves(seen, figures, period.ends)), kinds.of(moved))
    refusals = figures.told(period, [refused], LISTED) if kinds.of(refused) else []
    yield Listed(tuple(_self_approval(told, names) for told in refusals), kinds.of(refused))
    left_out = figures.left_out(period)
    told = [matters.digests_left_out(json.loads(one.body)["weeks"], one.at) for one in left_out]
    yield Listed(tuple(told[:LISTED]), len(told))


def _moves(seen: Sequence[Told], figures: DigestFigures, ends: datetime) -> Iterator[Attention]:
    asked = [_as_of(read_request(body), ends) for body in figures.observed([told.at for told in seen])]
    led_to = {(request.version, request.target, request.opened_at): request for request in asked}
    for told in seen:
        event = read_event(told.kind, told.body)
        if isinstance(event, e.MoveObserved):
            request = led_to.get((event.version, event.target, event.at)) if event.version else None
            where = event.model, event.target, event.version, event.previous
            yield matters.moved_without_approval(*where, event.at, request)


def _as_of(request: TransitionRequest, ends: datetime) -> TransitionRequest:
    """What was decided after the week was open still when it ended."""
    if request.decided_at is not None and request.decided_at >= ends:
        return replace(request, state=State.PENDING)
    return request


def _self_approval(told: Told, names: Names) -> Attention:
    if told.request is None:
        raise Broken(f"entry {told.seq} speaks of a request that has no row any more")
    name = names.get(json.loads(told.body)["person"], UNKNOWN)
    return matters.self_approval_refused(name, read_request(told.request), told.at)


def _parked(connection: sa.Connection) -> Listed[Attention]:
    parked = select_jobs(connection, JobStatus.PARKED, LISTED)
    told = [
        matters.parked_job(
            job.id,
            job.name,
            job.request_id,
            job.errors[-1].error if job.errors else "",
            job.errors[-1].at if job.errors else None,
        )
        for job in parked
    ]
    return Listed(tuple(told), sum(count_jobs(connection).parked.values()))


def _broken(ledger: LedgerFigures) -> Listed[Attention]:
    return Listed((matters.ledger_broken(ledger.fault),), 1) if ledger.fault else Listed((), 0)


def _counts(found: Sequence[Listed[Attention]]) -> Mapping[Concern, int]:
    """Each list is of one concern."""
    counts = dict.fromkeys(Concern, 0)
    for one in found:
        for matter in one.shown[:1]:
            counts[matter.concern] += one.total
    return counts


def _changes(period: Period, figures: DigestFigures, kinds: KindCounts, names: Names) -> Listed[PolicyChange]:
    told = figures.told(period, list(CHANGES), LISTED) if kinds.of(*CHANGES) else []
    return Listed(tuple(change_text(one.kind, one.at, json.loads(one.body), names) for one in told), kinds.of(*CHANGES))


def _names_in(held: Sequence[Holding], transitions: Sequence[Transition], names: Names) -> Names:
    """Of those that the lists name, and nobody else."""
    people = {person for one in held for person in one.by} | {person for one in transitions for person in one.by}
    people |= {one.requester for one in transitions if one.requester}
    return {person: names.get(person, UNKNOWN) for person in sorted(people)}


def _whole_seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=int(length.total_seconds()))
