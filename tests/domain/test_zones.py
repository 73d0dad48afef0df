"""Every time that people see carries its zone, whatever zone it comes in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.commands.output.printing import print_rows
from bot.domain.text import format_local, format_seconds, format_utc

IN_MADRID = datetime(2026, 3, 2, 13, 0, 7, tzinfo=ZoneInfo("Europe/Madrid"))


@pytest.mark.parametrize("at", [IN_MADRID, IN_MADRID.astimezone(UTC), IN_MADRID.astimezone(ZoneInfo("Asia/Kolkata"))])
def test_a_time_is_the_same_moment_in_utc_from_whatever_zone(at: datetime) -> None:
    assert format_utc(at) == "2026-03-02 12:00 UTC"
    assert format_seconds(at) == "2026-03-02 12:00:07 UTC"


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("UTC", "2026-03-02 12:00 UTC"),
        ("Europe/Madrid", "2026-03-02 13:00 UTC+01:00"),
        ("Asia/Kolkata", "2026-03-02 17:30 UTC+05:30"),
        ("America/St_Johns", "2026-03-02 08:30 UTC-03:30"),
    ],
)
def test_a_wall_clock_says_its_distance_from_utc(zone: str, said: str) -> None:
    assert format_local(IN_MADRID, ZoneInfo(zone)) == said


def test_tables_and_json_say_the_zone(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [{"since": IN_MADRID}]

    print_rows(rows, ("since",), as_json=False, empty="")
    print_rows(rows, ("since",), as_json=True, empty="")

    table, _, plain = capsys.readouterr().out.partition("[")
    assert "2026-03-02 12:00 UTC" in table
    assert json.loads(f"[{plain}") == [{"since": "2026-03-02T12:00:07+00:00"}]
