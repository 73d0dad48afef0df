"""docs/settings.md says of every setting what the code says, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

from config.settings import NEEDS, SETTINGS, VARIABLES_OF, Setting

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = ("| variable | what it is for | default | example | needed by |", "|---|---|---|---|---|")


def as_table() -> str:
    return "\n".join([*HEAD, *map(as_row, SETTINGS)])


def as_row(setting: Setting) -> str:
    return f"| `{setting.name}` | {setting.purpose} | {setting.default} | `{setting.example}` | {needed_by(setting)} |"


def needed_by(setting: Setting) -> str:
    """The processes that do not start without it."""
    needs = {need for need, variables in VARIABLES_OF.items() if setting.name in variables}
    return ", ".join(process for process, needed in NEEDS.items() if needed & needs)


def test_the_table_is_the_codes_own() -> None:
    table = "\n".join(line for line in PAGE.read_text().splitlines() if line.startswith("|"))

    assert table == as_table(), f"put this table into {PAGE.name}:\n\n{as_table()}"


def test_no_cell_breaks_the_table() -> None:
    assert all(as_row(setting).count("|") == 6 for setting in SETTINGS)


def test_other_variables_on_the_page_are_mlflows_own() -> None:
    named = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", PAGE.read_text()))

    others = named - {setting.name for setting in SETTINGS}

    assert others == {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}
