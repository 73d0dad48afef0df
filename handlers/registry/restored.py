"""After our database was restored from a backup: nothing that waited then is carried out, and an admin accepts what is there now.

What people decided after the backup was made is in the registry and nowhere on record here. Acted on from the backup alone, it would look
like moves by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.events import BaselineTaken, DatabaseRestored
from bot.domain.model import Kind, StaleCause, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.names import shown
from bot.domain.registry.diff import ruled_places
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import lifecycle
from bot.language import recorded
from bot.services import Services
from bot.store.ledger import read_event
from bot.store.outbox import SentRows, card_ended_by_restore, ended_by_restore
from bot.store.transaction import Transaction, after
from handlers.registry.baselines import read_models

REQUEST_TAG = "countersign.request_id"
OPEN = (State.COLLECTING, State.PENDING)
MOST_NAMED, LONGEST_ID = 5, 40


@dataclass(frozen=True)
class Change:
    """A target that others hold than we have on record. `unknown` are requests named on the holders that we have not."""

    model: str
    target: Target
    before: tuple[VersionId, ...]
    now: tuple[VersionId, ...]
    unknown: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        before, now = (", ".join(str(one) for one in some) or "none" for some in (self.before, self.now))
        return f"{shown(self.model)}, {shown(str(self.target))}: {now} now, {before} on record.{self._named}"

    @property
    def _named(self) -> str:
        """Whoever may write in the registry may write this tag, so it is no proof of a decision."""
        if not self.unknown:
            return ""
        names = ", ".join(shown(one) for one in self.unknown[:MOST_NAMED])
        more = f" and {len(self.unknown) - MOST_NAMED} more" if len(self.unknown) > MOST_NAMED else ""
        return f" A tag that anyone with write access can set names request {names}{more}, not on record: look for its card."


def begin_again(made_at: datetime, s: Services) -> int:
    """Ends what waited, and doubts every registry until an admin accepts it. Returns how many requests were ended."""
    now = s.clock.now()
    when = f"{made_at:%Y-%m-%d %H:%M} UTC"
    why = f"Countersign's database was restored from a backup of {when}, and what was decided later is not on record"
    ends = recorded(
        "outcome",
        "Countersign's database was restored from a backup of {when}, and what was decided later is not on record. "
        "Ask again if it is still wanted",
        when=when,
    )
    with s.store.transaction() as tx:
        waiting = tx.requests.find(states=(*OPEN, State.APPROVED, State.REJECTED), for_update=True)
        ended = [one for one in waiting if _end(one, ends, tx, now)]
        for request in ended:
            SentRows(tx.connection).put(ended_by_restore(request.id), "", now)
            if request.state is State.REJECTED:  # which is on record
                SentRows(tx.connection).put(card_ended_by_restore(request.id), "", now)
        tx.registry.close_all_intents(now)  # also to give an emptied target back, which is of no request
        for workspace in _known_registries(tx):
            row = tx.trust.find(workspace)
            tx.trust.put(replace(row, doubted_since=row.doubted_since or now, doubt=f"{why}.", backup_of=made_at))
        # The clock that the backup was made by may have been fast.
        tx.record([DatabaseRestored(after(made_at, now), made_at, tx.ledger.count(), len(ended))])
    return len(ended)


def _known_registries(tx: Transaction) -> list[str]:
    """Those with a row, and those that the ledger tells of: 0.1.0 wrote no rows."""
    swept = (read_event(entry.kind, entry.body) for entry in tx.ledger.entries(BaselineTaken.__name__))
    told_of = {event.workspace for event in swept if isinstance(event, BaselineTaken)}
    return sorted(told_of | {row.workspace for row in tx.trust.all()})


def _end(request: TransitionRequest, why: str, tx: Transaction, now: datetime) -> bool:
    """A move that was announced may have been made, and a move by hand that was rejected may have been approved since."""
    if request.state in OPEN:
        events = lifecycle.withdraw(request, why, now)
    elif request.state is State.APPROVED:
        events = lifecycle.mark_stale(request, why, StaleCause.TARGET, now)
    elif request.kind is Kind.OBSERVED and request.settled_at is None:
        events = lifecycle.put_back(request, request.version, now, moved=False)
    else:
        return False
    tx.record(events)
    return bool(events)


def changes_on_record(workspace: str, s: Services) -> list[Change]:
    """The targets on record, or under a rule now, that others hold than we have on record. Raises OutsideError."""
    models = read_models(workspace, list(s.registry_at(workspace).list_models()), s)
    with s.store.transaction() as tx:
        before: dict[tuple[str, Target], list[VersionId]] = {}
        for place in tx.registry.placements(workspace):
            model = place.target.name if place.target.kind is TargetKind.MODEL else place.version.model
            before.setdefault((model, place.target), []).append(place.version)
        known, policy = {request.id for request in tx.requests.find(workspace=workspace)}, tx.policy()
    places = {*before, *((name, target) for name, seen in models.items() for target in ruled_places(seen, policy))}
    found = (
        _change(model, target, before.get((model, target), ()), models.get(model), known)
        for model, target in sorted(places, key=lambda place: (place[0], str(place[1])))
    )
    return [change for change in found if set(change.before) != set(change.now)]


def _change(
    model: str, target: Target, before: Iterable[VersionId], seen: ModelSnapshot | None, known: Collection[str]
) -> Change:
    now = seen.holders(target) if seen else ()
    tagged = {version.id: version.tags.get(REQUEST_TAG, "") for version in seen.versions} if seen else {}
    unknown = {tagged[held][:LONGEST_ID] for held in now} - {"", *known}
    return Change(model, target, tuple(before), now, tuple(sorted(unknown)))
