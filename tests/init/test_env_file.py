"""`countersign.env` belongs to its owner: single settings change in place, and the rest stays as it was written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.errors import InvalidSettings
from bot.init.env_file import changed, values_in
from bot.init.folder import NewFile, ignoring, text_in

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
        == WRITTEN.replace(
            "export SLACK_BOT_TOKEN='xoxb-old'   # from Ana", "export SLACK_BOT_TOKEN=xoxb-new   # from Ana"
        )
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
        "A=~/keys/a.pem",
        "A=x:~/y",
        "A='abc'$HOME",
        "A='x'`id`",
        "A='x';B=2",
        "A=$'x'",
        "A= b",
        "A=b\\",
    ],
)
def test_a_line_that_is_no_plain_setting_is_named_by_its_number_and_without_its_text(line: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        values_in(f"# head\nPORT=8080\n{line}\n", "countersign.env")

    assert str(refused.value).startswith("countersign.env line 3 is not NAME=VALUE.")
    assert line not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        "A=b#c",
        "A=#c",
        "A= # nothing yet",
        "A=b  # the (old) one",
        "A=b # it's mine",
        'A="a\\$b"',
        'A="a\\nb"',
        "A=a\\nb",
        "A='a'b\"c\"\\ d",
        "A='$HOME;`id`'",
        "A=x~y",
        "A='~'/y",
        "A=x\x0by",
        "A='a\x0cb'",
        "A=x\u00a0y",
        "A=*",
        "A=",
    ],
)
def test_a_line_is_read_as_a_shell_reads_it(line: str, tmp_path: Path) -> None:
    (tmp_path / "countersign.env").write_text(f"{line}\n")

    said = subprocess.run(
        ["sh", "-c", '. ./countersign.env && printf "%s" "$A"'], cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()

    assert values_in(f"{line}\n", "countersign.env") == {"A": said}


def test_a_comment_stays_on_a_line_whose_value_changes() -> None:
    assert changed("A='p#q' # rotated (2026)\nB=1\n", {"A": "r"}, "e") == "A=r # rotated (2026)\nB=1\n"


def test_line_ends_of_windows_are_read_and_written_as_a_shell_ends_lines(tmp_path: Path) -> None:
    path = tmp_path / "countersign.env"
    path.write_bytes(b"A=x\r\nB=y # mine\r\n")
    path.chmod(0o600)

    assert values_in(text_in(path), "e") == {"A": "x", "B": "y"}
    kept = NewFile(path, changed(text_in(path), {"B": "z"}, "e"), is_secret=True)
    assert kept.text == "A=x\nB=z # mine\n"
    assert not NewFile(path, changed(text_in(path), {}, "e"), is_secret=True).is_there


def test_a_gitignore_with_line_ends_of_windows_is_written_anew_for_git_would_not_match_its_lines(
    tmp_path: Path,
) -> None:
    (tmp_path / ".gitignore").write_bytes(b"*.env\r\n*.pem\r\nvar/\r\n")

    new = ignoring(tmp_path)

    assert new is not None
    assert new.text == "*.env\n*.pem\nvar/\n"


def test_a_long_line_that_is_refused_is_refused_soon() -> None:
    with pytest.raises(InvalidSettings):
        values_in(f"A={'a' * 50_000};\n", "e")
