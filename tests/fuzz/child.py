"""One run of atheris on one target. `python -m tests.fuzz` starts it as a separate process, because libFuzzer would end ours."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import atheris

from tests.fuzz.budget import Budget, read_budget

LARGEST = 4096  # bytes
SLOWEST = 25  # seconds for one input

with atheris.instrument_imports(include=["bot", "handlers", "config", "slack_bolt"], enable_loader_override=False):
    from tests.fuzz.targets import opened, seeds_of


def fuzz(name: str, budget: Budget) -> None:
    logging.disable()
    counts: Counter[str] = Counter()
    taken = 0
    stack = ExitStack()
    target = stack.enter_context(opened(name))
    corpus = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-fuzz-")))
    for number, seed in enumerate(seeds_of(name)):
        (corpus / str(number)).write_bytes(seed)
    began = time.monotonic()

    def one(body: bytes) -> None:
        nonlocal taken
        counts[target(body)] += 1
        taken += 1
        if budget.is_spent(time.monotonic() - began, taken):
            say()
            os._exit(0)

    def say() -> None:
        answers = ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items()))
        print(f"{name}: {taken:,} inputs in {time.monotonic() - began:.0f} s; {answers}", file=report, flush=True)
        stack.close()

    words = [f"-max_len={LARGEST}", f"-timeout={SLOWEST}"]
    atheris.Setup([sys.argv[0], str(corpus), *words], one)
    atheris.Fuzz()


if __name__ == "__main__":
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the product logs each refusal to stdout
    fuzz(sys.argv[1], read_budget(*sys.argv[2:4]))
