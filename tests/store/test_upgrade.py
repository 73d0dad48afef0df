"""What release 0.1.0 left in its database is read, carried out and gone on with by this one, after `migrate`.

The old database and its vendors are in `tests/fixtures/old_installation`, and how they were made. What an old release wrote is never
edited here: when a test of this file fails, a migration is missing, or a name that old rows hold has changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.commands.operating.backups import _write
from bot.database.connect import alembic_config, create_engine, migrate
from bot.database.schema import needs_migrate
from bot.domain.events import FreezeEnded, TargetMoved
from bot.domain.ledger.chain import as_plain, first_fault
from bot.domain.model import Kind, State, TransitionRequest
from bot.engine.lanes import FollowUp, Lane, model_lane, move_lane
from bot.engine.rows import Job, JobStatus, select_jobs
from bot.store.audit import event_of
from bot.store.ledger import LedgerRows
from bot.store.requests import REQUEST
from bot.store.transaction import Store, Transaction
from handlers import ON
from handlers.attestation.verification import signed_for
from handlers.digest.closing import CLOSING
from handlers.doors.clock import HOUSEKEEPING
from handlers.effects import EFFECTS
from handlers.registry.reconcile import defer_look
from tests.fixtures.installation import CHANNEL, Installation
from tests.fixtures.old_installation.loading import load_old_database, migrated_database, reopened, store_on
from tests.fixtures.outcomes import messages_about

NOWHERE = "http://127.0.0.1:9"
Rows = list[tuple[Any, ...]]
STATES_OF_THEN = {
    *("collecting", "pending", "approved", "applied", "rejected"),
    *("expired", "withdrawn", "superseded", "stale"),
}
EFFECTS_OF_THEN = {
    *("freeze_evidence", "sign", "sync_target", "restore_target", "sync_tags", "mark_failed", "renew_verdict"),
    *("sync_card", "sync_ticket", "look_at_ticket", "witness", "tell", "announce", "show_plot", "remind"),
    *("tell_delegate", "look_at", "sweep_versions", "sweep_models", "remind_people", "thaw_approvals"),
    *("expire_requests", "forget_old", "close_digests", "close_week", "renew_verdicts"),
    *("post_digest", "file_digest", "mail_digest"),
}
PARKED_OF_THEN = {"sync_ticket", "restore_target", "look_at", "announce", "sync_target", "sync_card"}
# All that 0.1.0 can write, but for DigestsLeftOut, which takes a stop of many weeks.
KINDS_OF_THEN = {
    *("RequestOpened", "AskJoined", "EvidenceFrozen", "FastTrackJudged", "FastTrackCompared", "ReminderDue"),
    *("RequestEscalated", "ApprovalHeld", "FreezeEnded", "PlotUploaded", "VoteCast", "SelfApprovalRefused"),
    *("RequestApproved", "RequestRejected", "RequestExpired", "RequestWithdrawn", "RequestSuperseded"),
    *("ApprovalStale", "TargetMoved", "TargetPutBack", "VoteSigned", "DecisionSigned", "CardPosted", "TicketOpened"),
    *("TicketClosed", "BaselineTaken", "MoveObserved", "MoveReverted", "ModelRenamed", "ModelGone"),
    *("PolicyActivated", "PolicyRefused", "FastTrackSwitched", "DigestClosed", "DigestDelivered", "KeyAdded"),
    *("KeyRetired", "AwayDeclared", "AwayEnded"),
}
TABLES_OF_THEN = "select table_name from information_schema.tables where table_schema = 'public' order by 1"


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    """As the old release left it."""
    load_old_database(empty_database_url)
    return empty_database_url


@pytest.fixture(scope="module")
def upgraded(postgres_uri: str) -> Iterator[Store]:
    """The migrated database, where no job has run yet; the tests only read it."""
    with migrated_database(postgres_uri) as url, store_on(url) as store:
        yield store


@pytest.fixture(scope="module")
def running(
    postgres_uri: str, mlflow_server: str, mlflow_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Stopped]]:
    """The installation after this release has run what waited and replayed what was parked, and what it found before."""
    mlflow, home = mlflow_home / "mlflow.db", tmp_path_factory.mktemp("home")
    with migrated_database(postgres_uri) as url, reopened(url, mlflow_server, mlflow, home) as installation:
        parked = tuple(installation.s.store.jobs.listing(JobStatus.PARKED))
        audited = audit(installation, "verify", *witnesses(installation), "--json")
        installation.settle_all()
        still_parked = tuple(installation.s.store.jobs.listing(JobStatus.PARKED))
        installation.s.store.jobs.replay_all()
        installation.settle_all()
        yield installation, Stopped(parked, still_parked, audited)


@pytest.fixture
def installation(running: tuple[Installation, Stopped]) -> Iterator[Installation]:
    """Each test goes on with its own model; the clock goes back to where the installation was reopened."""
    installation, ahead = running[0], running[0].clock.ahead
    yield installation
    installation.clock.ahead = ahead


@dataclass(frozen=True)
class Stopped:
    """What this release found: the jobs that were parked, those that still were when all that waited had run, and an audit."""

    parked: tuple[Job, ...]
    still_parked: tuple[Job, ...]
    audited: Result


def rows(url: str, query: str) -> Rows:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def counts(url: str, tables: list[str]) -> dict[str, int]:
    return {table: rows(url, f"select count(*) from {table}")[0][0] for table in tables}


def run(url: str, home: Path, *words: str, **environment: str) -> Result:
    environ = {"DATABASE_URL": url, "COUNTERSIGN_HOME": str(home), **environment}
    return CliRunner().invoke(main, words, env=environ)


def audit(installation: Installation, *words: str) -> Result:
    return run(installation.settings.database_url.get_secret_value(), installation.settings.home, "audit", *words)


def witnesses(installation: Installation) -> list[str]:
    """Every checkpoint that a ticket holds, as options of `audit verify`."""
    said = [comment.text for issue in installation.jira.issues() for comment in issue.comments]
    return [word for text in said if "Checkpoint of the ledger" in text for word in ("--checkpoint", text)]


def missing(old: object, read: object, where: str = "") -> list[str]:
    """The places of the old value that the one read back does not have, or has otherwise. More than the old is no fault."""
    if isinstance(old, dict) and isinstance(read, dict):
        lost = [f"{where}.{name} is gone" for name in old if name not in read]
        return lost + [one for name in old if name in read for one in missing(old[name], read[name], f"{where}.{name}")]
    if isinstance(old, list) and isinstance(read, list) and len(old) == len(read):
        return [one for n, pair in enumerate(zip(old, read, strict=True)) for one in missing(*pair, f"{where}[{n}]")]
    return [] if old == read else [f"{where} was {old!r} and is read as {read!r}"]


# The schema and the rows


def test_migrating_brings_the_old_schema_to_that_of_the_code_and_drops_no_row(old_url: str) -> None:
    tables = [name for (name,) in rows(old_url, TABLES_OF_THEN) if name != "alembic_version"]
    before, ledger = counts(old_url, tables), rows(old_url, "select * from ledger order by seq")

    migrate(old_url)

    assert needs_migrate(old_url) is False
    events = "procrastinate_events"  # the engine notes each job that is changed while it waits
    kept = counts(old_url, tables)
    assert kept.pop(events) >= before.pop(events)
    assert kept == before
    assert rows(old_url, "select seq, at, kind, body, leaf, head from ledger order by seq") == ledger
    config = alembic_config()
    with create_engine(old_url, pooled=False).begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises, naming the differences


def test_every_kind_of_event_in_the_old_ledger_is_read_back_and_loses_no_field(upgraded: Store) -> None:
    with upgraded.engine.connect() as connection:
        entries = list(LedgerRows(connection).entries())
        by_request = {entry.seq for _, entry in LedgerRows(connection).entries_by_request()}

    read = {entry.seq: as_plain(event_of(entry)) for entry in entries}

    kept = {entry.seq: json.loads(entry.body) for entry in entries}
    lost = [one for seq, body in kept.items() for one in missing(_said(body), read[seq], f"{seq} {body['event']}")]
    assert {entry.kind for entry in entries} == KINDS_OF_THEN
    assert lost == []
    assert by_request == {seq for seq, body in kept.items() if "request_id" in body}
    assert first_fault(entries) is None


def test_every_old_request_is_read_back_whole_whatever_its_state(upgraded: Store) -> None:
    with upgraded.engine.connect() as connection:
        kept = connection.exec_driver_sql("select id, body from requests").all()
    bodies = {id_: json.loads(body) for id_, body in kept}

    read = {id_: as_plain(REQUEST.validate_python(body)) for id_, body in bodies.items()}

    lost = [one for id_, body in bodies.items() for one in missing(body, read[id_], body["state"])]
    assert lost == []
    assert {body["state"] for body in bodies.values()} == STATES_OF_THEN


def test_every_old_request_was_decided_under_a_rule_that_still_has_that_hash(upgraded: Store) -> None:
    """Else votes that were cast before the upgrade would not count after it, and no approval could be applied."""
    with upgraded.transaction() as tx:
        policies = [upgraded.parse_policy(text) for text in tx.policies.texts()]
        requests = tx.requests.find()

    hashes = {name for policy in policies for rule in policy.rules for name in policy.hashes(rule)}

    assert {request.rule_hash for request in requests} <= hashes
    assert {vote.rule_hash for request in requests for vote in request.votes} <= hashes


# The queue


def test_every_job_in_the_old_queue_has_its_effect_and_is_in_the_lane_where_such_a_job_goes_today(
    upgraded: Store,
) -> None:
    """In another lane it would run beside a new job that must come after it."""
    left = [job for job in live_jobs(upgraded) if not job.lane.endswith(":undo")]

    lanes = {job.id: lane_of_today(job, upgraded) for job in left}

    assert {job.name for job in left} == EFFECTS_OF_THEN
    assert {job.name for job in left} <= set(EFFECTS)
    assert {job.id: job.lane for job in left} == lanes


def test_what_was_deferred_once_by_the_old_release_is_not_deferred_again_by_this_one(upgraded: Store) -> None:
    before = live_jobs(upgraded)
    looks = [job.request_id.split("/") for job in before if (job.name, job.status) == ("look_at", JobStatus.WAITING)]

    with upgraded.transaction() as tx:
        for workspace, model in looks:
            defer_look(tx, workspace, model)
        for effect in {*HOUSEKEEPING, "sweep_versions", "sweep_models"} & EFFECTS_OF_THEN:
            tx.defer(effect, "", f"clock:{effect}", once=True)

    assert looks
    assert live_jobs(upgraded) == before


@pytest.mark.proof
def test_jobs_that_waited_run_under_their_old_names_and_parked_ones_are_replayed(
    running: tuple[Installation, Stopped],
) -> None:
    installation, found = running

    assert {job.name for job in found.parked} == PARKED_OF_THEN
    assert [job.id for job in found.still_parked] == [job.id for job in found.parked]
    assert all(job.errors for job in found.parked)
    assert installation.unfinished() == []
    _assert_carried_out(installation)


@pytest.mark.proof
def test_no_card_and_no_ticket_is_made_a_second_time(installation: Installation) -> None:
    """The keys by which a thing is found before it is created are in the old rows, and at the vendors."""
    with installation.s.store.transaction() as tx:
        requests = tx.requests.find()

    labels = [label for issue in installation.jira.issues() for label in issue.labels]
    tickets = Counter(label for label in labels if label.startswith("countersign-"))
    comments = [Counter(c.text for c in issue.comments) for issue in installation.jira.issues()]

    assert max(tickets.values()) == 1
    assert [text for said in comments for text, times in said.items() if times > 1] == []
    for request in requests:
        assert len(messages_about(installation.slack.messages(CHANNEL), f"card:{request.id}")) <= 1
    assert len({message.all_text for message in installation.slack.direct_messages("ben")}) == len(
        installation.slack.direct_messages("ben")
    )


def _assert_carried_out(installation: Installation) -> None:
    """For each model that the old queue had work for, what that work was to bring about."""
    held = {model.name: model.aliases.get("champion") for model in installation.mlflow.search_registered_models()}
    assert {name: held[name] for name in ("old-wait-vote", "old-wait-move", "old-parked-move", "old-taxi")} == {
        "old-wait-vote": "1",
        "old-wait-move": "1",
        "old-parked-move": "1",
        "old-taxi": "1",
    }
    waiting = ("old-wait-evidence", "old-wait-card", "old-wait-look", "old-parked-look", "old-parked-card")
    for model in (*waiting, "old-parked-ticket"):
        request = _newest(installation, model)
        assert (request.state, bool(request.card), bool(request.ticket)) == (State.PENDING, True, True), model
    by_hand = _newest(installation, "old-wait-hand")
    installation.model = "old-wait-hand"
    assert "was moved to Done by hand" in installation.comments(by_hand)
    assert "is away until" in installation.told("ben")
    failed = installation.mlflow.get_model_version("old-fraud-eu", "2").tags
    assert "countersign.failed" in failed
    digests = [message for message in installation.slack.messages("compliance") if not message.is_reply]
    assert len(digests) == 2


# Going on


def test_a_vote_cast_before_the_upgrade_counts_together_with_the_second_one_after_it(
    installation: Installation,
) -> None:
    installation.model = "old-bike"
    (pending,) = (one for one in installation.requests(State.PENDING) if one.votes)

    installation.approve(pending, "ana")
    after_the_same_person = installation.reread(pending).state
    installation.approve(pending, "ben")
    installation.settle_all()

    applied = installation.reread(pending)
    assert after_the_same_person is State.PENDING
    assert (applied.state, len(applied.votes)) == (State.APPLIED, 2)
    assert installation.champion() == applied.version.version
    assert installation.ticket_status(applied) == "Done"
    assert [vote.person for vote in applied.votes][:1] == [vote.person for vote in pending.votes]
    assert installation.card(applied).ts == pending.card.message  # type: ignore[union-attr]


@pytest.mark.proof
def test_an_approval_that_a_freeze_held_before_the_upgrade_is_applied_when_it_ends(installation: Installation) -> None:
    installation.model = "old-price"
    (held,) = installation.requests(State.APPROVED)
    assert held.frozen_until is not None

    installation.clock.ahead += held.frozen_until - installation.clock.now()
    installation.sweep("thaw_approvals")
    installation.settle_all()

    assert installation.reread(held).state is State.APPLIED
    assert installation.champion() == held.version.version
    assert installation.happened(FreezeEnded, TargetMoved)[-2:] == ["FreezeEnded", "TargetMoved"]


def test_a_move_that_was_observed_before_the_upgrade_is_put_back_after_it(installation: Installation) -> None:
    installation.model = "old-fraud"
    (observed,) = (one for one in installation.requests(State.PENDING) if one.kind is Kind.OBSERVED)

    installation.reject(observed, "No one has looked at it.")
    installation.settle_all()

    stages = {int(v.version): v.current_stage for v in installation.mlflow.search_model_versions("name = 'old-fraud'")}
    assert stages[observed.version.version] != "Production"
    assert [number for number, stage in stages.items() if stage == "Production"] == [1]


# The ledger and what is read from it


def test_the_ledger_holds_for_its_old_part_and_after_with_the_checkpoints_that_tickets_kept(
    running: tuple[Installation, Stopped],
) -> None:
    installation, found = running

    after = audit(installation, "verify", *witnesses(installation), "--json")

    assert (found.audited.exit_code, after.exit_code) == (0, 0), found.audited.output + after.output
    told, later = json.loads(found.audited.stdout), json.loads(after.stdout)
    assert told["witnesses"] > 5
    assert told["keys"] >= 3
    assert told["attestations"] > 10
    assert told["requests"] >= len(STATES_OF_THEN)
    assert later["entries"] > told["entries"]
    assert later["attestations"] > told["attestations"]


def test_what_the_old_release_signed_is_shown_as_valid(upgraded: Store) -> None:
    """A field that the evidence has since then must not change the digest of what was signed without it."""
    with upgraded.transaction() as tx:
        shown = [one for request in tx.requests.find() for one in signed_for(request, {}, tx)]

    assert len(shown) > 10
    assert {one.fault for one in shown} == {""}


def test_old_rows_are_shown_by_every_reading_command(installation: Installation, tmp_path: Path) -> None:
    url, mlflow = installation.settings.database_url.get_secret_value(), installation.settings.mlflow_tracking_uri

    def read(*words: str) -> Any:
        result = run(url, tmp_path, *words, "--json", MLFLOW_TRACKING_URI=mlflow)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    listed, held = read("requests", "list", "--limit", "500"), read("list")
    history, described = read("history", "old-bike"), read("describe", "models:/old-bike/2")
    jobs, people = read("jobs", "list", "--limit", "500"), read("keys", "list")
    digest = run(url, tmp_path, "digest", "--week", _first_week(installation), "--json")

    assert {row["state"] for row in listed} >= STATES_OF_THEN - {"collecting", "approved"}  # those have gone on
    assert {("old-fraud", "stage:Production"), ("prod.old-churn", "model:prod.old-churn")} <= {
        (row["model"], row["target"]) for row in held
    }
    assert len(history) > 5
    assert described
    assert jobs
    assert people
    assert digest.exit_code == 0, digest.output


def _first_week(installation: Installation) -> str:
    (week,) = rows(installation.settings.database_url.get_secret_value(), "select min(week) from digests")[0]
    return str(week)


def _newest(installation: Installation, model: str) -> TransitionRequest:
    with installation.s.store.transaction() as tx:
        return tx.requests.find(workspace="default", model=model)[-1]


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """The event's own fields; its number and name are the ledger's."""
    return {name: value for name, value in body.items() if name not in ("seq", "event")}


def lane_of_today(job: Job, store: Store) -> str:
    """Where this release puts such a job, found by having it put one there."""
    name, subject = job.name, job.request_id
    follow_ups = {one.effect: one for several in ON.values() for one in several}
    with store.transaction() as tx:
        if name == "look_at":
            return model_lane(Lane.LOOKS, *subject.split("/"))
        if name == "restore_target":
            return move_lane(subject)
        if name == "look_at_ticket":
            return f"{Lane.JIRA}:{subject}"
        if name in ("announce", "tell_delegate"):
            return f"{follow_ups[name].lane}:{subject}"
        if name.endswith("_digest"):
            return f"{follow_ups[name].lane}:{name}"
        if name == "close_week":
            return CLOSING
        if name not in follow_ups:
            return f"clock:{name}"
        return _lane_of_follow_up(follow_ups[name], tx.requests.get(subject), tx)


def _lane_of_follow_up(follow_up: FollowUp, request: TransitionRequest, tx: Transaction) -> str:
    """It is put there in a transaction that is undone."""
    with tx.connection.begin_nested() as undone:
        tx.defer_for(follow_up, request)
        tx.flush_jobs()
        lane = select_jobs(tx.connection, JobStatus.WAITING, 1)[0].lane
        undone.rollback()
    return lane


def live_jobs(store: Store) -> list[Job]:
    return [*store.jobs.listing(JobStatus.WAITING, limit=1000), *store.jobs.listing(JobStatus.PARKED, limit=1000)]


def test_a_backup_of_the_old_release_comes_back_with_its_rows_listed(old_url: str, tmp_path: Path) -> None:
    file = tmp_path / "countersign.backup"
    _write(old_url, file)  # as `countersign backup` of that release did
    with psycopg.connect(old_url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    usual = {"DATABASE_URL": old_url, "COUNTERSIGN_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": NOWHERE}

    came_back = CliRunner().invoke(main, ["restore", str(file), "--yes"], env=usual)
    audited = CliRunner().invoke(main, ["audit", "verify"], env=usual)

    assert came_back.exit_code == 0, came_back.output
    assert audited.exit_code == 0, audited.output
