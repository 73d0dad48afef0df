"""The pipelines of what is held: read from the registry, which may refuse one, or not answer at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain.model import VersionId
from bot.errors import Temporary
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import a_version
from tests.fixtures.digest_figures import LOCK, MONDAY, OnlyTheLedger, OnMonday, promoted, told, use_policy
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs


@pytest.fixture
def with_policy(engine: sa.Engine, jobs: Jobs) -> Services:
    s = OnlyTheLedger(Store(engine, jobs, OnMonday(), {}, read_policy))
    use_policy(s, policy_text("bike-*"), MONDAY)
    return s


def test_the_pipeline_of_what_is_held_is_told_or_why_there_is_none(with_policy: Services) -> None:
    with_lock, without = a_version(7, "bike-day"), a_version(8, "bike-night")
    with_policy.registry.locks[with_lock] = LOCK  # type: ignore[attr-defined]
    promoted(with_policy, with_lock, MONDAY)
    promoted(with_policy, without, MONDAY, request_id="r2")

    first, second = told(with_policy).pipelines

    assert first.stages == ("prepare", "  train")
    assert first.edges == (("rides.csv", "prepare"), ("prepare", "train"))
    assert second.missing == "the run has logged no lineage/dvc.lock that may be read"


def test_a_registry_that_does_not_answer_is_asked_once(with_policy: Services) -> None:
    with_policy.registry.trouble = Temporary("MLflow does not answer")  # type: ignore[attr-defined]
    promoted(with_policy, a_version(7, "bike-day"), MONDAY)
    promoted(with_policy, a_version(8, "bike-night"), MONDAY, request_id="r2")

    pipelines = told(with_policy).pipelines

    assert [one.missing for one in pipelines] == [
        "the registry could not tell when the week was closed: MLflow does not answer"
    ] * 2
    assert len(with_policy.registry.asked) == 1  # type: ignore[attr-defined]


def test_a_refusal_speaks_of_its_own_version_alone(with_policy: Services) -> None:
    refused, outcome_of = a_version(7, "bike-day"), a_version(8, "bike-night")
    with_policy.registry.refused.add(refused)  # type: ignore[attr-defined]
    with_policy.registry.locks[outcome_of] = LOCK  # type: ignore[attr-defined]
    promoted(with_policy, refused, MONDAY)
    promoted(with_policy, outcome_of, MONDAY, request_id="r2")

    first, second = told(with_policy).pipelines

    assert first.missing == "the registry could not tell when the week was closed: nobody may read bike-day v7"
    assert second.stages == ("prepare", "  train")


def test_no_picture_of_the_database_is_kept_while_the_registry_is_asked(
    with_policy: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(with_policy, a_version(7, "bike-day"), MONDAY)
    in_use = []

    def read_lock(_version: VersionId, _stores: Iterable[str]) -> None:
        with with_policy.store.engine.connect() as connection:
            others = """
                select count(*) from pg_stat_activity
                where datname = current_database() and state = 'idle in transaction' and pid <> pg_backend_pid()
            """
            in_use.append(connection.execute(sa.text(others)).scalar())

    monkeypatch.setattr(with_policy.registry, "read_lock", read_lock)

    told(with_policy)

    assert in_use == [0]
