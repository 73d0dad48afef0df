"""The shortcut's payload says only where it was used and by whom; the rest of it is not read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.slack.shortcuts import RECORD, as_written, read_shortcut
from bot.errors import Rejected
from bot.ports import Marked

BODY: dict[str, Any] = {
    "type": "message_action",
    "callback_id": RECORD,
    "team": {"id": "T1", "domain": "x"},
    "user": {"id": "U1", "name": "ana"},
    "channel": {"id": "C1", "name": "models"},
    "message_ts": "1700000000.000200",
    "message": {"ts": "1700000000.000200", "thread_ts": "1700000000.000100", "text": "I said so", "user": "U2"},
    "response_url": "https://hooks.slack.com/app/1",
    "trigger_id": "1.2.3",
}


def test_who_used_it_and_on_which_message_is_read() -> None:
    assert read_shortcut(BODY) == Marked(
        "T1", "", "U1", "C1", "1700000000.000200", "1700000000.000100", "https://hooks.slack.com/app/1"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "shortcut"},
        {"callback_id": "another"},
        {"message_ts": "soon"},
        {"message_ts": None},
        {"message": {"thread_ts": "<script>"}},
        {"message": None},
        {"user": {}},
        {"channel": "C1"},
        {"team": None},
    ],
    ids=str,
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        read_shortcut({**BODY, **changes})


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("a &lt; b &amp; c", "a < b & c"),
        ("see <https://example.com/x>", "see https://example.com/x"),
        ("see <https://example.com/x|the page>", "see the page (https://example.com/x)"),
        ("<@U1> and <#C1|models> and <!here>", "@U1 and #models and !here"),
        ("&lt;https://example.com&gt;", "<https://example.com>"),
    ],
)
def test_slacks_encoding_is_taken_away(sent: str, written: str) -> None:
    assert as_written(sent) == written


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert isinstance(as_written(text), str)
