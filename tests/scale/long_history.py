"""The same questions, and a click, beside a short history and one ten times as long: what grows is how much lies beside.

A statement more, or three times the time, means that something goes through all of it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bot.domain.digest.periods import period_at
from bot.domain.model import State
from bot.sandbox.mlflow_server import running_mlflow
from bot.store.ledger import unhurried
from bot.store.requests import Wanted
from bot.store.web.search import ModelName
from handlers.digest.gathering import gather
from handlers.digest.ledger import fault_in
from handlers.queries import fast_track_report, ledger_page, overview
from handlers.queries.history import history_of
from handlers.queries.policy import replay_since
from tests.bench.database import database
from tests.fixtures.installation import Installation, running_installation
from tests.scale.figures import MORE_MEMORY, Figure, Measured, measured
from tests.scale.filling import APART, a_year_until, fill
from tests.scale.house import House, house_on
from tests.scale.made_registry import MadeRegistry, model_name

AS_LONG = 3.0  # times as long as with a tenth of the history, beyond SHORT
SHORT = 0.1  # seconds, which a busy machine adds to anything
ROUNDS = 3  # the fastest counts
CLICKED = "clicked-model"
VERIFYING = "digest of a week: verifying the whole ledger"
DIGEST = "digest of a week: the rest"
DONE = "click until all is done"
SEARCH = "search by a word"
TREND = timedelta(weeks=13)  # that a digest looks back over


@dataclass(frozen=True)
class Cost:
    """The fastest of some rounds; a round has the same number of statements each time."""

    measured: Measured
    statements: int


def long_history(requests: int, models: int) -> Iterator[Figure]:
    sizes = (requests // 10, requests)
    small, large = (_questions(size, models) for size in sizes)
    yield from _beside(small, large, sizes)
    small, large = (_clicks(size, models) for size in sizes)
    yield from _beside(small, large, sizes)


def _beside(small: dict[str, Cost], large: dict[str, Cost], sizes: tuple[int, int]) -> Iterator[Figure]:
    short, long = (f"{size:,} requests, {10 * size:,} entries" for size in sizes)
    for name, cost in large.items():
        before = small[name]
        # Each byte of the ledger is hashed, as it must be; a short history has fewer weeks to compare with; a word may be in any request.
        grows = name in (VERIFYING, SEARCH) or (name == DIGEST and sizes[0] * APART < TREND)
        longest = None if grows else AS_LONG * before.measured.seconds + SHORT
        may_try_again = name == DONE
        yield Figure(f"{name}, {short}", before.measured.seconds, "s")
        yield Figure(f"… {long}", cost.measured.seconds, "s", longest)
        yield Figure("… … statements", cost.statements, "", None if grows or may_try_again else before.statements)
        yield Figure("… … memory", cost.measured.megabytes, "MB", MORE_MEMORY)


@contextmanager
def counting(engine: sa.Engine) -> Iterator[list[int]]:
    """The number of statements so far, in a list of one."""
    count = [0]

    def note(*_: object) -> None:
        count[0] += 1

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield count
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def _cost_of(ask: Callable[[], object], engine: sa.Engine) -> Cost:
    ask()  # once before, for what is imported and cached
    found = []
    for _ in range(ROUNDS):
        with counting(engine) as count:
            found.append(Cost(measured(ask), count[0]))
    return min(found, key=lambda one: one.measured.seconds)


def _filled(url: str, requests: int, models: int, now: datetime, rule_hash: str = "sha256:1") -> None:
    """The same number of requests a model and a day in both sizes."""
    fill(url, a_year_until(now, requests, max(models * requests // 100_000, 1)), rule_hash)


def _questions(requests: int, models: int) -> dict[str, Cost]:
    with database() as url, house_on(url, MadeRegistry(max(models * requests // 100_000, 1))) as house:
        policy = house.s.store.policy()
        _filled(url, requests, models, house.clock.now(), policy.rule_hash(policy.rules[0]))
        found = {what: _cost_of(ask, house.s.store.engine) for what, ask in _asked(house).items()}
        whole, verifying = found[DIGEST], found[VERIFYING]
        rest = Measured(max(0.0, whole.measured.seconds - verifying.measured.seconds), whole.measured.megabytes)
        return {**found, DIGEST: Cost(rest, whole.statements - verifying.statements)}


def _asked(house: House) -> dict[str, Callable[[], object]]:
    s, now, name = house.s, house.clock.now(), model_name(0)
    week = period_at(now - timedelta(days=8), "UTC")

    def listed() -> object:
        with s.store.transaction() as tx:
            return tx.requests.page(Wanted(states=(State.APPLIED,)), 50)

    def on_a_snapshot(act: Callable[[sa.Connection], object]) -> object:
        with unhurried(s.store.engine) as connection:
            return act(connection)

    return {
        "requests list": listed,
        "policy replay --since 1d": lambda: sum(1 for _ in replay_since(now - timedelta(days=1), s.store.policy(), s)),
        "history of a model": lambda: history_of(name, None, s),
        "fast-track report --since 1d": lambda: fast_track_report.report(now - timedelta(days=1), s),
        "front page": lambda: overview.start(s, 50),
        "models page": lambda: overview.all_models(None, s),
        "versions page": lambda: overview.versions_of(ModelName("default", name), "", None, s),
        "request page": lambda: overview.request_page("00000000beefbeef", s),
        "ledger page": lambda: ledger_page.ledger_page(None, s),
        SEARCH: lambda: overview.search("no-such-thing", None, None, (), "", s),
        "sweep of models": house.sweep,
        VERIFYING: lambda: on_a_snapshot(fault_in),
        DIGEST: lambda: on_a_snapshot(lambda connection: gather(week, s, connection)),
    }


def _clicks(requests: int, models: int) -> dict[str, Cost]:
    """A real MLflow and the sandbox's Slack and Jira: until the click is answered, and until all that follows is done."""
    with tempfile.TemporaryDirectory(prefix="countersign-scale-") as directory, database() as url:
        _filled(url, requests, models, datetime.now(UTC))
        with (
            running_mlflow(Path(directory) / "mlflow") as mlflow_url,
            running_installation(url, mlflow_url, mlflow_url, CLICKED, Path(directory), {}) as installation,
        ):
            installation.sweep()
            found = [_click(installation) for _ in range(ROUNDS + 1)][1:]  # the first one imports and caches
    return {what: min((one[what] for one in found), key=lambda cost: cost.measured.seconds) for what in found[0]}


def _click(installation: Installation) -> dict[str, Cost]:
    installation.ask(installation.register())
    installation.sweep()
    with installation.s.store.transaction() as tx:
        request = tx.requests.find(model=CLICKED, states=(State.PENDING,))[-1]
    with counting(installation.s.store.engine) as count:
        answer = _timed(lambda: installation.click("ana", request, "approve"), count)
        rest = _timed(installation.settle, count)
    if installation.champion() != request.version.version:
        raise RuntimeError("the click did not move the target, so its figures mean nothing")
    return {"click until its answer": answer, DONE: rest}


def _timed(act: Callable[[], object], count: list[int]) -> Cost:
    before, began = count[0], time.perf_counter()
    act()
    return Cost(Measured(time.perf_counter() - began, 0.0), count[0] - before)
