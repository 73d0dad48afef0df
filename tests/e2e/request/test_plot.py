"""The history of a metric in the card's thread: Slack's own chart, or a picture where Slack takes none. No card waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from bot.domain.events import PlotUploaded
from bot.domain.model import State, TransitionRequest
from bot.sandbox.slack.workspace import Message, UploadedFile
from handlers.notify.plots import show_plot
from tests.fixtures.installation import Installation

AT_MOST_40 = "fast_track: {mode: shadow, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


@pytest.fixture(autouse=True)
def drawing(installation: Installation) -> None:
    installation.draws = True


@pytest.fixture
def without_charts(installation: Installation) -> None:
    installation.slack.workspace.takes_charts = False


def images_in(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """The pictures: file and text in words."""
    blocks = [block for message in messages for block in message.blocks if block["type"] == "image"]
    return [(block["slack_file"]["id"], block["alt_text"]) for block in blocks]


def charts_in(messages: Sequence[Message]) -> list[Message]:
    return [one for one in messages if any(block["type"] == "data_visualization" for block in one.blocks)]


def uploaded(installation: Installation) -> dict[str, UploadedFile]:
    return dict(installation.slack.workspace.files)


def asked_with_a_history(installation: Installation) -> TransitionRequest:
    installation.register()
    request = installation.asked(installation.register())
    installation.settle_all()
    return request


def test_the_thread_shows_the_history_of_the_metric_that_the_rule_names_as_slacks_own_chart(
    installation: Installation,
) -> None:
    installation.use_policy(extra=AT_MOST_40)
    for value in (31.5, 26.06):
        installation.register(metrics={"explained": 0.8, "mae": value})
    installation.move(2)
    installation.settle_all()
    installation.approve(installation.request(2))  # a holder that no one ratified is no champion to compare with

    request = installation.asked(installation.register(metrics={"explained": 0.9, "mae": 24.51}))
    installation.settle_all()

    words = (
        f"mae over versions 1 to 3 of {installation.model}: 26.06 (v2, champion), candidate v3 24.51, limit: at most 40. "
        "All figures: v1 31.5, v2 26.06, v3 24.51."
    )
    (shown,) = charts_in(installation.thread(request))
    (block,) = [block for block in shown.blocks if block["type"] == "data_visualization"]
    lines = {line["name"]: [point["value"] for point in line["data"]] for line in block["chart"]["series"]}
    assert lines == {"mae": [31.5, 26.06, 24.51], "limit 40": [40] * 3, "champion v2": [26.06] * 3}
    assert words in shown.all_text
    assert charts_in([installation.card(request)]) == []
    assert uploaded(installation) == {}


@pytest.mark.usefixtures("without_charts")
def test_a_workspace_that_takes_no_charts_gets_a_picture_and_is_tried_once(installation: Installation) -> None:
    with capture_logs() as said:
        first = asked_with_a_history(installation)
        second = installation.asked(installation.register())
        installation.settle_all()

    for request in (first, second):
        plot = installation.reread(request).plot
        assert plot is not None
        assert images_in(installation.thread(request)) == [(plot.file, plot.alt)]
        assert uploaded(installation)[plot.file].content.startswith(b"\x89PNG")
        assert images_in([installation.card(request)]) == []
    assert [entry["event"] for entry in said if "chart" in entry["event"]] == ["chart_not_taken"]


def test_one_version_alone_has_no_history(installation: Installation) -> None:
    request = installation.asked()
    installation.settle_all()

    assert installation.reread(request).plot is None
    assert uploaded(installation) == {}
    assert charts_in(installation.thread(request)) == []


@pytest.mark.usefixtures("without_charts")
def test_a_plot_is_drawn_and_shown_once_however_often_it_is_asked_for(installation: Installation) -> None:
    request = asked_with_a_history(installation)

    show_plot(request.id, installation.s)
    installation.settle_all()

    assert len(uploaded(installation)) == 1
    assert len(images_in(installation.thread(request))) == 1
    assert len(installation.entries(PlotUploaded)) == 1


def test_what_has_ended_needs_no_history_any_more(installation: Installation) -> None:
    first = installation.register(metrics={"r2": 0.8})
    request = installation.asked(installation.register(metrics={"mae": 24.51}))
    installation.reject(request, "worse on rainy days")
    installation.mlflow.log_metric(installation.run_of(first), "mae", 26.06)  # now there would be something to draw

    show_plot(request.id, installation.s)

    assert installation.reread(request).state is State.REJECTED
    assert uploaded(installation) == {}
    assert charts_in(installation.thread(request)) == []


@pytest.mark.usefixtures("without_charts")
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
    why = [str(entry["why"]) for entry in said if entry["event"] == "plot_not_shown" and entry["request"] == request.id]
    assert why
    assert all("files:write" in one for one in why)
