"""A pipeline's graph as an SVG, alone or in a page. `bot.domain.evidence.pipeline_graph` places its boxes and arrows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from unicodedata import east_asian_width

from bot.domain.digest.chart import INK, SOFT
from bot.domain.evidence.pipeline_graph import BOX_HEIGHT, BOX_WIDTH, LETTERS_SHOWN, Box, Graph
from bot.reports.shape import Label

STAGE_FILL, STAGE_EDGE, SOURCE_FILL = "#E9F2FE", "#0B5CAD", "#F4F5F7"
TEXT_SIZE = 12.5
ROOM = BOX_WIDTH - 10


@dataclass(frozen=True)
class Pen:
    """The font of pictures, and whether untrusted names are drawn in them.

    In the PDF such names are set as text over the picture, because an accessible PDF allows only plain letters in a picture.
    """

    font: str
    writes_names: bool


SCREEN = Pen("system-ui, sans-serif", writes_names=True)
PAPER = Pen("DejaVu Sans", writes_names=False)


def graph_svg(graph: Graph, tip: str, words: str, pen: Pen) -> str:
    """`tip` is the id of the arrowhead, and must be unique for each graph in a page. Sources are square, stages round."""
    drawn = [*_arrows(graph, tip), *(_box(box) + (_name(box) if pen.writes_names else "") for box in graph.boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {graph.width} {graph.height}" width="{graph.width}" '
        f'height="{graph.height}" role="img" aria-label="{escape(words)}" font-family="{pen.font}" font-size="{TEXT_SIZE}">'
        f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{SOFT}"/></marker></defs>{"".join(drawn)}</svg>'
    )


def labels_of(graph: Graph, pen: Pen) -> tuple[Label, ...]:
    if pen.writes_names:
        return ()
    return tuple(Label(box.shown, box.left, box.top, BOX_WIDTH, BOX_HEIGHT) for box in graph.boxes)


def _arrows(graph: Graph, tip: str) -> Iterator[str]:
    for arrow in graph.arrows:
        yield f'<path d="{arrow.path}" fill="none" stroke="{SOFT}" stroke-width="1.5" marker-end="url(#{tip})"/>'


def _box(box: Box) -> str:
    fill, edge, round_by = (SOURCE_FILL, SOFT, 4) if box.is_source else (STAGE_FILL, STAGE_EDGE, BOX_HEIGHT // 2)
    return (
        f'<rect x="{box.left}" y="{box.top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="{round_by}" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )


def _name(box: Box) -> str:
    """A name that is cut shows in full on hover."""
    x, y = box.left + BOX_WIDTH // 2, box.middle + 4
    wide = sum(letter in "MWmw@%" or east_asian_width(letter) in "WF" for letter in box.shown)
    squeezed = f' textLength="{ROOM}" lengthAdjust="spacingAndGlyphs"' if len(box.shown) + wide > LETTERS_SHOWN else ""
    shown = f'<text x="{x}" y="{y}" text-anchor="middle" fill="{INK}"{squeezed}>{escape(box.shown)}</text>'
    return f"<g><title>{escape(box.name)}</title>{shown}</g>"
