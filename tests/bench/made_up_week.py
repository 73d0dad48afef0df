"""A made-up ledger: requests from beginning to end, eight entries each, straight into the tables with the chain as it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import rfc8785

from bot.domain import events as e
from bot.domain.digest.periods import period_of
from bot.domain.ledger.chain import GENESIS, as_plain, body_of, head_of, leaf_of
from bot.domain.model import DecidedBy, TransitionRequest, VersionId
from bot.domain.request.evolution import evolve, initial
from bot.store.transaction import Store
from tests.builders import CHAMPION, TICKET, a_judgement, a_vote, an_evidence, opened
from tests.fixtures.installation import policy_text

WEEK = period_of("2026-W47", "Europe/Madrid")
ENTRIES_OF_ONE = 8
MODELS = 500
RULE = "bike-* → alias:champion"


def put_policy(store: Store) -> str:
    """Without an entry in the ledger; returns the hash of its rule, which `fill` needs."""
    with store.transaction() as tx:
        tx.policies.add(policy_text("bike-*"), "sha256:1", "config/policy.yaml", WEEK.starts)
        return tx.policy().rule_hash(tx.policy().rules[0])


def fill(url: str, rule_hash: str, count: int) -> None:
    """`count` requests within the week. A hundred thousand transactions would be another bench."""
    with psycopg.connect(url) as connection:
        for table, columns, rows in (
            ("ledger", "seq, at, kind, body, leaf, head", _entries(count, rule_hash)),
            (
                "requests",
                "id, state, kind, workspace, model, version, version_created, target, opened_at, expires_at, body",
                _requests(count, rule_hash),
            ),
            ("placements", "workspace, model, target, version, version_created, since, request_id", _placements(count)),
        ):
            with connection.cursor().copy(f"copy {table} ({columns}) from stdin".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _story(number: int, count: int, rule_hash: str) -> list[e.RequestEvent]:
    """One request's eight entries: of ten, one is rejected and three are the fast track's."""
    at = WEEK.starts + number * timedelta(days=6) / count
    request_id, version = f"{number:032x}", VersionId("default", f"bike-{number % MODELS}", 1 + number // MODELS, at)
    took = timedelta(minutes=10 + number % 600)
    first = opened(request_id, at=at, version=version, requester=None, rule_hash=rule_hash)
    judged = e.FastTrackJudged(at, request_id, a_judgement(*(("too high",) if number % 2 else ())), RULE, rule_hash)
    story: list[e.RequestEvent] = [first, e.EvidenceFrozen(at, request_id, an_evidence(), None, rule_hash), judged]
    story.append(e.TicketOpened(at, request_id, TICKET))
    story.append(e.VoteCast(at + took, request_id, a_vote(at=at + took, rule_hash=rule_hash)))
    story.append(e.FastTrackCompared(at + took, request_id, RULE, number % 2 == 0, True, "agreed"))
    if number % 10 == 0:
        rejected = e.RequestRejected(at + took, request_id, "cy", "worse", rule_hash)
        return [*story, rejected, e.TicketClosed(at + took, request_id, TICKET, "Done")]
    by = DecidedBy.FAST_TRACK if number % 10 < 4 else DecidedBy.PEOPLE
    moved = e.TargetMoved(at + took, request_id, version, CHAMPION, None, moved=True)
    return [*story, e.RequestApproved(at + took, request_id, ("cy",), rule_hash, by), moved]


def _entries(count: int, rule_hash: str) -> Iterator[tuple[object, ...]]:
    seq, head = 0, GENESIS
    for number in range(count):
        for event in _story(number, count, rule_hash):
            seq += 1
            body = rfc8785.dumps(body_of(event, seq)).decode()
            leaf = leaf_of(body)
            head = head_of(head, leaf)
            yield seq, event.at, type(event).__name__, body, leaf, head


def _requests(count: int, rule_hash: str) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        one = _evolved(_story(number, count, rule_hash))
        where = one.version.workspace, one.version.model, one.version.version, one.version.created, str(one.target)
        body = json.dumps(as_plain(one))
        yield (one.id, str(one.state), str(one.kind), *where, one.opened_at, one.expires_at, body)


def _evolved(story: list[e.RequestEvent]) -> TransitionRequest:
    first, *later = story
    assert isinstance(first, e.RequestOpened)
    request = initial(first)
    for event in later:
        request = evolve(request, event)
    return request


def _placements(count: int) -> Iterator[tuple[object, ...]]:
    """Each model's target is held by the last version that was approved for it."""
    last = {number % MODELS: number for number in range(count) if number % 10}
    since = datetime(2026, 11, 20, tzinfo=UTC)
    for model, number in last.items():
        at = WEEK.starts + number * timedelta(days=6) / count
        yield "default", f"bike-{model}", str(CHAMPION), 1 + number // MODELS, at, since, f"{number:032x}"
