"""The guard's outbox: every write in the registry reaches the bot, with its user, whatever is killed in between."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from countersign_guard import outbox as outboxes
from countersign_guard.guard import Guard
from countersign_guard.keeping import Keeper, Source
from countersign_guard.outbox import Outbox
from countersign_guard.reporting import Reporter, nobody
from countersign_guard.stores import MLFLOW
from countersign_guard.writes import Act, Write
from flask import Response

from tests.guard.guarded_server import SECRET, TOKEN, StandIn, standing_in, wait_until


@pytest.fixture
def bot() -> Iterator[StandIn]:
    with standing_in() as one:
        yield one


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "writes.sqlite")) as one:
        yield one


def reporter(bot: StandIn, outbox: Outbox, user: str = "ana") -> Reporter:
    source = Source(bot.url, TOKEN, "default", ())
    return Reporter(source, SECRET, outbox, lambda: (user, "basic-auth") if user else nobody())


def answer(status: int = 200, **body: object) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


ALIAS = Write(Act.SET_ALIAS, "default", "bike", "7", name="candidate")


def test_a_write_is_reported_with_its_user_and_then_forgotten(bot: StandIn, outbox: Outbox) -> None:
    one = reporter(bot, outbox)
    one.end(one.begin(ALIAS), answer())
    wait_until(lambda: bot.reports)

    (said,) = bot.reports
    wait_until(lambda: not outbox.waiting(10))
    assert (said["user"], said["vouched_by"], said["act"], said["model"], said["version"], said["names"]) == (
        *("ana", "basic-auth", "SET_ALIAS", "bike", 7),
        ["candidate"],
    )
    assert said["is_certain"] is True


def test_the_number_of_a_new_version_comes_from_mlflows_answer(bot: StandIn, outbox: Outbox) -> None:
    one = reporter(bot, outbox)
    created = Write(Act.CREATE_VERSION, "default", "bike", tags=("countersign.ask",))
    one.end(one.begin(created), answer(model_version={"name": "bike", "version": "9"}))
    wait_until(lambda: bot.reports)

    assert (bot.reports[0]["version"], bot.reports[0]["names"]) == (9, ["countersign.ask"])


def test_a_write_that_mlflow_refused_is_not_reported(bot: StandIn, outbox: Outbox) -> None:
    one = reporter(bot, outbox)
    one.end(one.begin(ALIAS), answer(404))
    one.end(one.begin(ALIAS), answer())
    wait_until(lambda: bot.reports and not outbox.waiting(10))

    assert len(bot.reports) == 1


def test_what_concerns_no_model_is_not_reported(bot: StandIn, outbox: Outbox) -> None:
    assert reporter(bot, outbox).begin(Write(Act.WRITE_RUN, "default", ids=("a",))) == ""


def test_while_the_bot_is_away_writes_wait_and_are_reported_in_order(bot: StandIn, outbox: Outbox) -> None:
    bot.takes_reports = False
    one = reporter(bot, outbox)
    for number in range(250):
        one.end(one.begin(Write(Act.SET_ALIAS, "default", "bike", str(number + 1), name="candidate")), answer())
    assert not bot.reports

    bot.takes_reports = True
    wait_until(lambda: len(bot.reports) == 250)

    assert [said["version"] for said in bot.reports] == list(range(1, 251))


def test_a_write_whose_server_ended_in_between_is_reported_as_one_that_may_have_happened(
    bot: StandIn, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "UNFINISHED", 0.0)
    one = reporter(bot, outbox)
    one.begin(ALIAS)
    one.start()
    wait_until(lambda: bot.reports)

    assert bot.reports[0]["is_certain"] is False


def test_a_write_from_before_the_clock_was_set_back_is_reported_as_soon_as_any_other(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    write = outbox.begin({"id": "a"})
    at_first = outbox.waiting(10)
    monkeypatch.setattr(time, "time", lambda: now)

    later = outbox.waiting(10)

    assert at_first == []
    assert [(one.id, one.is_certain) for one in later] == [(write, False)]
    assert outbox.backlog()[0] == 1


def test_a_write_with_many_long_tags_holds_up_no_other(bot: StandIn, outbox: Outbox) -> None:
    one = reporter(bot, outbox, user="u" * 1_000)
    many = Write(Act.TAG_VERSION, "default", "bike", "7", tags=tuple(f"{number}{'x' * 1_000}" for number in range(500)))
    for write in [many] * 60 + [ALIAS]:
        one.end(one.begin(write), answer())
    wait_until(lambda: len(bot.reports) == 61)

    assert len(bot.reports[0]["names"]) == 100  # type: ignore[arg-type]
    assert max(bot.sizes) < 1024 * 1024


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own use of SQLAlchemy
def test_a_write_is_reported_with_the_model_that_it_leads_to_in_a_database_that_ignores_case(
    bot: StandIn, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MLFLOW, "real_name", str.lower)
    guard = Guard(Keeper(Source(bot.url, TOKEN, "default", ()), tmp_path), SECRET, reporter(bot, outbox))
    free = Write(Act.TAG_VERSION, "default", "BIKE", "7", tags=("countersign.ask",))

    write, refused = guard._judged(lambda: free)

    assert (write and write.model, refused) == ("bike", None)


def test_a_write_that_the_bot_can_never_read_is_dropped_with_an_error(
    bot: StandIn, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    bot.reads = False
    one = reporter(bot, outbox)
    one.end(one.begin(ALIAS), answer())
    wait_until(lambda: not outbox.waiting(10))

    assert "cannot read the report" in caplog.text


def test_a_full_disk_keeps_no_one_from_writing(bot: StandIn, tmp_path: Path) -> None:
    one = reporter(bot, Outbox(tmp_path / "no such folder" / "writes.sqlite"))

    assert one.begin(ALIAS) == ""


def test_too_many_waiting_writes_are_shortened_from_the_oldest(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "MOST", 3)
    for number in range(5):
        outbox.finish(outbox.begin({"number": number}), {})

    assert outbox.shorten() == 2
    assert [one.body["number"] for one in outbox.waiting(10)] == [2, 3, 4]


MORTAL = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from countersign_guard.keeping import Source
    from countersign_guard.outbox import Outbox
    from countersign_guard.reporting import Reporter
    from countersign_guard.writes import Act, Write
    from flask import Response

    url, token, secret, folder, first = sys.argv[1:]
    outbox = Outbox(Path(folder) / "writes.sqlite")
    one = Reporter(Source(url, token, "default", ()), secret, outbox, lambda: ("ana", "basic-auth"))
    one.start()
    for number in range(int(first), int(first) + 10_000):
        write = one.begin(Write(Act.SET_ALIAS, "default", "bike", str(number), name="candidate"))
        one.end(write, Response("{}", 200, content_type="application/json"))
        print(number, flush=True)
    """
)


