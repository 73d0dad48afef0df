"""The pages that the tests of this folder read: everything that people read before or while they use Countersign."""

from __future__ import annotations

from pathlib import Path

import bot

ROOT = Path(bot.__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference.md"  # generated: `docs/write_reference.py`

PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/README.md"), *ROOT.glob(".github/*.md")]
)


def name_of(page: object) -> str | None:
    """How a page is called in a test's id."""
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else None
