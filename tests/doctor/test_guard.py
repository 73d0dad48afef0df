"""`countersign doctor` on a registry with a guard: what it lacks, which ways lead around it, and that trying them changes nothing."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.clients.bucket_rights import may_write
from bot.clients.mlflow.guard_checkup import GuardSeen
from bot.doctor.findings import Finding, Status
from bot.doctor.guard import keys_are_ours, list_is_fresh, reports_arrive
from bot.doctor.sections import MLFLOW, read_world
from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import GovernedVersion, statement_for
from bot.domain.registry.writes import RegistryWrite, WriteAct
from bot.sandbox.serving import serving
from bot.store.attestations import GovernedList
from tests.builders import a_rule
from tests.fixtures import quick_directory
from tests.fixtures.buckets import DENIED, Buckets
from tests.fixtures.doctor_world import ELSEWHERE, Installation
from tests.fixtures.mlflow_seed import new_model
from tests.guard.guarded_server import SECRET, Guarded, guarded_mlflow, standing_in, wait_until

ADMIN, PASSWORD = "admin", secrets.token_urlsafe()
ALIAS = "/api/2.0/mlflow/registered-models/alias"
ACCOUNTS = """[mlflow]
default_permission = READ
database_uri = sqlite:///{home}/accounts.db
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
AROUND = (
    *("mlflow guard", "mlflow sign-in", "mlflow account", "mlflow uploads"),
    *("mlflow elsewhere", "mlflow database", "mlflow files"),
)
APPROVED = GovernedVersion("default", "bike-demand", 1, "", f"mlflow-artifacts:/1/{'a' * 32}/artifacts/model")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with quick_directory() as home, standing_in() as bot:
        bot.govern([a_rule(models="*")], [APPROVED])
        with guarded_mlflow(bot, home) as server:
            yield server


