"""What a few columns say of a holder is what all facts say, whatever happened for its target before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.events import (
    ApprovalStale,
    EvidenceFrozen,
    GlassBroken,
    GlassReviewed,
    ModelRenamed,
    RequestApproved,
    RequestEvent,
    RequestRejected,
    RequestWithdrawn,
    TargetMoved,
)
from bot.domain.model import DecidedBy, Kind, VersionId
from bot.domain.registry.custody import custody_of
from bot.store.transaction import Transaction
from handlers.custody.bases import basis_of
from handlers.custody.facts import Place, on_record
from tests.builders import CHAMPION, NOON, a_vote, an_evidence, opened
from tests.scale.house import house_on
from tests.scale.made_registry import MadeRegistry, model_name

VERSIONS = (1, 2, 3)
ENDS = ("applied", "ratified", "rejected", "put back", "withdrawn", "stale", "waiting", "glass", "reviewed glass")
MOVES = ("applied", "ratified", "glass", "reviewed glass")
MODELS = 400


@dataclass(frozen=True)
class History:
    """What happened one day after the other: a version's request and its end. Then perhaps a move by hand, or a rename."""

    days: Sequence[tuple[str, int]]
    in_baseline: int
    by_hand: int
    is_renamed: bool


HISTORIES = st.builds(
    History,
    st.lists(st.tuples(st.sampled_from(ENDS), st.sampled_from(VERSIONS)), max_size=6),
    st.sampled_from((0, *VERSIONS)),
    st.sampled_from((0, 0, 0, *VERSIONS)),
    st.sampled_from((False, False, False, True)),
)


def test_few_columns_and_all_facts_agree_on_every_holder(database_url: str) -> None:
    numbers = count()

    with house_on(database_url, MadeRegistry(MODELS)) as house, house.s.store.transaction() as tx:

        @settings(max_examples=MODELS // 4, deadline=None, database=None)
        @given(HISTORIES)
        def agree(history: History) -> None:
            model = model_name(next(numbers) % MODELS) + f"-{next(numbers)}"
            with tx.connection.begin_nested():
                happen(history, model, tx)
            placements, now = tx.registry.placements("default", model), house.clock.now()
            requests = tx.requests.some({one.request_id for one in placements if one.request_id})

            holdings = custody_of(on_record(Place("default", model, CHAMPION), tx, now)).holdings
            said = basis_of(placements, requests, tx, now)
            assert said == {(one.version, CHAMPION): one.basis for one in holdings}

        agree()


def happen(history: History, model: str, tx: Transaction) -> None:
    holder, by, day, waiting = history.in_baseline, None, 0, set[int]()
    moved: dict[int, str] = {}  # by which request each version got there last
    if holder:
        tx.custody.put_baseline(model, CHAMPION, [version_of(model, holder)], NOON)
    for day, (end, number) in enumerate(history.days, 1):
        if number in waiting:  # no second request about it is opened
            continue
        request_id = f"{model}-{day}"
        tx.record(request_of(end, request_id, version_of(model, number), day))
        waiting |= {number} if end == "waiting" else set()
        if end in MOVES:
            holder, by = number, request_id
            moved[number] = request_id
    if history.by_hand and history.by_hand != holder:
        holder, by, day = history.by_hand, moved.get(history.by_hand), day + 1
    if history.is_renamed:
        tx.record([ModelRenamed(NOON + timedelta(days=day), "default", f"{model}-old", model)])
    if holder:
        since = NOON + timedelta(days=day)
        tx.registry.put_placements("default", model, CHAMPION, [version_of(model, holder)], since, by)


def request_of(end: str, request_id: str, version: VersionId, day: int) -> list[RequestEvent]:
    at, kind = NOON + timedelta(days=day), Kind.OBSERVED if end in ("ratified", "put back") else Kind.PROMOTION
    begun: list[RequestEvent] = [opened(request_id, version=version, at=at, rule_hash="", kind=kind)]
    if end == "withdrawn":
        return [*begun, RequestWithdrawn(at, request_id, "the alias was taken away")]
    if "glass" in end:
        begun.append(GlassBroken(at, request_id, a_vote(), "on-call", "leads", at + timedelta(days=2)))
    begun.append(EvidenceFrozen(at, request_id, an_evidence(), "bea", ""))
    if end == "waiting":
        return begun
    if end in ("rejected", "put back"):
        return [*begun, RequestRejected(at, request_id, "cy", "not good enough", "")]
    decided_by = DecidedBy.BREAK_GLASS if "glass" in end else DecidedBy.PEOPLE
    begun.append(RequestApproved(at, request_id, ("cy",), "", decided_by))
    if end == "stale":
        return [*begun, ApprovalStale(at, request_id, "the champion is another one")]
    begun.append(TargetMoved(at, request_id, version, CHAMPION, None, moved=end != "ratified"))
    return [*begun, GlassReviewed(at, request_id, a_vote())] if end == "reviewed glass" else begun


def version_of(model: str, number: int) -> VersionId:
    return VersionId("default", model, number, NOON - timedelta(days=10 - number))
