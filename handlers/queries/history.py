"""The history: everything that has happened to the targets of a registered model, read from the ledger. It changes nothing.

What an entry says in words is in `bot.domain.queries.history`. The ledger holds ids of people only, so names are looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from heapq import merge

from bot.domain import events as e
from bot.domain.events import Event, RequestEvent
from bot.domain.ledger.chain import Entry
from bot.domain.model import DEFAULT_WORKSPACE, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.names import NAME_LIMIT
from bot.domain.queries.history import HistoryEntry, happening, history_about, seen_in_the_registry
from bot.domain.registry.watch_events import HolderLeft
from bot.services import Records
from bot.store.ledger import read_event
from bot.store.transaction import Transaction

KINDS: tuple[type[Event], ...] = (
    e.RequestOpened,
    e.AskJoined,
    e.OwnAskApproved,
    e.GlassBroken,
    e.GlassReviewed,
    e.VoteRefused,
    e.QuestionAsked,
    e.QuestionAnswered,
    e.RequestReassigned,
    e.CommentRecorded,
    e.RequestApproved,
    e.RequestRejected,
    e.RequestExpired,
    e.RequestWithdrawn,
    e.RequestSuperseded,
    e.ApprovalStale,
    e.ApprovalCalledOff,
    e.VersionSealed,
    e.ApprovalHeld,
    e.FreezeEnded,
    e.TargetMoved,
    e.TargetPutBack,
    e.MoveObserved,
    e.MoveReverted,
    HolderLeft,
)

Until = Mapping[str, int | None]


def history_of(model: str, target: Target | None, s: Records, workspace: str = DEFAULT_WORKSPACE) -> list[HistoryEntry]:
    """Oldest first, of one target or of all. What a model went through under former names is its history as well."""
    with s.store.transaction() as tx:
        until = _names_of(workspace, model, tx)
        by_id = {request.id: request for name in until for request in _requests_of(workspace, name, tx)}
        names = tx.people.all_names()
        told = [_told(event, seq, workspace, until, by_id, names) for seq, event in _events(_entries(until, by_id, tx))]
    return [one for one in told if one is not None and target in (None, one.target)]


def nearest_model(model: str, s: Records, workspace: str = DEFAULT_WORKSPACE) -> str:
    """The known registered model whose name is the closest; empty when the name itself is known, or none is close."""
    with s.store.transaction() as tx:
        known = {row.name for row in tx.registry.models(workspace)}
    near = [] if model in known else get_close_matches(model[:NAME_LIMIT], sorted(known), n=1)
    return near[0] if near else ""


def history_of_version(version: VersionId, s: Records) -> list[HistoryEntry]:
    """As `history_of`, what concerns one version; it reads no requests of the others that changed nothing for it."""
    with s.store.transaction() as tx:
        until = _names_of(version.workspace, version.model, tx)
        by_id = {request.id: request for request in tx.requests.that_moved(version, tuple(until))}
        names = tx.people.all_names()
        entries = _entries(until, by_id, tx)
        told = [_told(event, seq, version.workspace, until, by_id, names) for seq, event in _events(entries)]
    return history_about(version, [one for one in told if one is not None])


def _entries(models: Collection[str], requests: Collection[str], tx: Transaction) -> Iterable[Entry]:
    """In order, those of KINDS about these requests, and what the registry was seen to do with these models."""
    kinds = [kind.__name__ for kind in KINDS]
    return merge(
        tx.ledger.seen_at(models),
        (one for one in tx.ledger.about(*requests) if one.kind in kinds),
        key=lambda one: one.seq,
    )


def _names_of(workspace: str, model: str, tx: Transaction) -> Until:
    """The name and each former one, with the number of the entry that took it from this model; None for the one that it has."""
    until: dict[str, int | None] = {model: None}
    renamed = tx.ledger.entries(e.ModelRenamed.__name__)
    for seq, event in reversed(list(_events(renamed))):
        if isinstance(event, e.ModelRenamed) and event.workspace == workspace and event.after in until:
            until.setdefault(event.before, seq)
    return until


def _requests_of(workspace: str, model: str, tx: Transaction) -> Iterable[TransitionRequest]:
    """Those for its own versions, and those that want another model's versions copied into it."""
    yield from tx.requests.find(workspace=workspace, model=model)
    yield from tx.requests.find(workspace=workspace, target=Target(TargetKind.MODEL, model))


def _events(entries: Iterable[Entry]) -> Iterator[tuple[int, Event]]:
    for entry in entries:
        yield entry.seq, read_event(entry.kind, entry.body)


def _told(
    event: Event,
    seq: int,
    workspace: str,
    until: Until,
    by_id: Mapping[str, TransitionRequest],
    names: Mapping[str, str],
) -> HistoryEntry | None:
    if isinstance(event, e.MoveObserved | e.MoveReverted | HolderLeft):
        is_here = event.workspace == workspace and _had_the_name(event.model, seq, until)
        return seen_in_the_registry(event) if is_here else None
    request = by_id.get(event.request_id) if isinstance(event, RequestEvent) else None
    if request is None or not isinstance(event, RequestEvent):
        return None
    concerned = {request.version.model}
    if request.target.kind is TargetKind.MODEL:
        concerned.add(request.target.name)
    if not any(_had_the_name(name, seq, until) for name in concerned):
        return None
    return happening(event, request, names)


def _had_the_name(model: str, seq: int, until: Until) -> bool:
    """A former name may belong to another model by now."""
    last = until.get(model)
    return model in until and (last is None or seq < last)
