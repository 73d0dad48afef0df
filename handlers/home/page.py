"""What one person sees on their own page. Reads only; the notifier is asked who is in which group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from bot.domain.card.card import Link
from bot.domain.home.form import ModelRef
from bot.domain.home.page import ROWS, HomePage, HomeState, Part, Row, Section
from bot.domain.home.rows import asked_row, card_link, decided_row, held_row, notice_page, part_of, waiting_row
from bot.domain.model import State, TransitionRequest
from bot.domain.queries.description import Held
from bot.domain.request.counting import rule_of_decision
from bot.domain.text import model_name
from bot.errors import Permanent
from bot.services import Services
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from handlers.home.viewing import NoPage, Viewer, viewer_of
from handlers.notify.render_context import context_for
from handlers.queries.describe import all_held, rolled_back_by
from handlers.queries.needed_votes import WaitingVotes

log = structlog.get_logger()


def page_for(account_id: str, state: HomeState, s: Services) -> HomePage:
    """In the language that is read now. Raises Temporary when the notifier does not say who they are."""
    try:
        viewer = viewer_of(account_id, s)
    except NoPage as why:
        return notice_page(str(why))
    now = s.clock.now()
    with s.store.transaction() as tx:
        model = HomeRows(tx.connection).model_with(state.model) if state.model else None
        if model is None:
            state = replace(state, model="")  # it was renamed or deleted since
        waiting = HomeRows(tx.connection).pending(model)
    mine = _needing(viewer, waiting, s)
    with s.store.transaction() as tx:
        lists = _Lists(viewer, state, model, tx, s, now)
        parts = [lists.waits(mine), lists.asked()]
        if viewer.reads_all:
            parts += [lists.held(), lists.decided()]
    return HomePage(state, tuple(parts), model=model.label if model else "")


def _needing(viewer: Viewer, waiting: Sequence[TransitionRequest], s: Services) -> list[TransitionRequest]:
    """Those on which this person may vote now, also for somebody who is away, and whose vote would count."""
    votes, found = WaitingVotes(viewer.person, s, asks_notifier=True), []
    for request in waiting:
        try:
            if votes.is_needed_for(request):
                found.append(request)
        except Permanent as gone:  # a group that no longer exists: the doctor says so
            log.warning("group_not_read", request=request.id, why=str(gone))
    return found


class _Lists:
    """The four lists, each cut to the page that the person is on. A row is made only for what is shown."""

    def __init__(
        self, viewer: Viewer, state: HomeState, model: ModelRef | None, tx: Transaction, s: Services, now: datetime
    ) -> None:
        self._viewer, self._state, self._model, self._tx, self._s, self._now = viewer, state, model, tx, s, now
        self._rows = HomeRows(tx.connection)

    def waits(self, mine: Sequence[TransitionRequest]) -> Part:
        begin = self._state.page_of(Section.WAITS) * ROWS
        return self._part(
            Section.WAITS,
            [waiting_row(one, context_for(one, self._tx, self._now), self._now) for one in mine[begin : begin + ROWS]],
            has_more=len(mine) > begin + ROWS,
        )

    def asked(self) -> Part:
        found, has_more = self._page(
            Section.ASKED, lambda begin: self._rows.asked_by(self._viewer.ids, self._model, begin, ROWS + 1)
        )
        rows = [asked_row(one, context_for(one, self._tx, self._now), self._now) for one in found]
        return self._part(Section.ASKED, rows, has_more=has_more)

    def held(self) -> Part:
        """What holds each target that a rule governs."""
        policy = self._tx.policy()
        here = self._tx.registry.placements(*((self._model.workspace, self._model.name) if self._model else ()))
        governed = [one for one in here if policy.rule_for(one.version.workspace, one.version.model, one.target)]
        begin = self._state.page_of(Section.HELD) * ROWS
        shown = governed[begin : begin + ROWS]
        held = all_held(shown, self._tx, self._tx.people.all_names(), self._now)
        rows = [self._held_row(place, one) for place, one in zip(shown, held, strict=True)]
        return self._part(Section.HELD, rows, has_more=len(governed) > begin + ROWS)

    def decided(self) -> Part:
        found, has_more = self._page(Section.DECIDED, lambda begin: self._rows.decided(self._model, begin, ROWS + 1))
        names, policy = self._tx.people.all_names(), self._tx.policy()
        rows = [
            decided_row(
                one,
                names,
                rule_of_decision(one, policy),
                is_rolled_back=rolled_back_by(one, self._tx) is not None,
            )
            for one in found
        ]
        return self._part(Section.DECIDED, rows, has_more=has_more)

    def _held_row(self, place: Placement, held: Held) -> Row:
        version = place.version
        url = self._s.links.to_version(version.model, version.version, self._now, version.workspace)
        return held_row(held, model_name(version.model, version.workspace), url, self._card_of(place))

    def _card_of(self, place: Placement) -> Link | None:
        """The card with the button Roll back on it."""
        request = self._tx.requests.get(place.request_id) if place.request_id else None
        return card_link(request) if request and request.state is State.APPLIED else None

    def _page(
        self, section: Section, find: Callable[[int], list[TransitionRequest]]
    ) -> tuple[list[TransitionRequest], bool]:
        found = find(self._state.page_of(section) * ROWS)
        return found[:ROWS], len(found) > ROWS

    def _part(self, section: Section, rows: Sequence[Row], *, has_more: bool) -> Part:
        return part_of(section, tuple(rows), self._state, self._model.label if self._model else "", has_more=has_more)
