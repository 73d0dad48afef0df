"""The picture on a card: uploaded once, shown by the card, told in words, and never the reason for a card to be missing."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.events import PlotUploaded
from bot.domain.model import State
from bot.sandbox.slack.workspace import UploadedFile
from handlers.notify.plots import show_plot
from tests.fixtures.installation import House

AT_MOST_40 = "fast_track: {mode: shadow, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


@pytest.fixture(autouse=True)
def drawing(house: House) -> None:
    house.draws = True


def images_of(house: House, message: Any) -> list[tuple[str, str]]:
    """The pictures in a message: file and text in words."""
    return [(block["slack_file"]["id"], block["alt_text"]) for block in message.blocks if block["type"] == "image"]


def uploaded(house: House) -> dict[str, UploadedFile]:
    return dict(house.slack.workspace.files)


def test_a_card_shows_the_history_of_the_figure_that_the_rule_looks_at(house: House) -> None:
    house.use_policy(extra=AT_MOST_40)
    for value in (31.5, 26.06):
        house.register(metrics={"explained": 0.8, "mae": value})
    house.move(2)
    house.settle_all()

    request = house.asked(house.register(metrics={"explained": 0.9, "mae": 24.51}))
    house.settle_all()

    alt = (
        f"mae over versions 1 to 3 of {house.model}: 26.06 (v2, champion), candidate v3 24.51, threshold at most 40. "
        "All figures: v1 31.5, v2 26.06, v3 24.51."
    )
    plot = house.reread(request).plot
    assert plot is not None
    assert plot.alt == alt
    assert images_of(house, house.card(request)) == [(plot.file, alt)]
    assert uploaded(house)[plot.file].content.startswith(b"\x89PNG")


def test_one_version_alone_has_no_picture(house: House) -> None:
    request = house.asked()
    house.settle_all()

    assert house.reread(request).plot is None
    assert uploaded(house) == {}
    assert images_of(house, house.card(request)) == []


def test_a_plot_is_drawn_once_however_often_it_is_asked_for(house: House) -> None:
    house.register()
    request = house.asked(house.register())
    house.settle_all()

    show_plot(request.id, house.s)
    house.settle_all()

    assert len(uploaded(house)) == 1
    assert len(house.entries(PlotUploaded)) == 1


def test_what_has_ended_needs_no_picture_any_more(house: House) -> None:
    first = house.register(metrics={"r2": 0.8})
    request = house.asked(house.register(metrics={"mae": 24.51}))
    house.reject(request, "worse on rainy days")
    house.mlflow.log_metric(house.run_of(first), "mae", 26.06)  # now there would be something to draw

    show_plot(request.id, house.s)

    assert house.reread(request).state is State.REJECTED
    assert uploaded(house) == {}


def test_a_card_without_a_picture_is_a_card_all_the_same(house: House) -> None:
    """The app may upload nothing, whatever the request: no job waits for that, and the worker says it on its console."""
    house.slack.app.scopes -= {"files:write"}
    house.register()

    with capture_logs() as said:
        request = house.asked(house.register())
        house.settle()
    house.approve(request)
    house.settle_until(lambda: house.champion() == 2)

    assert house.reread(request).plot is None
    assert house.unfinished() == []
    (why,) = [
        str(entry["why"]) for entry in said if entry["event"] == "plot_not_shown" and entry["request"] == request.id
    ]
    assert "files:write" in why
