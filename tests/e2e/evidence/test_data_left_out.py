"""Data that cannot be looked after is left out of the looks, and `countersign doctor` says why. A real git remote and DVC remote."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

from bot.doctor.evidence_data import data_is_looked_after
from bot.doctor.findings import Status, World
from bot.ports.evidence_watch import NOTHING_KEPT, DataKeeper
from tests.e2e.evidence.test_losses import approved_under, collect_data, look, lost, policy_for, storage_of
from tests.fixtures.installation import Installation
from tests.fixtures.training_repository import Training


def said_of_data(installation: Installation, data: DataKeeper | None = None) -> list[tuple[Status, str, str]]:
    """By the doctor."""
    s = replace(installation.s, data=data) if data else installation.s
    with s.store.transaction() as tx:
        world = SimpleNamespace(policy=tx.policy(), services=s)
    return [(one.status, one.why, one.fix) for one in data_is_looked_after(cast(World, world))]


def test_the_doctor_says_why_data_is_not_looked_after_and_it_is_once_that_is_changed(
    installation: Installation, copied: Training
) -> None:
    nothing_yet = said_of_data(installation)
    storage = storage_of(copied)
    approved_under(policy_for(copied), installation, copied)
    look(installation, timedelta())
    outside = said_of_data(installation)
    without_dvc = said_of_data(installation, NOTHING_KEPT)
    look(installation)

    installation.use_policy(**policy_for(copied, f"{storage}/"))
    look(installation)
    inside = said_of_data(installation)
    collect_data(copied)
    look(installation)

    assert nothing_yet == []
    why = f"1 approval rests on data in {storage}, which is in none of artifact_stores, so its loss is not noticed"
    assert outside == [
        (Status.WARN, why, f'if the worker may read it, add "{storage}/" to artifact_stores in the policy')
    ]
    [(status, why, fix)] = without_dvc
    assert (status, "of DVC, which is not installed here" in why, "mlflow-countersign[dvc]" in fix) == (
        Status.WARN,
        True,
        True,
    )
    assert inside == [
        (Status.OK, "1 approval rests on data of DVC; the remotes of 1 are known, all in artifact_stores", "")
    ]
    [(part, names)] = lost(installation)
    assert part == "data"
    assert set(names) > {"data/raw.csv", "data/clean"}  # and files in the folder
