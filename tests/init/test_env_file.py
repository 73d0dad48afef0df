"""`countersign.env` belongs to its owner: single settings change in place, and the rest stays as it was written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.errors import InvalidSettings
from bot.init.env_file import changed, values_in

WRITTEN = """\
# mine
export SLACK_BOT_TOKEN='xoxb-old'   # from Ana

OTHER=kept
JIRA_URL=https://one.example
JIRA_URL=https://two.example
"""


def test_a_setting_is_replaced_where_it_is_and_a_new_one_added_at_the_end() -> None:
    text = changed(WRITTEN, {"SLACK_BOT_TOKEN": "xoxb-new", "PORT": "8081", "OTHER": "kept"}, "countersign.env")

    assert (
        text
        == WRITTEN.replace("export SLACK_BOT_TOKEN='xoxb-old'   # from Ana", "export SLACK_BOT_TOKEN=xoxb-new")
        + "PORT=8081\n"
    )


def test_of_two_lines_the_last_counts_and_changes() -> None:
    text = changed(WRITTEN, {"JIRA_URL": "https://three.example"}, "countersign.env")

    assert text == WRITTEN.replace("https://two.example", "https://three.example")


@pytest.mark.parametrize(
    "value",
    ["plain", "with space", "$HOME `id`", "it's", 'a"b', "a#b", "a;b&c", "", "https://e.example/?a=1&b=2", "\\n"],
)
def test_a_shell_reads_back_what_was_written(value: str, tmp_path: Path) -> None:
    text = changed("", {"MLFLOW_TRACKING_PASSWORD": value, "LAST": "1"}, "countersign.env")
    (tmp_path / "countersign.env").write_text(text)
    script = 'set -a && . ./countersign.env && printf "%s|%s" "$MLFLOW_TRACKING_PASSWORD" "$LAST"'

    said = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert said == f"{value}|1"
    assert values_in(text, "countersign.env") == {"MLFLOW_TRACKING_PASSWORD": value, "LAST": "1"}


@pytest.mark.parametrize(
    "line",
    [
        "SLACK_BOT_TOKEN='xoxb-cut",
        "xoxb-1-2-3",
        "A=one two",
        "A=$(cat secret)",
        "A=`id`",
        "A B=c",
        "A=x; rm y",
        'A="$HOME"',
    ],
)
def test_a_line_that_is_no_plain_setting_is_named_by_its_number_and_without_its_text(line: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        values_in(f"# head\nPORT=8080\n{line}\n", "countersign.env")

    assert str(refused.value).startswith("countersign.env line 3 is not NAME=VALUE.")
    assert line not in str(refused.value)
