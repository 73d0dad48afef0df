"""Runs pytest again and again in forked children, so that other people's packages are imported once: `python -m tests.mutants.forking`.

It reads a line of JSON for each run from its input, and answers with a line when that run has ended. It imports nothing of ours itself,
so each child sees the files as they are then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

# Those that take long. None of them is a plugin of pytest, which has to import its plugins itself.
PACKAGES = (
    *(
        "mlflow",
        "mlflow.tracking",
        "sqlalchemy.dialects.postgresql",
        "alembic.command",
        "procrastinate",
        "psycopg",
        "flask",
    ),
    *(
        "slack_bolt",
        "slack_sdk.socket_mode",
        "jira",
        "pydantic",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "webauthn",
    ),
    *(
        "matplotlib.figure",
        "requests",
        "structlog",
        "apscheduler.schedulers.background",
        "securesystemslib.signer",
        "babel.messages",
    ),
    *("prometheus_client", "rfc8785", "waitress", "yaml", "werkzeug.serving", "numpy", "pandas"),
)
TO_END = 60.0  # seconds in which the tests stop their servers after they were stopped


def main() -> None:
    for package in PACKAGES:
        import_module(package)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_pytest(asked["arguments"], asked["output"]))
        _wait(child, asked["longest"])
        print("ended", flush=True)


def _pytest(arguments: list[str], output: str) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    with Path(output).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    import pytest

    code = int(pytest.main(arguments))
    sys.stdout.flush()
    return code


def _wait(child: int, longest: float) -> None:
    """Stops a run that takes too long, first as Ctrl+C does, so that the tests stop what they have started."""
    for seconds, number in ((longest, signal.SIGINT), (TO_END, signal.SIGKILL)):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(0.05)
        os.killpg(child, number)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
