"""`python -m tests.fuzz`: atheris on each parser for a bounded time; prints how many inputs each took, and what came of them.

An input that fails stays in the current directory as `crash-...`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.fuzz.targets import NAMES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=10, help="for each target; default: 10")
    parser.add_argument("--only", nargs="*", default=list(NAMES), choices=NAMES, metavar="TARGET")
    given = parser.parse_args()
    failed = [name for name in given.only if not run(name, given.seconds)]
    print(f"{len(given.only)} targets, {len(failed)} failed: {', '.join(failed) or 'none'}")  # noqa: T201
    return 1 if failed else 0


def run(name: str, seconds: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.child", name, str(seconds)]
    done = subprocess.run(command, capture_output=True, check=False)
    print(done.stdout.decode().strip() or f"{name}: no count", flush=True)  # noqa: T201
    if done.returncode:
        print(done.stderr[-3000:].decode(errors="replace"))  # noqa: T201
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
