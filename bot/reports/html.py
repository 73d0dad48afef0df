"""The report as one HTML file: no scripts, no external resources, and a content security policy that enforces both."""

from __future__ import annotations

import base64
import hashlib
import re
import traceback
from collections.abc import Callable
from pathlib import Path

from jinja2 import StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import TemplateError
from jinja2.loaders import FunctionLoader
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from bot.domain.digest.figures import Digest
from bot.errors import Permanent
from bot.language import reread
from bot.language.catalogues import in_language
from bot.reports.blocks import blocks_of
from bot.reports.document import document_of
from bot.reports.theme import OURS, broken, logo_of, place_of, text_of

PAGE, STYLE = "report.html", "report.css"
OF_OURS = "countersign/"  # this prefix selects our template, also when the company has one with the same name
ENDS_THE_STYLE = re.compile(r"</style|<!--", re.IGNORECASE)
JOINTS = re.compile(r"(?<=[^\W\d][:/_.])(?=\w)")
FOUND = tuple[str, str, Callable[[], bool]]

# The errors of a template at run time: Jinja's own, and Python's from the expressions in it.
MISTAKES = (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


def html_of(digest: Digest, templates: Path | None = None, signed: str = "") -> str:
    """The same digest, templates and sign-off give the same text. `signed` is the sentence about its sign-off.

    Raises Permanent when a company's template cannot be used.
    """
    css = _css(templates)
    logo = logo_of(templates)
    environment = SandboxedEnvironment(
        loader=FunctionLoader(lambda name: _found(name, templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"svg": Markup, "breakable": _breakable}
    with in_language(digest.language):
        document = document_of(digest, signed=reread(signed))
    try:
        page = environment.get_template(PAGE)
        # The operator's own file, checked not to end the <style> element.
        style = Markup(css)  # nosec B704
        told = page.render(report=document, css=style, policy=_policy(css), logo=logo.url if logo else "")
        blocks_of(PAGE, environment)
    except MISTAKES as mistake:
        raise _as_permanent(mistake, templates) from mistake
    return told


def policy_of(templates: Path | None = None) -> str:
    """What a page of `html_of` lets the browser do, for the answer's header as well."""
    return _policy(_css(templates))


def _breakable(text: str) -> Markup:
    """Allows long names to wrap after punctuation, and otherwise within a word."""
    return Markup("<wbr>").join(escape(part) for part in JOINTS.split(text))


def _css(templates: Path | None) -> str:
    path = place_of(STYLE, templates)
    css = text_of(path)
    ending = ENDS_THE_STYLE.search(css)
    if ending:
        raise broken(path, css.count("\n", 0, ending.start()) + 1, f"{ending[0]} would end the style in the page")
    return css.replace("\r\n", "\n")


def _policy(css: str) -> str:
    """Allows the style by its hash, and images and fonts only from inside the file."""
    style = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _found(name: str, templates: Path | None) -> FOUND | None:
    """A template by its name in the directory; None for names that lead out of it."""
    plain = name.removeprefix(OF_OURS)
    if "/" in plain or plain.startswith("."):
        return None
    path = OURS / plain if plain != name else place_of(plain, templates)
    return (text_of(path), str(path), lambda: True) if path.exists() else None


def _as_permanent(mistake: BaseException, templates: Path | None) -> Permanent:
    """The error with the template's file and line, which Jinja puts into the traceback."""
    path = place_of(PAGE, templates)
    if isinstance(mistake, TemplateSyntaxError) and mistake.filename:
        return broken(Path(mistake.filename), mistake.lineno, mistake.message or "it is no template")
    frames = traceback.extract_tb(mistake.__traceback__)
    mine = [frame for frame in frames if Path(frame.filename).suffix == path.suffix]
    where, line = (Path(mine[-1].filename), mine[-1].lineno) if mine else (path, None)
    why = f'there is no template "{mistake.name}"' if isinstance(mistake, TemplateNotFound) else str(mistake)
    return broken(where, line, why or type(mistake).__name__)
