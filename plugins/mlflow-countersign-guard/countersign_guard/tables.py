"""Questions that MLflow's stores answer with much more than is asked for, put to its tables with one small read instead."""

from __future__ import annotations

from functools import cache
from typing import Any


def stage_of(store: Any, model: str, number: str) -> str | None:
    """Of a version; empty when there is none. None when only the store can tell: it has no such tables, or they do not answer."""
    engine, workspace = getattr(store, "engine", None), getattr(store, "_get_active_workspace", None)
    if engine is None or not number:
        return None
    from sqlalchemy.exc import SQLAlchemyError

    query, has_workspaces = _stage_query()
    asked = {"model": model, "number": int(number)}
    if has_workspaces:
        if workspace is None:
            return None
        asked["place"] = workspace()
    try:
        with engine.connect() as connection:
            return str(connection.execute(query, asked).scalar() or "")
    except (SQLAlchemyError, OverflowError):
        return None  # the store says what is wrong


@cache
def _stage_query() -> tuple[Any, bool]:
    """With whether the tables know workspaces. Made once: making it takes longer than asking it."""
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from sqlalchemy import bindparam, select

    rows = SqlModelVersion.__table__.c
    query = select(rows.current_stage).where(rows.name == bindparam("model"), rows.version == bindparam("number"))
    if "workspace" not in rows:
        return query, False
    return query.where(rows.workspace == bindparam("place")), True
