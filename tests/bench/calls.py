"""`python -m tests.bench.calls`: what one request costs, from the ask to the card and from the click to the moved target.

With `--each` also every statement, transaction and call of MLflow, by run of an effect, with who made it; `again` marks what the same run
had done before.

Counts, not seconds: they are the same on every machine. Needs no network; starts its own PostgreSQL, MLflow, Slack and Jira.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bot.domain.model import DEFAULT_WORKSPACE
from bot.sandbox.mlflow_server import running_mlflow
from handlers.registry.reconcile import defer_look
from tests.bench.database import database
from tests.fixtures.call_counts import CallCounts, Tally, counting
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation, running_installation

MODEL = "bike-demand"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="countersign-calls-") as directory:
        asked, clicked = measure(Path(directory))
    if "--each" in sys.argv[1:]:
        print("\n".join(["THE ASK", *each(asked), "", "THE CLICK", *each(clicked), ""]))  # noqa: T201
    print(table(asked, clicked))  # noqa: T201
    return 0


def measure(home: Path) -> tuple[Tally, Tally]:
    """The ask until its card and ticket are there, then the click until the target has moved and all is quiet."""
    with (
        database() as url,
        running_mlflow(home / "mlflow") as mlflow_url,
        fault_proxy(mlflow_url) as (proxy_url, faults),
        running_installation(url, mlflow_url, proxy_url, MODEL, home, {}) as installation,
        counting(installation, faults) as counts,
    ):
        installation.sweep()  # the baseline
        asked = ask(installation, counts)
        return asked, click(installation, counts)


def ask(installation: Installation, counts: CallCounts) -> Tally:
    """As after MLflow's webhook. The sweeps find the same, and cost what they cost for any number of asks."""
    installation.ask(installation.register())
    tally = counts.start()
    with installation.s.store.transaction() as tx:
        defer_look(tx, DEFAULT_WORKSPACE, installation.model)
    counts.settle_all()
    return tally


def click(installation: Installation, counts: CallCounts) -> Tally:
    (request,) = installation.requests()
    tally = counts.start()
    installation.click("ana", request, "approve")
    counts.settle_all()
    if installation.champion() != request.version.version:
        raise RuntimeError("the click did not move the target, so its figures mean nothing")
    return tally


def each(tally: Tally) -> list[str]:
    lines = []
    for step in tally.steps:
        lines.append(f"{step.effect:16} {step.kind:12} {'again' if step.again else '':6} {step.what[:200]}")
        lines.append(f"{'':36} {' < '.join(step.callers[:6])}")
    return lines


def table(asked: Tally, clicked: Tally) -> str:
    """Totals first, then each effect and each vendor's method."""
    lines = [f"{'':44}{'ask':>8}{'click':>8}"]
    lines += [
        _line("effects", asked.effects.total(), clicked.effects.total()),
        _line("transactions", asked.transactions.total(), clicked.transactions.total()),
        _line("statements", asked.statements.total(), clicked.statements.total()),
        _line("requests read by id", asked.request_reads, clicked.request_reads),
        _line("policy reads", asked.policy_reads, clicked.policy_reads),
        _line("chat.update equal to the one before", asked.equal_updates, clicked.equal_updates),
    ]
    for vendor in ("slack", "jira", "mlflow"):
        lines.append(_line(f"{vendor} calls", getattr(asked, vendor).total(), getattr(clicked, vendor).total()))
        methods = sorted({*getattr(asked, vendor), *getattr(clicked, vendor)})
        lines += [_line(f"  {name}", getattr(asked, vendor)[name], getattr(clicked, vendor)[name]) for name in methods]
    lines.append("transactions by effect (times run)")
    for name in sorted({*asked.transactions, *clicked.transactions}):
        runs = (f"{one.transactions[name]} ({one.effects[name]})" for one in (asked, clicked))
        lines.append(_line(f"  {name}", *runs))
    return "\n".join(lines)


def _line(what: str, *figures: object) -> str:
    return f"{what:44}" + "".join(f"{figure!s:>8}" for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
