"""Gathers the week's figures in one snapshot of the database, so that they fit together however busy the bot is.

The figures are those of the end of the week; only parked jobs, and what is lost of the evidence, are as of now. The database counts
(`bot.store.digest_figures`), the inventory is in
`inventory`, what happened in `events`, the ledger's verification in `ledger`. Nothing is written here, and no one
outside is asked: the pipelines are added when the picture is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.domain.card.context import CardContext
from bot.domain.card.needs import what_is_missing
from bot.domain.digest import findings
from bot.domain.digest.control import FORM
from bot.domain.digest.figures import (
    LISTED,
    Digest,
    Finding,
    FindingKind,
    LedgerFigures,
    Listed,
    Waiting,
    blank,
)
from bot.domain.digest.losses import evidence_lost
from bot.domain.digest.periods import Period
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import ARTIFACTS_FROM_MLFLOW, Policy
from bot.engine.rows import JobStatus, count_jobs, select_jobs
from bot.errors import ChainBroken
from bot.language import _, listed, ngettext, now_reading
from bot.reports.lists import HoldingsAsCsv, WaitingAsCsv
from bot.services import Services
from bot.store.digest_figures import ENDINGS, DigestFigures, KindCounts
from bot.store.evidence_watch import EvidenceWatchRows
from bot.store.people import PeopleRows
from handlers.digest.counting import Policies, fast_track_by_rule, latency_by_rule, week_of_trend, weeks_before
from handlers.digest.coverage import addresses, control_of, control_of_policies, not_signed_off
from handlers.digest.events import changes_of_the_week, findings_of_the_week, transition_of
from handlers.digest.holders import read_request
from handlers.digest.inventory import take_inventory
from handlers.digest.ledger import fault_in, newest_note
from handlers.notify.readers import for_everyone

UNREADABLE = (LookupError, TypeError, ValueError, sa.exc.DataError)  # what an entry that was changed may lead to


@dataclass(frozen=True)
class Gathered:
    """`holdings` and `waiting` are the whole lists as CSV. `stores` are where the policy lets the bot read a version's lock from."""

    digest: Digest
    holdings: str
    waiting: str
    stores: tuple[str, ...] = ARTIFACTS_FROM_MLFLOW


def gather(period: Period, s: Services, connection: sa.Connection) -> Gathered:
    """`connection` shows one picture of the database for as long as this takes: `bot.store.ledger.unhurried`.

    The names are those of all known people, usually a few hundred: the records name every person in an entry, and to look through
    a hundred thousand entries for them costs more than all the counting.

    When the ledger was changed, what cannot be counted is left out, and the digest says first that the ledger does not verify.
    """
    with for_everyone(s):  # the sentences are frozen in that language
        return _gathered(period, s, DigestFigures(connection))


def _gathered(period: Period, s: Services, figures: DigestFigures) -> Gathered:
    connection = figures.connection
    kinds = figures.kinds(period)
    fault, note = fault_in(connection), newest_note(connection)
    ledger = LedgerFigures(kinds.first, kinds.last, figures.count_at(period.ends), note, fault, kinds.news)
    try:
        with connection.begin_nested():
            return _counted(period, kinds, ledger, figures, s)
    except ChainBroken as broken:
        return _uncounted(period, replace(ledger, fault=fault or str(broken)), figures, s)
    except UNREADABLE:
        if not fault:
            raise
        return _uncounted(period, ledger, figures, s)


def _counted(period: Period, kinds: KindCounts, ledger: LedgerFigures, figures: DigestFigures, s: Services) -> Gathered:
    names = PeopleRows(figures.connection).all_names()
    policies = Policies(figures, s.store, period.ends)
    policy = policies.in_force()
    until = min(period.ends, s.clock.now())  # a week that is looked at while it runs has no end yet
    inventory = take_inventory(figures, policy, period, until, names)
    held = inventory.listed()
    waiting, all_waiting = _waiting(period, until, figures, policy)
    transitions = [transition_of(told, policy, figures) for told in figures.told(period, list(ENDINGS), LISTED)]
    outcomes = {str(state): kinds.of(kind) for kind, state in ENDINGS.items() if kinds.of(kind)}
    of_the_week = findings_of_the_week(period, figures, kinds, names, policy)
    control = control_of(period, until, figures, policies, policy)
    unsigned = not_signed_off(control, policy, period, s.clock.now())
    lost = _losses(period, until, figures)
    found = [_broken(ledger), *inventory.attention(), *of_the_week, lost, _parked(figures.connection), unsigned]
    by_hash = figures.latency(period)
    this_week = week_of_trend(period.week, by_hash[""], sum(outcomes.values()))
    digest = Digest(
        period=period,
        closed_at=s.clock.now(),
        attention=findings.in_order(found),
        concerns=_counts(found),
        inventory=held,
        transitions=Listed(tuple(transitions), sum(outcomes.values())),
        outcomes=outcomes,
        waiting=waiting,
        latency=tuple(latency_by_rule(period, by_hash, policies, figures)),
        trend=(*weeks_before(period, figures), this_week),
        fast_track=fast_track_by_rule(period, kinds, policies, figures),
        changes=changes_of_the_week(period, figures, kinds, names),
        pipelines=(),
        ledger=ledger,
        names=names,
        control=control,
        emails=addresses(held.shown, transitions, figures.connection),
        form=FORM,
        language=now_reading(),
    )
    return Gathered(
        digest, str(inventory.whole), str(all_waiting), policy.artifact_stores if policy else ARTIFACTS_FROM_MLFLOW
    )


