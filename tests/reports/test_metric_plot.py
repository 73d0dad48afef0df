"""The plot as a picture: that it can be drawn for all figures, stays small, and costs nothing where it is not drawn."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.card.metric_history import Holder, MetricHistory, Point
from bot.domain.policy.rules import Threshold
from bot.language import ENGLISH, SPANISH
from bot.language.catalogues import in_language
from bot.reports.metric_plot import draw

ROOT = Path(__file__).parents[2]
LARGEST_PLOT = 200_000  # bytes
AT_MOST_40 = Threshold("mae", greater_is_better=False, threshold=40)

DRAW_ONE = """
from tests.reports.test_metric_plot import a_history
from bot.reports.metric_plot import draw
print(len(draw(a_history(30.0, 24.51))))
"""


def a_history(
    *values: float,
    name: str = "mae",
    threshold: Threshold | None = AT_MOST_40,
    holder: Holder | None = None,
    other_data: int = 0,
) -> MetricHistory:
    """Versions from 1 on; the first `other_data` of them were measured on other data."""
    points = tuple(Point(number, value, number > other_data) for number, value in enumerate(values, start=1))
    return MetricHistory("bike-demand", name, points, points[-1], holder, threshold)


HISTORIES = [
    a_history(30.0, 26.06, 24.51, holder=Holder("v2", "champion", 26.06, Point(2, 26.06))),
    a_history(30.0, 30.0, threshold=None),
    a_history(0.0, 0.0, threshold=Threshold("mae", True, 0.0)),
    a_history(0.8, 0.801, threshold=Threshold("r2", True, 0.5), holder=Holder("v9", "Production", 0.79, None)),
    a_history(0.8, 0.801, threshold=AT_MOST_40),
    a_history(30.0, 28.0, 24.51, other_data=2, holder=Holder("v1", "champion", 30.0, Point(1, 30.0, False))),
    a_history(*(26 - number / 7 for number in range(20))),
    a_history(9.9e99, -9.9e99, 1e-300),
    a_history(1.0, 2.0, name="漢字 $\\frac{1}{0}$ _^{\n" * 9, holder=Holder("$x$ v3", "é" * 80, 7.0, None)),
]


WIDE = "W" * 60
FAR = Threshold("mae", greater_is_better=True, threshold=123456.789)


@pytest.mark.parametrize(
    "history",
    [
        *HISTORIES,
        a_history(1.0, 1.1, 1.05, holder=Holder("bike-demand-prod v2", "champion", 1.1, None), other_data=1),
        a_history(1.0, 2.0, name=WIDE, threshold=FAR, holder=Holder(WIDE, WIDE, 7.0, None), other_data=1),
    ],
    ids=lambda history: f"{len(history.points)} points",
)
@pytest.mark.parametrize("language", [ENGLISH, SPANISH])
def test_no_text_of_a_picture_is_cut_at_its_edge(history: MetricHistory, language: str) -> None:
    from matplotlib.image import imread

    with in_language(language):
        pixels = imread(io.BytesIO(draw(history)))[:, :, :3]

    edges = (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:])
    assert [float(edge.min()) for edge in edges] == [1.0] * 4


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: f"{len(history.points)} points")
def test_any_history_becomes_a_small_picture_for_sharp_screens(history: MetricHistory) -> None:
    png = draw(history)

    assert png.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", png[16:24]) == (1200, 800)
    assert len(png) < LARGEST_PLOT


def test_the_same_history_is_the_same_picture() -> None:
    """Running it again is always safe, also when the files are compared."""
    history = HISTORIES[0]

    assert draw(history) == draw(history)


def test_whoever_does_not_draw_does_not_pay_for_it() -> None:
    told = _python("import handlers, bot.app, sys; print('matplotlib' in sys.modules)", {})

    assert told.stdout.strip() == "False", told.stderr


def test_a_home_that_cannot_be_written_to_keeps_nobody_from_drawing(tmp_path: Path) -> None:
    """The picture's letters are cached there when they can be; when not, drawing still works."""
    nowhere = tmp_path / "file"
    nowhere.write_text("not a directory")

    told = _python(DRAW_ONE, {"HOME": str(nowhere), "MPLCONFIGDIR": str(nowhere)})

    assert (told.returncode, told.stderr) == (0, "")
    assert int(told.stdout) > 0


def _python(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
