"""The nineteen checks of a lineage, each over a `Provenance`. A failed check says what is wrong, why it matters, and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.domain.evidence.check_results import Found, no, register, short_run, some_of, unchecked
from bot.domain.evidence.dvc_lock import SEED_NAMES, is_seed
from bot.domain.evidence.lineage import Provenance, was_trained_on
from bot.domain.evidence.lock_checks import all_hashed, lock_logged, lock_tagged, params_equal, pinned, source_named
from bot.domain.evidence.mirror_checks import lock_committed, on_main, reachable, unchanged_since
from bot.domain.model import LineageCheck
from bot.domain.policy.rules import LINEAGE_CODES, LineageDemand
from bot.language import recorded

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def check_lineage(provenance: Provenance, demand: LineageDemand | None) -> tuple[LineageCheck, ...]:
    """All checks in the order of their codes; `blocks` follows the rule."""
    blocked = demand.block if demand else ()
    found = ((code, check(provenance)) for code, check in zip(LINEAGE_CODES, CHECKS, strict=True))
    return tuple(LineageCheck(code, passed, sentence, code in blocked) for code, (passed, sentence) in found)


def _linked(provenance: Provenance) -> Found:
    if provenance.run is None:
        return no(
            recorded(
                "lineage",
                "the version leads to no run. Nobody can tell how it was trained. "
                "Fix: register it from the run that trained it.",
            )
        )
    return True, recorded("lineage", "run {run}", run=provenance.run.id)


def _finished(provenance: Provenance) -> Found:
    run = provenance.run
    if run is None:
        return unchecked(recorded("lineage", "whether the run finished, because there is no run."))
    if run.is_deleted:
        return no(
            recorded(
                "lineage",
                "run {run} is deleted. What it left may be half of what it meant to leave. "
                "Fix: train again, and register a run that finished.",
                run=short_run(provenance),
            )
        )
    if run.status != "FINISHED":
        return no(
            recorded(
                "lineage",
                "run {run} is {state}. What it left may be half of what it meant to leave. "
                "Fix: train again, and register a run that finished.",
                run=short_run(provenance),
                state=run.status,
            )
        )
    return True, recorded("lineage", "run {run} finished", run=short_run(provenance))


def _commit_named(provenance: Provenance) -> Found:
    if COMMIT.fullmatch(provenance.commit):
        return True, recorded("lineage", "commit {commit}", commit=provenance.commit)
    fix = register(provenance)
    if provenance.commit:
        return no(
            recorded(
                "lineage",
                '"{commit}" is no commit. Nobody can find the code again. Fix: train from a git checkout and {fix}.',
                commit=provenance.commit[:50],
                fix=fix,
            )
        )
    return no(
        recorded(
            "lineage",
            "no commit is named (tag git_commit). Nobody can find the code again. Fix: train from a git checkout and {fix}.",
            fix=fix,
        )
    )


def _clean(provenance: Provenance) -> Found:
    if provenance.run is None:
        return unchecked(recorded("lineage", "whether the code was committed, because there is no run."))
    said = provenance.run.tags.get("git_dirty", "").strip().lower()
    if said != "false":
        return _not_clean(short_run(provenance), said)
    return unchanged_since(provenance)


def _not_clean(run: str, said: str) -> Found:
    if said == "true":
        return no(
            recorded(
                "lineage",
                'run {run} was trained with uncommitted changes (git_dirty is "true"). '
                "The commit does not describe the code that ran. "
                "Fix: commit first, set the tag git_dirty to false when nothing is uncommitted, and train again.",
                run=run,
            )
        )
    if said:
        return no(
            recorded(
                "lineage",
                'not known: run {run} does not say whether all was committed (git_dirty is "{value}"). '
                "The commit may not describe the code that ran. "
                "Fix: commit first, set the tag git_dirty to false when nothing is uncommitted, and train again.",
                run=run,
                value=said[:20],
            )
        )
    return no(
        recorded(
            "lineage",
            "not known: run {run} does not say whether all was committed (git_dirty tag is missing). "
            "The commit may not describe the code that ran. "
            "Fix: commit first, set the tag git_dirty to false when nothing is uncommitted, and train again.",
            run=run,
        )
    )


def _measured(provenance: Provenance) -> Found:
    if provenance.run is None:
        return no(
            recorded(
                "lineage",
                "no run, so no metrics. There is nothing to judge the version by. "
                "Fix: log what the evaluation measured on the run.",
            )
        )
    if not provenance.run.metrics:
        return no(
            recorded(
                "lineage",
                "run {run} has no metrics. There is nothing to judge the version by. "
                "Fix: log what the evaluation measured on the run.",
                run=short_run(provenance),
            )
        )
    return True, recorded("lineage", "metrics {list}", list=some_of(provenance.run.metrics))


def _one_for_the_run(provenance: Provenance) -> Found:
    if provenance.run is None:
        return unchecked(recorded("lineage", "whether the run made other versions, because there is no run."))
    if provenance.same_run:
        return no(
            recorded(
                "lineage",
                "run {run} already produced {list}. "
                "One run makes one version; nobody can tell which of them was meant. Fix: train again for another version.",
                run=short_run(provenance),
                list=some_of(provenance.same_run),
            )
        )
    return True, recorded("lineage", "the run made no other version")


def _one_for_the_commit(provenance: Provenance) -> Found:
    if not COMMIT.fullmatch(provenance.commit):
        return unchecked(recorded("lineage", "whether the commit made other versions, because no commit is named."))
    if provenance.same_commit:
        return no(
            recorded(
                "lineage",
                "commit {commit} already produced {list}. "
                "One commit pins one run; the other was not made from what it describes. "
                "Fix: commit the new dvc.lock before registering.",
                commit=provenance.commit[:8],
                list=some_of(provenance.same_commit),
            )
        )
    return True, recorded("lineage", "the commit made no other version")


def _environment(provenance: Provenance) -> Found:
    tagged = provenance.run.tags.get("environment_sha256", "") if provenance.run else ""
    if not SHA256.fullmatch(tagged):
        return no(
            recorded(
                "lineage",
                "the environment has no digest (tag environment_sha256). "
                "Other packages may give another model from the same code. Fix: {fix}.",
                fix=register(provenance),
            )
        )
    if not provenance.environment:
        return no(
            recorded(
                "lineage",
                "the tag environment_sha256 says {tagged}, and the logged model has no list of packages that can be read. "
                "Nobody can tell which packages trained it. Fix: log the model with its requirements, and register again.",
                tagged=tagged[:12],
            )
        )
    if provenance.environment != tagged:
        return no(
            recorded(
                "lineage",
                "the tag environment_sha256 says {tagged}, and the logged model has {logged}. "
                "Nobody can tell which packages trained it. Fix: log the model with its requirements, and register again.",
                tagged=tagged[:12],
                logged=provenance.environment[:12],
            )
        )
    return True, recorded("lineage", "the list of packages has sha256 {digest}", digest=tagged)


def _seeded(provenance: Provenance) -> Found:
    names = sorted(name for name in (provenance.run.params if provenance.run else ()) if is_seed(name))
    if provenance.run is None or not names:
        return no(
            recorded(
                "lineage",
                "no parameter is a seed ({names}). Training again may give another model. "
                "Fix: log the seed as a parameter of the run, or `seed` as none when nothing is random.",
                names=", ".join(SEED_NAMES),
            )
        )
    return True, recorded(
        "lineage", "seed {list}", list=some_of([f"{name} {provenance.run.params[name]}" for name in names])
    )


def _input_logged(provenance: Provenance) -> Found:
    used = [one for one in (provenance.run.datasets if provenance.run else ()) if was_trained_on(one)]
    if not used:
        return no(
            recorded(
                "lineage",
                "the run names no training data set with a digest. MLflow cannot show what it was trained on. "
                "Fix: log it with mlflow.log_input and the context training.",
            )
        )
    return True, recorded("lineage", "trained on {list}", list=some_of([f"{one.name} {one.digest}" for one in used]))


CHECKS: tuple[Callable[[Provenance], Found], ...] = (
    _linked,
    _finished,
    _commit_named,
    _clean,
    lock_logged,
    lock_tagged,
    all_hashed,
    source_named,
    pinned,
    params_equal,
    _measured,
    _one_for_the_run,
    _one_for_the_commit,
    reachable,
    lock_committed,
    on_main,
    _environment,
    _seeded,
    _input_logged,
)
