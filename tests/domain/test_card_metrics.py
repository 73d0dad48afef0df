"""The card's table of figures: short, side by side with the champion's, and honest about what it leaves out."""

from __future__ import annotations

import pytest

from bot.domain.cards import Table
from bot.domain.request_card import figure, request_card
from bot.domain.wording import Printed
from tests.builders import a_champion, a_metric, a_request, a_rule, an_evidence

PRINTED = Printed({}, a_rule())


def test_figures_without_a_champion_say_where_they_were_read() -> None:
    request = a_request(evidence=an_evidence(metrics=(a_metric("mae", 31.5, "logged model"),)))

    (table,) = request_card(request, PRINTED).tables

    assert table == Table("Metrics", ("Metric", "Candidate", "Read from"), (("mae", "31.5", "logged model"),))


def test_only_figures_of_one_name_and_source_are_set_side_by_side() -> None:
    metrics = (a_metric("mae", 31.5, "run"), a_metric("mae", 30.5, "logged model"), a_metric("r2", float("nan")))
    champion = a_champion(a_metric("mae", 34.0, "run"), a_metric("r2", 0.8))
    request = a_request(evidence=an_evidence(metrics=metrics, champion=champion))

    (table,) = request_card(request, PRINTED).tables

    assert table.rows == (
        ("mae", "31.5", "34", "-2.5"),
        ("mae", "30.5", "-", "-"),
        ("r2", "nan", "0.8", "+nan"),
    )


def test_what_does_not_fit_the_table_is_counted() -> None:
    metrics = tuple(a_metric(f"m{number:02}") for number in range(23))
    request = a_request(evidence=an_evidence(metrics=metrics, description=""))

    card = request_card(request, PRINTED)

    assert len(card.tables[0].rows) == 20
    assert card.paragraphs[0] == "3 more metrics are on the run."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (31.5, "31.5"),
        (1 / 3, "0.333333"),
        (1e-9, "1e-09"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (12345678.9, "1.23457e+07"),
    ],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text
