"""What goes wrong, one after the other. Each returns once it is over; the moment of its return is the fault's end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from bot.database import embedded
from tests.soak.processes import START_PATIENCE
from tests.soak.program import ARMED
from tests.soak.world import World

Trouble = Callable[[World, random.Random], str]
# Around every effect that something outside sees, and around the commits before and after it.
POINTS = tuple(
    f"{when} {call}"
    for when in ("before", "after")
    for call in ("post", "update", "open_ticket", "link", "comment", "move", "set_alias", "tag_version", "a commit")
)
ARMED_FOR = 20.0  # seconds that a fail point waits for a worker to come by
OUTAGE = 15.0
FULL_FOR = 8.0
SMALLEST = 8192  # bytes; no file may grow beyond it, so that each write of a row or of the write-ahead log fails


def one_worker(world: World, chance: random.Random) -> str:
    victim = chance.choice(world.kept("worker"))
    victim.kill()
    return f"kill -9 of {victim.name}"


def both_workers(world: World, _: random.Random) -> str:
    for victim in world.kept("worker"):
        victim.kill()
    return "kill -9 of both workers"


def a_web_process(world: World, chance: random.Random) -> str:
    victim = chance.choice(world.kept("web"))
    victim.kill()
    return f"kill -9 of {victim.name}"


def everything(world: World, _: random.Random) -> str:
    for victim in world.keeper.kept:
        victim.kill()
    return "kill -9 of all processes"


def the_clock(world: World, _: random.Random) -> str:
    world.kept("clock")[0].kill()
    return "kill -9 of clock"


def backends(world: World, _: random.Random) -> str:
    with psycopg.connect(world.database) as connection:
        ended = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where backend_type = 'client backend' and pid <> pg_backend_pid()"
        ).fetchone()
    return f"PostgreSQL: {ended[0] if ended else 0} connections ended"


def postmaster(world: World, _: random.Random) -> str:
    os.kill(_postmaster(world), signal.SIGKILL)
    embedded.start(world.home)
    return "PostgreSQL: kill -9 of the postmaster"


def database_restart(world: World, _: random.Random) -> str:
    embedded.stop(world.home)
    embedded.start(world.home)
    return "PostgreSQL: restart"


def fail_point(world: World, chance: random.Random) -> str:
    """A worker kills itself there; when none comes by, that is said, and it counts as no fault."""
    return kill_at(chance.choice(POINTS), world)


def kill_at(point: str, world: World, armed_for: float = ARMED_FOR) -> str:
    file = world.home / ARMED
    fresh = file.with_suffix(".new")
    fresh.write_text(point)
    fresh.rename(file)
    until = time.monotonic() + armed_for
    while file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    missed = file.exists()
    file.unlink(missing_ok=True)
    return f"kill -9 {point}" + (" (no worker came by)" if missed else "")


def outage(world: World, chance: random.Random) -> str:
    name, faults = chance.choice(
        [("Slack", world.slack.faults), ("Jira", world.jira.faults), ("MLflow", world.registry)]
    )
    faults.add("down", times=1_000_000)
    time.sleep(OUTAGE)
    faults.clear()
    return f"{name} down for {OUTAGE:g} s"


def lost_answers(world: World, _: random.Random) -> str:
    for faults, path in (
        (world.slack.faults, "chat.postMessage"),
        (world.jira.faults, "/issue$"),
        (world.registry, "alias"),
    ):
        faults.add("cut", path=path, method="POST")
    time.sleep(5)
    for faults in (world.slack.faults, world.jira.faults, world.registry):
        faults.clear()
    return "answers lost after post, open_ticket, set_alias"


def disk_full(world: World, _: random.Random) -> str:
    """PostgreSQL may write no file beyond its first page, so that it fails as on a full disk: with EFBIG in the place of ENOSPC."""
    server, answers = _postmaster(world), len(world.balancer.answers)
    for pid in (server, *_children(server)):
        _limit(pid, str(SMALLEST))
    time.sleep(FULL_FOR)
    for pid in (server, *_children(server)):
        _limit(pid, "unlimited")
    _start_patiently(world.home)
    refused = sum(status == 503 for _, _, status in world.balancer.answers[answers:])
    return f"PostgreSQL: no room on its disk for {FULL_FOR:g} s, {refused} callers asked to come again"


def rolling_restart(world: World, _: random.Random) -> str:
    """SIGTERM to one process after the other, each when the one before is there again."""
    slowest = 0.0
    for one in (*world.kept("web"), *world.kept("worker")):
        starts = one.starts
        slowest = max(slowest, one.stop())
        until = time.monotonic() + START_PATIENCE
        while one.starts == starts or one.waits_for_ready:
            if time.monotonic() > until:
                raise RuntimeError(f"a {one.name} that was stopped is not back after {START_PATIENCE:.0f} seconds")
            time.sleep(0.1)
    return f"rolling restart; slowest exit {slowest:.1f} s"


def clock_skew(world: World, chance: random.Random) -> str:
    """Those who send webhooks are off by ten minutes: refused, and found by the next sweep all the same."""
    world.crowd.clock_off = chance.choice((-600.0, 600.0))
    time.sleep(8)
    off, world.crowd.clock_off = world.crowd.clock_off, 0.0
    return f"webhooks signed {off:+g} s off"


TROUBLES: Mapping[str, Trouble] = {
    deed.__name__: deed
    for deed in (
        one_worker,
        fail_point,
        backends,
        rolling_restart,
        postmaster,
        a_web_process,
        disk_full,
        both_workers,
        outage,
        database_restart,
        lost_answers,
        clock_skew,
        everything,
        the_clock,
    )
}


def _postmaster(world: World) -> int:
    return int((world.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _limit(pid: int, size: str) -> None:
    """The soft limit alone, as the process's own user: so much is allowed without being a privileged root."""
    try:
        owner = Path(f"/proc/{pid}").stat().st_uid
    except FileNotFoundError:
        return
    command = ["prlimit", "--pid", str(pid), f"--fsize={size}:"]
    subprocess.run(command, check=False, user=owner if os.geteuid() == 0 else None, capture_output=True, cwd="/")


def _start_patiently(home: Path) -> None:
    """It may still be going down: then the start is tried again."""
    for _ in range(10):
        with suppress(embedded.NoDatabase):
            embedded.start(home)
            return
        time.sleep(1)
    embedded.start(home)
