"""Row g: a whole `countersign gate check` against Python that makes one call with `requests`, and against `import mlflow`.

The MLflow that is installed for the tests is the whole one, whose import may cost more than that of `mlflow-skinny`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot.sandbox.serving import serving
from tests.bench.bars import Figure, figure
from tests.bench.machine import cost_of
from tests.builders import NOON, a_version
from tests.gate.approvals import answering, approval, key_file, tag_of

ROUNDS = 10
VERSION = a_version(7)
NEVER = re.compile(r"\|\s+(mlflow|flask|slack_sdk|slack_bolt|jira)$", re.MULTILINE)


def gate() -> Iterator[Figure]:
    """Of processor time. The check and `requests` ask the same server for the same answer; the gate verifies it as well."""
    tags = [{"key": tag_of(), "value": approval(VERSION)}]
    created = int(NOON.timestamp() * 1000)
    version = {"name": VERSION.model, "version": "7", "creation_timestamp": created, "tags": tags}
    with serving(answering({"model_version": version})) as url, tempfile.TemporaryDirectory() as directory:
        floor = [sys.executable, "-c", f"import requests; requests.get('{url}', timeout=10).json()"]
        check = ["-m", "bot", "gate", "check", f"models:/{VERSION.model}@champion", "--key", key_file(Path(directory))]
        environ = {**os.environ, "MLFLOW_TRACKING_URI": url, "COUNTERSIGN_API_TOKEN": ""}
        commands = [[sys.executable, *check], floor, [sys.executable, "-c", "import mlflow"]]
        for command in commands:
            cost_of(command, environ)  # the first start compiles
        rounds = [[cost_of(command, environ)[1] for command in commands] for _ in range(ROUNDS)]
        log = subprocess.run(
            [sys.executable, "-X", "importtime", *check], env=environ, check=True, capture_output=True, text=True
        ).stderr
    yield figure("gate requests", [ours / least for ours, least, _ in rounds])
    yield figure("gate mlflow", [ours / mlflow for ours, _, mlflow in rounds])
    yield figure("gate modules", len(NEVER.findall(log)))
