"""What the migration to custody makes of the rows and the ledger of before."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from bot.database.connect import alembic_config, create_engine, migrate
from bot.domain.events import ApprovalHeld, ModelRenamed, MoveObserved
from bot.domain.ledger.chain import as_plain, body_of
from bot.domain.model import State, Target, TargetKind
from bot.domain.registry.names import Renamed
from bot.store import tables
from bot.store.custody import CustodyRows
from bot.store.requests import REQUEST
from tests.builders import CHAMPION, NOON, REQUEST_ID, a_request, a_version

PROD = Target(TargetKind.MODEL, "prod.x")
COPY = a_version(4, "prod.x")


@pytest.fixture
def connection(empty_database_url: str):  # type: ignore[no-untyped-def]
    """A database as the release before left it, filled and then migrated."""
    config = alembic_config()
    engine = create_engine(empty_database_url, pooled=False)
    with engine.begin() as before:
        config.attributes["connection"] = before
        command.upgrade(config, "0005")
        _fill(before)
    migrate(empty_database_url)
    with engine.connect() as after:
        yield after
    engine.dispose()


def _fill(connection: sa.Connection) -> None:
    at = {"at": NOON, "leaf": b"", "head": b""}
    observed = MoveObserved(NOON, "default", CHAMPION, "bike-demand", a_version(2), a_version(1), "report")
    renamed = ModelRenamed(NOON, "default", "bike", "bike-demand")
    held = ApprovalHeld(NOON, REQUEST_ID, "release", NOON)
    for seq, event in enumerate((observed, renamed, held), 1):
        kind, body = type(event).__name__, json.dumps(body_of(event, seq))
        connection.execute(sa.insert(tables.ledger).values(seq=seq, kind=kind, body=body, **at))
    request = a_request(State.APPLIED, target=PROD, frozen_by="release", frozen_until=NOON)
    body = {name: value for name, value in as_plain(request).items() if name not in ("copies", "found")}  # type: ignore[union-attr]
    connection.execute(
        sa.text(
            "insert into requests (id, state, kind, workspace, model, version, version_created, target, opened_at, body) "
            "values (:id, 'applied', 'promotion', 'default', 'bike-demand', 7, :at, 'model:prod.x', :at, :body)"
        ),
        {"id": request.id, "at": NOON, "body": json.dumps(body)},
    )
    for version, target, request_id in (
        (a_version(1), CHAMPION, None),
        (a_version(2), CHAMPION, None),
        (COPY, PROD, request.id),
    ):
        connection.execute(
            sa.insert(tables.placements).values(
                workspace="default",
                model=version.model,
                target=str(target),
                version=version.version,
                version_created=version.created,
                since=NOON,
                request_id=request_id,
            )
        )
    for name in ("bike-demand", "prod.x"):
        connection.execute(
            sa.insert(tables.models).values(
                workspace="default", name=name, created=NOON, baseline=0, newest=7, fingerprint="as before"
            )
        )


def test_what_is_held_without_an_approval_is_baseline_unless_it_was_seen_to_be_moved_there(
    connection: sa.Connection,
) -> None:
    assert CustodyRows(connection).baseline("default", "bike-demand", CHAMPION) == {a_version(1): NOON}


def test_which_copies_a_request_has_made_is_kept_beside_it(connection: sa.Connection) -> None:
    assert CustodyRows(connection).copies([REQUEST_ID]) == {REQUEST_ID: (COPY,)}


def test_a_freeze_that_is_over_leaves_no_trace_on_a_request(connection: sa.Connection) -> None:
    body = connection.execute(sa.select(tables.requests.c.body)).scalar_one()

    request = REQUEST.validate_python(json.loads(body))

    assert (request.frozen_by, request.frozen_until, request.found) == ("", None, None)


def test_renames_are_taken_from_the_ledger(connection: sa.Connection) -> None:
    assert CustodyRows(connection).renames("default") == [Renamed("bike", "bike-demand", NOON)]


def test_every_known_place_is_watched_already_as_long_as_the_policy_is_the_same(connection: sa.Connection) -> None:
    rows = CustodyRows(connection)

    since = rows.watched_before("default", "bike-demand", 0)

    assert since is not None
    assert since > NOON - timedelta(days=1)
    assert rows.watched_before("default", "bike-demand", 1) is None
    assert set(connection.execute(sa.select(tables.models.c.fingerprint)).scalars()) == {""}
