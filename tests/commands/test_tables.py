"""What a table, a record and a sentence look like on a terminal and in a pipe."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from bot.commands.output.many_rows import many_rows
from bot.commands.output.printing import print_json, print_json_with
from bot.commands.output.tables import Row, Table, as_lines, fitted, record
from bot.commands.output.terminal import colour_choice
from bot.commands.output.text import cells, cut, printable, readable, wrapped

OPENED = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOSTILE = "bike \x1b[2J\x9b31m\u202eevil\u2066\r\nid  state\x07\u200b"
COLUMNS, BELOW = ("id", "state", "version", "target", "ticket"), ("opened_at", "asked", "decided_by")
ROWS: list[Row] = [
    {
        "id": "3f1c9a70",
        "state": "pending",
        "version": "bike-demand v3",
        "target": "alias:champion",
        "ticket": "GOV-1",
        "opened_at": OPENED,
        "asked": "by alias candidate",
        "decided_by": None,
    },
    {
        "id": "8b2e4d11",
        "state": "called_off",
        "version": "a-much-longer-registered-model-name v12",
        "target": "model:prod.bike",
        "ticket": None,
        "opened_at": OPENED,
        "asked": "on the command line",
        "decided_by": "Ana Ruiz, Cy Lindqvist",
    },
]


def plain(lines: object) -> list[str]:
    return [click.unstyle(line) for line in lines]  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40, 20])
def test_on_a_terminal_nothing_is_cut_and_nothing_is_wider(width: int) -> None:
    printed = plain(fitted(Table(ROWS, COLUMNS, BELOW), width))

    assert max(map(cells, printed)) <= width
    together = "".join("".join(printed).split())
    for row in ROWS:
        for value in row.values():
            assert "".join(printable(value).split()) in together or value is None or width < 200


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40])
def test_an_id_a_state_and_a_target_stay_whole(width: int) -> None:
    words = " ".join(plain(fitted(Table(ROWS, COLUMNS, BELOW), width))).split()

    assert {"3f1c9a70", "8b2e4d11", "called_off", "alias:champion", "GOV-1"} <= set(words)


def test_where_all_fits_there_is_one_line_a_row_and_else_the_rest_is_below_it() -> None:
    wide = plain(fitted(Table(ROWS[:1], COLUMNS, BELOW), 120))
    narrow = plain(fitted(Table(ROWS[:1], COLUMNS, BELOW), 64))

    assert wide[0].split() == ["id", "state", "version", "target", "ticket", "opened", "at", "asked", "decided", "by"]
    assert len(wide) == 2
    assert narrow[0].split() == ["id", "state", "version", "target", "ticket"]
    assert narrow[2:] == ["  opened at: 2026-03-02 12:00 UTC · asked: by alias candidate"]


def test_where_a_table_would_be_too_narrow_there_are_records() -> None:
    printed = plain(fitted(Table(ROWS[:1], COLUMNS, BELOW), 30))

    assert printed[:3] == ["id          3f1c9a70", "state       pending", "version     bike-demand v3"]


def test_what_may_be_cut_takes_one_line() -> None:
    rows: list[Row] = [{"id": 7, "error": "Slack could not do chat.postMessage: channel_not_found. " * 5}]

    printed = plain(fitted(Table(rows, ("id",), ("error",), cuts=True), 60))

    assert len(printed) == 3
    assert cells(printed[2]) <= 60
    assert printed[2].endswith("…")


def test_a_pipe_gets_one_line_a_row_without_colours() -> None:
    printed = list(as_lines(Table(ROWS, COLUMNS, BELOW)))

    assert len(printed) == 3
    assert "\x1b" not in "".join(printed)
    assert printed[1].split("  ")[0] == "3f1c9a70"


@pytest.mark.parametrize("width", [None, 300, 120, 80, 40])
def test_rows_that_wait_in_a_file_are_printed_as_rows_in_memory(width: int | None) -> None:
    with many_rows() as many:
        for row in ROWS:
            many.add(row)
        tables = [Table(rows, COLUMNS, BELOW) for rows in (ROWS, many)]
        held, waiting = [list(fitted(table, width) if width else as_lines(table)) for table in tables]

    assert waiting == held
    assert len(held) >= 3


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
def test_json_of_rows_one_by_one_is_that_of_all_of_them(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"summary": {"requests": 2, "none": []}, "rows": rows})
    at_once = capsys.readouterr().out
    with many_rows() as many:
        for row in rows:
            many.add(row)
        print_json_with({"summary": {"requests": 2, "none": []}}, "rows", many)

    assert capsys.readouterr().out == at_once


def test_a_row_that_cannot_wait_in_a_file_as_it_is_is_refused() -> None:
    with many_rows() as many, pytest.raises(TypeError, match="set cannot be kept"):
        many.add({"groups": {"ml-leads"}})


@pytest.mark.parametrize("width", [None, 120, 80, 40])
def test_text_from_outside_steers_no_terminal(width: int | None) -> None:
    rows: list[Row] = [{"model": HOSTILE, "why": HOSTILE}]
    table = Table(rows, ("model",), ("why",))

    printed = [
        *(fitted(table, width) if width else as_lines(table)),
        *record([("model", HOSTILE)], width),
        readable(HOSTILE.replace("\n", ""), width),
    ]

    shown = "".join(plain(printed)).replace("\n", "")
    assert [letter for letter in shown if not letter.isprintable()] == []
    assert "evil" in shown


@pytest.mark.parametrize(
    ("text", "columns"), [("bike", 4), ("自行车", 6), ("e\u0301", 1), ("", 0), ("ﬁ", 1), ("한글", 4)]
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, columns: int) -> None:
    assert cells(text) == columns


def test_lines_break_between_words_and_a_longer_word_goes_on_in_the_next() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("sha256:0123456789 ok", 8) == ["sha256:0", "12345678", "9 ok"]
    assert wrapped("自行车需求", 4) == ["自行", "车需", "求"]
    assert wrapped("  one two three", 9) == ["  one two", "  three"]
    assert wrapped("        one", 8) == ["    one"]
    assert cut("自行车需求", 5) == "自行…"


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_colours_follow_the_terminal_unless_the_environment_says_no(
    environ: dict[str, str], choice: bool | None
) -> None:
    assert colour_choice(environ) is choice