def _uncounted(period: Period, ledger: LedgerFigures, figures: DigestFigures, s: Services) -> Gathered:
    broken = _broken(ledger)
    control = control_of_policies(Policies(figures, s.store, period.ends), period)
    digest = replace(
        blank(period, s.clock.now()),
        attention=broken,
        concerns=_counts([broken]),
        ledger=ledger,
        control=control,
        form=FORM,
        language=now_reading(),
    )
    return Gathered(digest, str(HoldingsAsCsv({})), str(WaitingAsCsv()))


def _waiting(
    period: Period, until: datetime, figures: DigestFigures, policy: Policy | None
) -> tuple[Listed[Waiting], WaitingAsCsv]:
    """The first of them, and the list of all."""
    shown: list[Waiting] = []
    whole, total = WaitingAsCsv(), 0
    for total, row in enumerate(figures.waiting(period), start=1):
        one = _as_waiting(read_request(row), until, policy)
        whole.add_waiting(one)
        shown += [one] if total <= LISTED else []
    return Listed(tuple(shown), total), whole


def _as_waiting(request: TransitionRequest, ends: datetime, policy: Policy | None) -> Waiting:
    return Waiting(
        request_id=request.id,
        version=request.version,
        target=request.target,
        opened_at=request.opened_at,
        age=_whole_seconds(ends - request.opened_at),
        missing=_missing(request, ends, policy),
        ticket=request.ticket.key if request.ticket else "",
        ticket_url=request.ticket.url if request.ticket else "",
        decide_by=request.expires_at,
    )


def _missing(request: TransitionRequest, ends: datetime, policy: Policy | None) -> str:
    """As it was when the week ended."""
    if request.pending_since is None or request.pending_since >= ends:
        return _("its evidence")
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target) if policy else None
    if policy is None or rule is None:
        return _("a rule that covers it")
    escalated = request.escalated_at if request.escalated_at and request.escalated_at < ends else None
    votes = tuple(vote for vote in request.votes if vote.at < ends)
    then = replace(request, state=State.PENDING, votes=votes, escalated_at=escalated)
    missing = what_is_missing(then, CardContext({}, rule, policy.rule_hash(rule)))
    votes_missing = [
        _("{count} of {group}", count=missing.count(group), group=group) for group in dict.fromkeys(missing)
    ]
    asked = sum(question.is_open_at(ends) for question in request.conversation.questions)
    answers = [ngettext("{count} answer to a question", "{count} answers to questions", asked)] if asked else []
    return listed([*(votes_missing or [_("one vote more")]), *answers])


def _parked(connection: sa.Connection) -> Listed[Finding]:
    parked = select_jobs(connection, JobStatus.PARKED, LISTED)
    told = [
        findings.parked_job(
            job.id,
            job.name,
            job.request_id,
            job.errors[-1].error if job.errors else "",
            job.errors[-1].at if job.errors else None,
        )
        for job in parked
    ]
    return Listed(tuple(told), sum(count_jobs(connection).parked.values()))


def _losses(period: Period, until: datetime, figures: DigestFigures) -> Listed[Finding]:
    """What was lost by the end of the week, is not back yet, and is acknowledged by no one."""
    kept, total = EvidenceWatchRows(figures.connection).open(until, LISTED)
    requests = {one.id: one for one in map(read_request, figures.requests([one.request_id for one in kept]))}
    told = [evidence_lost(requests[one.request_id], one, period) for one in kept if one.request_id in requests]
    return Listed(tuple(told), total)


def _broken(ledger: LedgerFigures) -> Listed[Finding]:
    return Listed((findings.ledger_broken(ledger.fault),), 1) if ledger.fault else Listed((), 0)


def _counts(found: Sequence[Listed[Finding]]) -> Mapping[FindingKind, int]:
    """Each list is of one concern."""
    counts = dict.fromkeys(FindingKind, 0)
    for one in found:
        for matter in one.shown[:1]:
            counts[matter.concern] += one.total
    return counts


def _whole_seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=int(length.total_seconds()))
