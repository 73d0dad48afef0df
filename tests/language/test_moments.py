"""A moment in a text is found again, whichever language the text was read in, so that Slack shows it in the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.clients.slack.rich_text import timed
from bot.language import LANGUAGES, moment
from bot.language.catalogues import in_language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("month", range(1, 13))
def test_slack_is_given_the_moment_in_every_month_and_language(month: int, language: str) -> None:
    at = datetime(2026, month, 3, 9, 31, tzinfo=UTC)
    with in_language(language):
        text = f"{moment(at)}."

    shown, stop = timed(text)

    assert (shown["timestamp"], shown["fallback"], stop["text"]) == (int(at.timestamp()), text[:-1], ".")


@pytest.mark.parametrize("text", ["3 zzz 2026, 09:31 UTC", "31 feb 2026, 09:31 UTC", "3 feb 2026, 09:31 UTC+01:00"])
def test_what_only_looks_like_a_moment_stays(text: str) -> None:
    assert timed(text) == [{"type": "text", "text": text}]
