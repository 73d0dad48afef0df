"""Finds the report's templates: each file in a company's directory replaces ours of the same name.

report.html  Jinja2, given `report` (a bot.reports.shape.Document), `css`, `policy` (what the browser may load) and `logo` (a data:
             URL or empty); it may extend "countersign/report.html", which is ours
report.css   the style, written into the page
report.typ   Typst, for the PDF; reads `sys.inputs.report` as JSON
logo.svg, logo.png   at the top of both

A template that cannot be used raises Permanent with file and line. We never fall back to ours silently, because someone would file the
wrong report unread.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Permanent

OURS = Path(__file__).with_name("templates")
LOGOS = {"logo.svg": "image/svg+xml", "logo.png": "image/png"}
LARGEST_LOGO = 500_000  # bytes; every report contains it


@dataclass(frozen=True)
class Logo:
    path: Path
    content: bytes
    media_type: str

    @property
    def format(self) -> str:
        return self.media_type.removeprefix("image/").removesuffix("+xml")

    @property
    def url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


def place_of(name: str, folder: Path | None) -> Path:
    """The company's file if it exists, else ours."""
    if folder is None:
        return OURS / name
    if not folder.is_dir():
        raise Permanent(
            f"{folder} is no directory. COUNTERSIGN_TEMPLATES must name the one with the digest's templates"
        )
    own = folder / name
    return own if own.exists() else OURS / name


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as trouble:
        line = path.read_bytes()[: trouble.start].count(b"\n") + 1
        raise broken(path, line, "it is not UTF-8 text") from None
    except OSError as trouble:
        raise Permanent(f"{path} cannot be read: {trouble.strerror}. The digest's report needs it") from None


def logo_of(folder: Path | None) -> Logo | None:
    """The company's first logo; None without one, for we have none."""
    paths = [folder / name for name in LOGOS] if folder else []
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as trouble:
        raise Permanent(f"{path} cannot be read: {trouble.strerror}. The digest's report needs it") from None
    if len(content) > LARGEST_LOGO:
        raise Permanent(
            f"{path} has {len(content):,} bytes. A logo may have {LARGEST_LOGO:,}: it is in every report again"
        )
    return Logo(path, content, LOGOS[path.name])


def broken(path: Path, line: int | None, why: str) -> Permanent:
    where = f"{path} line {line}" if line else str(path)
    thing = "logo" if path.name in LOGOS else "template"
    return Permanent(f"{where}: {why.strip().rstrip('.')}. Mend the {thing}. Then replay the job.")
