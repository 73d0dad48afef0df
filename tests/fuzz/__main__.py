"""`python -m tests.fuzz`: atheris on each parser; prints how many inputs each took, and what came of them.

A run ends after some seconds for each target, or with `--inputs` when all targets together have taken so many. An input that fails stays
in the current directory as `crash-...`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.fuzz.budget import SECONDS, Budget, budget_for
from tests.fuzz.targets import NAMES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--seconds", type=int, default=SECONDS, help=f"for each target; default: {SECONDS}")
    until.add_argument(
        "--inputs", type=int, help="of all targets together, shared out equally; such as 10000000 for a night"
    )
    parser.add_argument("--only", nargs="*", default=list(NAMES), choices=NAMES, metavar="TARGET")
    given = parser.parse_args()
    budget = budget_for(len(given.only), given.seconds, given.inputs)
    failed = [name for name in given.only if not run(name, budget)]
    print(f"{len(given.only)} targets, {len(failed)} failed: {', '.join(failed) or 'none'}")  # noqa: T201
    return 1 if failed else 0


def run(name: str, budget: Budget) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.child", name, *budget.words]
    done = subprocess.run(command, capture_output=True, check=False)
    print(done.stdout.decode().strip() or f"{name}: no count", flush=True)  # noqa: T201
    if done.returncode:
        print(done.stderr[-3000:].decode(errors="replace"))  # noqa: T201
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
