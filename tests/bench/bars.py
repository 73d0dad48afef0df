"""The bars of `make bench`: what is measured, how much it may be, and whether we say that it holds.

A bar that is said to hold and is missed makes the run fail. One that is known not to be met is printed as `not met`, and
`docs/benchmarks.md` names it; when it is met by now, the run says so, and `HOLDS` becomes true in the same change.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HOLDS, NOT_YET = True, False
TIMES = ("ms", "s", "/s", "of the rate", "refusals")  # their bars are for a machine that does nothing else
BUSY = 1.5  # times longer than on an idle machine


@dataclass(frozen=True)
class Bar:
    """At most `limit`, or at least. `unit` is "x" for a ratio."""

    row: str
    what: str
    limit: float
    unit: str = "x"
    holds: bool = HOLDS
    at_least: bool = False

    def is_met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def text(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.limit)}{self.unit_after}"

    @property
    def unit_after(self) -> str:
        return "x" if self.unit == "x" else f" {self.unit}" if self.unit else ""


@dataclass(frozen=True)
class Figure:
    """The samples of one run: the median counts. `scale` says how large it was, when the bar is about something larger.

    `slowdown` is what the machine's other work did to a computation when the row began: a time that was measured beside that is no proof.
    """

    bar: Bar
    samples: tuple[float, ...]
    scale: str = ""
    slowdown: float = 1.0

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def is_met(self) -> bool:
        return self.bar.is_met_by(self.value)

    @property
    def fails(self) -> bool:
        return self.bar.holds and not self.is_met and self.is_judged

    @property
    def is_judged(self) -> bool:
        return self.slowdown < BUSY or self.bar.unit not in TIMES

    @property
    def verdict(self) -> str:
        if not self.is_judged:
            return "machine too busy"
        if self.is_met:
            return "met" if self.bar.holds else "met, though not promised"
        return "MISSED" if self.bar.holds else "not met"

    @property
    def text(self) -> str:
        """The median, and in brackets the least and the most of several samples."""
        median = f"{number(self.value)}{self.bar.unit_after}"
        if len(self.samples) == 1:
            return median
        return f"{median} [{number(min(self.samples))} to {number(max(self.samples))}]"


def number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


BARS = {
    "ingest cpu": Bar("a", "webhook: processor time of a request, the database's too, against the floor", 2.0),
    "ingest rate": Bar("a", "webhook: requests a second against the floor", 0.5, at_least=True),
    "ingest p99": Bar("a", "webhook: p99 against the floor's p99", 2.0),
    "ingest refused": Bar("a", "webhook: answers other than 202", 0, "answers"),
    "ingest lost": Bar("a", "webhook: answered 202 and not stored", 0, "deliveries"),
    "slow p99": Bar("a'", "50 webhooks a second, every vendor 30 s slow: p99", 250, "ms"),
    "slow longest": Bar("a'", "50 webhooks a second, every vendor 30 s slow: the longest", 3_000, "ms"),
    "slow lost": Bar("a'", "50 webhooks a second, every vendor 30 s slow: not answered 202, or not stored", 0, "deliveries"),
    "card own p50": Bar("b", "webhook to card, vendors instant: the bot's own share, p50", 50, "ms", holds=NOT_YET),
    "card own p99": Bar("b", "webhook to card, vendors instant: the bot's own share, p99", 300, "ms"),
    "card p50": Bar("b", "webhook to card, vendors instant: all of it, p50", 500, "ms"),
    "card p95": Bar("b", "webhook to card, vendors instant: all of it, p95", 1_000, "ms"),
    "card total": Bar("b", "webhook to card, each vendor's call 100 ms: against the sum of its calls", 1.3),
    "click ack": Bar("c", "click to its answer: the bot's own share, p99", 300, "ms"),
    "click total": Bar("c", "click until the alias is set, each vendor's call 100 ms: against the sum of its calls", 1.3),
    "ask mlflow": Bar("counts", "one ask: MLflow calls", 15, "calls"),
    "ask transactions": Bar("counts", "one ask: SQL transactions of the effects and doors", 60, "transactions"),
    "ask jobs": Bar("counts", "one ask: effects run", 15, "effects"),
    # Two more: right before and after the move the versions are read too, so that none that was deleted meanwhile, or created again under
    # its number, gets the alias or counts as the one that was approved. `tests/e2e/notify/test_same_once.py` allows no third.
    "click calls": Bar("counts", "one click: calls to MLflow, Slack and Jira", 25, "calls", holds=NOT_YET),
    "click transactions": Bar("counts", "one click: SQL transactions of the effects and doors", 50, "transactions"),
    "click jobs": Bar("counts", "one click: effects run", 15, "effects"),
    "poll calls": Bar("d", "steady poll of 10,000 models, 100,000 versions: calls", 2, "calls"),
    "poll bytes": Bar("d", "steady poll: bytes", 0.2, "MB"),
    "poll share": Bar("d", "steady poll: the bytes of a full scan of 100,000 versions against its own", 300, at_least=True),
    "sweep calls": Bar("d", "steady sweep of aliases and tags: calls", 12, "calls"),
    "first sync": Bar("d", "first sync of all: calls", 25, "calls"),
    "first sync memory": Bar("d", "first sync of all: memory grown at the peak", 50, "MB"),
    "open sweep": Bar("sweep", "both sweeps with 500 requests open, nothing changed: MLflow calls", 25, "calls"),
    "files read": Bar("files", "a promotion from a bucket that keeps all versions: bytes of its files read against their size", 1.0),
    "digest cpu": Bar("e", "digest over 100,000 entries: processor time, the database's too, against its bare queries", 2.0),
    "digest time": Bar("e", "digest over 100,000 entries: all of it, with the verification of the ledger", 1.0, "s"),
    "digest memory": Bar("e", "digest over 100,000 entries closed with its files: memory grown", 20, "MB"),
    "chain": Bar("f", "ledger in memory: chain and columns verified, against one sha256 of the same bytes", 15.0),
    "audit": Bar("f", "`audit verify` from the database: processor time against reading and hashing the same rows", 15.0),
    "audit memory": Bar("f", "`audit verify`: memory grown", 50, "MB"),
    "audit found": Bar("f", "one byte changed at a random place: found", 1.0, "of all", at_least=True),
    "gate requests": Bar("g", "gate check: processor time against `requests.get`", 2.0),
    "gate mlflow": Bar("g", "gate check: processor time against `import mlflow`", 0.25),
    "gate modules": Bar("g", "gate check: modules of mlflow, flask, slack_sdk, slack_bolt and jira imported", 0, "modules"),
    "guarded write": Bar("guard", "a write to MLflow's registry through the guard: against the same without it", 1.2),
    "guarded write cpu": Bar("guard", "such a write: the server's processor time with its reports, against the same without it", 1.2),
    "guarded judged write": Bar("guard", "the same for a write that the guard judges by one more read", 1.2),
    "guarded judged write cpu": Bar("guard", "such a judged write: the server's processor time with its reports", 1.2, holds=NOT_YET),
    "guarded read": Bar("guard", "a read through the guard: against the same without it", 1.02),
    "guarded read cpu": Bar("guard", "such a read: the server's processor time", 1.02, holds=NOT_YET),
    "start help": Bar("starts", "`countersign --help`: processor time", 0.2, "s"),
    "start help ratio": Bar("starts", "`countersign --help`: processor time against `python -c pass`", 15),
    "start reading": Bar("starts", "`list`, `requests list`, `history` on an empty store: processor time", 0.5, "s", holds=NOT_YET),
    "web start": Bar("h", "web process ready: processor time against importing its libraries", 2.0),
    "web memory": Bar("h", "web process ready: memory against importing its libraries", 1.5),
    "web resident": Bar("h", "web process ready: memory", 110, "MB", holds=NOT_YET),
    "worker resident": Bar("h", "worker ready: memory", 110, "MB"),
    "clock resident": Bar("h", "clock ready: memory", 70, "MB", holds=NOT_YET),
    "app imports": Bar("h", "`import bot.app`: processor time against importing its libraries", 1.3, holds=NOT_YET),
    "web growth": Bar("h", "web process: memory grown by 10,000 webhooks after the first 10,000", 5, "MB"),
    "replicas": Bar("i", "webhooks, one to two processes: scaling against the floor's scaling", 0.85, at_least=True),
    "replicas doubled": Bar("i", "1,000 deliveries sent to both at once: stored twice, lost, or answered other than 202", 0, "deliveries"),
    "workers": Bar("workers", "jobs, one to two workers: scaling against the floor's scaling", 0.85, at_least=True),
    "workers doubled": Bar("workers", "jobs run twice, or lost, by two workers", 0, "jobs"),
    "pace share": Bar("j", "backlog in one channel: share of Slack's one a second", 0.95, "of the rate", at_least=True),
    "pace refused": Bar("j", "backlog in one channel: answers of 429", 0, "refusals"),
    "pace beside": Bar("j", "somebody else's approval in the middle of it: from the click to the moved alias", 10, "s"),
    "pace ten": Bar("j", "backlog in ten channels: messages a second", 9.0, "/s", holds=NOT_YET, at_least=True),
    "pace ten refused": Bar("j", "backlog in ten channels: answers of 429", 0, "refusals"),
    "records list": Bar("records", "`requests list --limit 5` with 100,000 ended requests", 1.2, "s"),
    "records list memory": Bar("records", "`requests list`: memory against the same command with none", 1.3),
    "records replay memory": Bar("records", "`policy replay --since 90d`: memory against the same command with none", 1.3),
    "records history": Bar("records", "`history` with 1 M ledger entries", 1.3, "s"),
    "records report": Bar("records", "`fast-track report` with 1 M ledger entries", 1.3, "s", holds=NOT_YET),
    "lost": Bar("others", "the fault script: asks and approvals lost by Countersign", 0, ""),
    "doubled": Bar("others", "the fault script: doubled by Countersign", 0, ""),
    "let through": Bar("others", "the fault script: let through unapproved by Countersign", 0, ""),
}  # fmt: skip


def figure(key: str, samples: Sequence[float] | float, scale: str = "") -> Figure:
    given = (samples,) if isinstance(samples, int | float) else tuple(samples)
    return Figure(BARS[key], tuple(float(one) for one in given), scale)
