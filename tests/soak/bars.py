"""What must be true at the end, and the table of bars against measured values."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.supervisor import COUNTERSIGN
from tests.soak.load import Wish
from tests.soak.world import World

CONVERGED_WITHIN = 60.0  # seconds after a fault's end
READY_WITHIN = 5.0
GONE_WITHIN = 10.0
OK, MISSED = "ok", "MISSED"


@dataclass(frozen=True)
class Bar:
    """`verdict` is "ok", "MISSED", or "-" for what no fault of this run measures."""

    what: str
    bar: str
    measured: str
    verdict: str

    @property
    def holds(self) -> bool:
        return self.verdict != MISSED


def bar_of(what: str, bar: str, measured: str, *, holds: bool, samples: int = 1) -> Bar:
    return Bar(what, bar, measured, "-" if not samples else OK if holds else MISSED)


@dataclass
class Measured:
    """`converged` and `tickets` are seconds after each fault's end; `rolling` the answers' statuses while processes were replaced."""

    converged: dict[str, float] = field(default_factory=dict)
    tickets: dict[str, float] = field(default_factory=dict)
    rolling: list[int] = field(default_factory=list)


def behind(world: World, wishes: Iterable[Wish]) -> tuple[list[str], list[str]]:
    """The models whose card or target is not yet where it must be, and those whose ticket is not."""
    known = _requests(world)
    cards, tickets = [], []
    for wish in wishes:
        request = known.get(wish.model)
        if request is None or request.card is None or (wish.voted_at and request.state is not State.APPLIED):
            cards.append(wish.model)
        if request is None or request.ticket is None or (wish.voted_at and not _is_closed(world, request)):
            tickets.append(wish.model)
    return cards, tickets


def verdict(world: World, measured: Measured) -> list[Bar]:
    wishes, requests = world.book.acked(float("inf")), list(_all_requests(world))
    entries = _ledger(world)
    lost = _lost(world, wishes, entries)
    doubled = _doubled(world, requests, entries)
    early = _moved_early(world, wishes, entries)
    parked = world.services.store.jobs.listing(JobStatus.PARKED)
    audit = _audit(world)
    ready = [value for one in world.keeper.kept for value in one.ready_after]
    gone = [value for one in world.keeper.kept for value in one.gone_after]
    odd = [status for status in measured.rolling if not 200 <= status < 300 and status != 503]
    return [
        bar_of(
            "acknowledged and lost", "0", f"{len(lost)} of {len(wishes)} asked, {_voted(wishes)} voted", holds=not lost
        ),
        bar_of("messages, tickets, decisions twice", "0", _some(doubled), holds=not doubled),
        bar_of("targets moved before approval", "0", _some(early), holds=not early),
        bar_of(
            "jobs parked", "0", _some([f"{job.name}: {job.errors[-1].error[:80]}" for job in parked]), holds=not parked
        ),
        bar_of("countersign audit verify", "exit code 0", audit or f"0, {len(entries):,} entries", holds=not audit),
        _slowest("cards and targets right after a fault", measured.converged, CONVERGED_WITHIN),
        _slowest("tickets right after a fault", measured.tickets, CONVERGED_WITHIN + _lag(world)),
        bar_of(
            "web ready after its restart",
            f"{READY_WITHIN:g} s",
            f"median {_median(ready):.1f} s, longest {max(ready, default=0.0):.1f} s of {len(ready)}",
            holds=_median(ready) <= READY_WITHIN,
            samples=len(ready),
        ),
        bar_of(
            "gone after SIGTERM",
            f"{GONE_WITHIN:g} s",
            f"longest {max(gone, default=0.0):.1f} s of {len(gone)}",
            holds=max(gone, default=0.0) <= GONE_WITHIN,
            samples=len(gone),
        ),
        bar_of(
            "answers in rolling restarts, not 2xx or 503",
            "0",
            f"{len(odd)} of {len(measured.rolling)}" + (f": {Counter(odd)}" if odd else ""),
            holds=not odd,
            samples=len(measured.rolling),
        ),
    ]


def table(bars: Sequence[Bar]) -> str:
    rows = [("", "bar", "measured", ""), *((b.what, b.bar, b.measured, b.verdict) for b in bars)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip() for row in rows
    )


def _lag(world: World) -> float:
    """After a lost answer Jira's search may show a ticket only so much later: until then none is opened again."""
    return world.services.tickets.search_settles


