"""Every form of the digest says how to check its checkpoint, and the command accepts that form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pypdfium2
import pytest

from bot.domain.digest.card import checkpoint_text
from bot.domain.digest.figures import Digest
from bot.domain.ledger.checkpoint import Checkpoint, Note, read_note
from bot.reports.html import html_of
from bot.reports.pdf import pdf_of
from tests.builders.digest import a_digest

NOTE = Note(Checkpoint("countersign/0123456789abcdef", 4_208, bytes(range(32))), b"hint", bytes(range(64)))


def text_of_pdf(digest: Digest) -> str:
    with pypdfium2.PdfDocument(pdf_of(digest)) as pdf:
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)


@pytest.mark.parametrize("told", [html_of, text_of_pdf, checkpoint_text])
def test_the_checkpoint_is_found_in_what_is_told_to_be_brought(told: Callable[[Digest], str]) -> None:
    ledger = replace(a_digest().ledger, checkpoint=str(NOTE))

    text = told(a_digest(ledger=ledger))

    assert read_note(text) == NOTE
    assert "countersign audit verify --checkpoint FILE" in text
    assert "where FILE is the page (.html) or this text." in " ".join(text.split())
