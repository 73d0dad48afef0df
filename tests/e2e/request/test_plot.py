"""The picture on a card: uploaded once, shown on the card, described in words, and never the reason why a card is missing."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.events import PlotUploaded
from bot.domain.model import State
from bot.sandbox.slack.workspace import UploadedFile
from handlers.notify.plots import show_plot
from tests.fixtures.installation import Installation

AT_MOST_40 = "fast_track: {mode: shadow, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


@pytest.fixture(autouse=True)
def drawing(installation: Installation) -> None:
    installation.draws = True


def images_of(installation: Installation, message: Any) -> list[tuple[str, str]]:
    """The pictures in a message: file and text in words."""
    return [(block["slack_file"]["id"], block["alt_text"]) for block in message.blocks if block["type"] == "image"]


def uploaded(installation: Installation) -> dict[str, UploadedFile]:
    return dict(installation.slack.workspace.files)


def test_a_card_shows_the_history_of_the_figure_that_the_rule_looks_at(installation: Installation) -> None:
    installation.use_policy(extra=AT_MOST_40)
    for value in (31.5, 26.06):
        installation.register(metrics={"explained": 0.8, "mae": value})
    installation.move(2)
    installation.settle_all()
    installation.approve(installation.request(2))  # a holder that no one ratified is no champion to compare with

    request = installation.asked(installation.register(metrics={"explained": 0.9, "mae": 24.51}))
    installation.settle_all()

    alt = (
        f"mae over versions 1 to 3 of {installation.model}: 26.06 (v2, champion), candidate v3 24.51, threshold at most 40. "
        "All figures: v1 31.5, v2 26.06, v3 24.51."
    )
    plot = installation.reread(request).plot
    assert plot is not None
    assert plot.alt == alt
    assert images_of(installation, installation.card(request)) == [(plot.file, alt)]
    assert uploaded(installation)[plot.file].content.startswith(b"\x89PNG")


def test_one_version_alone_has_no_picture(installation: Installation) -> None:
    request = installation.asked()
    installation.settle_all()

    assert installation.reread(request).plot is None
    assert uploaded(installation) == {}
    assert images_of(installation, installation.card(request)) == []


def test_a_plot_is_drawn_once_however_often_it_is_asked_for(installation: Installation) -> None:
    installation.register()
    request = installation.asked(installation.register())
    installation.settle_all()

    show_plot(request.id, installation.s)
    installation.settle_all()

    assert len(uploaded(installation)) == 1
    assert len(installation.entries(PlotUploaded)) == 1


def test_what_has_ended_needs_no_picture_any_more(installation: Installation) -> None:
    first = installation.register(metrics={"r2": 0.8})
    request = installation.asked(installation.register(metrics={"mae": 24.51}))
    installation.reject(request, "worse on rainy days")
    installation.mlflow.log_metric(installation.run_of(first), "mae", 26.06)  # now there would be something to draw

    show_plot(request.id, installation.s)

    assert installation.reread(request).state is State.REJECTED
    assert uploaded(installation) == {}


def test_a_card_without_a_picture_is_a_card_all_the_same(installation: Installation) -> None:
    """The app may not upload at all: no job waits for that, and the worker says it on its console."""
    installation.slack.app.scopes -= {"files:write"}
    installation.register()

    with capture_logs() as said:
        request = installation.asked(installation.register())
        installation.settle()
    installation.approve(request)
    installation.settle_until(lambda: installation.champion() == 2)

    assert installation.reread(request).plot is None
    assert installation.unfinished() == []
    (why,) = [
        str(entry["why"]) for entry in said if entry["event"] == "plot_not_shown" and entry["request"] == request.id
    ]
    assert "files:write" in why
