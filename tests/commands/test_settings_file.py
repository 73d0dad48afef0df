"""Settings that were written by `countersign init`, and not loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import main


@pytest.mark.parametrize("command", [["serve"], ["list"], ["history", "bike-demand"]])
def test_a_command_without_settings_says_that_the_file_beside_it_is_not_loaded(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path / "var"))
    without = CliRunner().invoke(main, command)
    Path("countersign.env").write_text("MLFLOW_TRACKING_URI=http://127.0.0.1:5000\n")

    beside = CliRunner().invoke(main, command)

    assert beside.exit_code == without.exit_code == 2
    assert without.output.endswith(
        "Nothing is set up here. `countersign init` asks for what is needed, and writes the settings and a policy.\n"
    )
    assert (
        "countersign.env is here and not loaded. Load it with: set -a && . ./countersign.env && set +a" in beside.output
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    loaded = CliRunner().invoke(main, command)

    assert "countersign.env" not in without.output + loaded.output


def test_where_the_database_of_the_address_has_ended_it_says_so_without_the_drivers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = tmp_path / "postgres"
    (tmp_path / ".postgres.lock").touch()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/postgres?host={sockets}")

    said = CliRunner().invoke(main, ["history", "bike-demand"])

    assert said.exit_code == 2
    assert f"no database is running: DATABASE_URL names {sockets}" in said.output
    assert "Start that again" in said.output
    assert "connection" not in said.output


@pytest.mark.parametrize("places", [("a",), ("a", "b")])
def test_of_another_servers_socket_it_keeps_the_drivers_reason_and_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: tuple[str, ...]
) -> None:
    directories = [tmp_path / place for place in places]
    hosts = ",".join(map(str, directories))
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/postgres?host={hosts}&port=5433")

    said = CliRunner().invoke(main, ["history", "bike-demand"])

    output = " ".join(said.output.split())
    assert said.exit_code == 2
    assert "No such file or directory" in output
    assert f"(there is no socket {' or '.join(f'{one}/.s.PGSQL.5433' for one in directories)})" in output
    assert "has ended" not in output
