"""Checks that commit, dvc.lock and run belong together, and that others can fetch them. Reports all findings at once.

With a dvc.lock every check must pass. Without one the run is registered with what is known, and what is missing is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from bot.clients.mlflow.provenance import COMMIT
from bot.domain.evidence.dvc_lock import (
    SEED_NAMES,
    Entry,
    differences,
    is_seed,
    overlaps_any,
    unexplained,
)
from bot.domain.evidence.lineage import run_named_in
from bot.domain.evidence.spellings import FileFigure, strange_figures
from bot.dvc.files import metric_files, read_values
from bot.errors import InvalidDvcFile
from bot.register.findings import Finding, Fixes, finding
from bot.register.pipeline import COMMAND, CannotTell, NotPushed, Pipeline, holds_tuple, md5_of, reader_in
from bot.register.workbench import Workbench, pinned_md5

TAG_LIMIT = 8_000  # characters; MLflow silently cuts a longer run tag


def check(bench: Workbench) -> tuple[Finding, ...]:
    found = [*_of_the_run(bench), *_of_the_commit(bench)]
    if bench.pipeline is None:
        gaps = (replace(one, refuses=one.part in REFUSED_WITHOUT_DVC) for one in found)
        return (WITHOUT_DVC, *gaps)
    return (*found, *_of_the_files(bench, bench.pipeline), *_of_the_figures(bench, bench.pipeline))


REFUSED_WITHOUT_DVC = frozenset({"finished run", "logged model", "commit on the remote"})
WITHOUT_DVC = finding(
    "dvc.lock",
    "there is no dvc.lock here",
    "Nobody can tell from the version which data made it",
    "make a DVC pipeline of the training, when you can",
    refuses=False,
)


def _of_the_run(bench: Workbench) -> Iterator[Finding]:
    run, which, fixes = bench.run, f"run {bench.run.id}", bench.fixes
    info = run.run.info
    if info.status != "FINISHED" or info.lifecycle_stage != "active":
        state = info.status if info.lifecycle_stage == "active" else info.lifecycle_stage
        yield finding("finished run", f"{which} is {state}", "Only a whole run can be vouched for", fixes.retrain)
    if run.source is None:
        yield finding(
            "logged model", f"{which} logged no model", "There is nothing to register", fixes.changed("log one")
        )
    if run.tag("git_dirty").lower() != "false":
        said = (
            "was trained with uncommitted changes" if run.tag("git_dirty") else "does not say whether all was committed"
        )
        fix = fixes.changed("set the tag git_dirty in the training")
        yield finding(
            "clean tree", f"{which} {said} (tag git_dirty)", "Its commit may not describe the code that ran", fix
        )
    if not run.environment:
        fix = fixes.changed("log the model with pip_requirements or conda_env")
        what = f"the logged model of {which} lists no packages"
        yield finding("environment", what, "Other packages may give another model from the same code", fix)
    if not any(is_seed(name) for name in run.params):
        fix = fixes.changed('log it as a parameter, or "seed" as none when nothing is random')
        what = f"no parameter of {which} is a seed ({', '.join(SEED_NAMES)})"
        yield finding("seed", what, "Training again may give another model", fix)
    if not run.has_training_data:
        fix = fixes.changed("log it with mlflow.log_input and the context training")
        what = f"{which} names no training data set"
        yield finding("training data set", what, "MLflow cannot show what it was trained on", fix, refuses=False)
    if not run.figures:
        yield finding(
            "metrics",
            f"{which} has no metrics",
            "There is nothing to judge it by",
            fixes.changed("log what was measured"),
        )


def _of_the_commit(bench: Workbench) -> Iterator[Finding]:
    repository, code, fixes = bench.repository, bench.code_commit, bench.fixes
    if not COMMIT.fullmatch(code):
        fix = fixes.changed("set the tag code_commit in the training")
        yield finding("commit", f"run {bench.run.id} names no commit", "Nobody can tell which code ran", fix)
    elif not repository.knows(code) and repository.is_shallow:
        what = f"commit {code[:8]} of run {bench.run.id} is not in this shallow clone"
        fix = "`git fetch --unshallow`, and register again"
        yield finding("commit", what, "The code cannot be compared with the run's", fix)
    elif not repository.knows(code):
        fix = f"`git fetch {repository.remote or 'origin'} {code}`, and register again; or {fixes.retrain}"
        yield finding(
            "commit", f"commit {code[:8]} of run {bench.run.id} is not here", "The run is another repository's", fix
        )
    elif bench.pipeline is not None:
        yield from _of_the_code(bench, bench.pipeline, code)
    if bench.pipeline is not None and (left := bench.own(repository.uncommitted())):
        yield _uncommitted(bench, bench.pipeline, left)
    reason = repository.why_unreachable(bench.commit) if COMMIT.fullmatch(bench.commit) else ""
    if reason:
        what = f"commit {bench.commit[:8]} {reason}"
        first = "" if repository.remote else "`git remote add origin ADDRESS`, "
        fix = f"{first}`{repository.push_command}`, and register again"
        yield finding("commit on the remote", what, "Nobody else could look at what was trained", fix)


def _uncommitted(bench: Workbench, pipeline: Pipeline, left: tuple[str, ...]) -> Finding:
    """What the training left is committed. Code must be as it was when the run was trained, so it is taken back."""
    what, why = (
        f"uncommitted changes in {_listed(left)}",
        "The version would name a commit that does not hold what is here",
    )
    strange = unexplained(left, pipeline.lock, bench.lock_path, bench.repository.pipelines())
    if not strange and not any(_is_spoilt(out, bench) for out in pipeline.lock.outs):
        return finding("clean tree", what, why, bench.fixes.again)
    fix = f"{bench.fixes.take_back(left)}, and register again; or, if they are meant, commit, {bench.fixes.retrain}"
    return finding("clean tree", what, why, fix)


def _is_spoilt(out: Entry, bench: Workbench) -> bool:
    """A file that the pipeline wrote and that somebody changed since."""
    place = bench.repository.folder / out.path
    return not out.is_folder and place.is_file() and out.md5 not in (md5_of(place), md5_of(place, of_dvc_2=True))


def _of_the_code(bench: Workbench, pipeline: Pipeline, code: str) -> Iterator[Finding]:
    changed = bench.repository.changed_between(code, bench.repository.head)
    strange = unexplained(changed, pipeline.lock, bench.lock_path, bench.repository.pipelines())
    if strange:
        what = f"changed since run {bench.run.id} was trained: {_listed(strange)}"
        yield finding("commit", what, "HEAD does not hold the code and parameters of that run", bench.fixes.retrain)


def _of_the_files(bench: Workbench, pipeline: Pipeline) -> Iterator[Finding]:
    bare = sorted({entry.path for entry in pipeline.lock.entries if not entry.md5})
    if bare:
        what, why = f"dvc.lock has no md5 for {_listed(bare)}", "Nobody can tell which bytes were used"
        yield finding("hashes in dvc.lock", what, why, _fix_of_bare(bench, bare))
    older = sorted({entry.path for entry in pipeline.lock.entries if entry.md5 and not entry.is_current})
    if older:
        what = f"dvc.lock has DVC 2's hashes of {_listed(older)}"
        fix = f"before the next training {bench.fixes.commands.dvc('cache', 'migrate', '--dvc-files')} with DVC 3, and commit"
        why = "They leave line ends out, so `md5sum` and `describe --fetch` cannot prove these files"
        yield finding("hashes in dvc.lock", what, why, fix, refuses=False)
    yield from _of_the_pin(bench, pipeline)
    if not bench.source_data:
        fix = bench.fixes.changed("let DVC track the source data with `dvc add PATH`, and name it under deps")
        yield finding(
            "source data", "dvc.lock names no source data", "Nobody can tell what the version was trained on", fix
        )
    elif len(bench.data_md5) > TAG_LIMIT:
        what = f"dvc.lock names {len(bench.source_data)} single files of source data"
        fix = bench.fixes.changed("let DVC track their folder with `dvc add FOLDER`, and name that under deps")
        yield finding("source data", what, "A run's tag cannot hold so many", fix)
    if outside := [one.path for one in bench.source_data if one.md5 and not bench.repository.holds(one.path)]:
        what, why = (
            f"{_listed(outside)} is outside the repository",
            "DVC's remote lacks it, so others cannot bring it back",
        )
        fix = bench.fixes.changed("bring it in with `dvc import-url SOURCE PATH`, and name PATH under deps instead")
        yield finding("data pushed", what, why, fix, refuses=False)
    yield from _of_dvc(bench, bare)


def _of_dvc(bench: Workbench, bare: list[str]) -> Iterator[Finding]:
    if not bench.dvc.is_there:
        what, fix = "dvc is not installed here", "`pip install dvc`, and register again"
        yield finding("data pushed", what, "Nobody can tell whether the data was pushed", fix)
        return
    try:
        altered = bench.dvc.altered()
        absent = bench.dvc.not_pushed()
    except CannotTell as reason:
        what = f"DVC cannot tell whether the data was pushed: {reason}"
        dvc, where = bench.fixes.commands.dvc, bench.fixes.commands.where
        tries = f"{dvc('status')} and {dvc('data', 'status', '--not-in-remote')} work{where}"
        fix = f"correct what DVC names, until {tries}, and register again"
        yield finding("data pushed", what, "Nobody can tell whether others could bring the data back", fix)
        return
    if altered := tuple(path for path in altered if path not in bare):
        what = f"dvc.lock pins another {_listed(altered)}"
        tuples = dict.fromkeys(one.partition(":")[0] for one in altered if holds_tuple(one, bench.repository.folder))
        as_lists = f"write lists in place of tuples in {_listed(tuple(tuples))}, which DVC locks as lists and then finds changed"
        fix = bench.fixes.changed(as_lists) if tuples else _fix_of_altered(bench, altered)
        yield finding("outputs as locked", what, "The lock does not describe what is here", fix)
    if absent.absent:
        what, fix = f"DVC's remote lacks {_listed(absent.absent)}", _fix_of_absent(bench.fixes, absent)
        yield finding("data pushed", what, "Nobody else could bring the data back", fix)


def _fix_of_bare(bench: Workbench, bare: list[str]) -> str:
    """Of an address DVC keeps the etag or the version, and no training changes that."""
    if not any("://" in path for path in bare):
        return bench.fixes.retrain
    return bench.fixes.changed(
        "bring each address in with `dvc import-url ADDRESS PATH`, and name PATH under deps instead"
    )


def _fix_of_altered(bench: Workbench, altered: tuple[str, ...]) -> str:
    """What git has as committed is meant, so only a training follows it. The rest can also be brought back as it was."""
    paths = dict.fromkeys(one.partition(":")[0] for one in altered if not one.startswith(COMMAND))
    from_top = {path: bench.repository.from_top(bench.repository.folder / path) for path in paths if "://" not in path}
    changed = set(bench.repository.uncommitted())
    in_git = list(filter(overlaps_any(changed), from_top.values()))
    in_dvc = [path for path, top in from_top.items() if top not in in_git and not bench.repository.tracks(path)]
    retrain = f"commit, {bench.fixes.retrain}" if bench.own(changed) else bench.fixes.retrain
    if len(in_git) + len(in_dvc) < len(paths) or any(one.startswith(COMMAND) for one in altered):
        return retrain
    return f"{bench.fixes.restore(in_git, in_dvc)}, and register again; or, if the change is meant, {retrain}"


def _fix_of_absent(fixes: Fixes, data: NotPushed) -> str:
    """`dvc push` pushes only what the cache has, and says nothing of the rest."""
    push = f"{fixes.commands.dvc('push')}{fixes.commands.where}, and register again"
    if not data.without_cache:
        return push
    if data.is_lost:
        return f"bring back what is neither here nor in DVC's cache, or {fixes.retrain}"
    return f"{fixes.commands.dvc('commit', '--force')}, {push}"


def _of_the_pin(bench: Workbench, pipeline: Pipeline) -> Iterator[Finding]:
    path = bench.repository.folder / bench.run_file
    if not path.is_file():
        what = f"there is no {bench.run_file}, so dvc.lock pins no run"
        fix = bench.fixes.changed("let the training write its run's id into it as an output without cache")
        yield finding("lock pins the run", what, "The lock could belong to any run", fix)
        return
    if run_named_in(path.read_text(encoding="utf-8", errors="replace")) != bench.run.id:
        what = f"{bench.run_file} names another run than {bench.run.id}"
        fix = "leave out --run; or check out the commit whose dvc.lock pins that run"
        yield finding("lock pins the run", what, "The lock belongs to that other run", fix)
    elif not {md5_of(path), md5_of(path, of_dvc_2=True)} & {out.md5 for out in pipeline.lock.outs}:
        what = f"{bench.run_file} is no output in dvc.lock with these bytes"
        is_named = any(out.path == bench.run_file for out in pipeline.lock.outs)
        fix = bench.fixes.retrain if is_named else bench.fixes.changed("name it under outs in dvc.yaml")
        yield finding("lock pins the run", what, "The lock could belong to any run", fix)


def _of_the_figures(bench: Workbench, pipeline: Pipeline) -> Iterator[Finding]:
    equal, other = differences(bench.run.params, pipeline.lock.params_of(pinned_md5(bench)))
    if other:
        what = f"parameters differ between run {bench.run.id} and dvc.lock: {_listed(other)}"
        fix = bench.fixes.changed("log the values that the parameter file has, or log others under other names")
        yield finding("parameters as locked", what, "The lock does not describe how it was trained", fix)
    elif not equal:
        what = f"run {bench.run.id} and dvc.lock have no parameter in common"
        fix = bench.fixes.changed("name them under params of the stage in dvc.yaml, and log them on the run")
        yield finding("parameters as locked", what, "Nobody can tell how it was trained", fix)
    try:
        strange = tuple(_strange_figures(bench, pipeline))
    except (InvalidDvcFile, UnicodeDecodeError, OSError) as error:
        yield finding(
            "metrics",
            f"the metrics of dvc.yaml cannot be read: {error}",
            "They cannot be compared",
            bench.fixes.changed("let the pipeline write them as JSON, YAML or TOML"),
        )
        return
    if strange:
        what = f"metrics differ between run {bench.run.id} and dvc.yaml's files: {_listed(strange)}"
        fix = bench.fixes.changed("log the same figure under the same name, and others under other names")
        yield finding("metrics", what, "One of the two was measured on something else", fix)


def _strange_figures(bench: Workbench, pipeline: Pipeline) -> Iterator[str]:
    described = pipeline.folder / "dvc.yaml"
    is_there = described.is_file()
    paths = metric_files(described.read_text(encoding="utf-8"), reader_in(pipeline.folder)) if is_there else ()
    files = [
        FileFigure(path, name, text)
        for path in paths
        if (pipeline.folder / path).is_file()  # else DVC keeps it, and nothing is compared
        for name, text in read_values(path, (pipeline.folder / path).read_text(encoding="utf-8-sig")).items()
    ]
    yield from strange_figures(bench.run.figures, files)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = [json.dumps(name)[1:-1] if not name.isprintable() else name for name in names[:5]]
    return ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