def kill_again_and_again(bot: StandIn, folder: Path, times: int, seed: int) -> set[int]:
    """Server processes that write until they are killed; in every third round the bot refuses meanwhile. Returns what was written."""
    chance, done = random.Random(seed), set[int]()
    for turn in range(times):
        bot.takes_reports = turn % 3 != 0
        first = (turn + 1) * 100_000
        command = [sys.executable, "-c", MORTAL, bot.url, TOKEN, SECRET, str(folder), str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        until = chance.randint(1, 40)
        for line in process.stdout:
            done.add(int(line))
            if len(done) % 41 >= until or chance.random() < 0.05:
                break
        os.kill(process.pid, signal.SIGKILL)
        done.update(int(line) for line in process.stdout.read().split("\n") if line.strip())
        process.wait()
        process.stdout.close()
    bot.takes_reports = True
    return done


def check_that_nothing_is_lost(bot: StandIn, folder: Path, times: int) -> None:
    written = kill_again_and_again(bot, folder, times, seed=7)
    with closing(Outbox(folder / "writes.sqlite")) as left:
        reporter(bot, left).start()
        wait_until(lambda: not left.waiting(1))
    assert len(written) >= times
    assert written <= {int(str(said["version"])) for said in bot.reports}


def test_no_write_is_lost_when_the_server_is_killed(bot: StandIn, tmp_path: Path) -> None:
    check_that_nothing_is_lost(bot, tmp_path, 3)


@pytest.mark.proof
def test_no_write_is_lost_in_two_hundred_kills(bot: StandIn, tmp_path: Path) -> None:
    check_that_nothing_is_lost(bot, tmp_path, 200)
