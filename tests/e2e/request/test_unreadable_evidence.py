"""Evidence that cannot be read: silence is a fault. A card and the ticket say why, it goes on being tried, and then the vote opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.events import EvidenceUnreadable
from bot.domain.model import State
from bot.engine.rows import JobStatus
from bot.errors import Permanent, Temporary
from bot.store.outbox import SentRows
from handlers.effects import effects_of
from handlers.notify.render_context import unread_key
from tests.fixtures.installation import CHANNEL, Installation

STORE_SAYS_NO = Permanent(
    "The artifact store refused reading the files (403). Give the bot's account the right to read."
)
MIRROR_IS_AWAY = Temporary("The git remote does not answer. It will be tried again.", 3600.0)
FOR_A_MOMENT = Temporary("MLflow answered 503 while reading the files. It will be tried again.")
MINUTE = timedelta(seconds=61)


class OneIsBroken:
    """The real registry, but for the evidence of one version."""

    def __init__(self, registry: Any, number: int, trouble: Exception) -> None:
        self._registry, self._number, self._trouble = registry, number, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def read_evidence(self, version: Any, *rest: Any, **more: Any) -> Any:
        if version.version == self._number:
            raise self._trouble
        return self._registry.read_evidence(version, *rest, **more)


def break_evidence_of(installation: Installation, number: int, trouble: Exception) -> Any:
    """Returns the registry as it was."""
    whole = installation.s.registry
    installation.s = replace(installation.s, registry=OneIsBroken(whole, number, trouble))  # type: ignore[arg-type]
    return whole


def mend(installation: Installation, registry: Any) -> None:
    installation.s = replace(installation.s, registry=registry)


def said(installation: Installation) -> list[str]:
    return [message.all_text for message in installation.slack.messages(CHANNEL)]


@pytest.mark.parametrize("trouble", [STORE_SAYS_NO, MIRROR_IS_AWAY, FOR_A_MOMENT], ids=["refused", "for long", "now"])
def test_a_move_by_hand_is_told_within_one_sweep_although_its_evidence_cannot_be_read(
    installation: Installation, trouble: Exception
) -> None:
    installation.promoted()
    installation.register()
    break_evidence_of(installation, 2, trouble)

    installation.move(2)

    told = said(installation)[-1]
    assert "Moved without an approval" in told
    assert str(trouble).split(".", maxsplit=1)[0] in told
    assert installation.champion() == 2


@pytest.mark.parametrize("trouble", [STORE_SAYS_NO, MIRROR_IS_AWAY], ids=["refused", "for long"])
def test_whoever_asks_sees_why_on_the_card_and_on_the_ticket_and_no_buttons(
    installation: Installation, trouble: Exception
) -> None:
    installation.register()
    break_evidence_of(installation, 1, trouble)

    request = installation.asked(1)

    card = installation.card(request)
    assert "Evidence cannot be read" in card.all_text
    assert card.buttons == {}
    assert str(trouble).split(".", maxsplit=1)[0] in installation.comments(request)


def test_what_may_pass_by_itself_is_told_after_a_minute(installation: Installation) -> None:
    installation.register()
    break_evidence_of(installation, 1, FOR_A_MOMENT)
    installation.ask(1)
    installation.sweep()
    at_once = installation.entries(EvidenceUnreadable)

    installation.clock.ahead += MINUTE
    installation.settle_until(lambda: installation.entries(EvidenceUnreadable))
    installation.settle_until(lambda: installation.cards())

    assert at_once == []
    assert "503" in installation.card(installation.request(1)).all_text


def test_a_reading_that_takes_long_shows_a_card_after_a_minute(installation: Installation) -> None:
    """It neither fails nor ends: a store that trickles. Nothing but the clock can notice."""
    installation.register()
    never_ends = {**effects_of(installation.s), "freeze_evidence": lambda _: None}
    installation.ask(1)
    for kind, later in (("sweep_models", timedelta()), ("tell_waiting", MINUTE)):
        installation.clock.ahead += later
        with installation.s.store.transaction() as tx:
            tx.defer(kind, "", f"clock:{kind}", once=True)
        installation.s.store.jobs.drain(never_ends)

    card = installation.card(installation.request(1))
    assert "The evidence is being collected" in card.all_text
    assert card.buttons == {}


def test_the_vote_opens_by_itself_when_the_evidence_can_be_read_again(installation: Installation) -> None:
    installation.register()
    whole = break_evidence_of(installation, 1, STORE_SAYS_NO)
    request = installation.asked(1)
    mend(installation, whole)

    installation.clock.ahead += MINUTE
    installation.sweep("tell_waiting")
    installation.settle_all()

    assert installation.reread(request).state is State.PENDING
    assert len(installation.cards()) == 1
    assert "The evidence can be read now" in installation.comments(request)
    installation.approve(request)
    assert installation.champion() == 1


def test_a_reason_is_recorded_once_and_no_job_is_parked_however_often_it_is_tried(installation: Installation) -> None:
    installation.register()
    break_evidence_of(installation, 1, STORE_SAYS_NO)
    installation.asked(1)

    for _ in range(6):
        installation.clock.ahead += MINUTE
        installation.sweep("tell_waiting")

    assert len(installation.entries(EvidenceUnreadable)) == 1
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []


def test_a_store_that_finds_new_words_every_time_does_not_fill_the_ledger(installation: Installation) -> None:
    installation.register()
    whole = installation.s.registry
    for number in range(9):
        mend(installation, whole)
        break_evidence_of(installation, 1, Permanent(f"refused, incident {number}"))
        if number == 0:
            installation.asked(1)
        installation.clock.ahead += MINUTE
        installation.sweep("tell_waiting")

    assert len(installation.entries(EvidenceUnreadable)) == 5


def test_it_does_not_expire_without_a_word(installation: Installation) -> None:
    installation.register()
    break_evidence_of(installation, 1, STORE_SAYS_NO)
    request = installation.asked(1)

    installation.clock.ahead += timedelta(days=4)
    installation.sweep("expire_requests")

    assert installation.reread(request).state is State.EXPIRED
    assert "could not be read in time" in installation.card(request).all_text
    assert "could not be read in time" in installation.comments(request)


def test_an_approval_that_cannot_be_checked_says_so_on_its_card(installation: Installation) -> None:
    installation.promoted()
    second = installation.asked()
    break_evidence_of(installation, 2, MIRROR_IS_AWAY)

    installation.approve(second)

    assert installation.reread(second).state is State.APPROVED
    assert "does not move while" in installation.card(second).all_text


class RunIsGone(OneIsBroken):
    """Of one version not even the metrics can be read."""

    def read_metrics(self, version: Any) -> Any:
        if version.version == self._number:
            raise self._trouble
        return self._registry.read_metrics(version)


def test_an_open_card_says_that_its_evidence_cannot_be_read_any_more_and_that_it_can_again(
    installation: Installation,
) -> None:
    request = installation.asked()
    whole = installation.s.registry
    installation.s = replace(installation.s, registry=RunIsGone(whole, 1, STORE_SAYS_NO))  # type: ignore[arg-type]

    installation.clock.ahead += timedelta(minutes=11)
    installation.sweep("tell_waiting")
    while_gone = installation.card(request)
    mend(installation, whole)
    installation.clock.ahead += timedelta(minutes=11)
    installation.sweep("tell_waiting")

    assert "Cannot be approved now: " in while_gone.all_text
    assert set(while_gone.buttons) == {"reject", "ask", "menu"}
    assert "approve" in installation.card(request).buttons
    assert "cannot be read" not in installation.card(request).all_text
    assert installation.reread(request).state is State.PENDING


def test_an_approval_on_a_card_that_was_not_renewed_yet_is_refused_while_its_evidence_cannot_be_read(
    installation: Installation,
) -> None:
    request = installation.asked()
    with installation.s.store.transaction() as tx:
        SentRows(tx.connection).put(unread_key(request), "the run was deleted.", installation.s.clock.now())

    installation.approve(request)

    assert installation.reread(request).votes == ()
    assert (
        "evidence cannot be read now, so an approval could not be applied: the run was deleted. Countersign looks again"
    ) in installation.told_privately("ana")
