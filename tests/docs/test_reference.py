"""docs/reference.md says of every command, route, setting, event and effect what the code says, and of no other."""

from __future__ import annotations

import re

from bot.__main__ import COMMANDS
from bot.store.ledger import EVENTS
from config.settings import SETTINGS
from docs.write_reference import CALLERS, every_route, the_page
from handlers.effects import EFFECTS
from tests.docs.pages import REFERENCE

PAGE = REFERENCE.read_text()
MLFLOWS_OWN = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}


def first_cells(heading: str) -> list[str]:
    """What the first column of the table below a heading names."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_page_is_what_the_code_generates() -> None:
    assert the_page() == PAGE, "docs/reference.md differs from the code. Run: make reference"


def test_every_command_has_a_section() -> None:
    sections = re.findall(r"^### `countersign ([\w-]+)", PAGE, re.MULTILINE)

    assert set(sections) == set(COMMANDS)


def test_every_route_is_named_with_who_calls_it() -> None:
    assert set(first_cells("Routes")) == set(CALLERS) == set(every_route())


def test_every_setting_is_named_once() -> None:
    assert first_cells("Settings") == [setting.name for setting in SETTINGS]


def test_other_variables_on_the_page_are_mlflows_own() -> None:
    section = PAGE.split("\n## Settings\n")[1].split("\n## ")[0]

    others = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", section)) - {setting.name for setting in SETTINGS}

    assert others == MLFLOWS_OWN


def test_every_event_that_can_be_recorded_is_named() -> None:
    recorded = {name for name, event in EVENTS.items() if not event.__subclasses__()}

    assert set(first_cells("Events")) == recorded


def test_every_effect_is_named_and_explained() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", PAGE.split("\n## Effects\n")[1], re.MULTILINE))

    assert rows.keys() == EFFECTS.keys()
    assert all(rows.values())


def test_every_row_has_the_columns_of_its_table() -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE)

    widths = [{len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()} for table in tables]

    assert len(tables) == 6
    assert all(len(width) == 1 for width in widths)
