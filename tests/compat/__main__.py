"""`make compat`: the tests of the registry, of webhooks, of a promotion and of the guard against three real servers, and a table of what
was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from bot.clients.mlflow.checkup import FEATURES, missing
from tests.compat.servers import GUARDED, NEWEST, RELEASES, interpreter_of

TESTS = (
    "tests/clients/mlflow",
    "tests/contracts/test_webhook_signature.py",
    "tests/e2e/request/test_promotion.py",
    "tests/e2e/registry/test_moves_by_hand.py",
    "tests/e2e/registry/test_webhook.py",
)
GUARD = (
    "tests/guard/test_bypass.py",
    "tests/guard/test_spellings.py",
)
WORKSPACES = ("tests/guard/test_workspaces.py",)
"""For a release whose server has workspaces; 3.8 has none."""
NO_GUARD = ("tests/guard/test_unknown_mlflow.py",)
"""For a release that the guard does not know."""
BASIC_AUTH = "tests/clients/mlflow/test_basic_auth.py"  # starts a server of its own
OUTCOMES = ("passed", "failed", "error", "skipped")


@dataclass(frozen=True)
class Result:
    version: str
    outcomes: Counter[str]
    reasons: Counter[str]

    @property
    def is_good(self) -> bool:
        return not self.outcomes["failed"] and not self.outcomes["error"] and self.outcomes["passed"] > 0


def run(release: str, options: list[str]) -> Result:
    python = interpreter_of(release)
    asked = [python, "-c", "import importlib.metadata as m; print(m.version('mlflow'))"]
    version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    print(f"MLflow {version}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", f"--ignore={BASIC_AUTH}"]
        guard = GUARD if release in GUARDED else NO_GUARD
        tests = (*TESTS, *guard, *(WORKSPACES if release == NEWEST else ()))
        subprocess.run([*command, *options, *tests], env={**os.environ, "MLFLOW_OF": str(python)}, check=False)
        return read(version, report)


def read(version: str, report: Path) -> Result:
    """pytest's own report, written a moment before."""
    outcomes, reasons = Counter[str](), Counter[str]()
    for case in ElementTree.parse(report).iter("testcase"):
        found = {child.tag: child for child in case}
        kind = {"failure": "failed", "error": "error", "skipped": "skipped"}
        outcome = next((said for tag, said in kind.items() if tag in found), "passed")
        outcomes[outcome] += 1
        if outcome == "skipped":
            reasons[found["skipped"].get("message", "")] += 1
    return Result(version, outcomes, reasons)


def print_table(results: list[Result]) -> None:
    lines = [("", *(result.version for result in results))]
    lines += [(outcome, *(str(result.outcomes[outcome]) for result in results)) for outcome in OUTCOMES]
    for feature in FEATURES:
        has = ("no" if feature in missing(result.version) else "yes" for result in results)
        lines.append((f"{feature.name} (since {'.'.join(map(str, feature.since))})", *has))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())
    for result in results:
        for feature in missing(result.version):
            print(f"MLflow {result.version} has no {feature.name}, so {feature.without}.")
        for reason, count in sorted(result.reasons.items()):
            print(f"MLflow {result.version}: {count} tests left out: {reason}")


def main() -> int:
    results = [run(release, sys.argv[1:]) for release in RELEASES]
    print_table(results)
    return 0 if all(result.is_good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
