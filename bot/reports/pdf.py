"""The report as an accessible PDF (PDF/UA-1): tagged, with a language, a title, and alt texts. Typst renders it.

The figures are passed as JSON, never as markup. `bot.reports.typst_process` says what a template may read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from datetime import datetime
from pathlib import Path

import structlog

from bot.domain.digest.figures import Digest
from bot.domain.ledger.chain import Plain, as_plain
from bot.errors import Permanent, TypstFailed
from bot.language.catalogues import in_language
from bot.reports.document import document_of
from bot.reports.graph_svg import PAPER
from bot.reports.theme import OURS, Logo, broken, logo_of, place_of
from bot.reports.typst_process import Task, fonts, set_pdf

log = structlog.get_logger()

TEMPLATE = "report.typ"
ALONE = "logo.typ"
FONT = "DejaVuSans.ttf"
REPLACED = "\ufffd"
A_PACKAGE = ("failed to download package", "package not found")
NO_PACKAGES = "it imports a package, and none is fetched. Put its files beside the template and import them"
PLACE = re.compile(r"┌─ (?P<file>.+?):(?P<line>\d+):\d+")


def pdf_of(digest: Digest, templates: Path | None = None) -> bytes:
    """The same digest, templates and fonts give the same bytes. Raises Permanent when a company's template cannot be used.

    PDF/UA refuses characters that no font has. A name with such characters must not block the digest, so a second attempt replaces them,
    in the PDF only. A broken template fails in that attempt too.
    """
    path = place_of(TEMPLATE, templates)
    with in_language(digest.language):
        document = as_plain(document_of(digest, PAPER))
    logo = logo_of(templates)
    try:
        return set_pdf(_task(path, document, digest.closed_at, logo))
    except TypstFailed as refusal:
        log.warning("report_set_again_in_plain_letters", week=digest.period.week, why=str(refusal))
    try:
        return set_pdf(_task(path, _in_letters(document, _drawable()), digest.closed_at, logo))
    except TypstFailed as mistake:
        _refuse_logo(logo, digest.closed_at)
        raise _as_permanent(mistake, path) from mistake


def _refuse_logo(logo: Logo | None, at: datetime) -> None:
    """Renders the logo alone to find out whether it is the cause. Raises Permanent, which names it."""
    if logo is None:
        return
    try:
        set_pdf(Task(OURS / ALONE, {"logo": json.dumps(_picture(logo))}, at.replace(microsecond=0)))
    except TypstFailed as mistake:
        raise broken(logo.path, None, str(mistake)) from mistake


def _task(path: Path, document: Plain, closed: datetime, logo: Logo | None) -> Task:
    """The inputs are all that a template can read, ours or a company's."""
    date: Plain = {"year": closed.year, "month": closed.month, "day": closed.day}
    inputs = {"report": document, "date": date, "logo": _picture(logo) if logo else None}
    return Task(
        path,
        {name: json.dumps(value, ensure_ascii=False) for name, value in inputs.items()},
        closed.replace(microsecond=0),
    )


def _picture(logo: Logo) -> Plain:
    return {"content": list(logo.content), "format": logo.format}


def _in_letters(said: Plain, letters: Container[int]) -> Plain:
    if isinstance(said, str):
        return "".join(letter if ord(letter) in letters else REPLACED for letter in said)
    if isinstance(said, list):
        return [_in_letters(one, letters) for one in said]
    if isinstance(said, dict):
        return {name: _in_letters(one, letters) for name, one in said.items()}
    return said


def _drawable() -> Container[int]:
    """The characters in the report's font, and line breaks."""
    from matplotlib.ft2font import FT2Font

    return {ord("\n"), *FT2Font(str(fonts() / FONT)).get_charmap()}


def _as_permanent(mistake: TypstFailed, path: Path) -> Permanent:
    """The error with file, relative to the template's directory, and line, as Typst reports them."""
    place = PLACE.search(mistake.diagnostic)
    where = path.parent / place["file"] if place else path
    why = NO_PACKAGES if str(mistake).startswith(A_PACKAGE) else str(mistake)
    return broken(where, int(place["line"]) if place else None, why)
