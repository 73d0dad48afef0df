"""The whole lists of a week as CSV: with titles, names beside ids, moments in UTC, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

from bot.domain.digest.figures import FindingKind
from bot.reports.lists import HOLDINGS, WAITING, HoldingsAsCsv, WaitingAsCsv
from tests.builders.digest import NAMES, SOME_HOLDINGS, a_holding, a_waiting


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_holding_is_told_with_all_that_is_known_of_it() -> None:
    table = HoldingsAsCsv(NAMES)

    table.add_holding(a_holding(by=("p-ana", "p-x")), [FindingKind.APPROVAL_TOO_OLD, FindingKind.LINEAGE_INCOMPLETE])

    [row] = rows(str(table))
    assert tuple(row) == HOLDINGS
    assert (row["workspace"], row["model"], row["version"], row["target"]) == (
        "default",
        "bike-demand",
        "7",
        "alias:champion",
    )
    assert row["since"] == "2026-11-17T23:00:00+00:00"
    assert row["by"] == "Ana Ruiz = p-ana; unknown = p-x"
    assert (row["roles"], row["trained_by"]) == ("ml-leads", "Ben Okafor")
    assert row["approval_age_seconds"] == str(int(timedelta(days=5.1).total_seconds()))
    assert row["concerns"] == "approval_too_old; lineage_incomplete"


def test_what_nobody_knows_stays_empty() -> None:
    table = HoldingsAsCsv(NAMES)

    table.add_holding(SOME_HOLDINGS[3], [])

    [row] = rows(str(table))
    assert [row[name] for name in ("since", "by", "approved_at", "approval_age_seconds", "concerns")] == [""] * 5
    assert row["decided"] == "nobody"


def test_a_request_that_waits_is_told_with_what_is_missing() -> None:
    table = WaitingAsCsv()

    table.add_waiting(a_waiting())

    [row] = rows(str(table))
    assert tuple(row) == WAITING
    assert (row["model"], row["age_seconds"], row["missing"]) == ("bike-demand", str(3 * 86400), "1 of ml-leads")
    assert (row["decide_by"], row["ticket_url"]) == (a_waiting().decide_by.isoformat(), a_waiting().ticket_url)


def test_no_cell_is_a_formula() -> None:
    held, waits = HoldingsAsCsv({"p-ana": "=1+1"}), WaitingAsCsv()
    version = replace(a_holding().version, model="=cmd|' /C calc'!A0")

    held.add_holding(a_holding(version=version, commit="@x", ticket="+1", data="-1"), [])
    waits.add_waiting(a_waiting(version=version, missing="=1+1\nmore"))

    cells = [cell for table in (held, waits) for row in rows(str(table)) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_list_of_nothing_has_its_titles() -> None:
    assert str(WaitingAsCsv()) == "\ufeff" + ",".join(WAITING) + "\n"
