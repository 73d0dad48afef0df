"""Digests on request: a past week reprinted from what was frozen, and a preview of a week that is not closed.

Nothing is stored or sent here. When a week cannot be printed, the error says why, and what to do instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from bot.domain.digest.figures import Digest
from bot.domain.digest.json_form import read_digest
from bot.domain.digest.periods import Period, period_at, period_of
from bot.domain.digest.sentences import edition
from bot.domain.policy.rules import DigestPlan
from bot.errors import Refused
from bot.reports.html import html_of
from bot.reports.records import file_names
from bot.services import Services
from bot.store.digests import DigestRow
from bot.store.transaction import Transaction
from handlers.digest.closing import first_unclosed, frozen, gathered, weeks_left_out
from handlers.digest.files import write_files
from handlers.digest.ledger import closing_of
from handlers.digest.schedule import due_at, period_after
from handlers.digest.sign_off import signed_off_text

LOOK = "Add --dry-run for a preview"
NO_PLAN = DigestPlan(cron="0 9 * * mon", timezone="UTC")  # for a look where the policy plans no digest


@dataclass(frozen=True)
class Told:
    """`row` is not stored when the week is only looked at. `signed` is the sentence about the sign-off; empty before."""

    row: DigestRow
    digest: Digest
    signed: str = ""


@dataclass(frozen=True)
class Written:
    """`is_as_delivered` is False for a file that no longer comes out as it did when the week was closed."""

    name: str
    sha256: str
    is_as_delivered: bool


def tell_again(week: str | None, s: Services) -> Told:
    """The closed week, or the last one. Raises Refused."""
    with s.store.transaction() as tx:
        newest = tx.digests.newest()
        if week is None and newest is None:
            raise Refused("no week is closed yet. Add --dry-run to see the one that runs")
        wanted = week or (newest.week if newest else "")
        row = tx.digests.find(wanted)
        if row is None:
            raise Refused(_why_untold(wanted, tx, s))
        _check_figures(row, tx)
        signed = signed_off_text(row, tx)
    return Told(row, read_digest(row.figures), signed)


def look_at_week(week: str | None, s: Services) -> Told:
    """The week so far, without closing it; the current week unless another is named. Raises Refused."""
    with s.store.transaction() as tx:
        plan = _plan(tx)
        period = _period(week, plan, tx, s.clock.now())
        _refuse_to_look(period, tx, s.clock.now())
    found = gathered(period, s)
    return Told(frozen(found, plan, s), found.digest)


def write_report(told: Told, out: Path, s: Services) -> tuple[Written, ...]:
    """All files into `out`, which is made; each is complete or not there. Those of a week that runs say so. Raises Refused."""
    said = _names_to_keep(told.digest)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix=".countersign-") as room:
            written = _write_beside(Path(room), told, s)
            for file in written:
                (Path(room) / file.name).replace(out / said.get(file.name, file.name))
    except OSError as trouble:
        raise Refused(f"{out} cannot be written: {trouble.strerror}. Name another directory") from None
    return tuple(replace(file, name=said.get(file.name, file.name)) for file in written)


def _names_to_keep(digest: Digest) -> Mapping[str, str]:
    """By the names that the files are made under."""
    made, kept = file_names(digest.period.week), file_names(edition(digest))
    return dict(zip(astuple(made), astuple(kept), strict=True))


def _write_beside(room: Path, told: Told, s: Services) -> tuple[Written, ...]:
    names = file_names(told.digest.period.week)
    made = write_files(room, told.row, told.digest, s)
    return (
        *(Written(file.name, file.sha256, file.is_as_recorded) for file in made),
        _write(room / names.chart, told.row.chart),
        _write(room / names.figures, told.row.figures.encode()),
        *_signed_report(room, told, s),
    )


def _signed_report(room: Path, told: Told, s: Services) -> Iterator[Written]:
    """The page with its sign-off, as a file of its own: the delivered ones have hashes in the ledger, and stay as they are."""
    if told.signed:
        page = html_of(told.digest, s.templates, told.signed)
        yield _write(room / f"countersign-{told.row.period.week}-signed-off.html", page.encode())


def _write(path: Path, content: bytes) -> Written:
    path.write_bytes(content)
    return Written(path.name, hashlib.sha256(content).hexdigest(), is_as_delivered=True)


def _check_figures(row: DigestRow, tx: Transaction) -> None:
    if closing_of(row, tx).get("digest") != hashlib.sha256(row.figures.encode()).hexdigest():
        raise Refused(
            f"the figures of {row.period.week} are not those that the ledger recorded when the week was closed: they were changed "
            "since. Run `countersign audit verify`, and go by the files that were delivered"
        )


def _plan(tx: Transaction) -> DigestPlan:
    planned = tx.policy().digest if tx.policies.digest() else None
    return planned or NO_PLAN


def _period(week: str | None, plan: DigestPlan, tx: Transaction, now: datetime) -> Period:
    period = period_of(week, plan.timezone) if week else period_at(now, plan.timezone)
    newest = tx.digests.newest()
    following = period_after(newest, plan) if newest else period
    return following if following.week == period.week else period


def _refuse_to_look(period: Period, tx: Transaction, now: datetime) -> None:
    if tx.digests.find(period.week) is not None:
        raise Refused(f"{period.week} is closed, and its figures stand. Leave out --dry-run")
    if period.starts > now:
        raise Refused(f"{period.week} has not begun: it begins on {_local(period.starts, period)}")
    too_old = _before_the_ledger(period, tx)
    if too_old:
        raise Refused(too_old)


def _why_untold(week: str, tx: Transaction, s: Services) -> str:
    plan, now = _plan(tx), s.clock.now()
    period = period_of(week, plan.timezone)
    if period.ends > now:
        return f"{week} is not over: it ends on {_local(period.ends, period)}. {LOOK}"
    too_old = _before_the_ledger(period, tx)
    if too_old:
        return too_old
    if week in weeks_left_out(tx):
        return f"{week} was left out: nobody closed it in time, and only the newest weeks were told afterwards. {LOOK}"
    if plan is NO_PLAN:
        return f"{week} was not closed, because the policy plans no digest. Add `digest:` to it. {LOOK}"
    if week < first_unclosed(plan, tx, s).week:
        return f"{week} has no digest: the policy planned none for it. {LOOK}"
    return _not_yet(period, plan, now)


def _not_yet(period: Period, plan: DigestPlan, now: datetime) -> str:
    due = due_at(plan, period)
    when = f"{period.week} is not closed yet: its digest is due on {_local(due, period)}"
    return f"{when}. {LOOK}" if due > now else f"{when}. Look for close_week in `countersign jobs list`"


def _before_the_ledger(period: Period, tx: Transaction) -> str:
    if tx.ledger.count() == 0:
        return "the ledger is empty, so there is nothing to tell yet"
    began = tx.ledger.get(1).at
    if period.ends > began:
        return ""
    return f"{period.week} was over before the ledger began, on {_local(began, period)}. Name a later week"


def _local(moment: datetime, period: Period) -> str:
    return f"{moment.astimezone(ZoneInfo(period.timezone)):%Y-%m-%d at %H:%M} ({period.timezone})"
