"""Stories of the digest's closing: which weeks are due, and each of them frozen once, the oldest first.

Counting is `digest_gathering`'s matter, handing over `digest_delivery`'s; a past week is told again in `digest_retelling`. Everything slow
is done before the one transaction that writes, so that no approval waits for a digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.digest_clock import caught_up, due_periods, period_after
from bot.digest_store import DigestRow
from bot.domain.digest import Digest
from bot.domain.digest_json import as_json
from bot.domain.events import DigestClosed, DigestsLeftOut
from bot.domain.periods import Period, period_at, period_of, periods_from
from bot.domain.policy import DigestPlan
from bot.domain.policy_changes import BrokenPolicy
from bot.ledger_rows import unhurried
from bot.ports import Permanent
from bot.reports.chart import chart_of
from bot.reports.pdf import pdf_of
from bot.services import Services
from bot.store import Lane, Transaction
from handlers.checkpoints import take_checkpoint
from handlers.digest_files import files_of
from handlers.digest_gathering import gather

CLOSING = f"{Lane.DIGEST}:close_week"
ALMOST_A_SECOND = timedelta(microseconds=999_999)

log = structlog.get_logger()


def close_digests(_: str, s: Services) -> None:
    """Defers the closing of what is due: for a week once, so that one which cannot be closed is parked and not parked every minute."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        plan = tx.policy().digest if tx.policy_digest() else None
        first = first_unclosed(plan, tx, s) if plan else None
        if plan is None or first is None:
            return
        due = due_periods(first, plan, now)
        if due and tx.is_new_tick("close_week", due[-1].week, now):
            tx.defer("close_week", due[-1].week, CLOSING)


def close_week(week: str, s: Services) -> None:
    """Closes all weeks up to this one that are not, the oldest first; a fault in one keeps the later ones from taking its place."""
    with s.store.transaction() as tx:
        plan = tx.policy().digest
        first = first_unclosed(plan, tx, s) if plan else None
    if plan is None or first is None:
        return
    left_out, told = caught_up(list(periods_from(first, period_of(week, plan.timezone).ends)))
    if left_out:
        _leave_out([period.week for period in left_out], s)
    for period in told:
        _close(period, plan, s)


def first_unclosed(plan: DigestPlan, tx: Transaction, s: Services) -> Period | None:
    """The week after the newest closed one; before there is any, the one in which a digest was first planned."""
    closed = tx.digests.newest()
    if closed is not None:
        return period_after(closed, plan)
    for since, text in tx.digests.policies_that_may_plan():
        try:
            is_planned = s.store.parse_policy(text).digest is not None
        except BrokenPolicy:  # of another release, which knew of no digest
            continue
        if is_planned:
            return period_at(since, plan.timezone)
    return None


def _leave_out(weeks: list[str], s: Services) -> None:
    """Says so in the ledger, once, and before the next digest is made, which repeats it."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        said = weeks_left_out(tx)
        unsaid = tuple(week for week in weeks if week not in said)
        if unsaid and tx.is_new_tick("digests_left_out", unsaid[-1], now):
            tx.record([DigestsLeftOut(now, unsaid)])


def weeks_left_out(tx: Transaction) -> set[str]:
    entries = tx.ledger.entries(DigestsLeftOut.__name__)
    return {str(week) for entry in entries for week in json.loads(entry.body)["weeks"]}


def _close(period: Period, plan: DigestPlan, s: Services) -> None:
    _sign_ledger(period, s)
    digest = gathered(period, s)
    row = frozen(digest, plan, s)
    files = {file.name: file.sha256 for file in files_of(row, digest, s)}
    with s.store.transaction() as tx:
        if tx.digests.add(row):
            tx.record([DigestClosed(digest.closed_at, period.week, row.digest, files)])


def _sign_ledger(period: Period, s: Services) -> None:
    """A ledger that cannot be signed is what the digest must speak of, and no reason to make none."""
    try:
        take_checkpoint(s)
    except Permanent as refusal:
        log.warning("digest_without_new_checkpoint", week=period.week, why=str(refusal))


def gathered(period: Period, s: Services) -> Digest:
    """As of a whole second, for a PDF knows no smaller ones; the next one, so that what was recorded before it stays before it."""
    with unhurried(s.store.engine) as connection:
        digest = gather(period, s, connection)
    return replace(digest, closed_at=(digest.closed_at + ALMOST_A_SECOND).replace(microsecond=0))


def frozen(digest: Digest, plan: DigestPlan, s: Services) -> DigestRow:
    """The row as it would be stored."""
    figures = as_json(digest)
    return DigestRow(
        period=digest.period,
        closed_at=digest.closed_at,
        figures=figures,
        digest=hashlib.sha256(figures.encode()).hexdigest(),
        pdf=pdf_of(digest, s.templates),
        chart=chart_of(digest),
        holdings="",
        waiting="",
        sizes={},
        plan=plan,
    )
