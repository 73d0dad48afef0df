"""Finds the Slack ids of those whom a card mentions. How a mention is drawn is in `slack_blocks`; who may vote is asked elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from bot.clients.slack.people import Remembered, Seconds, SlackPeople
from bot.domain.card.card import Called, Mention
from bot.errors import OutsideError, Permanent

log = structlog.get_logger()
NOBODY = ""


class SlackMentions:
    """A mention never fails a post: whoever is not found, or cannot be asked for, is left out and printed by name."""

    def __init__(self, people: SlackPeople, clock: Seconds) -> None:
        self._people = people
        self._by_email = Remembered[str](clock)
        self._look_up: dict[Called, Callable[[str], str]] = {Called.GROUP: self._group, Called.PERSON: self._person}

    def found(self, mentions: Sequence[Mention]) -> dict[Mention, str]:
        """The ids of those found. Once Slack does not answer, the others are not asked for: the card has waited long enough."""
        ids: dict[Mention, str] = {}
        for mention in mentions:
            try:
                ids[mention] = self._look_up[mention.kind](mention.key)
            except Permanent as refusal:
                log.warning("mention_not_found", who=mention.key, why=str(refusal))
            except OutsideError as trouble:
                log.warning("mentions_not_asked", who=mention.key, why=str(trouble))
                break
        return {mention: id_ for mention, id_ in ids.items() if id_ != NOBODY}

    def _group(self, handle: str) -> str:
        return self._people.user_group(handle).id

    def _person(self, email: str) -> str:
        return self._by_email.get(email, lambda: self._account_with(email))

    def _account_with(self, email: str) -> str:
        account = self._people.find_account(email)
        return account.id if account else NOBODY
