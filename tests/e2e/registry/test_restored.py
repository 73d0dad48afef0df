"""A database that was restored from a backup: what people decided since is neither undone nor repeated."""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from bot.__main__ import main
from bot.app import flask_app
from bot.database import embedded
from bot.database.backup import DUMP, MANIFEST
from bot.domain.events import MoveObserved
from bot.domain.model import State, Target, VersionId
from bot.domain.registry.facts import Intent
from bot.engine.lanes import move_lane
from bot.sandbox.serving import serving
from config.policy import read_policy
from handlers.custody.belief import Doubted, check_believed
from handlers.ledger.audit import audit
from handlers.policy.kill_switch import person_named
from handlers.registry.restored import Change, begin_again, changes_on_record
from handlers.registry.sweeps import accept_registry
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation, services_with

COMMANDS_ALONE = ("migrate", "web", "worker", "clock", "socket")
SETTINGS = {
    "COUNTERSIGN_URL": "https://countersign.example.com",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_SIGNING_SECRET": "secret",
    "JIRA_URL": "https://jira.example.com",
    "JIRA_TOKEN": "secret",
    "SMTP_URL": "smtp://127.0.0.1:9",
}


def countersign(url: str, home: Path, *words: str) -> Result:
    environment = {**SETTINGS, "DATABASE_URL": url, "COUNTERSIGN_HOME": str(home)}
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def back_up(installation: Installation, folder: Path) -> Path:
    file = folder / "countersign.backup"
    done = countersign(installation.settings.database_url.get_secret_value(), folder, "backup", str(file))
    assert done.exit_code == 0, done.output
    return file


@pytest.fixture
def restored(
    installation: Installation, empty_database_url: str, tmp_path: Path
) -> Iterator[Callable[[Path], Installation]]:
    """The same installation as the backup has it: the vendors are as they are."""
    opened = []

    def restore(file: Path) -> Installation:
        done = countersign(empty_database_url, tmp_path, "restore", str(file), "--yes")
        assert done.exit_code == 0, done.output
        settings = installation.settings.model_copy(update={"database_url": SecretStr(empty_database_url)})
        s = services_with(settings, empty_database_url, installation.clock)
        opened.append(s)
        return replace(installation, s=s, settings=settings)

    yield restore
    for s in opened:
        s.store.engine.dispose()


def gate_of(installation: Installation, version: int) -> tuple[int, dict[str, str]]:
    url = installation.settings.database_url.get_secret_value()
    client = flask_app(installation.s, installation.settings, url).test_client()
    path = f"/gate/{installation.model}/{version}?target=alias:champion"
    answer = client.get(path, headers={"Authorization": f"Bearer {API_TOKEN}"})
    return answer.status_code, answer.get_json()


