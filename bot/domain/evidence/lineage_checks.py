"""The nineteen checks of a lineage, each over a `Trail`. What fails says what is wrong, why it matters, and how to mend it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping

from bot.domain.evidence.dvc_lock import Lock, sha256_of, unexplained
from bot.domain.evidence.lineage import Trail, was_trained_on
from bot.domain.evidence.run_params import SEED_NAMES, differences, is_seed
from bot.domain.model import LineageCheck
from bot.domain.policy.rules import LINEAGE_CODES, LineageDemand

COMMIT = re.compile(r"[0-9a-f]{40}")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
SHOWN = 4
REGISTER = "register it with `countersign register`"
REPRO = "run `dvc repro --force`, commit, and register the new run"
PUSH_CODE = "git push both, set the tag code_commit in the training, and ask again"

Found = tuple[bool, str]


def check_lineage(trail: Trail, demand: LineageDemand | None) -> tuple[LineageCheck, ...]:
    """All of them, in the order of their codes; `blocks` as the rule says."""
    blocked = demand.block if demand else ()
    found = ((code, check(trail)) for code, check in zip(LINEAGE_CODES, CHECKS, strict=True))
    return tuple(LineageCheck(code, passed, sentence, code in blocked) for code, (passed, sentence) in found)


def wrong(what: str, why: str, mend: str) -> Found:
    return False, f"{what}. {why}. Fix: {mend}."


def _linked(trail: Trail) -> Found:
    if trail.run is None:
        return wrong(
            "the version leads to no run",
            "Nobody can tell how it was trained",
            "register it from the run that trained it",
        )
    return True, f"run {trail.run.id}"


def _finished(trail: Trail) -> Found:
    run = trail.run
    if run is None:
        return _without("whether the run finished")
    if run.status != "FINISHED" or run.is_deleted:
        state = "deleted" if run.is_deleted else run.status
        why = "What it left may be half of what it meant to leave"
        return wrong(f"run {_run(trail)} is {state}", why, "train again, and register a run that finished")
    return True, f"run {_run(trail)} finished"


def _commit_named(trail: Trail) -> Found:
    if not COMMIT.fullmatch(trail.commit):
        what = f'"{trail.commit[:50]}" is no commit' if trail.commit else "no commit is named (tag git_commit)"
        return wrong(what, "Nobody can find the code again", f"train from a git checkout and {REGISTER}")
    return True, f"commit {trail.commit}"


def _clean(trail: Trail) -> Found:
    if trail.run is None:
        return _without("whether the code was committed")
    said = trail.run.tags.get("git_dirty", "").strip().lower()
    if said != "false":
        how = f'git_dirty is "{said[:20]}"' if said else "git_dirty tag is missing"
        return wrong(
            f"run {_run(trail)} was trained with uncommitted changes ({how})",
            "The commit does not describe the code that ran",
            "commit first, set the tag git_dirty to false when nothing is uncommitted, and train again",
        )
    return _unchanged_since(trail)


def _unchanged_since(trail: Trail) -> Found:
    """The run's tag names the code that ran, and the lock's commit must hold the same; only a mirror can compare the two."""
    mirrored = trail.mirrored
    if mirrored is None:
        return True, "trained without uncommitted changes, as its tag says"
    if mirrored.changed is None:
        held = f"the code's commit {trail.code[:8] or 'none'} beside commit {trail.commit[:8] or 'none'}"
        what = f"the remote {mirrored.remote} does not hold {held}"
        return wrong(what, "Nobody can compare the code that ran with what was committed", PUSH_CODE)
    strange = unexplained(mirrored.changed, trail.lock or Lock(()), trail.lock_path)
    if strange:
        what = f"commit {trail.commit[:8]} holds other code than the run was trained with: {_listed(strange)}"
        return wrong(what, "The commit does not describe the code that ran", REPRO)
    return True, f"trained without uncommitted changes, from the code that commit {trail.commit[:8]} holds"


def _lock_logged(trail: Trail) -> Found:
    if trail.lock is not None:
        return True, f"lineage/dvc.lock is kept with the run: {_count(trail.lock)}"
    if trail.files.lock is not None:
        why = "Nobody can tell what the run was made of"
        return wrong(f"lineage/dvc.lock {trail.lock_trouble or 'cannot be read'}", why, REPRO)
    unread = f" ({trail.files.unread.rstrip('.')})" if trail.files.unread else ""
    return wrong(
        f"the run keeps no lineage/dvc.lock{unread}",
        "Without it nobody can tell from the registry what the version was made of",
        f"{REGISTER} where dvc.lock lies",
    )


def _lock_tagged(trail: Trail) -> Found:
    if trail.run is None or trail.files.lock is None:
        return _without("the digest of dvc.lock", "it is not logged")
    tagged = trail.run.tags.get("dvc_lock_sha256", "")
    logged = sha256_of(trail.files.lock)
    if tagged != logged:
        how = f"says {tagged[:12]}" if tagged else "is missing"
        what = f"the tag dvc_lock_sha256 {how}, and the logged dvc.lock has {logged[:12]}"
        return wrong(what, "One of the two was changed after the registration", REPRO)
    return True, f"dvc.lock has the tagged sha256 {logged}"


def _all_hashed(trail: Trail) -> Found:
    if trail.lock is None:
        return _without("the hashes of what was read and written", "there is no dvc.lock")
    bare = sorted({entry.path for entry in trail.lock.entries if not MD5.fullmatch(entry.md5)})
    if bare or not trail.lock.entries:
        what = f"dvc.lock has no md5 for {_listed(bare)}" if bare else "dvc.lock names no file at all"
        return wrong(
            what, "Nobody can tell which bytes were used", "let DVC track it, then run `dvc repro` and register again"
        )
    return True, f"{len(trail.lock.entries)} files and folders are hashed"


def _source_named(trail: Trail) -> Found:
    if trail.run is None or trail.lock is None:
        return _without("the source data", "there is no dvc.lock")
    named = [tuple(line.split(maxsplit=1)) for line in trail.run.tags.get("data_md5", "").splitlines() if line.strip()]
    if not named:
        what = f"run {_run(trail)} does not name its source data (tag data_md5)"
        return wrong(what, "Nobody can tell data from code in dvc.lock", REGISTER)
    known = {entry.md5: entry.path for entry in trail.lock.sources}
    strange = [" ".join(one) for one in named if known.get(one[0]) is None or one[1:] not in ((), (known[one[0]],))]
    if strange:
        what = f"the source data {_listed(strange)} of the tag data_md5 is no source in dvc.lock"
        return wrong(what, "The run names other data than it was trained on", REPRO)
    return True, f"source data {_listed([f'{known[one[0]]} {one[0]}' for one in named])}"


def _pinned(trail: Trail) -> Found:
    if trail.run is None or trail.lock is None:
        return _without("whether dvc.lock pins the run", "there is no dvc.lock")
    text = trail.files.run_file
    if text is None or run_named_in(text) != trail.run.id:
        what = f"no lineage/mlflow_run.json names run {_run(trail)}"
        return wrong(what, "dvc.lock could belong to any run", f"let the training write its run's id, and {REGISTER}")
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    if digest not in {out.md5 for out in trail.lock.outs}:
        what = f"dvc.lock does not pin run {_run(trail)}: mlflow_run.json in the lock belongs to another run"
        return wrong(what, "The lock describes other data and parameters than this run's", REPRO)
    return True, f"dvc.lock pins run {_run(trail)}"


def _params_equal(trail: Trail) -> Found:
    if trail.run is None or trail.lock is None:
        return _without("the parameters against dvc.lock", "there is no dvc.lock")
    equal, other = differences(trail.run.params, trail.lock.params)
    if other:
        what = f"hyperparameters differ between the run and dvc.lock: {_listed(other, '; ')}"
        return wrong(what, "The lock does not describe how this run was trained", REPRO)
    if not equal:
        what = "the run and dvc.lock have no parameter in common"
        mend = "name the parameters under params of the stage in dvc.yaml, and log them on the run"
        return wrong(what, "Nobody can tell how the version was trained", mend)
    return True, f"{equal} parameters are the same on the run and in dvc.lock"


def _measured(trail: Trail) -> Found:
    if trail.run is None or not trail.run.metrics:
        what = f"run {_run(trail)} has no metrics" if trail.run else "no run, so no metrics"
        return wrong(what, "There is nothing to judge the version by", "log what the evaluation measured on the run")
    return True, f"metrics {_listed(trail.run.metrics)}"


def _one_for_the_run(trail: Trail) -> Found:
    if trail.run is None:
        return _without("whether the run made other versions")
    if trail.same_run:
        why = "One run makes one version; nobody can tell which of them was meant"
        return wrong(
            f"run {_run(trail)} already produced {_listed(trail.same_run)}", why, "train again for another version"
        )
    return True, "the run made no other version"


def _one_for_the_commit(trail: Trail) -> Found:
    if not COMMIT.fullmatch(trail.commit):
        return _without("whether the commit made other versions", "no commit is named")
    if trail.same_commit:
        what = f"commit {trail.commit[:8]} already produced {_listed(trail.same_commit)}"
        why = "One commit pins one run; the other was not made from what it describes"
        return wrong(what, why, "commit the new dvc.lock before registering")
    return True, "the commit made no other version"


def _reachable(trail: Trail) -> Found:
    mirrored = trail.mirrored
    if mirrored is None:
        return _not_mirrored(trail, "whether the commit is on the remote")
    if not mirrored.is_there or not mirrored.branches:
        where = "in no branch of" if mirrored.is_there else "not in"
        what = f"commit {trail.commit[:8] or 'none'} is {where} {mirrored.remote}"
        return wrong(what, "Nobody else can look at the code, and it may vanish", "git push the branch, and ask again")
    return True, f"commit {trail.commit[:8]} is in {_listed(mirrored.branches)} of {mirrored.remote}"


def _lock_committed(trail: Trail) -> Found:
    mirrored = trail.mirrored
    if mirrored is None:
        return _not_mirrored(trail, "whether the commit has this dvc.lock")
    if mirrored.lock is None:
        what = f"commit {trail.commit[:8] or 'none'} of {mirrored.remote} holds no dvc.lock"
        return wrong(
            what, "What was read and written is the trainer's own word", "commit dvc.lock, push, and register anew"
        )
    if mirrored.lock != trail.files.lock:
        what = f"dvc.lock at commit {trail.commit[:8]} is another one than the run keeps"
        return wrong(what, "The commit does not describe this run", REPRO)
    return True, f"dvc.lock is the one at commit {trail.commit[:8]} of {mirrored.remote}"


def _on_main(trail: Trail) -> Found:
    mirrored = trail.mirrored
    if mirrored is None:
        return _not_mirrored(trail, f"whether the commit is on {trail.main}")
    if not mirrored.on_main:
        what = f"commit {trail.commit[:8] or 'none'} is not on {trail.main} of {mirrored.remote}"
        return wrong(
            what, "Nobody has merged the code that trained it", f"merge the branch into {trail.main} without a squash"
        )
    return True, f"commit {trail.commit[:8]} is on {trail.main}"


def _environment(trail: Trail) -> Found:
    tagged = trail.run.tags.get("environment_sha256", "") if trail.run else ""
    if not SHA256.fullmatch(tagged):
        what = "the environment has no digest (tag environment_sha256)"
        return wrong(what, "Other packages may give another model from the same code", REGISTER)
    if trail.environment != tagged:
        how = f"{trail.environment[:12]}" if trail.environment else "no list of packages that can be read"
        what = f"the tag environment_sha256 says {tagged[:12]}, and the logged model has {how}"
        return wrong(
            what, "Nobody can tell which packages trained it", "log the model with its requirements, and register again"
        )
    return True, f"the list of packages has sha256 {tagged}"


def _seeded(trail: Trail) -> Found:
    names = sorted(name for name in (trail.run.params if trail.run else ()) if is_seed(name))
    if trail.run is None or not names:
        mend = "log the seed as a parameter of the run, or `seed` as none when nothing is random"
        return wrong(f"no parameter is a seed ({', '.join(SEED_NAMES)})", "Training again may give another model", mend)
    return True, f"seed {_listed([f'{name} {trail.run.params[name]}' for name in names])}"


def _input_logged(trail: Trail) -> Found:
    used = [one for one in (trail.run.datasets if trail.run else ()) if was_trained_on(one)]
    if not used:
        what = "the run names no training data set with a digest"
        return wrong(
            what, "MLflow cannot show what it was trained on", "log it with mlflow.log_input and the context training"
        )
    return True, f"trained on {_listed([f'{one.name} {one.digest}' for one in used])}"


CHECKS: tuple[Callable[[Trail], Found], ...] = (
    _linked,
    _finished,
    _commit_named,
    _clean,
    _lock_logged,
    _lock_tagged,
    _all_hashed,
    _source_named,
    _pinned,
    _params_equal,
    _measured,
    _one_for_the_run,
    _one_for_the_commit,
    _reachable,
    _lock_committed,
    _on_main,
    _environment,
    _seeded,
    _input_logged,
)


def run_named_in(text: str) -> str:
    """The run's id in `{"run_id": "..."}`, or in a text that is nothing else; empty when there is none."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return str(whole.get("run_id", "")) if isinstance(whole, Mapping) else str(whole)


def _without(what: str, why: str = "there is no run") -> Found:
    return False, f"not checked: {what}, because {why}."


def _not_mirrored(trail: Trail, what: str) -> Found:
    mend = (
        "name one in the rule's lineage.git"
        if trail.not_mirrored.startswith("no git remote")
        else "see to it, and ask again"
    )
    return False, f"not checked: {trail.not_mirrored}. Nobody but the trainer can say {what}. Fix: {mend}."


def _run(trail: Trail) -> str:
    return trail.run.id[:8] if trail.run else "none"


def _count(lock: Lock) -> str:
    return "1 stage" if len(lock.stages) == 1 else f"{len(lock.stages)} stages"


def _listed(items: Iterable[str], between: str = ", ") -> str:
    """As many as a sentence bears; text from outside is cut."""
    all_of_them = [item if len(item) <= 80 else f"{item[:79]}…" for item in items]
    more = len(all_of_them) - SHOWN
    return between.join(all_of_them[:SHOWN]) + (f" and {more} more" if more > 0 else "")
