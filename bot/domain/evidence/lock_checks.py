"""The checks of a lineage that read the run's dvc.lock."""

from __future__ import annotations

import re

from bot.domain.evidence.check_results import (
    Found,
    no,
    register,
    run_file_md5,
    short_run,
    some_of,
    train_again,
    unchecked,
)
from bot.domain.evidence.dvc_lock import differences, sha256_of
from bot.domain.evidence.lineage import Provenance, run_named_in
from bot.language import recorded

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def lock_logged(provenance: Provenance) -> Found:
    if provenance.lock is not None:
        stages = len(provenance.lock.stages)
        if stages == 1:
            return True, recorded("lineage", "lineage/dvc.lock is kept with the run: 1 stage")
        return True, recorded("lineage", "lineage/dvc.lock is kept with the run: {count} stages", count=stages)
    if provenance.files.lock is not None:
        return no(
            recorded(
                "lineage",
                "lineage/dvc.lock {trouble}. Nobody can tell what the run was made of. Fix: {fix}.",
                trouble=provenance.lock_trouble or recorded("lineage", "cannot be read"),
                fix=train_again(provenance),
            )
        )
    if provenance.files.unread:
        return no(
            recorded(
                "lineage",
                "the run keeps no lineage/dvc.lock ({unread}). "
                "Without it nobody can tell from the registry what the version was made of. Fix: {fix} where dvc.lock lies.",
                unread=provenance.files.unread.rstrip("."),
                fix=register(provenance),
            )
        )
    return no(
        recorded(
            "lineage",
            "the run keeps no lineage/dvc.lock. "
            "Without it nobody can tell from the registry what the version was made of. Fix: {fix} where dvc.lock lies.",
            fix=register(provenance),
        )
    )


def lock_tagged(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.files.lock is None:
        return unchecked(recorded("lineage", "the digest of dvc.lock, because it is not logged."))
    tagged = provenance.run.tags.get("dvc_lock_sha256", "")
    logged = sha256_of(provenance.files.lock)
    if tagged == logged:
        return True, recorded("lineage", "dvc.lock has the tagged sha256 {digest}", digest=logged)
    if tagged:
        return no(
            recorded(
                "lineage",
                "the tag dvc_lock_sha256 says {tagged}, and the logged dvc.lock has {logged}. "
                "One of the two was changed after the registration. Fix: {fix}.",
                tagged=tagged[:12],
                logged=logged[:12],
                fix=train_again(provenance),
            )
        )
    return no(
        recorded(
            "lineage",
            "the tag dvc_lock_sha256 is missing, and the logged dvc.lock has {logged}. "
            "One of the two was changed after the registration. Fix: {fix}.",
            logged=logged[:12],
            fix=train_again(provenance),
        )
    )


def all_hashed(provenance: Provenance) -> Found:
    if provenance.lock is None:
        return unchecked(recorded("lineage", "the hashes of what was read and written, because there is no dvc.lock."))
    bare = sorted({entry.path for entry in provenance.lock.entries if not MD5.fullmatch(entry.md5)})
    if bare:
        return no(
            recorded(
                "lineage",
                "dvc.lock has no md5 for {list}. Nobody can tell which bytes were used. "
                "Fix: let DVC track it, then run `dvc repro` and register again.",
                list=some_of(bare),
            )
        )
    count = len(provenance.lock.entries)
    if not count:
        return no(
            recorded(
                "lineage",
                "dvc.lock names no file at all. Nobody can tell which bytes were used. "
                "Fix: let DVC track it, then run `dvc repro` and register again.",
            )
        )
    if count == 1:
        return True, recorded("lineage", "each of 1 entry in dvc.lock has an md5")
    return True, recorded("lineage", "each of {count} entries in dvc.lock has an md5", count=count)


def source_named(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return unchecked(recorded("lineage", "the source data, because there is no dvc.lock."))
    named = [
        tuple(line.split(maxsplit=1)) for line in provenance.run.tags.get("data_md5", "").splitlines() if line.strip()
    ]
    if not named:
        return no(
            recorded(
                "lineage",
                "run {run} does not name its source data (tag data_md5). "
                "Nobody can tell data from code in dvc.lock. Fix: {fix}.",
                run=short_run(provenance),
                fix=register(provenance),
            )
        )
    known = {entry.md5: entry.path for entry in provenance.lock.sources}
    strange = [" ".join(one) for one in named if known.get(one[0]) is None or one[1:] not in ((), (known[one[0]],))]
    if strange:
        return no(
            recorded(
                "lineage",
                "the source data {list} of the tag data_md5 is no source in dvc.lock. "
                "The run names other data than it was trained on. Fix: {fix}.",
                list=some_of(strange),
                fix=train_again(provenance),
            )
        )
    return True, recorded("lineage", "source data {list}", list=some_of([f"{known[one[0]]} {one[0]}" for one in named]))


def pinned(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return unchecked(recorded("lineage", "whether dvc.lock pins the run, because there is no dvc.lock."))
    text, run = provenance.files.run_file, short_run(provenance)
    if text is None or run_named_in(text) != provenance.run.id:
        return no(
            recorded(
                "lineage",
                "no lineage/mlflow_run.json names run {run}. dvc.lock could belong to any run. "
                "Fix: let the training write its run's id, and {fix}.",
                run=run,
                fix=register(provenance),
            )
        )
    if run_file_md5(provenance) not in {out.md5 for out in provenance.lock.outs}:
        return no(
            recorded(
                "lineage",
                "dvc.lock does not pin run {run}: mlflow_run.json in the lock belongs to another run. "
                "The lock describes other data and parameters than this run's. Fix: {fix}.",
                run=run,
                fix=train_again(provenance),
            )
        )
    return True, recorded("lineage", "dvc.lock pins run {run}", run=run)


def params_equal(provenance: Provenance) -> Found:
    if provenance.run is None or provenance.lock is None:
        return unchecked(recorded("lineage", "the parameters against dvc.lock, because there is no dvc.lock."))
    equal, other = differences(provenance.run.params, provenance.lock.params_of(run_file_md5(provenance)))
    if other:
        return no(
            recorded(
                "lineage",
                "hyperparameters differ between the run and dvc.lock: {list}. "
                "The lock does not describe how this run was trained. Fix: {fix}.",
                list=some_of(other, "; "),
                fix=train_again(provenance),
            )
        )
    if not equal:
        return no(
            recorded(
                "lineage",
                "the run and dvc.lock have no parameter in common. Nobody can tell how the version was trained. "
                "Fix: name the parameters under params of the stage in dvc.yaml, and log them on the run.",
            )
        )
    return True, recorded("lineage", "{count} parameters are the same on the run and in dvc.lock", count=equal)