@pytest.mark.proof
def test_what_was_decided_since_is_neither_undone_nor_repeated(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    waiting = installation.asked()
    file = back_up(installation, tmp_path)
    installation.approve(waiting)
    since = installation.promoted()
    assert installation.champion() == 3

    after = restored(file)
    after.sweep()

    assert after.champion() == 3
    assert after.reread(waiting).state is State.WITHDRAWN
    assert after.happened(MoveObserved) == []
    assert "Restored from a backup" in after.slack.messages(CHANNEL)[-1].all_text
    assert [change.sentence for change in changes_on_record("default", after.s)] == [
        f"{after.model}, alias:champion: {after.model} v3 now, {after.model} v1 on record. "
        f"A tag that anyone with write access can set names request {since.id}, not on record: look for its card."
    ]
    with pytest.raises(Doubted, match=r"restored from a backup of .* It goes on after `countersign registry accept"):
        check_believed("default", after.s)
    answered, said = gate_of(after, 1)
    assert answered == 503, "a rollback since the backup is not on record"
    assert "It goes on after `countersign registry accept" in said["error"]


@pytest.mark.parametrize("is_decided", [True, False])
def test_a_card_that_was_decided_since_the_backup_goes_on_saying_by_whom(
    is_decided: bool, installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    waiting = installation.asked()
    file = back_up(installation, tmp_path)
    if is_decided:
        installation.approve(waiting)

    after = restored(file)
    after.settle()

    card, replies = after.card(waiting), [one.all_text for one in after.thread(waiting)]
    was_left = any("this request still waited" in one for one in replies)
    assert (was_left, "Ana Ruiz" in card.all_text, "Withdrawn" in card.all_text) == (
        is_decided,
        is_decided,
        not is_decided,
    )


@pytest.mark.proof
def test_once_an_admin_has_accepted_what_is_there_it_is_the_baseline_and_people_go_on(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    file = back_up(installation, tmp_path)
    installation.promoted()
    after = restored(file)

    accept_registry("version 2 was approved on Monday", person_named("ana@example.com", after.s), after.s)
    after.sweep()
    kept = after.champion()
    with serving(flask_app(after.s, after.settings, after.settings.database_url.get_secret_value())) as url:
        after.slack.interactivity_url = f"{url}/slack/events"
        third = after.promoted()

    assert kept == 2
    assert third.state is State.APPLIED
    assert after.champion() == 3
    assert after.ledger_fault() is None


def _empty(installation: Installation) -> None:
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")


def _delete(installation: Installation) -> None:
    installation.mlflow.delete_model_version(installation.model, "1")


def _rename(installation: Installation) -> None:
    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-b")


def _nothing(_: Installation) -> None:
    """As right after the backup."""


@pytest.mark.parametrize(
    "since",
    [
        Installation.promoted,
        *(pytest.param(one, marks=pytest.mark.proof) for one in (_empty, _delete, _rename, _nothing)),
    ],
    ids=["approved", "emptied", "deleted", "renamed", "nothing"],
)
def test_the_audit_holds_once_an_admin_has_accepted_whatever_happened_since_the_backup(
    since: Callable[[Installation], object],
    installation: Installation,
    restored: Callable[[Path], Installation],
    tmp_path: Path,
) -> None:
    installation.promoted()
    file = back_up(installation, tmp_path)
    since(installation)
    after = restored(file)
    audit(after.s.store.engine, read_policy=read_policy)

    said = accept_registry("as it was on Monday", person_named("ana@example.com", after.s), after.s)
    assert ("Accepted: 0 targets held by others" in said) == (since is _nothing)
    audit(after.s.store.engine, read_policy=read_policy)
    after.sweep()
    audit(after.s.store.engine, read_policy=read_policy)


@pytest.mark.proof
def test_a_target_goes_back_to_what_an_admin_accepted_and_not_to_what_the_backup_knows(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    file = back_up(installation, tmp_path)
    installation.promoted()
    third = installation.register()
    after = restored(file)

    accept_registry("version 2 was approved on Monday", person_named("ana@example.com", after.s), after.s)
    after.move(third)
    after.sweep()

    assert after.champion() == 2


@pytest.mark.proof
def test_a_target_that_no_one_held_when_an_admin_accepted_stays_empty(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    file = back_up(installation, tmp_path)
    after = restored(file)
    after.s.registry.delete_alias(after.model, "champion")

    accept_registry("it serves no one", person_named("ana@example.com", after.s), after.s)
    after.register()  # so that the sweep looks at the model
    after.sweep()

    assert after.champion() is None


@pytest.mark.proof
def test_what_is_moved_into_a_target_that_was_accepted_as_empty_is_taken_out_again(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    file = back_up(installation, tmp_path)
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    second = installation.register()
    after = restored(file)
    accept_registry("it serves no one", person_named("ana@example.com", after.s), after.s)

    after.move(second)
    after.sweep()
    then = after.champion()
    after.move(1)
    after.sweep()

    assert (then, after.champion()) == (None, None)


@pytest.mark.proof
def test_an_emptied_target_that_an_admin_has_accepted_is_not_given_back(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.use_policy(observed="revert")
    lawful = installation.promoted().version
    intent = Intent("restore-1", "default", installation.model, Target.parse("alias:champion"), None, 1, lawful.created)
    with installation.s.store.transaction() as tx:
        tx.registry.put_intent(intent)
        tx.defer("restore_target", intent.request_id, move_lane(intent.request_id))
    file = back_up(installation, tmp_path)
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    after = restored(file)

    accept_registry("emptied on purpose", person_named("ana@example.com", after.s), after.s)
    after.sweep()
    after.settle()

    assert after.champion() is None


@pytest.mark.proof
def test_a_restore_asks_for_nothing_by_itself(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    for version in (installation.register(), installation.register()):
        installation.s.registry.tag_version(installation.model, version, {"countersign.ask": "yes"})
        installation.sweep()
    file = back_up(installation, tmp_path)

    after = restored(file)
    after.settle()

    assert [one.state for one in installation.requests()] == [State.SUPERSEDED, State.PENDING]
    assert [one.state for one in after.requests()] == [State.SUPERSEDED, State.WITHDRAWN]


def test_a_request_that_only_a_tag_names_is_shown_as_that_and_on_one_line() -> None:
    version = VersionId("default", "bike", 2, datetime(2026, 11, 29, tzinfo=UTC))
    named = tuple(f"\x1b[2J{number}\n" for number in range(9))

    told = Change("bike", Target.parse("alias:champion"), (), (version,), named).sentence

    assert told.isprintable()
    assert "Decided" not in told
    assert "A tag that anyone with write access can set names request \\x1b[2J0\\n" in told
    assert "and 4 more" in told


@pytest.mark.proof
def test_an_approval_that_waited_to_be_applied_is_not_applied_by_the_restored_database(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    installation.promoted()
    approved = installation.asked()
    installation.click("ana", approved, "approve")
    file = back_up(installation, tmp_path)
    installation.settle()
    installation.promoted()
    after = restored(file)

    accept_registry("as decided", person_named("ana@example.com", after.s), after.s)
    after.sweep()

    assert after.champion() == 3
    assert after.reread(approved).state is State.STALE


# Bad input


def changed(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with tarfile.open(file) as archive:
        held = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        content = {member: stream.read() for member, stream in held.items() if stream is not None}
    content[name] = change(content[name])
    with tarfile.open(file, "w") as archive:
        for member, data in content.items():
            (file.parent / "part").write_bytes(data)
            archive.add(file.parent / "part", member)


def of_a_newer_release(manifest: bytes) -> bytes:
    return json.dumps({**json.loads(manifest), "revision": "9999"}).encode()


def of_another_ledger(manifest: bytes) -> bytes:
    return json.dumps({**json.loads(manifest), "head": "00" * 32}).encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "there is no file"),
        (lambda file: file.write_bytes(b"select 1;"), "is no backup of Countersign, or was cut"),
        (lambda file: file.write_bytes(file.read_bytes()[:-20_000]), "was c"),
        (
            lambda file: changed(file, DUMP, lambda dump: dump[:-1] + b"?"),
            "was changed or damaged since it was written",
        ),
        (lambda file: changed(file, MANIFEST, of_a_newer_release), "the backup is of a newer release"),
        (lambda file: changed(file, MANIFEST, of_another_ledger), "is not the one that was backed up"),
        (lambda file: changed(file, MANIFEST, lambda _: b"[]"), "manifest.json in the backup cannot be read"),
    ],
    ids=["gone", "another file", "cut", "damaged", "newer", "another ledger", "no manifest"],
)
def test_what_is_no_whole_backup_is_refused_and_says_why(
    database_url: str, empty_database_url: str, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    assert countersign(database_url, tmp_path, "migrate").exit_code == 0
    file = tmp_path / "countersign.backup"
    assert countersign(database_url, tmp_path, "backup", str(file)).exit_code == 0
    spoil(file)

    done = countersign(empty_database_url, tmp_path, "restore", str(file), "--yes")

    assert done.exit_code != 0
    assert said in done.output


def test_nothing_is_written_over(database_url: str, tmp_path: Path) -> None:
    assert countersign(database_url, tmp_path, "migrate").exit_code == 0
    file = tmp_path / "countersign.backup"
    assert countersign(database_url, tmp_path, "backup", str(file)).exit_code == 0
    before = file.read_bytes()

    again = countersign(database_url, tmp_path, "backup", str(file))
    into_a_full_one = countersign(database_url, tmp_path, "restore", str(file), "--yes")

    assert (again.exit_code, into_a_full_one.exit_code) == (2, 1)
    assert "is there already. Name a new file" in again.output
    assert "the database has tables already. Restore into an empty one" in into_a_full_one.output
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_restore_that_was_cut_short_leaves_no_database_that_can_be_used(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert countersign(database_url, tmp_path, "migrate").exit_code == 0
    file = tmp_path / "countersign.backup"
    assert countersign(database_url, tmp_path, "backup", str(file)).exit_code == 0
    monkeypatch.setattr("handlers.registry.restored.begin_again", lambda *_: sys.exit(130))

    cut = countersign(empty_database_url, tmp_path, "restore", str(file), "--yes")
    used = [countersign(empty_database_url, tmp_path, command) for command in COMMANDS_ALONE]

    assert (cut.exit_code, *(one.exit_code for one in used)) == (130, 2, 2, 2, 2, 2)
    assert all("`countersign restore` was cut short in this database" in one.output for one in used)


def test_the_embedded_database_comes_back_in_an_empty_home_and_never_over_another(
    database_url: str, tmp_path: Path
) -> None:
    assert countersign(database_url, tmp_path, "migrate").exit_code == 0
    file, home = tmp_path / "countersign.backup", tmp_path / "new"
    assert countersign(database_url, tmp_path, "backup", str(file)).exit_code == 0

    first = countersign("", home, "restore", str(file), "--yes")
    second = countersign("", home, "restore", str(file), "--yes")

    assert first.exit_code == 0, first.output
    assert "Keys: none that signs approvals is here" in first.output
    assert second.exit_code == 2
    assert "is there already. Move it away" in second.output
    try:
        with psycopg.connect(embedded.start(home)) as connection:
            kinds = connection.execute("select kind from ledger order by seq").fetchall()
        assert kinds[-1] == ("DatabaseRestored",)
    finally:
        embedded.stop(home)


@pytest.mark.parametrize("is_rejected", [False, True])
def test_what_an_admin_accepted_is_given_back_also_when_people_had_rejected_it_before(
    is_rejected: bool, open_installation: Callable[..., Installation]
) -> None:
    installation = open_installation(observed="revert")
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    asked = installation.asked(2)
    if is_rejected:
        installation.reject(asked, "not yet")
    begin_again(installation.clock.now(), installation.s)
    installation.ask(2, "champion")  # approved since the backup, as the registry alone shows
    installation.clock.ahead += timedelta(minutes=2)

    accept_registry("version 2 was approved on Monday", person_named("ana@example.com", installation.s), installation.s)
    installation.sweep()
    installation.move(3)
    installation.sweep()

    assert installation.champion() == 2
