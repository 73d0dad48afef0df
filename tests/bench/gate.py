"""The gate's part of `make bench`: a whole `countersign gate check` against Python that makes one call with `requests`."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot.sandbox.serving import serving
from tests.builders import NOON, a_version
from tests.gate.approvals import answering, approval, key_file, tag_of

ROUNDS = 10
VERSION = a_version(7)


def gate_ratio() -> float:
    """Of processor time. Both ask the same server for the same answer; the gate verifies it as well."""
    tags = [{"key": tag_of(), "value": approval(VERSION)}]
    created = int(NOON.timestamp() * 1000)
    version = {"name": VERSION.model, "version": "7", "creation_timestamp": created, "tags": tags}
    with serving(answering({"model_version": version})) as url, tempfile.TemporaryDirectory() as directory:
        floor = [sys.executable, "-c", f"import requests; requests.get('{url}', timeout=10).json()"]
        check = ["gate", "check", f"models:/{VERSION.model}@champion", "--key", key_file(Path(directory))]
        gate = [sys.executable, "-m", "bot", *check]
        environ = {**os.environ, "MLFLOW_TRACKING_URI": url, "COUNTERSIGN_API_TOKEN": ""}
        processor_time(gate, environ), processor_time(floor, environ)  # the first start compiles
        return statistics.median(processor_time(gate, environ) / processor_time(floor, environ) for _ in range(ROUNDS))


def processor_time(command: Sequence[str], environ: dict[str, str]) -> float:
    """In seconds, of a child that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environ, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
