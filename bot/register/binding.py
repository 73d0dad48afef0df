"""What registering writes: the run's lineage files and tags, the version, and last the alias that opens a request.

All of it is safe to repeat: one run makes one version, and the same call finds that version again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from posixpath import basename, dirname
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot.clients.mlflow.files.run_files import FOLDER, RUN_FILE, content_in
from bot.clients.mlflow.files.stores import opened_at
from bot.clients.mlflow.http import AlreadyThere, writing
from bot.clients.mlflow.provenance import BOUND_COMMIT, CODE_COMMIT, ENVIRONMENT, LOCK_PATH
from bot.domain.evidence.dvc_lock import LOCK, sha256_of
from bot.errors import Refused
from bot.register.findings import Finding
from bot.register.run import MISSING
from bot.register.workbench import Workbench

if TYPE_CHECKING:
    from mlflow import MlflowClient

COMMIT_AUTHOR = "countersign.commit_author"
IMPORTS = "imports"
NOTHING = "nothing"  # in MLflow an empty tag looks like a missing one


def refuse_if_bound_elsewhere(bench: Workbench, name: str) -> None:
    """One run, one commit, one version; raises Refused."""
    others = [one for one in bench.run.versions if one.name != name]
    if others:
        raise Refused(
            f"run {bench.run.id} is {others[0].name} version {others[0].version} already. One run makes one version. "
            f"Fix: register it as that one with --name {others[0].name}; or, for another version, change the parameters, the code or "
            f"the data, commit, {bench.fixes.retrain}."
        )
    bound = bench.run.tag(BOUND_COMMIT)
    if bench.run.versions and bench.run.is_registered and bound and bound != bench.commit:
        raise Refused(
            f"run {bench.run.id} is {name} version {bench.run.versions[0].version} already, bound to commit {bound[:8]} and not to "
            f"{bench.commit[:8]}. One run has one commit. Fix: {_checkout(bench, bound)}, and register again; or {bench.fixes.retrain}."
        )


def _checkout(bench: Workbench, commit: str) -> str:
    fetch = "" if bench.repository.knows(commit) else f"`git fetch {bench.repository.remote or 'origin'} {commit}`, "
    return f"{fetch}`git checkout {commit[:8]}`, {bench.fixes.commands.dvc('checkout')}{bench.fixes.commands.where}"


def bind(bench: Workbench, findings: tuple[Finding, ...], client: MlflowClient) -> None:
    """Records with the run where its code, parameters and data come from.

    Only what is not there yet: once the version is asked for, the server's guard lets nobody write to the run.
    """
    _log_files(bench, client)
    new = {key: text for key, text in tags_of(bench, findings).items() if bench.run.tag(key) != text}
    for key, text in new.items():
        with writing(f"setting tag {key} on run {bench.run.id}"):
            client.set_tag(bench.run.id, key, text)


def tags_of(bench: Workbench, findings: tuple[Finding, ...]) -> dict[str, str]:
    code = bench.code_commit
    tags = {
        CODE_COMMIT: code,
        COMMIT_AUTHOR: bench.repository.author_of(code) if code else "",
        ENVIRONMENT: bench.run.environment,
        MISSING: ", ".join(sorted({one.part for one in findings})) or NOTHING,
        BOUND_COMMIT: bench.commit,
    }
    if bench.pipeline is not None:
        tags |= {
            LOCK_PATH: bench.lock_path,
            "dvc_lock_sha256": sha256_of(bench.pipeline.text),
            "dvc_version": bench.dvc.version(),
            "data_md5": bench.data_md5,
        }
    return {key: text for key, text in tags.items() if text}


def register(bench: Workbench, name: str, client: MlflowClient) -> int:
    """The version's number: a new one, or the one that this run already made."""
    if bench.run.versions:
        return int(bench.run.versions[0].version)
    with suppress(AlreadyThere), writing(f'creating model "{name}"'):
        client.create_registered_model(name)
    source = bench.run.source
    if source is None:
        raise Refused(
            f"run {bench.run.id} logged no model. There is nothing to register. Fix: log one, and train again."
        )
    with writing(f"registering run {bench.run.id} as a version of {name}"):
        made = client.create_model_version(
            name,
            source.uri,
            bench.run.id,
            description=_description(bench),
            await_creation_for=0,
            model_id=source.id or None,
        )
    return int(made.version)


def ask_by_alias(name: str, alias: str, number: int, client: MlflowClient) -> None:
    with writing(f"setting alias {alias} of {name} to v{number}"):
        client.set_registered_model_alias(name, alias, str(number))


def _log_files(bench: Workbench, client: MlflowClient) -> None:
    """Logs the files under the names that the bot reads, which may differ from their names here."""
    root = bench.run.run.info.artifact_uri or ""
    with opened_at(root, client, f"reading the lineage of run {bench.run.id}", (root,)) as there:
        for path, target in _files_of(bench).items():
            if content_in(there, target) != path.read_bytes():
                _log_file(path, target, bench.run.id, client)


def _files_of(bench: Workbench) -> dict[Path, str]:
    """By where they are here, where they belong among the run's artifacts."""
    imports = {path: f"{FOLDER}/{IMPORTS}/{bench.repository.from_top(path)}" for path in bench.imports()}
    if bench.pipeline is None:
        return imports
    folder = bench.repository.folder
    texts = {folder / name: f"{FOLDER}/{name}" for name in (LOCK, "dvc.yaml", "params.yaml")}
    texts[folder / bench.run_file] = f"{FOLDER}/{RUN_FILE}"
    return imports | {path: target for path, target in texts.items() if path.is_file()}


def _log_file(path: Path, target: str, run_id: str, client: MlflowClient) -> None:
    with TemporaryDirectory(prefix="countersign-") as temporary:
        copy = Path(temporary, basename(target))
        copy.write_bytes(path.read_bytes())
        with writing(f"logging {target} with run {run_id}"):
            client.log_artifact(run_id, str(copy), dirname(target))


def _description(bench: Workbench) -> str:
    intention = bench.repository.subject_of(bench.code_commit) if bench.code_commit else ""
    figures = ", ".join(f"{name} {figure:.6g}" for name, figure in sorted(bench.run.figures.items()))
    said = [intention.rstrip(".") or "Registered without a commit", figures]
    return " ".join(f"{part}." for part in said if part)
