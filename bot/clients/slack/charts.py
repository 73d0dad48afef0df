"""Slack's own chart, of the data visualization block: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""

from __future__ import annotations

from bot.clients.plain_text import one_line
from bot.clients.slack.rich_text import Block
from bot.domain.card.card import Chart

TITLE_LIMIT = 50
LABEL_LIMIT = 20  # of a point, of its category, and of a line's name
LINES_LIMIT = 6
POINTS_LIMIT = 20


def chart_blocks(chart: Chart | None) -> list[Block]:
    """One block. Of more points than Slack takes, the newest are shown; every line has a value at each label, as Slack demands."""
    if chart is None:
        return []
    labels = [one_line(label, LABEL_LIMIT) for label in chart.labels[-POINTS_LIMIT:]]
    lines = chart.lines[:LINES_LIMIT]
    names = _distinct([one_line(name, LABEL_LIMIT) for name, _ in lines])
    series = [
        {"name": name, "data": _points(labels, values[-POINTS_LIMIT:])}
        for name, (_, values) in zip(names, lines, strict=True)
    ]
    axes = {
        "categories": labels,
        "x_label": one_line(chart.x_label, TITLE_LIMIT),
        "y_label": one_line(chart.y_label, TITLE_LIMIT),
    }
    drawn = {"type": "line", "series": series, "axis_config": axes}
    return [{"type": "data_visualization", "title": one_line(chart.title, TITLE_LIMIT), "chart": drawn}]


def _distinct(names: list[str]) -> list[str]:
    """Two lines of one name are refused, and long names may differ only where they were cut."""
    repeated = {name for name in names if names.count(name) > 1}
    return [
        f"{one_line(name, LABEL_LIMIT - 3)} {number}" if name in repeated else name
        for number, name in enumerate(names, start=1)
    ]


def _points(labels: list[str], values: tuple[float, ...]) -> list[Block]:
    return [{"label": label, "value": value} for label, value in zip(labels, values, strict=True)]
