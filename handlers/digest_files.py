"""The files of a digest: two are made anew from the frozen figures, two from the ledger's own entries, and the PDF is the stored one.

How they look is in `bot.reports`; who gets them, in `digest_delivery`. What would take too much memory is made and measured on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from io import TextIOWrapper
from pathlib import PurePath
from tempfile import TemporaryFile
from typing import TextIO

from bot.digest_store import DigestRow
from bot.domain.digest import Digest
from bot.domain.digest_card import ReportFile
from bot.domain.events import DigestClosed
from bot.domain.ledger import Entry
from bot.ledger_rows import LedgerRows, unhurried
from bot.ports import Attachment
from bot.reports.html import html_of
from bot.reports.records import file_names, write_records_csv, write_records_json
from bot.services import Services

KEPT_AT_MOST = 32 * 1024 * 1024  # bytes of one file in memory
NEAR = timedelta(minutes=1)

WRITERS = {".csv": write_records_csv, ".jsonl": write_records_json}


@dataclass(frozen=True)
class MadeFile:
    """`content` is None when it is larger than what is kept in memory. `recorded` is the ledger's sha256, empty before the closing."""

    name: str
    media_type: str
    size: int
    sha256: str
    content: bytes | None
    recorded: str = ""

    @property
    def is_as_recorded(self) -> bool:
        return self.recorded in ("", self.sha256)


@dataclass(frozen=True)
class Parcel:
    """What one receiver gets, and what is told about each file, handed over or not."""

    attached: tuple[Attachment, ...]
    told: tuple[ReportFile, ...]


def files_of(row: DigestRow, digest: Digest, s: Services) -> tuple[MadeFile, ...]:
    names = file_names(digest.period.week)
    recorded = _recorded(row, s)
    html = html_of(digest, s.templates).encode()
    return (
        _kept(names.html, "text/html", html, recorded),
        _kept(names.pdf, "application/pdf", row.pdf, recorded),
        _records(names.csv, "text/csv", digest, recorded, s),
        _records(names.json, "application/jsonl", digest, recorded, s),
    )


def parcel_of(files: Iterable[MadeFile], *, each: int, together: int | None = None) -> Parcel:
    """As many files, in their order, as the receiver takes; sizes in bytes. Of every other one it is told why it is absent."""
    attached: list[Attachment] = []
    told: list[ReportFile] = []
    room = together
    for file in files:
        limit = each if room is None else min(each, room)
        absent = _why_absent(file, limit)
        told.append(ReportFile(file.name, file.recorded or file.sha256, absent))
        if not absent and file.content is not None:
            attached.append(Attachment(file.name, file.media_type, file.content))
            room = None if room is None else room - file.size
    return Parcel(tuple(attached), tuple(told))


def _why_absent(file: MadeFile, limit: int) -> str:
    if not file.is_as_recorded:
        return "it no longer comes out as it was when the week closed, because the templates or Countersign have changed since"
    if file.size == 0:  # Slack takes no empty file
        return "it is empty, for the ledger has no entry of this week"
    if file.content is None or file.size > limit:
        return f"it has {file.size / 1024 / 1024:.1f} MB. `countersign digest --week` with `--out` writes it"
    return ""


def _recorded(row: DigestRow, s: Services) -> Mapping[str, str]:
    """What the ledger says of the files since the week was closed."""
    with s.store.transaction() as tx:
        near = tx.ledger.entries(DigestClosed.__name__, since=row.closed_at - NEAR, until=row.closed_at + NEAR)
        bodies = [json.loads(entry.body) for entry in near]
    return next((dict(body["files"]) for body in bodies if body["week"] == row.period.week), {})


def _kept(name: str, media_type: str, content: bytes, recorded: Mapping[str, str]) -> MadeFile:
    digest = hashlib.sha256(content).hexdigest()
    return MadeFile(name, media_type, len(content), digest, content, recorded.get(name, ""))


def write_records(name: str, digest: Digest, out: TextIO, s: Services) -> None:
    """The file of that name, entry after entry, however many there are."""
    write = WRITERS[PurePath(name).suffix]
    with unhurried(s.store.engine) as connection:
        write(_entries(digest, LedgerRows(connection)), out, digest.names)


def _records(name: str, media_type: str, digest: Digest, recorded: Mapping[str, str], s: Services) -> MadeFile:
    with TemporaryFile() as out:
        lines = TextIOWrapper(out, encoding="utf-8", newline="")
        write_records(name, digest, lines, s)
        lines.detach()  # flushed, and the file stays open
        size = out.tell()
        out.seek(0)
        sha256 = hashlib.file_digest(out, "sha256").hexdigest()
        out.seek(0)
        content = out.read() if size <= KEPT_AT_MOST else None
    return MadeFile(name, media_type, size, sha256, content, recorded.get(name, ""))


def _entries(digest: Digest, ledger: LedgerRows) -> Iterator[Entry]:
    """By number as well: what was appended after the closing, though of a moment before it, belongs to no frozen week."""
    first, last = digest.ledger.first, digest.ledger.last
    of_the_week = ledger.entries(since=digest.period.starts, until=digest.period.ends)
    return (entry for entry in of_the_week if first <= entry.seq <= last)
