"""The example that comes with Countersign starts an empty database, and never replaces a policy that somebody has chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.commands.processes import run_migrate
from bot.database.connect import connect
from bot.errors import InvalidSettings
from config.settings import EXAMPLE_POLICY, read_settings
from tests.fixtures.command_line import Finished, countersign

OWN = (
    "version: 1\ngroups: {risk: {people: [cy@example.com]}}\nrules:\n  - models: '*'\n    target: {alias: champion}\n"
    "    notify: {slack: '#models'}\n    approve: {all_of: [{group: risk, quorum: 1}]}\n"
)
NOT_LOADED = "countersign.env is here and not loaded. Load it with: set -a && . ./countersign.env && set +a"
REFUSED = "COUNTERSIGN_POLICY is not set, and the example that comes with Countersign would replace the policy that is in force"


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team whose policy only its settings name, in a shell that has not loaded them."""
    (tmp_path / "team.yaml").write_text(OWN)
    (tmp_path / "countersign.env").write_text("MLFLOW_TRACKING_URI=http://127.0.0.1:9\nCOUNTERSIGN_POLICY=team.yaml\n")
    monkeypatch.chdir(tmp_path)
    for name in ("COUNTERSIGN_POLICY", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path / "var"))
    return tmp_path


def in_force(url: str) -> list[str]:
    with connect(url) as plain:
        return [source for (source,) in plain.execute("select source from policies order by id").fetchall()]


def start(words: list[str], url: str) -> Finished:
    """`serve` brings the policy in force through `run_migrate`; the rest of it needs Slack and ports."""
    if words != ["serve"]:
        return countersign(*words, DATABASE_URL=url)
    try:
        run_migrate(read_settings({"COUNTERSIGN_HOME": "var"}, frozenset()), url, lambda line: None)
    except InvalidSettings as mistake:
        return Finished(2, "", f"{mistake}\n{NOT_LOADED}")
    return Finished(0, "", "")


@pytest.mark.parametrize("words", [["migrate"], ["policy", "activate"], ["serve"]], ids=" ".join)
def test_the_example_never_replaces_a_policy_that_is_in_force(database_url: str, words: list[str]) -> None:
    countersign("policy", "activate", "team.yaml", DATABASE_URL=database_url)

    refused = start(words, database_url)

    assert refused.returncode == 2
    assert f"{REFUSED} (team.yaml). That one stays in force." in " ".join(refused.stderr.split())
    assert "Set COUNTERSIGN_POLICY to the file of your policy." in " ".join(refused.stderr.split())
    assert NOT_LOADED in " ".join(refused.stderr.split())
    assert in_force(database_url)[-1] == "team.yaml"


def test_a_named_policy_or_the_one_that_is_named_again_comes_into_force_as_before(database_url: str) -> None:
    countersign("policy", "activate", "team.yaml", DATABASE_URL=database_url)

    named = countersign("policy", "activate", str(EXAMPLE_POLICY), DATABASE_URL=database_url)
    again = countersign("migrate", DATABASE_URL=database_url, COUNTERSIGN_POLICY="team.yaml")

    assert (named.returncode, again.returncode) == (0, 0)
    assert in_force(database_url)[-3:] == ["team.yaml", str(EXAMPLE_POLICY), "team.yaml"]


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_database_without_a_policy_starts_with_the_example_and_takes_the_next_releases(
    empty_database_url: str, command: str
) -> None:
    first = start([command], empty_database_url)
    with connect(empty_database_url) as plain:  # as an earlier release had it
        plain.execute("update policies set text = %s, digest = 'former'", (OWN,))

    later = start([command], empty_database_url)

    assert (first.returncode, later.returncode) == (0, 0)
    assert in_force(empty_database_url) == [str(EXAMPLE_POLICY)] * 2


def test_where_the_settings_are_not_loaded_check_and_activate_say_it(database_url: str, team: Path) -> None:
    said = [
        countersign("policy", "check"),
        countersign("policy", "check", "--offline", "team.yaml"),
        countersign("policy", "activate", "team.yaml", DATABASE_URL=database_url),
    ]
    loaded = countersign("policy", "check", "--offline", COUNTERSIGN_POLICY="team.yaml")
    (team / "countersign.env").unlink()
    without = countersign("policy", "check", "--offline", "team.yaml")

    assert [NOT_LOADED in one.stdout for one in (*said, loaded, without)] == [True, True, True, False, False]
    assert "This is the example that comes with Countersign." in said[0].stdout


def test_a_settings_file_of_which_only_the_wanted_setting_is_not_loaded_is_named(database_url: str) -> None:
    countersign("policy", "activate", "team.yaml", DATABASE_URL=database_url)

    refused = countersign("migrate", DATABASE_URL=database_url, MLFLOW_TRACKING_URI="http://127.0.0.1:9")

    assert NOT_LOADED in refused.stderr


def test_in_a_clone_the_file_below_the_current_directory_is_the_example(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLE_POLICY.parent.parent)
    in_a_clone = read_settings({}, frozenset())
    monkeypatch.chdir(team)
    (team / "config").mkdir()
    (team / "config" / "policy.yaml").write_text(OWN)
    of_a_team = read_settings({}, frozenset())

    assert [in_a_clone.has_example_policy, of_a_team.has_example_policy] == [True, False]
    assert not read_settings({"COUNTERSIGN_POLICY": str(EXAMPLE_POLICY)}, frozenset()).has_example_policy


def test_the_policy_that_init_puts_here_is_meant_where_no_settings_are_loaded(team: Path) -> None:
    (team / "policy.yaml").write_text(OWN)
    settings = read_settings({}, frozenset())
    (team / "policy.yaml").write_text("version: 1\nrule: []\n")

    checked = countersign("policy", "check", "--offline")

    assert (settings.policy_path, settings.has_example_policy) == (Path("policy.yaml"), False)
    assert (checked.returncode, "policy.yaml" in checked.stderr) == (2, True)
