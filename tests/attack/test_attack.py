"""Votes, the gate and webhooks get through while attackers hold connections and flood the routes. In full: `make attack`."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.attack.world import Callers, Web, attackers, running_web
from tests.fixtures.installation import PATIENCE, Installation

ATTACKERS = {"half-open": 60, "slow-headers": 60, "slow-bodies": 60, "slow-chunks": 30, "kept-alive": 30, "flood": 8}
FOR_AS_LONG_AS_NEEDED = 3 * PATIENCE
REQUESTS = 100_000_000


def open_connections(web: Web) -> int:
    found = re.search(r"^countersign_web_connections (\d+)", web.metrics(), re.MULTILINE)
    return int(found[1]) if found else 0


def wait_until_attacked(web: Web) -> None:
    deadline = time.monotonic() + PATIENCE
    while open_connections(web) < sum(ATTACKERS.values()) // 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.proof
def test_votes_gate_and_webhooks_get_through_while_slow_senders_and_floods_stay_connected(
    installation: Installation, tmp_path: Path
) -> None:
    request = installation.asked()

    with running_web(installation, tmp_path / "web.log") as web:
        callers = Callers(installation, web, request)
        with attackers(web.port, FOR_AS_LONG_AS_NEEDED, REQUESTS, ATTACKERS):
            wait_until_attacked(web)
            callers.everything()
            callers.everything()
            still_attacked = open_connections(web)
    installation.settle()

    assert callers.wrong == []
    assert max(seconds for times in callers.times.values() for seconds in times) < PATIENCE
    assert still_attacked >= sum(ATTACKERS.values()) // 2
    assert installation.champion() == request.version.version
    assert "Traceback" not in web.log.read_text()


def test_a_process_that_is_told_to_end_while_attacked_ends_without_an_error(
    installation: Installation, tmp_path: Path
) -> None:
    with (
        running_web(installation, tmp_path / "web.log") as web,
        attackers(web.port, FOR_AS_LONG_AS_NEEDED, REQUESTS, ATTACKERS),
    ):
        wait_until_attacked(web)
        web.process.send_signal(signal.SIGTERM)
        code = web.process.wait(PATIENCE)

    assert code == 0
    assert "Traceback" not in web.log.read_text()
