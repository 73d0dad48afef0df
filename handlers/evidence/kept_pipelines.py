"""The pipeline that was read from a run's dvc.lock when its evidence was frozen. Reads no file and no registry."""

from __future__ import annotations

from bot.database.json_readers import JsonReader
from bot.domain.model import Evidence
from bot.domain.queries.description import Pipeline
from bot.store.transaction import Transaction

READER: JsonReader[Pipeline] = JsonReader(Pipeline)


def find_pipeline(evidence: Evidence, tx: Transaction) -> Pipeline | None:
    """None when the run kept no lock, or its pipeline was not kept."""
    found = tx.pipelines.find(evidence.lock_sha256) if evidence.lock_sha256 else None
    return READER.validate_json(found) if found else None
