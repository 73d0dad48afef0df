"""The complete lists at the end of a week, as CSV: every held target and every waiting request. The report shows only the first ones.

They are written line by line while the database is read, so that only text is kept in memory. Times are ISO 8601 in UTC, durations are in
seconds, and people's names are beside their ids.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import StringIO

from bot.domain.card.sentences import UNKNOWN
from bot.domain.digest.figures import FindingKind, Holding, Waiting
from bot.domain.digest.sentences import trainer
from bot.reports.records import BYTE_ORDER_MARK, safe_cell

HOLDINGS = (
    "workspace",
    "model",
    "version",
    "target",
    "since",
    "decided",
    "by",
    "roles",
    "approved_at",
    "approval_age_seconds",
    "trained_by",
    "commit",
    "data",
    "ticket",
    "ticket_url",
    "request_id",
    "evidence_url",
    "concerns",
    "restored_at",
    "restored_by",
)
WAITING = (
    "workspace",
    "model",
    "version",
    "target",
    "opened_at",
    "age_seconds",
    "decide_by",
    "missing",
    "ticket",
    "ticket_url",
    "request_id",
)


class ListAsCsv:
    """A header row and the added rows. A cell that a spreadsheet would read as a formula gets an apostrophe in front."""

    def __init__(self, titles: tuple[str, ...]) -> None:
        self._text = StringIO(newline="")
        self._text.write(BYTE_ORDER_MARK)
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow(titles)

    def add(self, *cells: object) -> None:
        self._rows.writerow([safe_cell("" if cell is None else str(cell)) for cell in cells])

    def __str__(self) -> str:
        return self._text.getvalue()


class HoldingsAsCsv(ListAsCsv):
    """`names` are the people's names by their ids."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__(HOLDINGS)
        self._names = names

    def add_holding(self, one: Holding, concerns: Iterable[FindingKind]) -> None:
        self.add(
            one.version.workspace,
            one.version.model,
            one.version.version,
            one.target,
            _moment(one.since),
            one.decided,
            "; ".join(f"{self._names.get(person, UNKNOWN)} = {person}" for person in one.by),
            "; ".join(one.roles),
            _moment(one.approved_at),
            None if one.approval_age is None else int(one.approval_age.total_seconds()),
            trainer(one.author, one.claimed_author, self._names),
            one.commit,
            one.data,
            one.ticket,
            one.ticket_url,
            one.request_id,
            one.evidence_url,
            "; ".join(concerns),
            _moment(one.restored_at),
            f"{self._names.get(one.restored_by, UNKNOWN)} = {one.restored_by}" if one.restored_by else None,
        )


class WaitingAsCsv(ListAsCsv):
    def __init__(self) -> None:
        super().__init__(WAITING)

    def add_waiting(self, one: Waiting) -> None:
        self.add(
            one.version.workspace,
            one.version.model,
            one.version.version,
            one.target,
            _moment(one.opened_at),
            int(one.age.total_seconds()),
            _moment(one.decide_by),
            one.missing,
            one.ticket,
            one.ticket_url,
            one.request_id,
        )


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else ""
