"""Stories of the digest's closing: which weeks are due, and each of them frozen once, the oldest first.

Counting is in `gathering`, delivery in `delivery`, and a past week is reprinted in `reprint`. Everything slow
is done before the one transaction that writes, so that no approval waits for a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain.digest.figures import Holding, Pipeline
from bot.domain.digest.json_form import as_json
from bot.domain.digest.periods import Period, period_at, period_of, periods_from
from bot.domain.events import DigestClosed, DigestsLeftOut
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import VersionId
from bot.domain.policy.rules import DigestPlan
from bot.domain.queries.description import pipeline_of
from bot.dvc import files as dvc_files
from bot.engine.lanes import Lane
from bot.errors import FilesUnread, InvalidDvcFile, InvalidPolicy, OutsideError, Permanent
from bot.language import N_, _
from bot.language.catalogues import in_language
from bot.reports.chart import chart_of
from bot.reports.pdf import pdf_of
from bot.services import Services
from bot.store.digests import DigestRow
from bot.store.ledger import unhurried
from bot.store.transaction import Transaction
from handlers.digest.files import measured
from handlers.digest.gathering import Gathered, gather
from handlers.digest.schedule import caught_up, due_periods, gone_on, period_after
from handlers.ledger.checkpoints import take_checkpoint

CLOSING = f"{Lane.DIGEST}:close_week"
ALMOST_A_SECOND = timedelta(microseconds=999_999)

log = structlog.get_logger()


def close_digests(_: str, s: Services) -> None:
    """Defers the closing of what is due: for a week once, so that one which cannot be closed is parked and not parked every minute."""
    with s.store.transaction() as tx:
        due = due_weeks(tx, s)
        if due and tx.outbox.is_new_tick("close_week", due[-1].week, s.clock.now()):
            tx.defer("close_week", due[-1].week, CLOSING)


def owed(tx: Transaction, s: Services) -> tuple[str, ...]:
    """What compliance should have and does not: weeks with an undelivered digest, and weeks that are due and not closed."""
    try:
        _, late = caught_up(due_weeks(tx, s))
    except InvalidPolicy:  # of another release; by what cannot be read nothing is due
        late = []
    return (*map(str, tx.digests.undelivered()), *(f"{period.week} is not closed" for period in late))


def due_weeks(tx: Transaction, s: Services) -> list[Period]:
    """Those whose digest is due and that are not closed, the oldest first. Asked every few seconds."""
    plan = tx.policy().digest if tx.policies.digest() else None
    return due_periods(first_unclosed(plan, tx, s), plan, s.clock.now()) if plan else []


def close_week(week: str, s: Services) -> None:
    """Closes all weeks up to this one that are not, the oldest first; a fault in one keeps the later ones from taking its place."""
    with s.store.transaction() as tx:
        plan = tx.policy().digest
        if plan is None:
            return
        first = first_unclosed(plan, tx, s)
    left_out, told = caught_up(list(periods_from(first, period_of(week, plan.timezone).ends)))
    if left_out:
        _leave_out([period.week for period in left_out], s)
    for period in told:
        _close(period, plan, s)


def first_unclosed(plan: DigestPlan, tx: Transaction, s: Services) -> Period:
    """The week after the newest closed one; before there is any, the one since which a digest is planned. `plan` is in force."""
    closed = tx.digests.newest()
    planned = period_at(_planned_since(closed.ends if closed else None, tx, s), plan.timezone)
    return gone_on(period_after(closed, plan), planned) if closed else planned


def _planned_since(closed: datetime | None, tx: Transaction, s: Services) -> datetime:
    """When the present run of policies began that all plan a digest; of one that began before the last week was closed, `closed`."""
    since = s.clock.now()
    for activated, text in tx.digests.policies(closed):
        try:
            if "digest" not in text or s.store.parse_policy(text).digest is None:
                return since
        except InvalidPolicy:  # of another release
            continue
        since = activated
    return closed or since


def _leave_out(weeks: list[str], s: Services) -> None:
    """Says so in the ledger, once, and before the next digest is made, which repeats it."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        said = weeks_left_out(tx)
        unsaid = tuple(week for week in weeks if week not in said)
        if unsaid and tx.outbox.is_new_tick("digests_left_out", unsaid[-1], now):
            tx.record([DigestsLeftOut(now, unsaid)])


