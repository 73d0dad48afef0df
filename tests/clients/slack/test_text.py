"""No text from outside becomes a mention, a link or markup."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.clients.plain_text import is_web_address, one_line, paragraph
from bot.clients.slack.blocks import FALLBACK_LIMIT, fallback

TOKENS = (
    "<!channel>", "<!here|now>", "<@U0ANA000001>", "<#C0SANDBOX01>", "<!subteam^S1>", "<https://evil.example|MLflow>", "<mailto:a@b.c>",
    "@here", "@channel", "@everyone", "#general", "https://evil.example/x", "HTTP://EVIL.example", "www.evil.example", "evil.example",
    "a@evil.example", "mailto:x", "tel:+34", "*bold*", "_italic_", "~gone~", "`code`", "```block```", "> quote", "&gt; x", ":tada:", ":+1:",
    "\u202eevil", "\u2066x\u2069", "\u200b", "\u2060", "\ufeff", "\x1b[31m", "\x00", "\r\n", "\u2028", "\u0085", "\ud800",
    "\U000e0041", "bike_demand", "é", "🚲", " ", "\n", "a", "*", "_", "<", ">", "&", ";",
)  # fmt: skip
untrusted = st.one_of(
    st.text(), st.lists(st.one_of(st.sampled_from(TOKENS), st.text(max_size=3)), max_size=12).map("".join)
)

LIVE = {
    "a mention, link or command": r"[<>]",
    "an entity other than our own": r"&(?!(amp|lt|gt);)",
    "a broadcast or an e-mail address": r"@",
    "bold, strike or code": r"[*~`]",
    "italic": r"(?<![^\W_])_|_(?![^\W_])",
    "a channel": r"#\w",
    "an address": r"://",
    "an emoji": r":[^\s:]+:",
    "a bare domain": r"\w\.[^\W\d]",
    "a mail or phone link": r"(?i)\b(mailto|tel):",
}


@given(untrusted)
@example("".join(TOKENS))
@example("x._y_")
def test_nothing_in_a_fallback_text_is_live(text: str) -> None:
    shown = fallback(text)

    found = [what for what, pattern in LIVE.items() if re.search(pattern, shown)]

    assert found == []


@given(untrusted)
@example("".join(TOKENS))
def test_a_fallback_text_can_be_sent_in_an_update_however_much_was_escaped(text: str) -> None:
    shown = fallback(text * 50)

    assert 0 < len(shown) <= 5 * FALLBACK_LIMIT < 4_000


def test_a_fallback_text_still_reads_the_same() -> None:
    shown = fallback("bike_demand v2 asks for alias:champion, mae 38.2 < 40 (Ana & Ben)")

    assert shown == "bike_demand v2 asks for alias:champion, mae 38.2 &lt; 40 (Ana &amp; Ben)"


@given(untrusted, st.integers(1, 200))
@example("\u202e\u200b\x00", 10)
def test_one_line_is_visible_short_and_never_empty(text: str, limit: int) -> None:
    shown = one_line(text, limit)

    assert 1 <= len(shown) <= limit
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


@given(untrusted, st.integers(1, 200))
def test_a_paragraph_keeps_line_breaks_and_nothing_else_that_is_invisible(text: str, limit: int) -> None:
    shown = paragraph(text, limit)

    assert 1 <= len(shown) <= limit
    assert one_line(shown.replace("\n", " "), limit) == " ".join(shown.split())
    assert "\n\n\n" not in shown


def test_what_is_cut_ends_in_an_ellipsis_and_what_is_empty_shows_a_dash() -> None:
    cut, empty, folded = one_line("a" * 20, 10), one_line(" \u200b\n", 10), one_line("a\r\n b\tc", 10)

    assert (cut, empty, folded) == ("aaaaaaaaa…", "–", "a b c")


def test_an_endless_text_is_cut_even_when_its_beginning_shows_nothing() -> None:
    shown = one_line("\u200b" * 1_000 + "a", 10)

    assert shown == "…"


def test_a_paragraph_keeps_one_empty_line_between_two() -> None:
    shown = paragraph("first \r\n\r\n\r\n\r\nsecond\u2028third", 100)

    assert shown == "first\n\nsecond\nthird"


@pytest.mark.parametrize("url", ["https://mlflow.example.com/#/models/a", "http://127.0.0.1:5000/x?y=1&z=2"])
def test_web_addresses_become_links(url: str) -> None:
    assert is_web_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "javascript:alert(1)", "file:///etc/passwd", "slack://open", "ftp://x.example", "//x.example", "https://", "https:///x",
        "https://good.example@evil.example/", "https://x.example/\u202egpj", "https://x.example/a b", "https://x.example/\n", "https://[::1",
        "https://x.example:port/", "https://x.example/" + "a" * 3_000,
    ],
)  # fmt: skip
def test_everything_else_stays_text(url: str) -> None:
    assert not is_web_address(url)
