"""Questions that MLflow's stores answer with much more than is asked for, put to its tables with one small read instead."""

from __future__ import annotations

from typing import Any


def stage_of(store: Any, model: str, number: str) -> str | None:
    """Of a version; empty when there is none. None when only the store can tell: it has no such tables, or they do not answer."""
    engine, workspace = getattr(store, "engine", None), getattr(store, "_get_active_workspace", None)
    if engine is None or not number:
        return None
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    rows = SqlModelVersion.__table__
    query = select(rows.c.current_stage).where(rows.c.name == model, rows.c.version == int(number))
    if "workspace" in rows.c:
        if workspace is None:
            return None
        query = query.where(rows.c.workspace == workspace())
    try:
        with engine.connect() as connection:
            return str(connection.execute(query).scalar() or "")
    except SQLAlchemyError:
        return None  # the store says what is wrong
