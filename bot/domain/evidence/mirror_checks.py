"""The checks of a lineage that only a mirror of the git remote can make."""

from __future__ import annotations

from bot.domain.evidence.check_results import Found, no, some_of, train_again, unchecked
from bot.domain.evidence.dvc_lock import Lock, same_lines, unexplained
from bot.domain.evidence.lineage import NO_REMOTE, Provenance
from bot.language import recorded


def unchanged_since(provenance: Provenance) -> Found:
    """The run's tag names the code that ran, and the lock's commit must contain the same code; only a mirror can compare them."""
    mirrored, commit = provenance.mirrored, provenance.commit[:8]
    if mirrored is None:
        return True, recorded("lineage", "trained without uncommitted changes, as its tag says")
    if mirrored.changed is None:
        return no(
            recorded(
                "lineage",
                "the remote {remote} does not hold the code's commit {code} beside commit {commit}. "
                "Nobody can compare the code that ran with what was committed. "
                "Fix: git push both, set the tag code_commit in the training, and ask again.",
                remote=mirrored.remote,
                code=provenance.code[:8] or "none",
                commit=commit or "none",
            )
        )
    strange = unexplained(mirrored.changed, provenance.lock or Lock(()), provenance.lock_path, mirrored.others)
    if strange:
        return no(
            recorded(
                "lineage",
                "commit {commit} holds other code than the run was trained with: {list}. "
                "The commit does not describe the code that ran. Fix: {fix}.",
                commit=commit,
                list=some_of(strange),
                fix=train_again(provenance),
            )
        )
    return True, recorded(
        "lineage", "trained without uncommitted changes, from the code that commit {commit} holds", commit=commit
    )


def reachable(provenance: Provenance) -> Found:
    mirrored, commit = provenance.mirrored, provenance.commit[:8]
    if mirrored is None:
        return unchecked(
            recorded(
                "lineage",
                "{why}. Nobody but the trainer can say whether the commit is on the remote. Fix: {fix}.",
                why=provenance.not_mirrored,
                fix=_mirror_it(provenance),
            )
        )
    if not mirrored.is_there:
        return no(
            recorded(
                "lineage",
                "commit {commit} is not in {remote}. Nobody else can look at the code, and it may vanish. "
                "Fix: git push the branch, and ask again.",
                commit=commit or "none",
                remote=mirrored.remote,
            )
        )
    if not mirrored.branches:
        return no(
            recorded(
                "lineage",
                "commit {commit} is in no branch of {remote}. Nobody else can look at the code, and it may vanish. "
                "Fix: git push the branch, and ask again.",
                commit=commit or "none",
                remote=mirrored.remote,
            )
        )
    return True, recorded(
        "lineage",
        "commit {commit} is in {list} of {remote}",
        commit=commit,
        list=some_of(mirrored.branches),
        remote=mirrored.remote,
    )


def lock_committed(provenance: Provenance) -> Found:
    mirrored, commit = provenance.mirrored, provenance.commit[:8]
    if mirrored is None:
        return unchecked(
            recorded(
                "lineage",
                "{why}. Nobody but the trainer can say whether the commit has this dvc.lock. Fix: {fix}.",
                why=provenance.not_mirrored,
                fix=_mirror_it(provenance),
            )
        )
    if mirrored.lock is None:
        return no(
            recorded(
                "lineage",
                "commit {commit} of {remote} holds no dvc.lock. What was read and written is the trainer's own word. "
                "Fix: commit dvc.lock, push, and register anew.",
                commit=commit or "none",
                remote=mirrored.remote,
            )
        )
    if not same_lines(mirrored.lock, provenance.files.lock or ""):
        return no(
            recorded(
                "lineage",
                "dvc.lock at commit {commit} is another one than the run keeps. "
                "The commit does not describe this run. Fix: {fix}.",
                commit=commit,
                fix=train_again(provenance),
            )
        )
    return True, recorded(
        "lineage", "dvc.lock is the one at commit {commit} of {remote}", commit=commit, remote=mirrored.remote
    )


def on_main(provenance: Provenance) -> Found:
    mirrored, commit = provenance.mirrored, provenance.commit[:8]
    if mirrored is None:
        return unchecked(
            recorded(
                "lineage",
                "{why}. Nobody but the trainer can say whether the commit is on {branch}. Fix: {fix}.",
                why=provenance.not_mirrored,
                branch=provenance.main,
                fix=_mirror_it(provenance),
            )
        )
    if not mirrored.on_main:
        return no(
            recorded(
                "lineage",
                "commit {commit} is not on {branch} of {remote}. Nobody has merged the code that trained it. "
                "Fix: merge the branch into {branch} without a squash.",
                commit=commit or "none",
                branch=provenance.main,
                remote=mirrored.remote,
            )
        )
    return True, recorded("lineage", "commit {commit} is on {branch}", commit=commit, branch=provenance.main)


def _mirror_it(provenance: Provenance) -> str:
    if provenance.not_mirrored.startswith(NO_REMOTE):
        return recorded("lineage", "name one in the rule's lineage.git")
    return recorded("lineage", "see to it, and ask again")
