"""The pipeline in a run's dvc.lock: a worker reads it when evidence is frozen, and the web process shows what was kept.

The web process parses no YAML: a hostile file takes seconds of CPU, and the votes' threads share it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from bot.domain.evidence.dvc_lock import sha256_of
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import Evidence
from bot.domain.queries.description import Pipeline, pipeline_of
from bot.dvc import files as dvc_files
from bot.errors import InvalidDvcFile
from bot.language import N_, _
from bot.store.transaction import Transaction
from handlers.evidence.kept_pipelines import find_pipeline

NO_LOCK = N_("unknown: the run has logged no lineage/dvc.lock that may be read")
NOT_KEPT = N_(
    "not shown here, because it was not kept when the evidence was frozen. Read it with: countersign describe"
)


def read_pipeline(lock: KeptLock) -> Pipeline:
    """What cannot be read is named in `unread`."""
    digest = sha256_of(lock.text)
    try:
        return pipeline_of(dvc_files.read_kept(lock), digest, None)
    except InvalidDvcFile as fault:
        return Pipeline(lock_sha256=digest, unread=f"cannot be read: the run's dvc.lock {fault}")


def keep_pipeline(pipeline: Pipeline, tx: Transaction) -> None:
    """A NUL, which PostgreSQL does not store, is escaped in JSON."""
    tx.pipelines.keep(pipeline.lock_sha256, json.dumps(asdict(pipeline)))


def kept_pipeline(evidence: Evidence | None, tx: Transaction) -> Pipeline:
    """That of the frozen evidence. Reads no file and no registry."""
    if evidence is None or not evidence.lock_sha256:
        return Pipeline(unread=_(NO_LOCK) if evidence else _(NOT_KEPT))
    found = find_pipeline(evidence, tx)
    return replace(found, warning="") if found else Pipeline(unread=_(NOT_KEPT))