def weeks_left_out(tx: Transaction) -> set[str]:
    entries = tx.ledger.entries(DigestsLeftOut.__name__)
    return {str(week) for entry in entries for week in json.loads(entry.body)["weeks"]}


def _close(period: Period, plan: DigestPlan, s: Services) -> None:
    _sign_ledger(period, s)
    week = gathered(period, s)
    row, files = measured(frozen(week, plan, s), week.digest, s)
    with s.store.transaction() as tx:
        if tx.digests.add(row):
            tx.record([DigestClosed(row.closed_at, period.week, row.digest, files)])


def _sign_ledger(period: Period, s: Services) -> None:
    """A ledger that cannot be signed must be reported in the digest; it is no reason to make none."""
    try:
        take_checkpoint(s)
    except Permanent as refusal:
        log.warning("digest_without_new_checkpoint", week=period.week, why=str(refusal))


def gathered(period: Period, s: Services) -> Gathered:
    """As of a whole second, for a PDF knows no smaller ones; the next one, so that what was recorded before it stays before it.

    The registry is asked when the database's picture is closed, which would keep it from tidying up for as long.
    """
    with unhurried(s.store.engine) as connection:
        found = gather(period, s, connection)
    closed_at = (found.digest.closed_at + ALMOST_A_SECOND).replace(microsecond=0)
    with in_language(found.digest.language):
        pipelines = tuple(pipelines_of(found.digest.inventory.shown, found.stores, s))
    return replace(found, digest=replace(found.digest, closed_at=closed_at, pipelines=pipelines))


def frozen(week: Gathered, plan: DigestPlan, s: Services) -> DigestRow:
    """The row as it would be stored."""
    digest = week.digest
    figures = as_json(digest)
    return DigestRow(
        period=digest.period,
        closed_at=digest.closed_at,
        figures=figures,
        digest=hashlib.sha256(figures.encode()).hexdigest(),
        pdf=pdf_of(digest, s.templates),
        chart=chart_of(digest),
        holdings=week.holdings,
        waiting=week.waiting,
        sizes={},
        plan=plan,
    )


UNTOLD = N_("the registry could not tell when the week was closed: {why}")


def pipelines_of(held: Sequence[Holding], stores: Sequence[str], s: Services) -> Iterator[Pipeline]:
    """Each version once, however many targets it holds."""
    silence: dict[str, str] = {}  # by workspace, because servers fail one by one
    seen: set[VersionId] = set()
    for holding in held:
        if holding.version in seen:
            continue
        seen.add(holding.version)
        kept, trouble = None, silence.get(holding.version.workspace, "")
        if not trouble:
            try:
                kept = s.registry_at(holding.version.workspace).read_lock(holding.version, stores)
            except (Permanent, FilesUnread) as refusal:
                trouble = _(UNTOLD, why=str(refusal))
            except OutsideError as silent:
                trouble = silence[holding.version.workspace] = _(UNTOLD, why=str(silent))
        yield _pipeline(holding, kept, trouble)


def _pipeline(holding: Holding, kept: KeptLock | None, trouble: str) -> Pipeline:
    nothing = Pipeline(
        holding.version, holding.target, (), (), trouble or _("the run has logged no lineage/dvc.lock that may be read")
    )
    if kept is None:
        return nothing
    try:
        read = pipeline_of(dvc_files.read_kept(kept), "", None)
    except InvalidDvcFile as fault:
        return replace(nothing, missing=_("the run's dvc.lock {fault}", fault=str(fault)))
    return Pipeline(holding.version, holding.target, read.tree, read.edges)
