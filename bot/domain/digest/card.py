"""The digest as messages: the card with the headline figures, the last message of its thread, the ticket. Pure.

The thread's lists are in `thread`, the mail in `mail`, the shared sentences in `sentences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.card.card import Button, Card, Fact, Table, Tone
from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest
from bot.domain.digest.overview import overview
from bot.domain.digest.sign_off import SIGN_OFF, Wanted, wanted_text
from bot.domain.digest.thread import (
    changes_table,
    fast_track_table,
    inventory_table,
    thread_cards,
    transitions_table,
    waiting_table,
)
from bot.domain.references import Image
from bot.domain.request.shown import SEPARATOR
from bot.language import N_, _

__all__ = [
    "ReportFile",
    "checkpoint_text",
    "digest_card",
    "files_card",
    "subject",
    "thread_cards",
    "ticket_card",
    "trend_card",
    "witness_text",
]

CHECKPOINT = N_(
    "Checkpoint of the ledger when the week was closed. Keep this text. To check later that nothing up to here was "
    "changed: `countersign audit verify --checkpoint FILE`, where FILE is the page (.html) or this text."
)


@dataclass(frozen=True)
class ReportFile:
    """One of the report's files. `absent` says why it is not attached here; empty when it is."""

    name: str
    sha256: str
    absent: str = ""

    @property
    def in_words(self) -> str:
        if not self.absent:
            return f"sha256 {self.sha256}"
        return _("sha256 {sha256}, not attached: {why}", sha256=self.sha256, why=self.absent)


def subject(digest: Digest) -> str:
    """The week, and whether something needs attention."""
    return f"{words.title(digest)}: {_attention_in_short(digest)}"


def digest_card(digest: Digest, *, signed_off: str = "", wanted: Wanted | None = None) -> Card:
    """`signed_off` is the sentence about a sign-off. Until there is one, `wanted` puts a button on the card."""
    asks = wanted if wanted and not signed_off else None
    said = signed_off or (wanted_text(asks, digest.period) if asks else "")
    return Card(
        words.title(digest),
        f"{words.title(digest)}. {words.summary(digest)}",
        facts=(*_overview(digest), *((Fact(_("Sign-off"), said),) if said else ())),
        buttons=(_sign_off_button(digest, asks),) if asks else (),
        footer=_("The lists and the report are in the thread."),
    )


def trend_card(chart: Image) -> Card:
    """The chart, in the thread; see `shows_a_trend`."""
    return Card(_("Trend"), _("Trend. {what}", what=chart.alt), paragraphs=(chart.alt,), image=chart)


def files_card(digest: Digest, files: Sequence[ReportFile]) -> Card:
    """The thread's last message: the attached files, and the ledger's checkpoint as an outside witness."""
    return Card(
        _("Files and ledger"),
        _("The files of week {week} with their sha256, and the ledger's checkpoint", week=digest.period.week),
        facts=(*_file_facts(files), Fact(_("Ledger"), words.ledger_text(digest.ledger))),
        paragraphs=tuple(checkpoint_text(digest).split("\n\n", maxsplit=1)),
    )


def ticket_card(digest: Digest) -> Card:
    tables = (
        _attention_table(digest),
        inventory_table(digest),
        transitions_table(digest),
        waiting_table(digest),
        fast_track_table(digest),
        changes_table(digest),
    )
    return Card(
        subject(digest),
        words.summary(digest),
        facts=_overview(digest),
        tables=tuple(table for table in tables if table.rows),
        footer=_("The details are in the attached report."),
    )


def witness_text(digest: Digest, files: Sequence[ReportFile]) -> str:
    """The ticket's comment, with the text of the thread's last message."""
    listed = "\n".join((_("Files of this week"), *(f"{file.name}: {file.in_words}" for file in files)))
    return "\n\n".join(part for part in (listed, checkpoint_text(digest)) if part)


def checkpoint_text(digest: Digest) -> str:
    """Empty when the ledger could not be signed."""
    return f"{_(CHECKPOINT)}\n\n{digest.ledger.checkpoint}" if digest.ledger.checkpoint else ""


def _sign_off_button(digest: Digest, asks: Wanted) -> Button:
    return Button(SIGN_OFF, _("Sign off"), f"{digest.period.week}{SEPARATOR}{asks.digest}", Tone.PRIMARY)


def _overview(digest: Digest) -> tuple[Fact, ...]:
    lines = (Fact(name, said) for name, said in overview(digest))
    return (Fact(_("Week"), words.period_text(digest.period)), *lines)


def _file_facts(files: Sequence[ReportFile]) -> tuple[Fact, ...]:
    return tuple(Fact(file.name, file.in_words) for file in files)


def _attention_table(digest: Digest) -> Table:
    rows = tuple((_(words.CONCERNS[one.concern]), one.sentence, one.link) for one in digest.attention.shown)
    return Table(_("What needs attention"), (_("Kind"), _("What, and what next"), _("Link")), rows)


def _attention_in_short(digest: Digest) -> str:
    return words.attention_count(digest) if digest.attention.total else _(words.ALL_IN_ORDER).rstrip(".").lower()
