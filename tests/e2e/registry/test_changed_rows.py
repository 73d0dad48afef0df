"""The row of a request is changed beside the ledger by someone who can write to the database: nothing moves by what it says then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof


def make_it_about(other: TransitionRequest, request: TransitionRequest, installation: Installation) -> None:
    """The row says from now on that the request is for the other's version, with its evidence."""
    body = sa.text("select body from requests where id = :id")
    with installation.s.store.engine.begin() as connection:
        ours, theirs = (json.loads(connection.execute(body, {"id": one.id}).scalar_one()) for one in (request, other))
        changed = {**ours, "version": theirs["version"], "evidence": theirs["evidence"]}
        connection.execute(
            sa.text("update requests set body = :body, version = :number, version_created = :created where id = :id"),
            {
                "body": json.dumps(changed),
                "number": other.version.version,
                "created": other.version.created,
                "id": request.id,
            },
        )


def rejected(installation: Installation) -> TransitionRequest:
    bad = installation.asked(installation.register(user="mallory"))
    installation.reject(bad, "it leaks the target")
    return bad


def parked(installation: Installation) -> list[str]:
    return [job.errors[-1].error for job in installation.s.store.jobs.listing(JobStatus.PARKED)]


def test_a_row_that_is_changed_while_the_worker_waits_for_its_turn_moves_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.sweep()
    bad = rejected(installation)
    request = installation.asked(installation.register())
    turns, changed = installation.s.store.turns, []
    take = turns.take

    @contextmanager
    def take_late(workspace: str, model: str) -> Iterator[None]:
        with take(workspace, model):
            if not changed and installation.reread(request).attested_at:
                make_it_about(bad, request, installation)
                changed.append(request)
            yield

    monkeypatch.setattr(turns, "take", take_late)
    installation.approve(request)
    installation.settle_once()

    assert changed
    assert installation.champion() is None
    assert any("was changed beside the ledger" in why for why in parked(installation))


@pytest.mark.parametrize("how", ["emptied", "moved"])
def test_a_target_is_not_given_back_by_a_row_that_was_changed(how: str, installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.sweep()
    bad = rejected(installation)
    request = installation.promoted(installation.register())
    make_it_about(bad, request, installation)
    with installation.s.store.engine.begin() as connection:  # else its rejection would speak against it
        gone = (
            "update requests set state = 'withdrawn', body = jsonb_set(body::jsonb, '{state}', '\"withdrawn\"')::text"
        )
        connection.execute(sa.text(f"{gone} where id = :id"), {"id": bad.id})

    if how == "emptied":
        installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    else:
        other = installation.register(user="ben")
        installation.mlflow.set_registered_model_alias(installation.model, "champion", str(other))
    installation.sweep()
    installation.settle_once()

    assert installation.champion() != bad.version.version
    assert installation.reread(request).state is State.APPLIED
    assert any("was changed beside the ledger" in why for why in parked(installation))
