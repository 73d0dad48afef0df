"""Registered models that cannot be read: announced once, and retried by every sweep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from bot.domain.events import Event, ModelReadable, ModelUnreadable
from bot.domain.names import shown, why_not_watched
from bot.domain.workspaces import in_workspace
from bot.errors import OutsideError, Permanent
from bot.services import Services
from bot.store.transaction import Transaction
from bot.store.trust import UnreadableModel
from handlers.request.waiting import A_WHILE, REASON_LIMIT, lasts, reason_of

log = structlog.get_logger()


@contextmanager
def telling_if_unreadable(workspace: str, name: str, s: Services) -> Iterator[None]:
    """A look that fails permanently is not parked: every sweep looks again. A temporary failure is raised, to be retried in between."""
    try:
        yield
    except OutsideError as trouble:
        _note(workspace, name, trouble, s)
        if not isinstance(trouble, Permanent):
            raise
    else:
        _note_that_it_can_be_read(workspace, name, s)


def leave_unwatched(names: list[str], workspace: str, s: Services) -> None:
    """Registered models whose names cannot be stored. Announced when they are first seen, and once a week after that."""
    now = s.clock.now()
    for name in names:
        with s.store.transaction() as tx:
            if tx.outbox.is_new_tick(
                "model_not_watched", f"{shown(name)[:REASON_LIMIT]}{in_workspace(workspace)}", now
            ):
                why = f"{why_not_watched(name)}; until then nothing in it is watched"
                tx.record([ModelUnreadable(now, workspace, shown(name)[:REASON_LIMIT], why, now)])


def _note(workspace: str, name: str, trouble: OutsideError, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        known = tx.trust.find_unreadable(workspace, name) or UnreadableModel(name, now, None)
        if known.told_at is None and (lasts(trouble) or _outlasts_a_sweep(workspace, known, tx, s)):
            tx.record([ModelUnreadable(now, workspace, name, reason_of(trouble), known.since)])
            known = replace(known, told_at=now)
        tx.trust.put_unreadable(workspace, known)
    if isinstance(trouble, Permanent):
        log.warning("model_unreadable", model=shown(name), error=str(trouble), next="every sweep tries again")


def _outlasts_a_sweep(workspace: str, known: UnreadableModel, tx: Transaction, s: Services) -> bool:
    """A minute has passed and MLflow has answered a sweep meanwhile: so it is this model that fails, not all of MLflow."""
    swept = tx.registry.last_sweeps([workspace]).get(("models", workspace))
    return s.clock.now() - known.since >= A_WHILE and swept is not None and swept >= known.since


def _note_that_it_can_be_read(workspace: str, name: str, s: Services) -> None:
    with s.store.transaction() as tx:
        known = tx.trust.find_unreadable(workspace, name)
        if known is None:
            return
        tx.trust.forget_unreadable(workspace, name)
        told: list[Event] = [ModelReadable(s.clock.now(), workspace, name, known.since)]
        tx.record(told if known.told_at else [])
