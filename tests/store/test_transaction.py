"""One transaction: the request's row, its ledger entries and the jobs that follow, all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import IntegrityError

from bot.clients.signers import signer_with
from bot.domain.events import (
    CardPosted,
    DecisionSigned,
    EvidenceFrozen,
    KeyAdded,
    KeyRetired,
    ModelRenamed,
    RequestApproved,
    RequestEvent,
    RequestWithdrawn,
    TicketOpened,
    VoteCast,
)
from bot.domain.model import DECISION, State, Target, TargetKind
from bot.domain.registry.names import Renamed
from bot.domain.request import lifecycle
from bot.errors import Refused
from bot.signatures import trusted_key
from bot.store.attestations import ABOUT_KEYS, KnownKey
from bot.store.evidence import EvidenceRows, decisions_on
from bot.store.transaction import Store
from config.policy import read_policy
from handlers import ON
from tests.builders import (
    CARD,
    CHAMPION,
    LATER,
    NOON,
    PRODUCTION,
    REQUEST_ID,
    TICKET,
    a_metric,
    a_rule,
    a_version,
    a_vote,
    an_evidence,
    every_event,
    opened,
)
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from bot.domain.events import Event, RequestOpened
    from bot.engine.jobs import Jobs

FROZEN = EvidenceFrozen(LATER, REQUEST_ID, an_evidence(), "bea", "sha256:1")
APPROVED = RequestApproved(LATER, REQUEST_ID, ("cy",), "sha256:1")
SIGNED = DecisionSigned(LATER, REQUEST_ID, DECISION, "", "a1b2c3", "sha256:5")
GONE = RequestWithdrawn(LATER, REQUEST_ID, "it was deleted")


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


def record(store: Store, *events: Event) -> None:
    with store.transaction() as tx:
        tx.record(events)


def record_and_fail(store: Store, *events: Event) -> None:
    with store.transaction() as tx:
        tx.record(events)
        tx.flush()
        1 / 0  # noqa: B018


def waiting(store: Store) -> list[tuple[str, str, str]]:
    """(effect, subject, lane), in the order of their deferring."""
    return [(job.name, job.request_id, job.lane) for job in reversed(store.jobs.listing(limit=1_000))]


def another(request_id: str, number: int, **changes: Any) -> RequestOpened:
    return opened(request_id, version=a_version(number), **changes)


# Recording


def test_an_event_brings_row_entry_and_jobs_with_it(store: Store) -> None:
    record(store, opened(), FROZEN)

    with store.transaction() as tx:
        request = tx.requests.get(REQUEST_ID)
        assert tx.ledger.count() == 2
    assert (request.state, request.author) == (State.PENDING, "bea")
    assert waiting(store) == [
        ("freeze_evidence", REQUEST_ID, f"evidence:{REQUEST_ID}"),
        ("sync_card", REQUEST_ID, f"slack:{REQUEST_ID}"),
        ("sync_ticket", REQUEST_ID, f"jira:{REQUEST_ID}"),
    ]


def deferred_by(store: Store, *events: Event) -> list[str]:
    before = len(waiting(store))
    record(store, *events)
    return [effect for effect, _, _ in waiting(store)[before:]]


def test_what_is_shown_below_the_card_waits_for_the_card(store: Store) -> None:
    record(store, opened())

    frozen, posted = deferred_by(store, FROZEN), deferred_by(store, CardPosted(LATER, REQUEST_ID, CARD))

    assert not {"show_details", "show_plot"} & set(frozen)
    assert {"show_details", "show_plot"} <= set(posted)


def test_evidence_that_comes_after_the_card_is_shown_below_it_at_once(store: Store) -> None:
    record(store, opened(), CardPosted(LATER, REQUEST_ID, CARD))

    assert {"show_details", "show_plot"} <= set(deferred_by(store, FROZEN))


def test_what_is_about_a_decision_waits_for_the_decision(store: Store) -> None:
    record(store, opened(), FROZEN)
    ticket, card = TicketOpened(LATER, REQUEST_ID, TICKET), CardPosted(LATER, REQUEST_ID, CARD)

    assert not {"sync_tags", "witness"} & {*deferred_by(store, ticket), *deferred_by(store, card)}
    assert {"sync_tags", "witness"} <= set(deferred_by(store, APPROVED, SIGNED))


def test_a_ticket_that_comes_after_the_decision_gets_what_is_about_it(store: Store) -> None:
    record(store, opened(), FROZEN, APPROVED, SIGNED)

    assert {"sync_tags", "witness"} <= set(deferred_by(store, TicketOpened(LATER, REQUEST_ID, TICKET)))


def test_what_fails_before_its_end_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        record_and_fail(store, opened(), FROZEN)

    with store.transaction() as tx:
        assert (tx.requests.find(), tx.ledger.count()) == ([], 0)
    assert waiting(store) == []


def test_a_refused_second_event_takes_the_first_back_too(store: Store) -> None:
    record(store, opened())

    with pytest.raises(IntegrityError), store.transaction() as tx:
        tx.record([FROZEN, opened()])

    with store.transaction() as tx:
        assert (tx.requests.get(REQUEST_ID).state, tx.ledger.count()) == (State.COLLECTING, 1)


def test_every_event_defers_what_the_table_of_contents_says(store: Store) -> None:
    for event in every_event():
        before = waiting(store)

        record(store, event)

        deferred = [name for name, _, _ in waiting(store)[len(before) :]]
        follow_ups = ON.get(type(event), [])
        if isinstance(event, RequestEvent):
            with store.transaction() as tx:
                request = tx.requests.get(event.request_id)
            follow_ups = [one for one in follow_ups if one.when(request)]
        assert deferred == [follow_up.effect for follow_up in follow_ups]


def test_each_request_moves_in_a_lane_of_its_own(store: Store) -> None:
    record(store, opened(), FROZEN, APPROVED, SIGNED)

    lanes = {lane for effect, _, lane in waiting(store) if effect == "sync_target"}
    assert lanes == {f"moves:{REQUEST_ID}"}


def test_the_tags_of_a_copy_are_written_in_the_lane_of_the_model_that_it_is_copied_into(store: Store) -> None:
    into = Target(TargetKind.MODEL, "prod.bike")

    record(store, opened(target=into), FROZEN, APPROVED, SIGNED)

    lanes = {lane for effect, _, lane in waiting(store) if effect == "sync_tags"}
    assert lanes == {"tags:default/prod.bike"}


def test_a_request_comes_back_as_it_was_recorded(store: Store) -> None:
    evidence = an_evidence(
        metrics=(a_metric("mae", float("inf")), a_metric("r2", float("-inf")), a_metric("bias", 0.1)),
        params={"é": "", "🚲": "'; drop table requests; --"},
    )
    vote = a_vote("cy", "leads", reason='"quoted"\n')
    events = [replace(FROZEN, evidence=evidence), VoteCast(LATER, REQUEST_ID, vote)]

    record(store, opened(), *events, CardPosted(LATER, REQUEST_ID, CARD), TicketOpened(LATER, REQUEST_ID, TICKET))

    with store.transaction() as tx:
        request = tx.requests.get(REQUEST_ID)
    assert (request.evidence, request.votes, request.card, request.ticket) == (evidence, (vote,), CARD, TICKET)
    assert request.opened_at == NOON


def test_what_no_row_can_hold_is_replaced(store: Store) -> None:
    evidence = an_evidence(params={"nul": "a\0b", "half": "a\ud800b"})

    record(store, opened(), replace(FROZEN, evidence=evidence))

    with store.transaction() as tx:
        kept = tx.requests.get(REQUEST_ID).evidence
    assert kept is not None
    assert kept.params == {"nul": "a\ufffdb", "half": "a\ufffdb"}


def test_a_metric_that_is_no_number_stays_one(store: Store) -> None:
    record(store, opened(), replace(FROZEN, evidence=an_evidence(metrics=(a_metric("mae", float("nan")),))))

    with store.transaction() as tx:
        evidence = tx.requests.get(REQUEST_ID).evidence
    assert evidence is not None
    assert str(evidence.metrics[0].value) == "nan"


# One live request


def test_one_wish_has_one_live_request(store: Store) -> None:
    record(store, opened())

    with pytest.raises(IntegrityError, match="one_live_request"):
        record(store, opened("another"))


@pytest.mark.parametrize(
    "other",
    [
        another("another", 8),
        opened("another", target=PRODUCTION),
        opened("another", version=a_version(created=LATER)),
        opened("another", version=a_version(model="churn")),
    ],
)
def test_another_wish_is_another_request(store: Store, other: RequestOpened) -> None:
    record(store, opened(), other)

    with store.transaction() as tx:
        assert len(tx.requests.find()) == 2


def test_an_approval_that_waits_for_mlflow_is_still_live(store: Store) -> None:
    record(store, opened(), FROZEN, APPROVED)

    with pytest.raises(IntegrityError, match="one_live_request"):
        record(store, opened("another"))


def test_a_wish_can_be_asked_again_when_its_request_has_ended(store: Store) -> None:
    record(store, opened(), GONE, opened("another"))

    with store.transaction() as tx:
        assert [request.state for request in tx.requests.find()] == [State.WITHDRAWN, State.COLLECTING]


def test_of_two_who_open_it_in_the_same_instant_one_succeeds(store: Store) -> None:
    together = Barrier(2)

    def open_it(request_id: str) -> bool:
        together.wait()
        try:
            record(store, opened(request_id))
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(2) as both:
        succeeded = list(both.map(open_it, ["one", "two"]))

    assert sorted(succeeded) == [False, True]
    with store.transaction() as tx:
        assert (len(tx.requests.find()), tx.ledger.count()) == (1, 1)


def test_two_votes_in_the_same_instant_make_one_decision(store: Store) -> None:
    record(store, opened(), FROZEN)
    together = Barrier(2)

    def vote(person: str) -> str:
        together.wait()
        with store.transaction() as tx:
            request = tx.requests.get(REQUEST_ID, for_update=True)
            try:
                tx.record(lifecycle.cast_vote(request, a_vote(person), a_rule(), "sha256:1"))
            except lifecycle.AlreadyDecided as late:
                return str(late)
        return "decided"

    with ThreadPoolExecutor(2) as both:
        said = sorted(both.map(vote, ["cy", "dan"]))

    assert said == ["decided", "request 3f1c9a70 is already approved"]
    with store.transaction() as tx:
        assert len(tx.requests.get(REQUEST_ID).votes) == 1
        assert [entry.kind for entry in tx.ledger.entries()].count("RequestApproved") == 1


# Finding


def test_requests_are_found_by_what_is_asked_of_them(store: Store) -> None:
    later = NOON + timedelta(minutes=1)
    record(
        store,
        opened("b"),
        another("a", 8, at=later),
        opened("c", target=PRODUCTION, at=later),
        replace(GONE, request_id="b"),
    )

    with store.transaction() as tx:

        def found(**wanted: object) -> list[str]:
            return [request.id for request in tx.requests.find(**wanted)]  # type: ignore[arg-type]

        assert found() == ["b", "a", "c"]
        assert found(states=[State.COLLECTING]) == ["a", "c"]
        assert found(version=a_version()) == ["b", "c"]
        assert found(version=a_version(created=LATER)) == []
        assert found(target=CHAMPION, model="bike-demand", workspace="default") == ["b", "a"]
        assert found(model="churn") == []
        assert found(workspace="another") == []
        assert found(for_update=True) == ["a", "b", "c"]


def test_the_entry_that_decides_is_found_without_reading_the_ledger(store: Store) -> None:
    record(store, opened(), FROZEN, APPROVED)

    with store.transaction() as tx:
        found = EvidenceRows(tx.connection).decided_at_entry(REQUEST_ID)
        query = decisions_on(REQUEST_ID).compile(tx.connection, compile_kwargs={"literal_binds": True})
        tx.connection.execute(sa.text("set local enable_seqscan = off"))  # a ledger of three entries is read whole else
        plan = "\n".join(tx.connection.execute(sa.text(f"explain {query}")).scalars())

    assert found == 3
    assert "decisions_by_request" in plan


def test_whether_a_key_counts_is_found_without_reading_the_ledger(store: Store) -> None:
    with store.transaction() as tx:
        query = ABOUT_KEYS.compile(tx.connection, compile_kwargs={"render_postcompile": True})
        tx.connection.execute(sa.text("set local enable_seqscan = off"))
        plan = "\n".join(tx.connection.execute(sa.text(f"explain {query}")).scalars())

    assert "key_entries" in plan


def test_a_key_counts_where_its_own_entries_say_and_no_column_changes_that(store: Store) -> None:
    key = trusted_key(signer_with(Ed25519PrivateKey.generate()).key.pem)
    with store.transaction() as tx:
        added = tx.record_now(KeyAdded(NOON, key.id, key.algorithm, key.purpose))
        tx.keys.add(KnownKey(key.id, key.purpose, key.algorithm, key.pem, NOON, added_seq=0))
        tx.keys.add(KnownKey("of nobody", key.purpose, key.algorithm, key.pem, NOON, added_seq=0))
        retired = tx.record_now(KeyRetired(NOON, key.id, "it was in a backup"))
        tx.record_now(KeyAdded(NOON, key.id, key.algorithm, key.purpose))

        found = tx.keys.recorded()

    assert list(found) == [key.id]
    assert (found[key.id].added_seq, found[key.id].retired_seq) == (added, retired)
    assert found[key.id].retired_because == "it was in a backup"


def test_a_request_that_is_not_there_is_refused_with_its_name(store: Store) -> None:
    with store.transaction() as tx, pytest.raises(Refused, match='there is no request "nothing-of-ours"'):
        tx.requests.get("nothing-of-ours")


def test_only_open_requests_fall_due_and_not_before_their_time(store: Store) -> None:
    record(store, opened(), another("a", 8), another("forever", 9, expires_at=None), GONE)

    with store.transaction() as tx:
        assert tx.requests.due(NOON + timedelta(days=2)) == []
        assert tx.requests.due(NOON + timedelta(days=3)) == ["a"]


def test_requests_are_counted_and_found_by_their_ticket(store: Store) -> None:
    record(store, opened(), another("a", 8), TicketOpened(LATER, REQUEST_ID, TICKET), GONE)

    with store.transaction() as tx:
        assert tx.requests.count() == {"collecting": 1, "withdrawn": 1}
        assert tx.requests.with_ticket(TICKET.id) == REQUEST_ID
        assert tx.requests.with_ticket("10002") is None


def test_a_lock_reads_what_others_committed_since_the_first_look(store: Store) -> None:
    record(store, opened())

    with store.transaction() as tx:
        seen = tx.requests.get(REQUEST_ID)
        record(store, FROZEN)
        locked = tx.requests.get(REQUEST_ID, for_update=True)

    assert (seen.state, locked.state) == (State.COLLECTING, State.PENDING)


def test_a_row_that_is_locked_is_read_once_and_shows_what_the_transaction_wrote(store: Store) -> None:
    record(store, opened())
    with store.transaction() as tx:
        statements: list[str] = []
        tx.requests.get(REQUEST_ID, for_update=True)
        sa.event.listen(tx.connection, "before_cursor_execute", lambda *said: statements.append(said[2]))

        tx.record([FROZEN])
        after = tx.requests.get(REQUEST_ID)

        assert after.state is State.PENDING
        assert not [said for said in statements if "SELECT requests.body" in said]


def test_jobs_are_written_together_when_the_transaction_ends(store: Store) -> None:
    statements: list[str] = []
    with store.transaction() as tx:
        sa.event.listen(tx.connection, "before_cursor_execute", lambda *said: statements.append(said[2]))
        for effect, once in (("sweep_models", True), ("sync_card", False), ("sweep_models", True)):
            tx.defer(effect, "r1", f"lane:{len(statements)}:{effect}", once=once)
        assert "sweep_models" not in {job.name for job in store.jobs.listing()}

    assert [said for said in statements if "procrastinate_jobs" in said] == statements[-1:]
    assert [job.name for job in store.jobs.listing()] == ["sync_card", "sweep_models"]


def test_no_job_waits_for_another_transaction_under_the_ledgers_lock(store: Store) -> None:
    statements: list[str] = []
    with store.transaction() as tx:
        sa.event.listen(tx.connection, "before_cursor_execute", lambda *said: statements.append(said[2]))
        tx.defer("look_at", "default/bike", "looks:default/bike", once=True)
        tx.record([opened()])
    locks = [number for number, said in enumerate(statements) if "pg_advisory_xact_lock" in said or "LOCK" in said]
    inserts = [number for number, said in enumerate(statements) if "INTO procrastinate_jobs" in said]

    assert len(locks) == 1
    assert inserts[0] < locks[0] < inserts[-1]
    assert [job.name for job in reversed(store.jobs.listing())] == ["look_at", "freeze_evidence"]


def test_jobs_that_may_wait_for_each_other_are_written_in_one_order(store: Store) -> None:
    for models in ("abc", "cba"):
        with store.transaction() as tx:
            tx.defer("show_plot", "r1", "plots:r1")
            for model in models:
                tx.defer("look_at", model, f"looks:{model}", once=True)
            rows: list[str] = []
            sa.event.listen(
                tx.connection,
                "before_cursor_execute",
                lambda *said, rows=rows: rows.extend(row["queueing_lock"] for row in said[3]),
            )

        assert rows == ["look_at:a", "look_at:b", "look_at:c", None]


def test_jobs_that_are_asked_about_are_written_first(store: Store) -> None:
    with store.transaction() as tx:
        tx.defer("sync_target", "r1", "moves:r1")

        assert tx.unfinished("sync_target") == {"r1"}


def test_a_rename_is_known_from_the_moment_that_it_is_recorded_and_once(store: Store) -> None:
    with store.transaction() as tx:
        tx.record([ModelRenamed(NOON, "default", "bike", "bike-demand"), ModelRenamed(NOON, "other", "bike", "car")])
        before = tx.custody.renames("default")
        tx.flush()
        after = tx.custody.renames("default")
    with store.transaction() as tx:
        later = tx.custody.renames("default")

    assert before == after == later == [Renamed("bike", "bike-demand", NOON)]
