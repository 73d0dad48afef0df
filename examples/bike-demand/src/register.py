"""Registers the run that dvc.lock pins as a model version, and asks for its promotion. Comes after the lock's commit.

Training runs inside `dvc repro`, which writes dvc.lock only afterwards. So the commit that the code came from (tag
code_commit) is never the commit whose lock describes the run (tag git_commit). This script ties the two together, and
refuses whenever that would not be true (see refusals.py).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import yaml
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Run, RunTag
from refusals import (
    get_logged_model_id,
    get_pinned_run,
    pinned_md5,
    refuse_if_registered,
    refuse_unless_pinned,
    refuse_unless_trained_from_this,
)
from surroundings import git, require_tracking_server

LINEAGE = ("dvc.lock", "dvc.yaml", "params.yaml")


def bind(client: MlflowClient, run_id: str) -> None:
    """Leaves with the run what leads from it back to the code, the parameters and the data."""
    for path in LINEAGE:
        client.log_artifact(run_id, path, "lineage")
    tags = {
        "git_commit": git("rev-parse", "HEAD"),
        "dvc_lock_sha256": hashlib.sha256(Path("dvc.lock").read_bytes()).hexdigest(),
        "dvc_version": version("dvc"),
        "data_md5": pinned_md5("prepare", "data/raw.csv"),
    }
    client.log_batch(run_id, tags=[RunTag(key, text) for key, text in tags.items()])


def register(client: MlflowClient, name: str, run: Run, description: str) -> str:
    try:
        client.create_registered_model(name)
    except MlflowException as refusal:
        if refusal.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = get_logged_model_id(run)
    created = client.create_model_version(
        name, f"models:/{model_id}", run.info.run_id, description=description, await_creation_for=0, model_id=model_id
    )
    return str(created.version)


def alias_to_ask_with(ask: str) -> str:
    kind, _, alias = ask.partition(":")
    if kind != "alias" or not alias:
        raise argparse.ArgumentTypeError(f"{ask!r} is no way to ask. Write alias:NAME, for example alias:candidate")
    return alias


def main() -> None:
    parser = argparse.ArgumentParser(description="Register the run that dvc.lock pins, and ask for its promotion.")
    parser.add_argument("--ask", type=alias_to_ask_with, default="alias:candidate", metavar="alias:NAME")
    alias = parser.parse_args().ask
    require_tracking_server()

    refuse_unless_pinned()
    client = MlflowClient()
    run = get_pinned_run(client)
    refuse_unless_trained_from_this(run)
    refuse_if_registered(client, run.info.run_id)

    name = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["registered_model"]
    metrics = json.loads(Path("metrics.json").read_text(encoding="utf-8"))
    intention = git("log", "-1", "--format=%s", run.data.tags["code_commit"])
    figures = ", ".join(f"{metric} {figure}" for metric, figure in metrics.items())

    bind(client, run.info.run_id)
    number = register(client, name, run, f"{intention}. Held out: {figures}.")
    client.set_registered_model_alias(name, alias, number)  # last, so that whoever is asked finds everything in place

    print(f"register: models:/{name}/{number} is registered and asks for its promotion by the alias {alias}")
    commit = git("rev-parse", "HEAD")
    answer = {"model": name, "version": number, "run_id": run.info.run_id, "commit": commit, "metrics": metrics}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
