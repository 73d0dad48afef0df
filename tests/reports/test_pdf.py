"""The report as a PDF: that it says what the page says, looks like something, reads no file, and holds even the strangest names."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from structlog.testing import capture_logs

from bot.domain.digest.figures import Digest, Listed
from bot.errors import OutsideError, Permanent
from bot.reports.pdf import pdf_of
from tests.builders.digest import (
    ODD_NAMES,
    a_crowded_digest,
    a_digest,
    a_holding,
    a_quiet_digest,
    an_oddly_named_digest,
    at,
)
from tests.reports.test_html import SECTIONS

PICTURES = os.environ.get("DIGEST_PICTURES")  # a directory, to look at the pages
ENOUGH_COLOURS = 20


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What is asked of the proxy between this machine and the network; another test's thread may ask a server on loopback by it."""
    asked: list[bytes] = []

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            request = self.request.recv(1024)
            if b"http://127.0.0.1" not in request:
                asked.append(request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
        yield asked
        proxy.shutdown()


def pages_of(pdf: bytes, name: str = "") -> list[str]:
    """Each page's words, as somebody who marks and copies them gets them; keeps pictures of the pages when asked to."""
    with pypdfium2.PdfDocument(pdf) as document:
        if PICTURES and name:
            for number, page in enumerate(document, start=1):
                page.render(scale=1.5).to_pil().save(Path(PICTURES) / f"{name}-{number}.png")
        return [" ".join(page.get_textpage().get_text_range().replace("\u200b", "").split()) for page in document]


def picture_of(pdf: bytes) -> Image.Image:
    with pypdfium2.PdfDocument(pdf) as document:
        picture: Image.Image = document[0].render(scale=1).to_pil()
        return picture.convert("RGB")


def test_the_pdf_has_the_sections_in_order_and_says_what_the_page_says() -> None:
    pages = pages_of(pdf_of(a_digest()), "week")

    text = " ".join(pages)
    places = [text.index(title) for title in SECTIONS if title != "Trend"]
    assert places == sorted(places)
    assert "Ana Ruiz" in text
    assert "23c0bfb1d7e9" in text
    assert f"Page 1 of {len(pages)}" in pages[0]


def test_the_pdf_is_a_picture_of_something() -> None:
    picture = picture_of(pdf_of(a_digest()))

    colours = picture.getcolors(maxcolors=1 << 24) or []
    assert picture.width < picture.height
    assert len(colours) > ENOUGH_COLOURS
    assert picture.getpixel((2, 2)) == (255, 255, 255)


def test_the_pdf_is_tagged_and_names_its_language_its_title_and_its_standard() -> None:
    pdf = pdf_of(a_digest())

    with pypdfium2.PdfDocument(pdf) as document:
        title, tagged = document.get_metadata_value("Title"), document.is_tagged()
    assert title == "Model approvals, week 2026-W47"
    assert tagged
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert b"/Lang" in pdf


def test_the_same_figures_give_the_same_bytes() -> None:
    digest = a_digest()

    assert pdf_of(digest) == pdf_of(digest)


def test_a_quiet_week_says_so() -> None:
    text = " ".join(pages_of(pdf_of(a_quiet_digest()), "quiet"))

    assert "Nothing happened this week: nothing was requested, decided, moved or changed." in text


def test_a_long_list_repeats_its_titles_on_every_page_and_says_where_the_rest_is() -> None:
    pages = pages_of(pdf_of(a_crowded_digest()), "crowded")

    text = " ".join(pages)
    assert "Shown here: 200 of 100,000. All of them are in countersign-2026-W47.csv." in text
    assert all("model-0199" in text for _ in pages)
    assert sum("Version Target When Outcome" in page for page in pages) > 1


def test_names_that_look_like_markup_are_printed_as_they_are_written() -> None:
    text = " ".join(pages_of(pdf_of(an_oddly_named_digest()), "odd"))

    for name in (ODD_NAMES[0], ODD_NAMES[1], ODD_NAMES[4]):
        assert f"{name} v1 holds champion." in text
    assert "root:" not in text


@pytest.mark.parametrize(
    "name", ["〔x〕", "\x00\x07", "\ufffe", "\ue000", "\ufeff", "漢字", "ไทย हिन्दी", "\U000e0041", "e\u0301" * 200]
)
def test_no_name_keeps_the_digest_from_being_told(name: str) -> None:
    with capture_logs():
        text = " ".join(pages_of(pdf_of(_named(name))))

    assert "Targets" in text
    assert "alias:champion" in text


def test_letters_that_cannot_be_drawn_are_replaced_and_that_is_logged() -> None:
    with capture_logs() as logged:
        text = " ".join(pages_of(pdf_of(_named("bike 〔x〕"))))

    assert "bike" in text
    assert [line["event"] for line in logged] == ["report_set_again_in_plain_letters"]


def test_a_companys_template_gets_the_same_figures_and_its_logo(tmp_path: Path) -> None:
    (tmp_path / "report.typ").write_text(
        '#let report = json(bytes(sys.inputs.report))\n#set document(title: "Ours")\n#set text(lang: "en")\n= Example AG\n#report.week'
    )

    text = " ".join(pages_of(pdf_of(a_digest(), tmp_path)))

    assert "Example AG" in text
    assert "2026-W47" in text


def test_our_template_shows_a_companys_logo(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "logo.png")

    picture = picture_of(pdf_of(a_digest(), tmp_path))

    assert (200, 0, 0) in {colour for _, colour in picture.getcolors(maxcolors=1 << 24) or []}


@pytest.mark.parametrize(
    ("template", "line", "why"),
    [
        ("= a\n#let x = ", 2, "expected expression"),
        ("= a\n\n#nothing-of-the-kind()", 3, "unknown variable"),
        ('\n#read("/etc/passwd")', 2, "file not found"),
        ('\n#read("../../../../etc/passwd")', 2, "would escape"),
        ('= a\n#import "@preview/cetz:0.4.0": *', 2, "it imports a package, and none is fetched"),
        ('= a\n\n#import "@local/ours:1.0.0": *', 3, "it imports a package, and none is fetched"),
    ],
)
def test_a_broken_template_is_told_with_file_and_line(tmp_path: Path, template: str, line: int, why: str) -> None:
    path = tmp_path / "report.typ"
    path.write_text(template)

    with capture_logs(), pytest.raises(Permanent) as told:
        pdf_of(a_digest(), tmp_path)

    assert f"{path} line {line}: " in str(told.value)
    assert why in str(told.value)


@pytest.mark.parametrize(("name", "why"), [("logo.svg", "failed to parse SVG"), ("logo.png", "failed to decode")])
def test_a_broken_logo_is_named_and_not_the_template(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / name).write_text("<svg")

    with capture_logs(), pytest.raises(Permanent) as told:
        pdf_of(a_digest(), tmp_path)

    assert str(told.value).startswith(f"{tmp_path / name}: {why}")
    assert "Mend the logo." in str(told.value)


def test_a_broken_template_beside_a_logo_is_named_and_not_the_logo(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "logo.png")
    (tmp_path / "report.typ").write_text("#nothing-of-the-kind()")

    with capture_logs(), pytest.raises(Permanent, match=r"report\.typ line 1: unknown variable"):
        pdf_of(a_digest(), tmp_path)


def test_a_look_at_a_week_that_runs_is_headed_as_a_preview() -> None:
    pdf = pdf_of(a_digest(closed_at=at(3)))

    with pypdfium2.PdfDocument(pdf) as document:
        title = document.get_metadata_value("Title")
    assert title == "Preview: Model approvals, week 2026-W47"
    assert all(title in page for page in pages_of(pdf))


def test_a_package_is_asked_of_nobody_wherever_it_is_imported(tmp_path: Path, network: list[bytes]) -> None:
    (tmp_path / "report.typ").write_text('#set document(title: "Ours")\n#import "parts/table.typ": *')
    part = tmp_path / "parts" / "table.typ"
    part.parent.mkdir()
    part.write_text('\n#let package = "@preview/cetz:0.4.0"\n#import package: *')

    with capture_logs(), pytest.raises(Permanent) as told:
        pdf_of(a_digest(), tmp_path)

    assert f"{part} line 3: it imports a package, and none is fetched" in str(told.value)
    assert network == []


def test_a_template_that_is_never_done_does_not_hold_the_worker(tmp_path: Path) -> None:
    (tmp_path / "report.typ").write_text("\n#while true { }")

    with capture_logs(), pytest.raises(OutsideError, match=r"report\.typ"):
        pdf_of(a_digest(), tmp_path)


def _named(name: str) -> Digest:
    return a_digest(inventory=Listed((a_holding(name, 1),), 1))
