"""What a person has chosen on their page, and when a page shows something else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.card.context import CardContext
from bot.domain.card.request_card import request_card
from bot.domain.home.page import LAST_PAGE, HomePage, HomeState, Part, Row, Section
from bot.domain.home.rows import waiting_row
from tests.builders import NOON, RULE_HASH, a_champion, a_metric, a_request, a_rule, an_evidence

CHOSEN = HomeState("ab12", {Section.HELD: 2})


def page(*rows: Row) -> HomePage:
    return HomePage(CHOSEN, (Part(Section.WAITS, "Waits for you", rows, "Nothing"),))


def test_what_was_chosen_comes_back_from_its_text() -> None:
    assert HomeState.read(CHOSEN.as_text()) == CHOSEN


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"model": "x"}', '{"model": "x", "pages": {"nowhere": 1}}', "[" * 9_999]
)
def test_a_text_that_is_none_of_ours_is_a_page_on_which_nothing_was_chosen(text: str) -> None:
    assert HomeState.read(text) == HomeState()


def test_pages_turn_one_by_one_and_stop_at_both_ends() -> None:
    assert HomeState().turned(Section.HELD, -1).page_of(Section.HELD) == 0
    assert CHOSEN.turned(Section.HELD, 1).pages == {Section.HELD: 3}
    assert HomeState(pages={Section.HELD: LAST_PAGE}).turned(Section.HELD, 1).page_of(Section.HELD) == LAST_PAGE
    assert HomeState.read('{"model": "", "pages": {"held": 999}}').page_of(Section.HELD) == LAST_PAGE


def test_another_model_begins_with_the_first_page_of_each_list() -> None:
    assert CHOSEN.filtered("cd34") == HomeState("cd34")


def test_a_page_is_the_same_while_only_ages_change() -> None:
    row = Row("bike v7", ("Needs 1 approval",), age="waits for 2 min")

    assert page(row).digest == page(replace(row, age="waits for 3 min")).digest
    assert page(row).digest != page(replace(row, lines=("Needs 2 approvals",))).digest
    assert page(row).digest != page().digest


def test_what_matters_most_reads_as_on_the_card() -> None:
    evidence = an_evidence(metrics=(a_metric("mae", 31.5),), champion=a_champion(a_metric("mae", 34.0)))
    request, context = a_request(evidence=evidence), CardContext({}, a_rule({"leads": 1}), RULE_HASH)

    row, card = waiting_row(request, context, NOON), request_card(request, context)

    assert card.lead is not None
    assert row.lines[0] == card.lead.text
