"""From a run that read a Delta table to the card, and back from the version of the model to that version of the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import requests
from deltalake import DeltaTable, write_deltalake
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag

from bot.clients.delta.tables import DeltaTables
from bot.clients.dvc import DvcData
from bot.domain.model import Table, TransitionRequest
from bot.domain.queries.description_text import in_words
from bot.errors import Refused
from handlers.queries.describe import describe
from handlers.queries.fetch_data import Brought, Places, Sources, fetch_data
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation
from tests.fixtures.version_page import served_pages


def command_line(installation: Installation, *words: str) -> Finished:
    database = installation.settings.database_url.get_secret_value()
    return countersign(
        "describe", *words, DATABASE_URL=database, MLFLOW_TRACKING_URI=installation.settings.mlflow_tracking_uri
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Version N has one ride more than N."""
    place = tmp_path / "lake/rides"
    for version in range(3):
        write_deltalake(place, pa.table({"rides": list(range(version + 1))}), mode="overwrite")
    return place


def trained_on(installation: Installation, **sources: DeltaDatasetSource) -> TransitionRequest:
    """A version whose run logged these data sets by their names, and asks for its target."""
    return installation.asked(registered(installation, **sources))


def registered(installation: Installation, **sources: DeltaDatasetSource) -> int:
    """The data sets are logged as `mlflow.log_input` sends them."""
    number = installation.register()
    context = [InputTag("mlflow.data.context", "training")]
    inputs = [
        DatasetInput(MetaDataset(source, name=name)._to_mlflow_entity(), context) for name, source in sources.items()
    ]
    installation.mlflow.log_inputs(installation.run_of(number), datasets=inputs)
    return number


def fetched(installation: Installation, into: Path, **tables: str) -> Brought:
    sources = Sources(DvcData(), DeltaTables(), mirror=None)  # type: ignore[arg-type]  # no rule names a git remote
    return fetch_data(f"models:/{installation.model}/1", into, Places(tables=tables), sources, installation.s)


def allow(installation: Installation, *places: object) -> None:
    stores = ", ".join(json.dumps(str(place)) for place in ("mlflow-artifacts:", *places))
    installation.use_policy(top=f"artifact_stores: [{stores}]")


def test_the_version_of_the_table_is_frozen_shown_and_brought_back(
    installation: Installation, table: Path, tmp_path: Path
) -> None:
    allow(installation, f"{table.parent}/")
    request = trained_on(installation, rides=DeltaDatasetSource(path=str(table), delta_table_version=1))
    installation.approve(request)

    report = fetched(installation, tmp_path / "out")

    said = f"version 1 of Delta table {table}"
    found = describe(f"models:/{installation.model}/1", installation.s)
    with served_pages(installation) as links:
        page = requests.get(links.to_version(installation.model, 1, installation.clock.now()), timeout=30)
    ticket = installation.reread(request).ticket
    assert request.evidence is not None
    assert ticket is not None
    assert [one.table for one in request.evidence.datasets] == [Table(str(table), "", 1)]
    assert "(training), version 1 of Delta table /" in installation.details(request)
    assert "(training), version 1 of Delta table /" in installation.jira.issue(ticket.key).description_text
    assert said in "\n".join(in_words(found))
    assert f"<td><bdi>{said}</bdi></td>" in page.text
    assert DeltaTable(tmp_path / "out/rides-v1").to_pyarrow_table().to_pydict() == {"rides": [0, 1]}
    assert [(one.path, one.is_fault) for one in report.left] == [("dvc.lock", False)]
    assert report.is_good


def test_a_place_that_no_one_trusts_is_not_looked_at_until_it_is_named(
    installation: Installation, table: Path, tmp_path: Path
) -> None:
    elsewhere = shutil.move(table, tmp_path / "elsewhere")
    (tmp_path / "lake/link").symlink_to(elsewhere)
    allow(installation, f"{tmp_path}/lake/")
    trained_on(
        installation,
        outside=DeltaDatasetSource(path=str(elsewhere), delta_table_version=1),
        link=DeltaDatasetSource(path=f"{tmp_path}/lake/link", delta_table_version=1),
        up=DeltaDatasetSource(path=f"{tmp_path}/lake/../elsewhere", delta_table_version=1),
        named=DeltaDatasetSource(delta_table_name="hive_metastore.bikes.rides", delta_table_version=2),
        zero=DeltaDatasetSource(path=f"{tmp_path}/lake/zero", delta_table_version=0),
    )
    trusted = dict.fromkeys(("outside", "link", "up", "named"), str(elsewhere))

    report = fetched(installation, tmp_path / "untrusted")
    again = fetched(installation, tmp_path / "out", **trusted)

    why = {one.path: one.why for one in report.left if one.is_fault}
    assert (report.tables, report.is_good) == ((), False)
    for name in ("outside", "up"):
        assert "which is in none of the policy's artifact_stores, and a run can name any place" in why[name]
    assert f"a link to {elsewhere}, which is in none of the policy's artifact_stores" in why["link"]
    assert "only the catalog knows where it is: name the folder of the table with --table" in why["named"]
    assert "did not say which version of Delta table" in why["zero"]
    assert "0 as a text" in why["zero"]
    assert sorted(one.folder for one in again.tables) == ["link-v1", "named-v2", "outside-v1", "up-v1"]
    assert [one.path for one in again.left if one.is_fault] == ["zero"]
    with pytest.raises(Refused, match="no data set of that version with the name 'other' was read from a Delta table"):
        fetched(installation, tmp_path / "out", other=str(elsewhere))


def test_the_command_brings_the_table_back_and_says_what_was_checked(
    installation: Installation, table: Path, tmp_path: Path
) -> None:
    request = trained_on(installation, rides=DeltaDatasetSource(path=str(table), delta_table_version=2))
    out, uri = str(tmp_path / "out"), f"models:/{request.version.model}/1"

    refused = command_line(installation, uri, "--fetch", out)
    done = command_line(installation, uri, "--fetch", out, "--table", f"rides={table}")
    plain = command_line(installation, uri, "--fetch", out, "--table", f"rides={table}", "--json")
    wrong = command_line(installation, uri, "--fetch", out, "--table", str(table))
    alone = command_line(installation, uri, "--table", f"rides={table}")
    number = registered(installation, later=DeltaDatasetSource(path=str(table), delta_table_version=1))
    unasked = command_line(
        installation, f"models:/{request.version.model}/{number}", "--fetch", out, "--table", f"later={table}"
    )

    assert (refused.returncode, done.returncode, plain.returncode) == (1, 0, 0), done.stdout
    assert "NOT BROUGHT BACK" in refused.stdout
    assert f"rides-v2  rides: version 2 of {table}, written " in done.stdout
    assert "no hash of them was recorded, so only version, time and sizes were checked" in done.stdout
    assert json.loads(plain.stdout)["tables"][0]["table"]["version"] == 2
    assert (wrong.returncode, alone.returncode, unasked.returncode) == (2, 2, 0)
    assert "nothing was frozen: these are the versions that MLflow names now" in unasked.stdout
    assert "Write for example rides=/srv/tables/rides" in wrong.stderr
