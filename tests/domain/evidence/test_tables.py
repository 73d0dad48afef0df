"""The Delta table that a data set was read from: how it is shown, what a change of it means, and what older records are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.attestation.decision import evidence_digest
from bot.domain.card.details import details_card
from bot.domain.card.sentences import CardContext
from bot.domain.evidence.caps import capped
from bot.domain.evidence.changes import changes
from bot.domain.ledger.chain import as_plain
from bot.domain.model import DataSet, Evidence, Table
from bot.domain.queries.description_text import data_set_text
from handlers.digest.inventory import _data_of
from tests.builders import a_request, a_rule, an_evidence

THIRD = Table("s3://lake/rides", "", 3)
RIDES = DataSet("rides", "1a2b3c4d", "training", THIRD)


def frozen(table: Table | None) -> Evidence:
    return an_evidence(datasets=(replace(RIDES, table=table),))


def test_the_version_is_on_the_card_in_describe_and_in_the_digest_however_long_the_path_is() -> None:
    long = DataSet("rides", "1a2b3c4d", "training", Table(f"s3://lake/{'x' * 900}/rides", "", 3))

    card = details_card(a_request(evidence=an_evidence(datasets=(long,))), CardContext({}, a_rule()))
    shown = next(fact.value for fact in card.facts if fact.label == "Data sets")

    assert str(shown).startswith("rides 1a2b3c4d (training), version 3 of Delta table s3://lake/xxx")
    assert str(shown).endswith("xxx/rides")
    assert len(str(shown)) < 160
    assert data_set_text(RIDES) == "1a2b3c4d training; version 3 of Delta table s3://lake/rides"
    assert _data_of(frozen(THIRD)) == "1a2b3c4d (table version 3)"
    assert _data_of(frozen(replace(THIRD, version=None))) == "1a2b3c4d (table version not known)"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (replace(THIRD, version=4), "version 4 of Delta table s3://lake/rides"),
        (replace(THIRD, version=None), "Delta table s3://lake/rides, version not known"),
        (replace(THIRD, path="s3://other/rides"), "version 3 of Delta table s3://other/rides"),
        (None, "no table"),
    ],
)
def test_another_version_or_place_than_people_decided_on_is_a_change(now: Table | None, told: str) -> None:
    assert changes(frozen(THIRD), frozen(now)) == (
        f"data set rides (1a2b3c4d) for training was read from version 3 of Delta table s3://lake/rides and is read from {told} now",
    )


def test_evidence_of_older_releases_keeps_its_digest_and_is_bound_to_no_table() -> None:
    older = frozen(None)

    assert as_plain(older.datasets) == [{"name": "rides", "digest": "1a2b3c4d", "context": "training"}]
    assert changes(older, frozen(THIRD)) == ()
    assert evidence_digest(older) != evidence_digest(frozen(THIRD))
    many = an_evidence(datasets=tuple(DataSet(f"d{number}", "1a") for number in range(101)))
    assert [cut.digest for cut in capped(many).cut] == [
        "sha256:e79c659fbb0527fe4efc3fb813afac4d7145aab80447c1aa9cd2afe0872aacca"
    ]


def test_a_version_0_is_frozen_like_any_other() -> None:
    assert as_plain(replace(THIRD, version=0)) == {"path": "s3://lake/rides", "name": "", "version": 0}


def test_an_endless_path_is_cut_in_the_record() -> None:
    (kept,) = capped(frozen(Table("s3://" + "x" * 5_000, "n" * 5_000, 3))).datasets

    assert kept.table is not None
    assert (len(kept.table.path), len(kept.table.name), kept.table.version) == (1_000, 1_000, 3)