@pytest.fixture(scope="module")
def with_accounts() -> Iterator[Guarded]:
    with quick_directory() as home, standing_in() as bot:
        bot.govern([a_rule(models="*")])
        (home / "accounts.ini").write_text(ACCOUNTS.format(home=home, admin=ADMIN))
        environ = {
            "COUNTERSIGN_GUARD_BASIC_AUTH": "true",
            "MLFLOW_AUTH_CONFIG_PATH": str(home / "accounts.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-key-of-the-tests",
        }
        with guarded_mlflow(bot, home, environ=environ) as server:
            server.auth = (ADMIN, PASSWORD)
            yield server


def guard(installed: Installation, server: Guarded, directory: Path) -> None:
    """The installation watches this server, with the secret of its guard, and signs with the key that the guard believes."""
    key = directory / "signing.pem"
    key.touch(mode=0o600)
    key.write_bytes(server.bot.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    installed.environ |= {
        "MLFLOW_TRACKING_URI": server.url,
        "COUNTERSIGN_GUARD_SECRET": SECRET,
        "COUNTERSIGN_SIGNING_KEY": str(key),
    }
    new_model(server.client, installed.model)
    sign_list(installed, server.bot.answer or "")


def sign_list(installed: Installation, envelope: str) -> None:
    with installed.s.store.transaction() as tx:
        tx.governed.put(GovernedList("default", 0, datetime.now(UTC), envelope))


@pytest.fixture
def guarding(installed: Installation, guarded: Guarded, tmp_path: Path) -> Installation:
    guard(installed, guarded, tmp_path)
    return installed


def around(installation: Installation) -> dict[str, list[Finding]]:
    """What was found about the guard and the ways around it, without all that doctor also looks at."""
    world = read_world(installation.environ)
    try:
        found = [one for check in MLFLOW.checks if check.what in AROUND for one in check.look(world)]
    finally:
        world.close()
    return {what: [one for one in found if one.what == what] for what in AROUND}


def whys(findings: list[Finding]) -> str:
    return "\n".join(f"{one.status} {one.why}; {one.fix}" for one in findings)


def rows_of(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {table: sorted(connection.execute(f'select * from "{table}"').fetchall(), key=repr) for table in tables}


def everything_in(home: Path) -> tuple[object, ...]:
    files = sorted(str(path) for path in (home / "mlflow" / "artifacts").rglob("*"))
    kept = (home / "guard" / "governed-default.json").read_text()
    return rows_of(home / "mlflow" / "mlflow.db"), rows_of(home / "guard" / "writes.sqlite"), files, kept


# A guard that is well


def test_a_guard_that_is_well_is_said_to_be_and_what_was_not_tried_too(guarding: Installation) -> None:
    found = around(guarding)

    assert [one.status for one in found["mlflow guard"]] == [Status.OK] * 4, whys(found["mlflow guard"])
    assert f"others cannot move alias:champion of {guarding.model}, and the bot can" in whys(found["mlflow guard"])
    assert "alone, which signs now" in whys(found["mlflow guard"])
    assert "warn not asked for: everyone who reaches" in whys(found["mlflow sign-in"])
    assert "skip not tried: another MLflow server on the same database" in whys(found["mlflow elsewhere"])
    assert "skip not tried: its tables, because MLFLOW_BACKEND_STORE_URI is not set" in whys(found["mlflow database"])
    assert "skip not tried: `mlflow gc` and `mlflow db`" in whys(found["mlflow database"])
    assert "ok experiments keep their files at mlflow-artifacts:" in whys(found["mlflow files"])


def test_trying_every_way_around_changes_nothing(guarding: Installation, guarded: Guarded) -> None:
    """Neither in a registry that is guarded, nor in one that is not, nor in what the guard reports."""
    guarding.environ["MLFLOW_BACKEND_STORE_URI"] = f"sqlite:///{guarded.home / 'mlflow' / 'mlflow.db'}"
    guarding.environ["COUNTERSIGN_GUARD_TRY_URLS"] = f"{guarded.url} {guarding.mlflow.tracking_uri}"
    wait_until(lambda: not rows_of(guarded.home / "guard" / "writes.sqlite")["writes"])
    before, reports = everything_in(guarded.home), len(guarded.bot.reports)
    open_before = guarding.mlflow.get_registered_model(guarding.model)

    found = around(guarding)

    open_after = guarding.mlflow.get_registered_model(guarding.model)
    assert any(one.status is Status.FAIL for one in found["mlflow elsewhere"])
    assert (everything_in(guarded.home), len(guarded.bot.reports)) == (before, reports)
    assert (open_after.aliases, open_after.tags) == ({}, {})
    assert open_after.last_updated_timestamp == open_before.last_updated_timestamp


def test_a_registry_without_a_guard_gets_one_line(installed: Installation) -> None:
    found = around(installed)

    assert {what: len(findings) for what, findings in found.items() if findings} == {"mlflow guard": 1}
    assert found["mlflow guard"][0].why.startswith("none, so others can move what is governed")


def test_a_secret_for_a_registry_without_a_guard_is_a_failure(installed: Installation) -> None:
    installed.environ["COUNTERSIGN_GUARD_SECRET"] = SECRET

    found = around(installed)["mlflow guard"]

    assert [one.status for one in found] == [Status.FAIL]
    assert "run the MLflow server with --app-name countersign" in found[0].fix


def test_a_guard_with_another_secret_is_a_failure(guarding: Installation) -> None:
    guarding.environ["COUNTERSIGN_GUARD_SECRET"] = "y" * 40

    found = around(guarding)["mlflow guard"]

    assert [one.status for one in found] == [Status.FAIL, Status.WARN]
    assert "refuses the bot too" in found[0].why


def test_a_guard_says_nothing_about_itself_without_its_secret(guarded: Guarded) -> None:
    state = "/api/2.0/countersign-guard"

    without, wrong = guarded.call("GET", state), guarded.call("GET", state, headers={"X-Countersign-Guard": "z" * 40})

    assert (without.status_code, wrong.status_code) == (404, 404)
    assert "keys" in guarded.as_bot("GET", state).json()


# Accounts


def test_with_basic_auth_a_stranger_writes_nothing(
    installed: Installation, with_accounts: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    guard(installed, with_accounts, tmp_path)
    installed.environ["COUNTERSIGN_GUARD_TRY_URLS"] = with_accounts.url

    found = around(installed)

    assert [one.status for one in found["mlflow guard"]] == [Status.OK] * 4, whys(found["mlflow guard"])
    assert [one.status for one in found["mlflow sign-in"]] == [Status.OK]
    assert "without an account nothing is written (answered with 401)" in found["mlflow sign-in"][0].why
    assert whys(found["mlflow elsewhere"]).startswith(f"ok {with_accounts.url} refuses to move alias:champion")


def test_with_basic_auth_a_write_is_reported_with_the_name_that_signed_in(with_accounts: Guarded) -> None:
    for path, body in (
        ("registered-models/create", {"name": "named"}),
        ("registered-models/set-tag", {"name": "named", "key": "a", "value": "b"}),
    ):
        assert with_accounts.call("POST", f"/api/2.0/mlflow/{path}", body).ok

    wait_until(
        lambda: (
            {"CREATE_MODEL", "TAG_MODEL"}
            <= {one["act"] for one in with_accounts.bot.reports if one["model"] == "named"}
        )
    )

    said = [one for one in with_accounts.bot.reports if one["model"] == "named"]
    assert {(one["user"], one["vouched_by"]) for one in said} == {(ADMIN, "basic-auth")}


def test_an_anonymous_move_is_refused_before_the_guard_is_asked(with_accounts: Guarded) -> None:
    with_accounts.auth, account = None, with_accounts.auth
    try:
        answer = with_accounts.call("POST", ALIAS, {"name": "named", "alias": "champion", "version": "1"})
    finally:
        with_accounts.auth = account

    assert answer.status_code == 401


def write_as(user: str, installed: Installation) -> None:
    now = datetime.now(UTC)
    write = RegistryWrite(
        "w" * 32, now, user, "MLflow's basic auth", WriteAct.TAG_MODEL, "default", installed.model, None, ("a",)
    )
    with installed.s.store.transaction() as tx:
        tx.writes.put(write, now)


def test_a_write_with_the_bots_account_and_without_the_secret_shows_that_others_use_it(guarding: Installation) -> None:
    guarding.environ["MLFLOW_TRACKING_USERNAME"] = "coun_tersign"
    write_as("counXtersign", guarding)
    well = around(guarding)["mlflow account"]

    with guarding.s.store.transaction() as tx:
        tx.writes.prune(datetime.now(UTC) + timedelta(days=365))
    write_as("coun_tersign", guarding)
    shared = around(guarding)["mlflow account"]

    assert [one.status for one in well] == [Status.SKIP, Status.OK], whys(well)
    assert "not tried: who else knows COUNTERSIGN_GUARD_SECRET" in well[0].why
    assert [one.status for one in shared] == [Status.SKIP, Status.WARN], whys(shared)
    assert 'others use the bot\'s account "coun_tersign": 1 writes' in shared[1].why
    assert f"TAG_MODEL of {guarding.model}" in shared[1].why


# Uploads through the server


def test_uploads_into_an_approved_versions_files_are_tried(guarding: Installation, guarded: Guarded) -> None:
    (stopped,) = around(guarding)["mlflow uploads"]

    unknown = GovernedVersion("default", "other", 3, "", f"mlflow-artifacts:/1/{'b' * 32}/artifacts/model")
    statement = statement_for("default", [], [unknown], "", datetime.now(UTC))
    sign_list(guarding, guarded.bot.sign(payload_of(statement)))
    (taken,) = around(guarding)["mlflow uploads"]

    assert (stopped.status, taken.status) == (Status.OK, Status.FAIL), whys([stopped, taken])
    assert "others cannot write files of bike-demand v1 through MLflow's server" in stopped.why
    assert "others can write files of other v3 through MLflow's server" in taken.why
    assert not (guarded.home / "mlflow" / "artifacts" / "1" / ("b" * 32)).exists()


def test_without_a_governed_version_uploads_are_not_tried(guarding: Installation, guarded: Guarded) -> None:
    statement = statement_for("default", [], [], "", datetime.now(UTC))
    sign_list(guarding, guarded.bot.sign(payload_of(statement)))

    (found,) = around(guarding)["mlflow uploads"]

    assert (found.status, found.why.partition(":")[0]) == (Status.SKIP, "not tried")


# Other servers


def test_an_unguarded_server_at_another_address_is_a_failure(guarding: Installation) -> None:
    plain = guarding.mlflow.tracking_uri
    guarding.environ["COUNTERSIGN_GUARD_TRY_URLS"] = f"{plain}, {ELSEWHERE}"

    found = around(guarding)["mlflow elsewhere"]

    assert [one.status for one in found] == [Status.FAIL, Status.OK]
    assert found[0].why.startswith(
        f"{plain} has no guard: everyone who reaches it without an account moves alias:champion"
    )
    assert "does not answer from here" in found[1].why


def test_an_unguarded_server_that_asks_for_a_sign_in_is_tried_with_the_bots_account(
    guarding: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)

    def unguarded(environ, start_response):
        status = "404 Not Found" if "HTTP_AUTHORIZATION" in environ else "401 Unauthorized"
        start_response(status, [("Content-Type", "application/json")])
        return [b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no version 0"}']

    with serving(unguarded) as url:
        guarding.environ["COUNTERSIGN_GUARD_TRY_URLS"] = url
        found = around(guarding)["mlflow elsewhere"]

    assert [one.status for one in found] == [Status.FAIL]
    assert "everyone who reaches it with an account" in found[0].why


def test_an_address_of_another_registry_is_a_mistake_in_the_setting(guarding: Installation) -> None:
    guarding.mlflow.delete_registered_model(guarding.model)
    guarding.environ["COUNTERSIGN_GUARD_TRY_URLS"] = guarding.mlflow.tracking_uri

    found = around(guarding)["mlflow elsewhere"]

    assert [one.status for one in found] == [Status.WARN]
    assert "it is another registry" in found[0].why


# The database and the files


def test_mlflows_database_in_this_environment_is_a_way_around(guarding: Installation, guarded: Guarded) -> None:
    database = guarded.home / "mlflow" / "mlflow.db"
    guarding.environ["MLFLOW_BACKEND_STORE_URI"] = f"sqlite:///{database}"
    guarding.environ["MLFLOW_REGISTRY_STORE_URI"] = f"sqlite:///{database}.gone"

    found = around(guarding)["mlflow database"]

    assert [one.status for one in found] == [Status.WARN, Status.OK, Status.SKIP]
    assert "may be changed from here: one update of registered_model_aliases moves any alias" in found[0].why
    assert "there is no such file here" in found[1].why
    assert not Path(f"{database}.gone").exists()


def test_mlflows_tables_in_the_bots_own_database_are_a_way_around(guarding: Installation) -> None:
    engine = sa.create_engine(guarding.owner_url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table registered_model_aliases (alias text)"))
    before = around(guarding)["mlflow database"]
    with engine.begin() as connection:
        connection.execute(sa.text("grant update on registered_model_aliases to public"))

    after = around(guarding)["mlflow database"]

    engine.dispose()
    assert "DATABASE_URL" not in whys(before)
    assert "the bot's role in DATABASE_URL may change MLflow's tables" in whys(after)


def test_a_password_of_mlflows_database_is_never_printed(guarding: Installation) -> None:
    guarding.environ["MLFLOW_BACKEND_STORE_URI"] = "postgresql://mlflow:hunter22@127.0.0.1:9/mlflow"

    found = guarding.examine()

    assert {one.what for one in found} >= set(AROUND)
    assert "hunter22" not in str(found)
    assert any("does not open from here" in one.why for one in found if one.what == "mlflow database")


def test_files_in_a_bucket_that_this_environment_may_write_to_are_a_way_around(
    guarding: Installation, guarded: Guarded, aws: pytest.MonkeyPatch
) -> None:
    aws.setenv("AWS_ACCESS_KEY_ID", "doctor")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "a-key-of-the-tests")
    experiment = guarded.client.create_experiment("in-a-bucket", "s3://models/trained")
    asked = list[str]()

    def without_such_upload(environ, start_response):
        """As S3 answers those who may write (API_UploadPart). moto answers an upload that it does not know with a 500."""
        asked.append(f"{environ['REQUEST_METHOD']} {environ['QUERY_STRING']}")
        start_response("404 Not Found", [("Content-Type", "application/xml")])
        return [b"<Error><Code>NoSuchUpload</Code><Message>The specified upload does not exist.</Message></Error>"]

    with serving(without_such_upload) as url:
        guarding.environ["MLFLOW_S3_ENDPOINT_URL"] = url
        found = around(guarding)["mlflow files"]

    guarded.client.delete_experiment(experiment)
    assert "warn experiments keep their files in s3://models/: who trains has keys" in whys(found)
    assert "warn s3://models/ may be written with what this environment has" in whys(found)
    assert "skip not tried: s3://models/ with other people's keys" in whys(found)
    assert len(asked) == 1
    assert asked[0].startswith("PUT ")
    assert "uploadId=countersign-doctor" in asked[0]


def test_keys_that_may_not_write_to_a_bucket_are_found_to_be_harmless(
    buckets: Buckets, aws: pytest.MonkeyPatch
) -> None:
    keys = buckets.user("reader", DENIED)
    aws.setenv("AWS_ACCESS_KEY_ID", keys.access)
    aws.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)

    with buckets.strict():
        assert not may_write(f"s3://{buckets.bucket}/")


# What the guard says about itself


NOW = datetime.now(UTC)


def seen(**differs: object) -> GuardSeen:
    governed = {"issued": NOW, "expires": NOW + timedelta(hours=24), "rules": 1, "versions": 2}
    reports = {"waiting": 0, "since": None, "trouble": ""}
    well = {
        "version": "0.1.0",
        "registry": "default",
        "keys": (),
        "governed": governed,
        "trouble": "",
        "reports": reports,
    }
    return GuardSeen.model_validate(well | {"basic_auth": False} | differs)


@pytest.mark.parametrize(
    ("differs", "status", "words"),
    [
        ({}, Status.OK, "rules: 1, versions: 2"),
        (
            {"registry": "eu"},
            Status.FAIL,
            'goes by the rules of the registry "eu", and the policy calls this one "default"',
        ),
        ({"governed": None, "trouble": "the bot answered 401"}, Status.FAIL, "has no list of what is governed"),
        ({"trouble": "the bot answered 401"}, Status.WARN, "does not get a newer one: the bot answered 401"),
        (
            {"governed": {"issued": NOW, "expires": NOW - timedelta(hours=1), "rules": 1, "versions": 2}},
            Status.WARN,
            "does not get a newer one. What was approved since then can be deleted",
        ),
    ],
    ids=["fresh", "of another registry", "none", "not renewed", "old"],
)
def test_a_list_that_is_missing_old_or_of_another_registry_is_named(
    installed: Installation, differs: dict[str, object], status: Status, words: str
) -> None:
    with closing(read_world(installed.environ)) as world:
        first = next(list_is_fresh(seen(**differs), world))

    assert (first.status, words in first.why) == (status, True), first


def test_a_guard_that_lacks_the_signing_key_or_believes_a_strange_one_is_named(installed: Installation) -> None:
    with closing(read_world(installed.environ)) as world:
        lacks, strange = keys_are_ours(seen(keys=("ab" * 32,)), world)

    assert (lacks.status, strange.status) == (Status.FAIL, Status.WARN)
    assert "does not believe the key" in lacks.why
    assert "believes the key abababababab, which is none of the bot's" in strange.why


@pytest.mark.parametrize(
    ("reports", "status", "words"),
    [
        ({"waiting": 0, "since": None, "trouble": ""}, Status.OK, "has reported who wrote what"),
        (
            {"waiting": 2, "since": NOW - timedelta(hours=1), "trouble": "the bot answered 503"},
            Status.WARN,
            "has not reported 2 writes",
        ),
        ({"waiting": None, "since": None, "trouble": "disk I/O error"}, Status.FAIL, "disk I/O error"),
    ],
)
def test_writes_that_the_bot_was_never_told_of_are_named(
    reports: dict[str, object], status: Status, words: str
) -> None:
    (finding,) = reports_arrive(seen(reports=reports).reports)

    assert (finding.status, words in finding.why) == (status, True), finding


def test_a_report_that_waits_for_a_moment_is_none_that_is_lost() -> None:
    reports = {"waiting": 2, "since": datetime.now(UTC), "trouble": ""}

    (finding,) = reports_arrive(seen(reports=reports).reports)

    assert finding.status is Status.OK