def _slowest(what: str, seconds: dict[str, float], bar: float) -> Bar:
    worst = max(seconds, key=seconds.__getitem__, default="")
    text = f"median {_median(list(seconds.values())):.0f} s, longest {seconds.get(worst, 0.0):.0f} s ({worst or 'no fault'})"
    return bar_of(what, f"{bar:g} s", text, holds=all(value <= bar for value in seconds.values()), samples=len(seconds))


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def _some(found: Sequence[str]) -> str:
    return f"{len(found)}" + (f": {'; '.join(found[:3])}" if found else "")


def _voted(wishes: Sequence[Wish]) -> int:
    return sum(wish.voted_at is not None for wish in wishes)


def _all_requests(world: World) -> list[TransitionRequest]:
    with world.services.store.transaction() as tx:
        return tx.requests.find()


def _requests(world: World) -> dict[str, TransitionRequest]:
    return {request.version.model: request for request in _all_requests(world)}


def _is_closed(world: World, request: TransitionRequest) -> bool:
    return request.ticket is not None and str(world.jira.issue(request.ticket.key).status.name) == "Done"


def _ledger(world: World) -> list[tuple[str, dict[str, object]]]:
    with world.services.store.transaction() as tx:
        return [(entry.kind, json.loads(entry.body)) for entry in tx.ledger.entries()]


def _lost(world: World, wishes: Sequence[Wish], entries: Sequence[tuple[str, dict[str, object]]]) -> list[str]:
    known = _requests(world)
    ids = {request.id for request in known.values()}
    voted = {body["request_id"] for kind, body in entries if kind == "VoteCast"}
    lost = [
        wish.model for wish in wishes if wish.model not in known or (wish.request_id and wish.request_id not in ids)
    ]
    lost += [wish.model for wish in wishes if wish.voted_at and known[wish.model].id not in voted]
    return lost


def _doubled(
    world: World, requests: Sequence[TransitionRequest], entries: Sequence[tuple[str, dict[str, object]]]
) -> list[str]:
    keys = Counter(
        str((message.metadata or {}).get("event_payload", {}).get("key"))  # type: ignore[attr-defined]
        for channel in world.crowd.channels
        for message in world.slack.messages(channel)
        if message.metadata
    )
    labels = Counter(label for issue in world.jira.issues() for label in issue.labels if label != "countersign")
    once = ("RequestOpened", "CardPosted", "TicketOpened", "VoteCast", "RequestApproved", "TargetMoved", "TicketClosed")
    events = Counter((kind, str(body.get("request_id"))) for kind, body in entries if kind in once)
    models = Counter(request.version.model for request in requests)
    return [
        *(f"message {key} x{count}" for key, count in keys.items() if count > 1),
        *(f"ticket {label} x{count}" for label, count in labels.items() if count > 1),
        *(f"{kind} of {subject} x{count}" for (kind, subject), count in events.items() if count > 1),
        *(f"request for {model} x{count}" for model, count in models.items() if count > 1),
    ]


def _moved_early(world: World, wishes: Sequence[Wish], entries: Sequence[tuple[str, dict[str, object]]]) -> list[str]:
    """Seen by a look before each vote, by the order in the ledger, and at the end where nobody voted."""
    approved: set[object] = set()
    early = list(world.book.moved_early)
    for kind, body in entries:
        if kind == "RequestApproved":
            approved.add(body["request_id"])
        elif kind == "TargetMoved" and body["request_id"] not in approved:
            early.append(str(body["request_id"]))
    undecided = [wish.model for wish in wishes if wish.in_vote_since is None]
    return early + [model for model in undecided if "champion" in world.mlflow.get_registered_model(model).aliases]


def _audit(world: World) -> str:
    """Empty when it verifies."""
    done = subprocess.run(
        [*COUNTERSIGN, "audit", "verify"],
        env={**os.environ, **world.keeper.kept[0].environment},
        capture_output=True,
        text=True,
    )
    return "" if done.returncode == 0 else f"{done.returncode}: {done.stdout[-200:]}{done.stderr[-200:]}"
