"""How a form ended that Slack could not wait for: its sender gets a direct message, unless a card says it.

It lives in the process that took the form. When that dies meanwhile nothing was asked, or there is a card, and no message comes.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Thread

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.card.card import Card
from bot.engine.attempts import PASSING, RetryPolicy, next_attempt
from bot.errors import OutsideError
from bot.language import _, as_sentence, reread, sentences
from bot.services import Services
from handlers.home.sending import FormReply
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account

log = structlog.get_logger()
TOLD_WITHIN = timedelta(minutes=5)
PATIENCE = RetryPolicy(base=1.0, cap=30.0)


@dataclass(frozen=True)
class Ending:
    """`key` names the form."""

    account: str
    key: str
    asking: Future[FormReply]

    def as_card(self) -> Card | None:
        """None when a new request says it. Read in the language of the person."""
        if self.asking.exception() is not None:
            said = sentences(_("Nothing was asked."), _("Open the form again."))
            return Card(_("Nothing was asked"), said, paragraphs=(said,))
        reply = self.asking.result()
        if reply.is_new:
            return None
        if reply.mistakes is not None:
            said = sentences(*(as_sentence(one) for one in reply.mistakes.values()))
            return Card(_("Nothing was asked"), said, paragraphs=(said,))
        return Card(reread(reply.title), reread(reply.text), paragraphs=(reread(reply.text),))


def tell_late(reply: FormReply, account: str, view: str, s: Services) -> None:
    """In another thread, which no process waits for when it ends."""
    if reply.late is not None:
        ending = Ending(account, f"form:{view}", reply.late)
        Thread(target=partial(_tell_when_ended, ending, s), name="telling", daemon=True).start()


def _tell_when_ended(ending: Ending, s: Services) -> None:
    trouble = ending.asking.exception()
    if trouble is not None:
        log.error("form_not_asked", account=ending.account, why=str(trouble), exc_info=trouble)
    not_after, attempt = s.clock.now() + TOLD_WITHIN, 1
    while (seconds := _seconds_until_next(ending, attempt, not_after, s)) is not None:
        s.store.sleepers.sleep(seconds)
        attempt += 1


def _seconds_until_next(ending: Ending, attempt: int, not_after: datetime, s: Services) -> float | None:
    """Tries to send it. None when that is done with."""
    try:
        _tell(ending, s)
    except (OutsideError, SQLAlchemyError, *PASSING) as unheard:
        now = s.clock.now()
        again = next_attempt(unheard, attempt, not_after, now, PATIENCE)
        bug = None if isinstance(unheard, (OutsideError, *PASSING)) else unheard
        log.warning("form_end_not_told", account=ending.account, why=str(unheard), again=again, exc_info=bug)
        return (again - now).total_seconds() if again is not None else None
    return None


def _tell(ending: Ending, s: Services) -> None:
    with for_account(ending.account, s):
        card = ending.as_card()
        if card is not None:
            post_once(ending.key, ending.account, card, s)
