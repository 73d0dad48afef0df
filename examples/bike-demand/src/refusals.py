"""The reasons not to register a run. Each refusal says what is wrong, why it matters, and how to mend it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NoReturn

import yaml
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Run
from surroundings import SHAPES_THE_MODEL, git

AGAIN = "commit what it leaves, and register again"


def refuse(wrong: str, why: str, mend: str) -> NoReturn:
    raise SystemExit(f"register: {wrong}. {why}. Fix: {mend}.")


def pinned_md5(stage: str, path: str) -> str:
    stages = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    entries = stages[stage]["deps"] + stages[stage]["outs"]
    return str(next(entry["md5"] for entry in entries if entry["path"] == path))


def refuse_unless_pinned() -> None:
    if not Path("dvc.lock").exists():
        refuse("there is no dvc.lock here", "Nothing has been trained yet", f"run `dvc repro`, {AGAIN}")
    if changes := git("status", "--porcelain"):
        where = ", ".join(line[3:] for line in changes.splitlines())
        why = "The version would name a commit that does not hold what is here"
        refuse(f"uncommitted changes in {where}", why, f"run `dvc repro`, {AGAIN}")
    for stage, result in (("train", "mlflow_run.json"), ("evaluate", "metrics.json")):
        if pinned_md5(stage, result) != hashlib.md5(Path(result).read_bytes(), usedforsecurity=False).hexdigest():
            why = "The lock belongs to another run and does not say what this one was trained on"
            refuse(f"dvc.lock pins another {result}", why, f"run `dvc repro --force`, {AGAIN}")


def get_pinned_run(client: MlflowClient) -> Run:
    run_id = json.loads(Path("mlflow_run.json").read_text(encoding="utf-8"))["run_id"]
    try:
        return client.get_run(run_id)
    except MlflowException as missing:
        if missing.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        mend = f"correct MLFLOW_TRACKING_URI, or run `dvc repro --force`, {AGAIN}"
        refuse(f"the MLflow server has no run {run_id}", "It was trained against another server, or deleted", mend)


def get_logged_model_id(run: Run) -> str:
    if not run.outputs or not run.outputs.model_outputs:
        mend = f"run `dvc repro --force`, {AGAIN}"
        refuse(f"run {run.info.run_id} logged no model", "There is nothing to register", mend)
    return str(run.outputs.model_outputs[-1].model_id)


def refuse_unless_trained_from_this(run: Run) -> None:
    which, tags = f"run {run.info.run_id}", run.data.tags
    if (run.info.status, run.info.lifecycle_stage) != ("FINISHED", "active"):
        state = f"{run.info.status} and {run.info.lifecycle_stage}"
        refuse(f"{which} is {state}", "Only a whole run can be vouched for", f"run `dvc repro --force`, {AGAIN}")
    if tags.get("git_dirty") != "false":
        why = "Its commit does not describe the code that ran"
        refuse(f"{which} was trained with uncommitted changes", why, f"commit them, run `dvc repro --force`, {AGAIN}")
    if changed := git("diff", "--name-only", tags["code_commit"], "HEAD", "--", *SHAPES_THE_MODEL):
        where = ", ".join(changed.splitlines())
        why = "HEAD does not hold the code and parameters of that run"
        refuse(f"changed since {which} was trained: {where}", why, f"run `dvc repro --force`, {AGAIN}")


def refuse_if_registered(client: MlflowClient, run_id: str) -> None:
    for earlier in client.search_model_versions(f"run_id = '{run_id}'"):
        mend = f"change the parameters, the code or the data, commit, run `dvc repro`, {AGAIN}"
        refuse(f"run {run_id} is {earlier.name} version {earlier.version} already", "One run makes one version", mend)
