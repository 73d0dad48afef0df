"""The nineteen checks of a lineage, each over a `Provenance`. A failed check says what is wrong, why it matters, and how to fix it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

from bot.domain.evidence.dvc_lock import SEED_NAMES, Lock, differences, is_seed, same_lines, sha256_of, unexplained
from bot.domain.evidence.lineage import NO_LOCK, UNCHECKED, UNKNOWN, Provenance, run_named_in, was_trained_on
from bot.domain.evidence.training_commands import Commands
from bot.domain.model import LineageCheck
from bot.domain.policy.rules import LINEAGE_CODES, LineageDemand
from bot.domain.text import counted

COMMIT = re.compile(r"[0-9a-f]{40}")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
SHOWN = 4
PUSH_CODE = "git push both, set the tag code_commit in the training, and ask again"

Found = tuple[bool, str]


def check_lineage(provenance: Provenance, demand: LineageDemand | None) -> tuple[LineageCheck, ...]:
    """All checks in the order of their codes; `blocks` follows the rule."""
    blocked = demand.block if demand else ()
    found = ((code, check(provenance)) for code, check in zip(LINEAGE_CODES, CHECKS, strict=True))
    return tuple(LineageCheck(code, passed, sentence, code in blocked) for code, (passed, sentence) in found)


def wrong(what: str, why: str, fix: str) -> Found:
    return False, f"{what}. {why}. Fix: {fix}."


def _linked(provenance: Provenance) -> Found:
    if provenance.run is None:
        return wrong(
            "the version leads to no run",
            "Nobody can tell how it was trained",
            "register it from the run that trained it",
        )
    return True, f"run {provenance.run.id}"


def _finished(provenance: Provenance) -> Found:
    run = provenance.run
    if run is None:
        return _without("whether the run finished")
    if run.status != "FINISHED" or run.is_deleted:
        state = "deleted" if run.is_deleted else run.status
        why = "What it left may be half of what it meant to leave"
        return wrong(f"run {_run(provenance)} is {state}", why, "train again, and register a run that finished")
    return True, f"run {_run(provenance)} finished"


def _commit_named(provenance: Provenance) -> Found:
    if not COMMIT.fullmatch(provenance.commit):
        what = (
            f'"{provenance.commit[:50]}" is no commit' if provenance.commit else "no commit is named (tag git_commit)"
        )
        return wrong(what, "Nobody can find the code again", f"train from a git checkout and {_register(provenance)}")
    return True, f"commit {provenance.commit}"


def _clean(provenance: Provenance) -> Found:
    if provenance.run is None:
        return _without("whether the code was committed")
    said = provenance.run.tags.get("git_dirty", "").strip().lower()
    if said != "false":
        return _not_clean(_run(provenance), said)
    return _unchanged_since(provenance)


def _not_clean(run: str, said: str) -> Found:
    fix = "commit first, set the tag git_dirty to false when nothing is uncommitted, and train again"
    if said == "true":
        what = f'run {run} was trained with uncommitted changes (git_dirty is "true")'
        return wrong(what, "The commit does not describe the code that ran", fix)
    how = f'git_dirty is "{said[:20]}"' if said else "git_dirty tag is missing"
    what = f"{UNKNOWN}run {run} does not say whether all was committed ({how})"
    return wrong(what, "The commit may not describe the code that ran", fix)


def _unchanged_since(provenance: Provenance) -> Found:
    """The run's tag names the code that ran, and the lock's commit must contain the same code; only a mirror can compare them."""
    mirrored = provenance.mirrored
    if mirrored is None:
        return True, "trained without uncommitted changes, as its tag says"
    if mirrored.changed is None:
        held = f"the code's commit {provenance.code[:8] or 'none'} beside commit {provenance.commit[:8] or 'none'}"
        what = f"the remote {mirrored.remote} does not hold {held}"
        return wrong(what, "Nobody can compare the code that ran with what was committed", PUSH_CODE)
    strange = unexplained(mirrored.changed, provenance.lock or Lock(()), provenance.lock_path, mirrored.others)
    if strange:
        what = f"commit {provenance.commit[:8]} holds other code than the run was trained with: {_listed(strange)}"
        return wrong(what, "The commit does not describe the code that ran", _train_again(provenance))
    return True, f"trained without uncommitted changes, from the code that commit {provenance.commit[:8]} holds"


def _lock_logged(provenance: Provenance) -> Found:
    if provenance.lock is not None:
        return True, f"lineage/dvc.lock is kept with the run: {counted(len(provenance.lock.stages), 'stage')}"
    if provenance.files.lock is not None:
        why = "Nobody can tell what the run was made of"
        return wrong(f"lineage/dvc.lock {provenance.lock_trouble or 'cannot be read'}", why, _train_again(provenance))
    unread = f" ({provenance.files.unread.rstrip('.')})" if provenance.files.unread else ""
    return wrong(
        f"{NO_LOCK}{unread}",
        "Without it nobody can tell from the registry what the version was made of",
        f"{_register(provenance)} where dvc.lock lies",
    )


def _lock_tagged(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.files.lock is None:
        return _without("the digest of dvc.lock", "it is not logged")
    tagged = provenance.run.tags.get("dvc_lock_sha256", "")
    logged = sha256_of(provenance.files.lock)
    if tagged != logged:
        how = f"says {tagged[:12]}" if tagged else "is missing"
        what = f"the tag dvc_lock_sha256 {how}, and the logged dvc.lock has {logged[:12]}"
        return wrong(what, "One of the two was changed after the registration", _train_again(provenance))
    return True, f"dvc.lock has the tagged sha256 {logged}"


def _all_hashed(provenance: Provenance) -> Found:
    if provenance.lock is None:
        return _without("the hashes of what was read and written", "there is no dvc.lock")
    bare = sorted({entry.path for entry in provenance.lock.entries if not MD5.fullmatch(entry.md5)})
    if bare or not provenance.lock.entries:
        what = f"dvc.lock has no md5 for {_listed(bare)}" if bare else "dvc.lock names no file at all"
        return wrong(
            what, "Nobody can tell which bytes were used", "let DVC track it, then run `dvc repro` and register again"
        )
    return True, f"each of {counted(len(provenance.lock.entries), 'entry')} in dvc.lock has an md5"


def _source_named(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return _without("the source data", "there is no dvc.lock")
    named = [
        tuple(line.split(maxsplit=1)) for line in provenance.run.tags.get("data_md5", "").splitlines() if line.strip()
    ]
    if not named:
        what = f"run {_run(provenance)} does not name its source data (tag data_md5)"
        return wrong(what, "Nobody can tell data from code in dvc.lock", _register(provenance))
    known = {entry.md5: entry.path for entry in provenance.lock.sources}
    strange = [" ".join(one) for one in named if known.get(one[0]) is None or one[1:] not in ((), (known[one[0]],))]
    if strange:
        what = f"the source data {_listed(strange)} of the tag data_md5 is no source in dvc.lock"
        return wrong(what, "The run names other data than it was trained on", _train_again(provenance))
    return True, f"source data {_listed([f'{known[one[0]]} {one[0]}' for one in named])}"


def _pinned(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return _without("whether dvc.lock pins the run", "there is no dvc.lock")
    text = provenance.files.run_file
    if text is None or run_named_in(text) != provenance.run.id:
        what = f"no lineage/mlflow_run.json names run {_run(provenance)}"
        return wrong(
            what,
            "dvc.lock could belong to any run",
            f"let the training write its run's id, and {_register(provenance)}",
        )
    if _run_file_md5(provenance) not in {out.md5 for out in provenance.lock.outs}:
        what = f"dvc.lock does not pin run {_run(provenance)}: mlflow_run.json in the lock belongs to another run"
        return wrong(what, "The lock describes other data and parameters than this run's", _train_again(provenance))
    return True, f"dvc.lock pins run {_run(provenance)}"


def _run_file_md5(provenance: Provenance) -> str:
    text = provenance.files.run_file
    return "" if text is None else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _params_equal(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return _without("the parameters against dvc.lock", "there is no dvc.lock")
    equal, other = differences(provenance.run.params, provenance.lock.params_of(_run_file_md5(provenance)))
    if other:
        what = f"hyperparameters differ between the run and dvc.lock: {_listed(other, '; ')}"
        return wrong(what, "The lock does not describe how this run was trained", _train_again(provenance))
    if not equal:
        what = "the run and dvc.lock have no parameter in common"
        fix = "name the parameters under params of the stage in dvc.yaml, and log them on the run"
        return wrong(what, "Nobody can tell how the version was trained", fix)
    return True, f"{equal} parameters are the same on the run and in dvc.lock"


def _measured(provenance: Provenance) -> Found:
    if provenance.run is None or not provenance.run.metrics:
        what = f"run {_run(provenance)} has no metrics" if provenance.run else "no run, so no metrics"
        return wrong(what, "There is nothing to judge the version by", "log what the evaluation measured on the run")
    return True, f"metrics {_listed(provenance.run.metrics)}"


def _one_for_the_run(provenance: Provenance) -> Found:
    if provenance.run is None:
        return _without("whether the run made other versions")
    if provenance.same_run:
        why = "One run makes one version; nobody can tell which of them was meant"
        return wrong(
            f"run {_run(provenance)} already produced {_listed(provenance.same_run)}",
            why,
            "train again for another version",
        )
    return True, "the run made no other version"


def _one_for_the_commit(provenance: Provenance) -> Found:
    if not COMMIT.fullmatch(provenance.commit):
        return _without("whether the commit made other versions", "no commit is named")
    if provenance.same_commit:
        what = f"commit {provenance.commit[:8]} already produced {_listed(provenance.same_commit)}"
        why = "One commit pins one run; the other was not made from what it describes"
        return wrong(what, why, "commit the new dvc.lock before registering")
    return True, "the commit made no other version"


def _reachable(provenance: Provenance) -> Found:
    mirrored = provenance.mirrored
    if mirrored is None:
        return _not_mirrored(provenance, "whether the commit is on the remote")
    if not mirrored.is_there or not mirrored.branches:
        where = "in no branch of" if mirrored.is_there else "not in"
        what = f"commit {provenance.commit[:8] or 'none'} is {where} {mirrored.remote}"
        return wrong(what, "Nobody else can look at the code, and it may vanish", "git push the branch, and ask again")
    return True, f"commit {provenance.commit[:8]} is in {_listed(mirrored.branches)} of {mirrored.remote}"


def _lock_committed(provenance: Provenance) -> Found:
    mirrored = provenance.mirrored
    if mirrored is None:
        return _not_mirrored(provenance, "whether the commit has this dvc.lock")
    if mirrored.lock is None:
        what = f"commit {provenance.commit[:8] or 'none'} of {mirrored.remote} holds no dvc.lock"
        return wrong(
            what, "What was read and written is the trainer's own word", "commit dvc.lock, push, and register anew"
        )
    if not same_lines(mirrored.lock, provenance.files.lock or ""):
        what = f"dvc.lock at commit {provenance.commit[:8]} is another one than the run keeps"
        return wrong(what, "The commit does not describe this run", _train_again(provenance))
    return True, f"dvc.lock is the one at commit {provenance.commit[:8]} of {mirrored.remote}"


def _on_main(provenance: Provenance) -> Found:
    mirrored = provenance.mirrored
    if mirrored is None:
        return _not_mirrored(provenance, f"whether the commit is on {provenance.main}")
    if not mirrored.on_main:
        what = f"commit {provenance.commit[:8] or 'none'} is not on {provenance.main} of {mirrored.remote}"
        return wrong(
            what,
            "Nobody has merged the code that trained it",
            f"merge the branch into {provenance.main} without a squash",
        )
    return True, f"commit {provenance.commit[:8]} is on {provenance.main}"


def _environment(provenance: Provenance) -> Found:
    tagged = provenance.run.tags.get("environment_sha256", "") if provenance.run else ""
    if not SHA256.fullmatch(tagged):
        what = "the environment has no digest (tag environment_sha256)"
        return wrong(what, "Other packages may give another model from the same code", _register(provenance))
    if provenance.environment != tagged:
        how = f"{provenance.environment[:12]}" if provenance.environment else "no list of packages that can be read"
        what = f"the tag environment_sha256 says {tagged[:12]}, and the logged model has {how}"
        return wrong(
            what, "Nobody can tell which packages trained it", "log the model with its requirements, and register again"
        )
    return True, f"the list of packages has sha256 {tagged}"


def _seeded(provenance: Provenance) -> Found:
    names = sorted(name for name in (provenance.run.params if provenance.run else ()) if is_seed(name))
    if provenance.run is None or not names:
        fix = "log the seed as a parameter of the run, or `seed` as none when nothing is random"
        return wrong(f"no parameter is a seed ({', '.join(SEED_NAMES)})", "Training again may give another model", fix)
    return True, f"seed {_listed([f'{name} {provenance.run.params[name]}' for name in names])}"


def _input_logged(provenance: Provenance) -> Found:
    used = [one for one in (provenance.run.datasets if provenance.run else ()) if was_trained_on(one)]
    if not used:
        what = "the run names no training data set with a digest"
        return wrong(
            what, "MLflow cannot show what it was trained on", "log it with mlflow.log_input and the context training"
        )
    return True, f"trained on {_listed([f'{one.name} {one.digest}' for one in used])}"


CHECKS: tuple[Callable[[Provenance], Found], ...] = (
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


def _register(provenance: Provenance) -> str:
    return f"register it with {Commands.beside(provenance.lock_path).register}"


def _train_again(provenance: Provenance) -> str:
    lock = provenance.lock or Lock(())
    commands = Commands.beside(provenance.lock_path, lock.frozen_writers(_run_file_md5(provenance)))
    return f"run {commands.train_again}, commit{commands.where}, and register the new run"


def _without(what: str, why: str = "there is no run") -> Found:
    return False, f"{UNCHECKED}{what}, because {why}."


def _not_mirrored(provenance: Provenance, what: str) -> Found:
    fix = (
        "name one in the rule's lineage.git"
        if provenance.not_mirrored.startswith("no git remote")
        else "see to it, and ask again"
    )
    return False, f"{UNCHECKED}{provenance.not_mirrored}. Nobody but the trainer can say {what}. Fix: {fix}."


def _run(provenance: Provenance) -> str:
    return provenance.run.id[:8] if provenance.run else "none"


def _listed(items: Iterable[str], between: str = ", ") -> str:
    """As many items as fit a sentence; untrusted text is cut."""
    all_of_them = [item if len(item) <= 80 else f"{item[:79]}…" for item in items]
    more = len(all_of_them) - SHOWN
    return between.join(all_of_them[:SHOWN]) + (f" and {more} more" if more > 0 else "")
