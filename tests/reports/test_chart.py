"""The trend as a picture and in words."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.digest.chart import chart_svg, chart_words, count_scale, latency_scale
from bot.domain.digest.figures import TREND_WEEKS, Digest
from bot.reports.chart import chart_of
from tests.builders.digest import a_digest, a_quiet_digest, a_trend

ROOT = Path(__file__).parents[2]
LARGEST_CHART = 200_000  # bytes
SVG = "{http://www.w3.org/2000/svg}"
IMPORT_IT = "import sys; import bot.reports.chart, bot.reports.pdf, bot.reports.html; print({'matplotlib', 'typst'} & set(sys.modules))"


def a_digest_of(*medians: timedelta | None) -> Digest:
    trend = tuple(replace(a_trend()[-1], median=median, p95=median) for median in medians)
    return a_digest(trend=trend)


DIGESTS = {
    "a year's end": a_digest(),
    "quiet": a_quiet_digest(),
    "one week": a_digest(trend=a_trend()[-1:]),
    "no week": a_digest(trend=()),
    "seconds": a_digest_of(timedelta(seconds=2), timedelta(seconds=50)),
    "years": a_digest_of(timedelta(days=900), timedelta(minutes=1)),
    "nothing at all": a_digest_of(timedelta(0)),
}


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS)
def test_any_trend_becomes_a_small_picture_for_sharp_screens(digest: Digest) -> None:
    png = chart_of(digest)

    assert png.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", png[16:24]) == (1200, 600)
    assert len(png) < LARGEST_CHART
    assert chart_of(digest) == png


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS)
def test_any_trend_becomes_an_svg_that_says_what_it_shows(digest: Digest) -> None:
    svg = ET.fromstring(chart_svg(digest))

    assert svg.get("role") == "img"
    assert svg.get("aria-label") == chart_words(digest)
    assert "NaN" not in ET.tostring(svg, encoding="unicode")


def test_a_week_without_decisions_is_a_gap_in_both_lines() -> None:
    lines = ET.fromstring(chart_svg(a_digest())).findall(f"{SVG}polyline")

    points = [len((line.get("points") or "").split()) for line in lines]
    assert points == [2, TREND_WEEKS - 3, 2, TREND_WEEKS - 3]


def test_the_words_tell_this_week_and_how_it_was_before() -> None:
    words = chart_words(a_digest())

    assert words.startswith("Time to decision and transitions by week, 2026-W36 to 2026-W47.")
    assert "In 2026-W47 people decided 6 requests, with a median of 3 h and a 95th percentile of 1 day 7 h." in words
    assert "9 transitions ended in 2026-W47" in words


@pytest.mark.parametrize(
    ("longest", "unit", "top"),
    [
        (timedelta(seconds=50), "s", 60),
        (timedelta(minutes=47), "min", 60),
        (timedelta(hours=31), "h", 36),
        (timedelta(days=9), "d", 10),
        (timedelta(days=900), "d", 1000),
    ],
)
def test_the_axis_counts_in_the_unit_that_people_would_use(longest: timedelta, unit: str, top: float) -> None:
    scale = latency_scale(a_digest_of(longest).trend)

    assert (scale.unit, scale.top) == (unit, top)
    assert scale.ticks[0] == 0
    assert scale.ticks[-1] == scale.top


def test_the_axis_of_transitions_has_whole_numbers() -> None:
    scale = count_scale(a_digest().trend)

    assert scale.ticks == (0, 5, 10)


def test_whoever_does_not_draw_does_not_pay_for_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", IMPORT_IT], env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "set()"
