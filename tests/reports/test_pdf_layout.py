"""How the PDF is set: everything between the margins, nothing on top of anything else, all of it there, and in the order of reading."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from bot.domain.digest.chart import BARS, INK, MEDIAN, P95, SOFT
from bot.domain.digest.figures import Digest, Listed
from bot.reports.document import document_of
from bot.reports.graph_svg import PAPER
from bot.reports.pdf import pdf_of
from bot.reports.shape import Section
from bot.reports.theme import OURS
from tests.builders.digest import SOME_ATTENTION, a_crowded_digest, a_digest, an_oddly_named_digest
from tests.builders.long_names import a_full_digest_of_long_names

MM = 72 / 25.4
SIDE, TOP, FOOT = 16 * MM, 18 * MM, 8 * MM  # the page's number is in the lower margin
HAIR = 0.5  # points
WHITE, SUNKEN, BLACK = "#ffffff", "#f4f5f7", "#000000"
HOW_MANY_COLOURS = 4  # of letters: ink, soft, blue, red
FOR_LETTERS, FOR_PICTURES = 4.5, 3  # WCAG 2.1, AA
FOOTER = "Modelapprovals,week2026-W47Page"
INVISIBLE = dict.fromkeys(map(ord, " \u00a0\u200b\n\r\t"))
Box = tuple[float, float, float, float]

DIGESTS = {
    "a full week": a_digest(),
    "200 rows": a_crowded_digest(),
    "long names": a_full_digest_of_long_names(),
    "odd letters": an_oddly_named_digest(),
}


@pytest.fixture(scope="module", params=DIGESTS.values(), ids=DIGESTS)
def digest(request: pytest.FixtureRequest) -> Digest:
    found: Digest = request.param
    return found


@pytest.fixture(scope="module")
def paper(digest: Digest) -> Iterator[pypdfium2.PdfDocument]:
    with pypdfium2.PdfDocument(pdf_of(digest)) as document:
        yield document


def boxes_of(page: pypdfium2.PdfPage) -> list[Box]:
    """Of each run of letters: a line of a cell is one at the least."""
    return [one.get_bounds() for one in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT])]


def upon_each_other(boxes: Iterable[Box]) -> Iterator[tuple[Box, Box]]:
    """Line by line from below, because a page may have thousands."""
    rising = sorted(boxes, key=lambda box: box[1])
    for place, one in enumerate(rising):
        for other in rising[place + 1 :]:
            if other[1] >= one[3] - HAIR:
                break
            if min(one[2], other[2]) - max(one[0], other[0]) > HAIR:
                yield one, other


def squeezed(words: str) -> str:
    return words.replace("\ufffe", "-").translate(INVISIBLE)  # how pdfium marks a hyphen at the end of a line


def words_of(section: Section) -> Iterator[str]:
    """In the order of reading."""
    yield section.title
    yield from section.sentences
    for group in section.groups:
        yield group.title
        yield from (matter.sentence for matter in group.matters)
    for drawing in section.drawings:
        yield drawing.title
        yield from drawing.lines
    for table in section.tables:
        yield table.caption
        yield from (column.title for column in table.columns)
        yield from (words for row in table.rows for cell in row for words in (cell.text, *cell.more))
        yield table.note
    yield from section.verbatim.splitlines()
    yield section.note


def levels_of(page: pypdfium2.PdfPage) -> Iterator[int]:
    """Of the headings, as the tags of the page have them."""
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    roots = [pdfium.FPDF_StructTree_GetChildAtIndex(tree, n) for n in range(pdfium.FPDF_StructTree_CountChildren(tree))]
    while roots:
        element = roots.pop(0)
        kind = ctypes.create_string_buffer(64)
        length = pdfium.FPDF_StructElement_GetType(element, kind, len(kind))
        found = re.fullmatch(r"H(\d)", kind.raw[:length].decode("utf-16-le").rstrip("\0"))
        if found:
            yield int(found[1])
        count = pdfium.FPDF_StructElement_CountChildren(element)
        children = [pdfium.FPDF_StructElement_GetChildAtIndex(element, n) for n in range(count)]
        roots = [child for child in children if child] + roots
    pdfium.FPDF_StructTree_Close(tree)


def leading_words(section: Section) -> Iterator[str]:
    """What is nothing without that which follows."""
    yield section.title
    yield from (table.caption for table in section.tables)
    yield from section.sentences if section.tables else ()
    yield from (drawing.title for drawing in section.drawings)


def test_nothing_stands_outside_the_margins(paper: pypdfium2.PdfDocument) -> None:
    outside = [
        (number, box)
        for number, page in enumerate(paper, start=1)
        for box in boxes_of(page)
        if box[0] < SIDE - HAIR
        or box[1] < FOOT
        or box[2] > page.get_width() - SIDE + HAIR
        or box[3] > page.get_height() - TOP + HAIR
    ]

    assert outside == []


def test_no_words_stand_upon_others(paper: pypdfium2.PdfDocument) -> None:
    upon = [(number, pair) for number, page in enumerate(paper, start=1) for pair in upon_each_other(boxes_of(page))]

    assert upon == []


def test_every_word_is_there_in_the_order_of_reading(paper: pypdfium2.PdfDocument, digest: Digest) -> None:
    text = squeezed("".join(page.get_textpage().get_text_range() for page in paper))

    missing, at = [], 0
    for section in document_of(digest, PAPER).sections:
        for words in words_of(section):
            found = text.find(squeezed(words), at)
            missing += [words] if found < 0 else []
            at = max(at, found)
    assert missing == []


@pytest.mark.parametrize("matters", range(0, 45, 3))
def test_nothing_that_leads_to_a_table_is_left_behind_at_the_foot_of_a_page(matters: int) -> None:
    crowd = Listed(SOME_ATTENTION[:1] * matters, matters)  # pushes the rest of the report down, little by little
    digest = a_digest(attention=crowd)
    sections = document_of(digest, PAPER).sections
    titles = [column.title for section in sections for table in section.tables for column in table.columns[-1:]]
    leading = {squeezed(words) for section in sections for words in leading_words(section)} | set(map(squeezed, titles))

    with pypdfium2.PdfDocument(pdf_of(digest)) as document:
        feet = [squeezed(page.get_textpage().get_text_range()).partition(FOOTER)[0] for page in document]

    assert [foot[-80:] for foot in feet if foot.endswith(tuple(leading))] == []


def test_the_headings_are_tagged_in_order_below_one_title() -> None:
    with pypdfium2.PdfDocument(pdf_of(a_digest())) as document:
        levels = [level for page in document for level in levels_of(page)]

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", ["report.css", "report.typ"])
def test_all_letters_can_be_told_from_the_paper(name: str) -> None:
    on_paper = (OURS / name).read_text().partition("(prefers-color-scheme: dark)")[0]
    found = re.findall(r"#[0-9a-f]{6}\b", on_paper)
    letters = {colour for colour in found if contrast(colour, WHITE) > contrast(colour, BLACK)}

    assert len(letters) == HOW_MANY_COLOURS
    assert min(contrast(colour, SUNKEN) for colour in letters) >= FOR_LETTERS


def test_the_colours_of_the_chart_can_be_told_from_the_paper_and_its_letters_read() -> None:
    assert min(contrast(colour, WHITE) for colour in (INK, SOFT)) >= FOR_LETTERS
    assert min(contrast(colour, WHITE) for colour in (MEDIAN, P95, BARS)) >= FOR_PICTURES


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""
    darker, lighter = sorted(luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
