"""Custody: since when each place is watched, what was there then, which names a model had, and which copies a request made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)
Key = tuple[str, str, str, int, datetime]  # workspace, model, target, version, when it was created


def upgrade() -> None:
    _make_tables()
    connection = op.get_bind()
    _fill_renames(connection)
    _fill_copies(connection)
    _fill_baselines(connection)
    _fill_watches(connection)


def _make_tables() -> None:
    op.create_table(
        "watches",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("handling", sa.Text, nullable=False),
        sa.Column("absent_since", MOMENT),
    )
    op.create_table(
        "baselines",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("version_created", MOMENT, primary_key=True),
        sa.Column("since", MOMENT, nullable=False),
    )
    op.create_table(
        "renames",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("renames_by_name", "renames", ["workspace", "after"])
    op.create_table(
        "copies",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("version_created", MOMENT, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
    )
    op.create_index("copies_by_request", "copies", ["request_id"])
    op.create_index("requests_by_target", "requests", ["workspace", "target", "opened_at"])


def _entries(connection: sa.Connection, kind: str) -> Iterator[dict[str, Any]]:
    found = connection.execute(sa.text("select body from ledger where kind = :kind order by seq"), {"kind": kind})
    for row in found:
        yield json.loads(row.body)


def _fill_renames(connection: sa.Connection) -> None:
    """The ledger has recorded them all."""
    insert = sa.text("insert into renames (workspace, before, after, at) values (:workspace, :before, :after, :at)")
    for body in _entries(connection, "ModelRenamed"):
        connection.execute(insert, {name: body[name] for name in ("workspace", "before", "after", "at")})


def _fill_copies(connection: sa.Connection) -> None:
    """Only the placements knew which copies a request had made; newer requests record it in the ledger."""
    connection.execute(
        sa.text(
            "insert into copies (workspace, model, version, version_created, request_id) "
            "select workspace, model, version, version_created, request_id from placements "
            "where request_id is not null and target = 'model:' || model on conflict do nothing"
        )
    )


def _fill_baselines(connection: sa.Connection) -> None:
    """What is held without an approval, but for what was seen to be moved there by hand."""
    by_hand = {
        (
            body["workspace"],
            body["model"],
            f"{body['target']['kind']}:{body['target']['name']}",
            *_identity(body["version"]),
        )
        for body in _entries(connection, "MoveObserved")
        if body["version"] is not None
    }
    held = connection.execute(sa.text("select * from placements where request_id is null")).all()
    insert = sa.text(
        "insert into baselines (workspace, model, target, version, version_created, since) "
        "values (:workspace, :model, :target, :version, :version_created, :since)"
    )
    for place in held:
        created = place.version_created.astimezone(UTC)
        if (place.workspace, place.model, place.target, place.version, created) in by_hand:
            continue
        names = ("workspace", "model", "target", "version", "version_created", "since")
        connection.execute(insert, {name: getattr(place, name) for name in names})


def _fill_watches(connection: sa.Connection) -> None:
    """Every place of a known model is watched already, under the policy in force: the next sweep's looks name them."""
    connection.execute(
        sa.text(
            "insert into watches (workspace, model, target, since, handling) "
            "select workspace, name, '*', now(), 'policy ' || (select coalesce(max(id), 0) from policies) from models"
        )
    )
    connection.execute(sa.text("update models set fingerprint = ''"))


def _identity(version: dict[str, Any]) -> tuple[int, datetime]:
    return version["version"], datetime.fromisoformat(version["created"]).astimezone(UTC)
