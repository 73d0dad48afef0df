"""A page and a form that are as full as they can be, to ask a notifier whether it takes them."""

from __future__ import annotations

from bot.domain.card.card import Link
from bot.domain.home.form import OFFERED, AskForm, Choice, ModelRef
from bot.domain.home.page import ROWS, HomePage, HomeState, Part, Row, Section

ADDRESS = "https://example.com/"


def sample_home(text: str) -> HomePage:
    """With this text wherever there is one."""
    row = Row(text, (text,) * 4, (Link(text, ADDRESS),), Link(text, ADDRESS), text)
    state = HomeState("f" * 32, dict.fromkeys(Section, 1))
    parts = tuple(Part(section, text, (row,) * ROWS, text, 1, has_more=True) for section in Section)
    return HomePage(state, parts, model=text)


def sample_form(text: str) -> AskForm:
    choices = tuple(Choice(f"{number:032}", text, text) for number in range(OFFERED))
    return AskForm(ModelRef("default", text), choices[0], choices, wants_reason=True, notice=text)
