"""`countersign register`: run in the training repository after `dvc repro`, the commit, `git push` and `dvc push`."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from bot.commands.asking.options import target_of
from bot.commands.asking.over_http import asks_over_http, place_in, post
from bot.commands.context import settings_for, telling_mistakes
from bot.commands.output.printing import print_json, say
from bot.domain.evidence.dvc_lock import LOCK
from bot.domain.model import Target, TargetKind
from bot.errors import Refused
from config.settings import Need, Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from bot.register.findings import Finding
    from bot.register.workbench import Workbench

PARAMS = "params.yaml"
NAME_IN_PARAMS = "registered_model"


@dataclass(frozen=True)
class Wanted:
    """The command's options. `ask` is an alias that requests a target; `to` is the target requested over the bot's API."""

    folder: Path
    run_id: str
    run_file: str
    model: str
    name: str
    ask: str
    to: Target | None
    comment: str
    dry_run: bool
    as_json: bool


@click.command()
@click.option("--name", default="", help=f"Registered model. Default: {NAME_IN_PARAMS} in {PARAMS}.")
@click.option(
    "--ask", default="", metavar="alias:NAME", help="Set this alias last; a rule's ask_on makes a request of it."
)
@click.option(
    "--to", "target", default="", metavar="TARGET", help="Ask the bot over its API, for example for alias:champion."
)
@click.option("--comment", default="", help="Why, with --to; the approvers read it on the card.")
@click.option(
    "--lock-dir",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where dvc.lock lies.",
)
@click.option("--run", "run_id", default="", help="The run's id, for a training that writes none, or that has no DVC.")
@click.option("--run-file", default="mlflow_run.json", show_default=True, help="Where the training left its run's id.")
@click.option("--model", default="", help="Which of the run's models, by its name or id, when it logged several.")
@click.option("--dry-run", is_flag=True, help="Check everything and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@telling_mistakes
def register(
    name: str,
    ask: str,
    target: str,
    comment: str,
    lock_dir: Path,
    run_id: str,
    run_file: str,
    model: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Register the run that dvc.lock pins as a model version, and request its target.

    Refuses unless commit, dvc.lock and run belong together and others can fetch them. Reports all mistakes at once, and how to fix
    them.
    """
    if ask and target:
        raise click.UsageError("--ask and --to are two ways to ask. Choose one of them")
    to = target_of(target) if target else None
    settings = settings_for(Need.REGISTRY)
    if to and not asks_over_http(settings):
        raise click.UsageError(
            "--to asks the bot, so set COUNTERSIGN_URL and COUNTERSIGN_API_TOKEN. Or use --ask alias:NAME"
        )
    folder = lock_dir.resolve()
    wanted = Wanted(
        folder,
        run_id.strip(),
        run_file,
        model.strip(),
        name or _name_in_params(folder),
        _alias(ask),
        to,
        comment,
        dry_run,
        as_json,
    )
    _register(wanted, settings)


def _register(wanted: Wanted, settings: Settings) -> None:
    """Runs all checks first, and writes only when none of them refuses."""
    from bot.clients.mlflow.http import open_client
    from bot.register import binding, checks

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client = open_client(settings.mlflow_tracking_uri, timeout=60)
    bench = _workbench(wanted, client)
    if wanted.to and not bench.repository.user_email:
        raise click.UsageError("git does not know who asks. Set git's user.email to the address that Slack knows")
    findings = checks.check(bench)
    _refuse_for(findings)
    binding.refuse_if_bound_elsewhere(bench, wanted.name)
    if wanted.dry_run:
        _say_missing(findings)
        told = (
            f"Nothing stands against registering run {bench.run.id} as a version of {wanted.name}; nothing was written."
        )
        as_said = {"model": wanted.name, "run_id": bench.run.id, "dry_run": True}
        print_json(as_said, in_one_line=True) if wanted.as_json else say(told)
        return
    binding.bind(bench, findings, client)
    number = binding.register(bench, wanted.name, client)
    asked = _ask(wanted, bench, number, client, settings)
    _say_missing(findings)
    _say_done(wanted, bench, number, asked)


