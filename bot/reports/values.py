"""Formats single values for the report: times in the policy's time zone, people by name, digests shortened.

Every untrusted text goes through `legible`. HTML and PDF allow no control characters, and a name that reverses the text direction could
change what the report seems to say. The records keep the exact characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.digest.figures import Digest, Holding, Listed, Transition
from bot.domain.digest.sentences import approver, decision, edition, is_over, local_moment, trainer
from bot.domain.model import VersionId
from bot.domain.text import duration_text, person_name
from bot.language import N_, _, count_text, sentences
from bot.reports.records import FileNames, file_names
from bot.reports.shape import Cell, Look

T = TypeVar("T")

NOTHING = "–"
NOT_SAID = N_("unknown")  # MLflow does not record who set an alias, a tag or a stage
LETTERS_OF_A_HASH = 12
HASH = re.compile(r"((?:[a-z0-9-]+:)?)([0-9a-f]{32,128})((?:\.dir)?)")
NOT_FOR_PAPER = {
    "Cc",
    "Cs",
    "Co",
}  # control characters, lone surrogates, and private-use characters
NONCHARACTERS = range(0xFDD0, 0xFDF0)
TURNS_LETTERS = {
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
}  # characters that override the text direction; right-to-left letters need none


@dataclass(frozen=True)
class Writer:
    """Formats the values of one digest."""

    digest: Digest

    @property
    def files(self) -> FileNames:
        return file_names(edition(self.digest))

    @property
    def at_the_end(self) -> str:
        """When the inventory was taken."""
        return _("when the week ended") if is_over(self.digest) else _("so far")

    def moment(self, at: datetime | None, unknown: str = NOTHING) -> Cell:
        if at is None:
            return Cell(unknown)
        return Cell(self.wall_clock(at), Look.MOMENT, full=at.isoformat())

    def wall_clock(self, at: datetime) -> str:
        return local_moment(at, self.digest.period)

    def approver(self, one: Holding) -> str:
        return legible(approver(one, self.digest.names))

    def decision(self, one: Transition) -> str:
        return legible(decision(one, self.digest.names, self.digest.period))

    def trained_by(self, one: Holding | Transition) -> tuple[str, ...]:
        """One line to print below another, or none."""
        name = legible(trainer(one.author, one.claimed_author, self.digest.names))
        return (_("trained by {name}", name=name),) if name else ()

    def person(self, one: str | None) -> str:
        return legible(person_name(one, self.digest.names)) if one else _(NOT_SAID)


def version(named: VersionId, link: str = "") -> Cell:
    return Cell(legible(str(named)), link=web(link))


def text(words: str, link: str = "") -> Cell:
    said = legible(words)
    return Cell(said, link=web(link)) if said else Cell(NOTHING)


def number(count: int) -> Cell:
    return Cell(count_text(count), Look.NUMBER)


def duration(took: timedelta | None) -> Cell:
    return Cell(duration_text(took), Look.NUMBER)


def digest_of(whole: str) -> Cell:
    """The first characters of a commit or hash. Other texts are not shortened."""
    said = legible(whole)
    found = HASH.fullmatch(said)
    if found is None:
        return Cell(said or NOTHING, Look.CODE if said else Look.TEXT)
    return Cell(f"{found[1]}{found[2][:LETTERS_OF_A_HASH]}{found[3]}", Look.CODE, full=said)


def legible(words: str) -> str:
    """One line, with a replacement character for what a page cannot show."""
    return "".join(letter if _is_for_paper(letter) else "\ufffd" for letter in " ".join(words.split()))


def web(link: str) -> str:
    """The untrusted address if it is http(s), else empty."""
    return legible(link) if link.startswith(("https://", "http://")) else ""


def rest_note(listed: Listed[T], where: str) -> str:
    """Empty when all are shown."""
    if listed.total <= len(listed.shown):
        return ""
    shown = _("Shown here: {shown} of {count}.", shown=len(listed.shown), count=listed.total)
    return sentences(shown, where)


def _is_for_paper(letter: str) -> bool:
    code = ord(letter)
    if code in NONCHARACTERS or code in TURNS_LETTERS or code & 0xFFFE == 0xFFFE:
        return False
    return unicodedata.category(letter) not in NOT_FOR_PAPER
