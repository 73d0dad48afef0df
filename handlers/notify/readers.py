"""In which language a text is read: the policy's in channels and tickets, the reader's own in what one person alone sees."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import structlog

from bot.errors import OutsideError
from bot.language.catalogues import in_language, language_of
from bot.services import Services

log = structlog.get_logger()
NO_QUESTION_AFTER = timedelta(seconds=1.25)  # a click is answered within 3 s, and the last question may itself take 1.5


def for_everyone(s: Services) -> AbstractContextManager[None]:
    """For a channel, and for another system."""
    return in_language(s.store.policy().language)


def for_account(account_id: str, s: Services, *, begun: datetime | None = None) -> AbstractContextManager[None]:
    """For the person with this account: the language of their Slack, else the policy's.

    `begun` is when a click or command came that waits for the text. When most of its time has passed, Slack is not asked.
    """
    otherwise = s.store.policy().language
    if begun is not None and s.clock.now() - begun >= NO_QUESTION_AFTER:
        return in_language(otherwise)
    try:
        locale = s.notifier.account(account_id).locale
    except OutsideError as trouble:
        log.warning("locale_not_known", account=account_id, why=str(trouble))
        return in_language(otherwise)
    return in_language(language_of(locale, otherwise))