def _workbench(wanted: Wanted, client: MlflowClient) -> Workbench:
    from bot.domain.evidence.training_commands import Commands
    from bot.register.findings import Fixes
    from bot.register.pipeline import Dvc, Pipeline, SpoiltFile
    from bot.register.repository import Repository
    from bot.register.run import find_trained_run
    from bot.register.workbench import Workbench

    repository = Repository(wanted.folder)
    has_lock = (wanted.folder / LOCK).is_file()
    commands = Commands.beside(repository.from_top(wanted.folder / LOCK))
    fixes = Fixes(commands, repository.push_command, has_dvc=has_lock)
    try:
        pipeline = Pipeline.read(wanted.folder) if has_lock else None
    except SpoiltFile as spoilt:
        path = repository.from_top(wanted.folder / spoilt.file)
        again = f"Fix: `git checkout HEAD -- {quote(path)}`, and register again"
        or_train = f"; or `rm {quote(path)}`, {fixes.retrain}" if spoilt.file == LOCK else ""
        raise Refused(f"{spoilt.file} {spoilt}. It pins nothing. {again}{or_train}.") from spoilt
    run_id = wanted.run_id or _run_id_here(wanted)
    run = find_trained_run(client, run_id, wanted.model)
    if run is None:
        raise Refused(
            f"the MLflow server has no run {run_id}. It was trained against another server, or deleted. "
            f"Fix: correct MLFLOW_TRACKING_URI, or {fixes.retrain}."
        )
    return Workbench(repository, pipeline, Dvc(wanted.folder), wanted.run_file, run)


def _run_id_here(wanted: Wanted) -> str:
    from bot.domain.evidence.lineage import run_named_in

    if not (wanted.folder / LOCK).is_file():
        raise Refused(
            f"there is no {LOCK} here. Nothing tells which run is meant. "
            "Fix: name its folder with --lock-dir; run `dvc repro` where dvc.yaml is, and commit; or, without DVC, name the run with --run."
        )
    path = wanted.folder / wanted.run_file
    run_id = run_named_in(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""
    if not run_id:
        raise Refused(
            f"there is no run's id in {wanted.run_file}. {LOCK} pins no run without it. "
            "Fix: let the training write it there as an output, train again and commit; or name another file with --run-file."
        )
    return run_id


def _refuse_for(findings: tuple[Finding, ...]) -> None:
    against = [one.sentence for one in findings if one.refuses]
    if against:
        raise Refused("\n".join(against))


def _ask(wanted: Wanted, bench: Workbench, number: int, client: MlflowClient, settings: Settings) -> str:
    """The last step, so that approvers find everything in place."""
    from bot.register.binding import ask_by_alias

    if wanted.ask:
        ask_by_alias(wanted.name, wanted.ask, number, client)
        return f" and asks by the alias {wanted.ask}"
    if wanted.to is None:
        return ""
    body = {
        "name": wanted.name,
        "version": number,
        "to": str(wanted.to),
        "comment": wanted.comment,
        "requester": bench.repository.user_email,
        **place_in("", settings, os.environ),
    }
    opened = post("/api/requests", body, settings)
    return f" and asks for {opened['target']}: {opened['state']}"


def _say_missing(findings: tuple[Finding, ...]) -> None:
    for one in findings:
        say(f"missing: {one.sentence}", err=True)


def _say_done(wanted: Wanted, bench: Workbench, number: int, asked: str) -> None:
    if not wanted.as_json:
        say(f"models:/{wanted.name}/{number} is registered{asked}.")
        return
    answer = {
        "model": wanted.name,
        "version": str(number),
        "run_id": bench.run.id,
        "commit": bench.commit,
        "metrics": bench.run.figures,
    }
    print_json(answer, in_one_line=True)


def _alias(ask: str) -> str:
    if not ask:
        return ""
    target = target_of(ask)
    if target.kind is not TargetKind.ALIAS:
        raise click.UsageError(f"--ask {ask} is no alias. Write alias:NAME, for example alias:candidate")
    return target.name


def _name_in_params(folder: Path) -> str:
    from bot.dvc.files import read_params
    from bot.errors import InvalidDvcFile

    path = folder / PARAMS
    try:
        name = (
            read_params(path.read_text(encoding="utf-8", errors="replace")).get(NAME_IN_PARAMS, "")
            if path.is_file()
            else ""
        )
    except InvalidDvcFile as reason:
        raise click.UsageError(f"{PARAMS} {reason}. Fix it, or name the model with --name") from None
    if not name:
        raise click.UsageError(f"no registered model is named. Add --name NAME, or {NAME_IN_PARAMS}: NAME to {PARAMS}")
    return name
