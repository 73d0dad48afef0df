"""`make mutants`: plants each bug in a copy of the tree and runs the tests that must notice it.

First the tests run without a bug. Ends with 1 unless each planted bug fits the code and fails each of its tests. A test that cannot be set
up, or that does not end, has noticed nothing.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.mutants import doors, moves, records, votes
from tests.mutants.planted import DoesNotApply, Mutant, check_applies, planted
from tests.mutants.running import LONGEST, ROOT, Copy, copied, shared_database

MUTANTS = (*votes.MUTANTS, *moves.MUTANTS, *records.MUTANTS, *doors.MUTANTS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="mutants whose name contains this")
    parser.add_argument("--list", action="store_true", help="print them, and run nothing")
    parser.add_argument(
        "--copies", type=int, default=2, help="how many run at a time, each in its own copy; 2 unless given"
    )
    asked = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if asked.only in mutant.name]
    if not chosen:
        parser.error(f'no mutant has "{asked.only}" in its name; --list prints all')
    if asked.list:
        for mutant in chosen:
            print(f"{mutant.name}: {mutant.wrong} ({mutant.file})")
        return 0
    return int(not run_all(chosen, max(1, asked.copies)))


def run_all(mutants: Sequence[Mutant], count: int) -> bool:
    """Prints each result as it comes; True when all fit and all are caught."""
    begun = time.monotonic()
    fitting = [mutant for mutant in mutants if fits(mutant)]
    tests = sorted({test for mutant in fitting for test in mutant.tests})
    with tempfile.TemporaryDirectory(prefix="countersign-mutants-") as folder, ExitStack() as stack:
        database = stack.enter_context(shared_database())
        copies = [stack.enter_context(copied(Path(folder) / str(number), database)) for number in range(count)]
        passed = copies[0].run(tests, 4 * LONGEST).passed
        if broken := [test for test in tests if test not in passed]:
            print("These tests do not pass without a planted bug, so they prove nothing:", *broken, sep="\n  ")
            return False
        print(f"{len(tests)} tests pass without a planted bug, after {time.monotonic() - begun:.0f} s", flush=True)
        caught = sum(run_beside(fitting, copies))
    print(f"{caught} of {len(mutants)} planted bugs are caught, in {time.monotonic() - begun:.0f} s")
    return caught == len(mutants)


def fits(mutant: Mutant) -> bool:
    try:
        check_applies(ROOT, mutant)
    except DoesNotApply as why:
        print(f"DOES NOT APPLY   {mutant.name}: {why}", flush=True)
        return False
    return True


def run_beside(mutants: Sequence[Mutant], copies: Sequence[Copy]) -> list[bool]:
    """One thread for each copy. Returns for each mutant whether it is caught."""
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    results: list[bool] = []

    def work(copy: Copy) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            results.append(is_caught(mutant, copy))

    threads = [threading.Thread(target=work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def is_caught(mutant: Mutant, copy: Copy) -> bool:
    begun = time.monotonic()
    with planted(copy.root, mutant):
        outcome = copy.run(mutant.tests)
    unnoticed = [test for test in mutant.tests if test not in outcome.failed]
    verdict, seconds = "SURVIVED" if unnoticed else "caught", time.monotonic() - begun
    lines = [f"{verdict:<9} {seconds:>4.0f} s  {mutant.name}: {mutant.wrong}"]
    print("\n".join([*lines, *(f"          not noticed by {test}" for test in unnoticed)]), flush=True)
    return not unnoticed


if __name__ == "__main__":
    sys.exit(main())
