"""The files of a digest, on disk while they are handed over: what was frozen, and what is made from it and from the ledger's entries.

How they look is in `bot.reports`; who gets them, in `delivery`. The entries of a week pass through memory one after the other,
however many they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from bot.domain.digest.card import ReportFile
from bot.domain.digest.figures import Digest
from bot.domain.ledger.chain import Entry
from bot.language import _
from bot.ports import Attachment
from bot.reports.html import html_of
from bot.reports.records import Record, file_names, write_records_csv, write_records_json
from bot.services import Services
from bot.store.digests import DigestRow
from bot.store.ledger import LedgerRows, unhurried
from handlers.digest.ledger import closing_of

WriteRecords = Callable[[Iterable[Record], TextIO, Mapping[str, str]], None]


@dataclass(frozen=True)
class Form:
    """A file of the digest; `write` makes it at a path."""

    name: str
    media_type: str
    write: Callable[[Path], object]


@dataclass(frozen=True)
class MadeFile:
    """`path` is None when no receiver takes it and it was not made. `recorded` is the ledger's sha256, empty before the closing."""

    name: str
    media_type: str
    size: int
    sha256: str
    path: Path | None
    recorded: str = ""

    @property
    def is_as_recorded(self) -> bool:
        return self.recorded in ("", self.sha256)


@dataclass(frozen=True)
class Parcel:
    """What one receiver gets, and the note about each file, delivered or not."""

    attached: tuple[Attachment, ...]
    told: tuple[ReportFile, ...]


@contextmanager
def files_on_disk(
    row: DigestRow, digest: Digest, s: Services, *, at_most: float = inf
) -> Iterator[tuple[MadeFile, ...]]:
    """In a directory that is gone afterwards. What had more bytes than `at_most` when the week closed is not even made."""
    with TemporaryDirectory(prefix="countersign-") as room:
        yield write_files(Path(room), row, digest, s, at_most=at_most)


def write_files(
    room: Path, row: DigestRow, digest: Digest, s: Services, *, at_most: float = inf
) -> tuple[MadeFile, ...]:
    recorded = _recorded(row, s)
    too_large = {name: size for name, size in row.sizes.items() if name in recorded and size > at_most}
    return tuple(
        _not_made(form, too_large[form.name], recorded[form.name])
        if form.name in too_large
        else _made(form, room, recorded.get(form.name, ""))
        for form in _forms(row, digest, s)
    )


def measured(row: DigestRow, digest: Digest, s: Services) -> tuple[DigestRow, Mapping[str, str]]:
    """The row with the sizes of its files, and the sha256 of each for the ledger."""
    with files_on_disk(row, digest, s) as made:
        sizes = {file.name: file.size for file in made}
        return replace(row, sizes=sizes), {file.name: file.sha256 for file in made}


def parcel_of(files: Iterable[MadeFile], *, each: int, together: int | None = None) -> Parcel:
    """As many files, in their order, as the receiver takes; sizes in bytes. Every other file has a note that says why it is absent."""
    attached: list[Attachment] = []
    told: list[ReportFile] = []
    room = together
    for file in files:
        limit = each if room is None else min(each, room)
        absent = _why_absent(file, limit)
        told.append(ReportFile(file.name, file.recorded or file.sha256, absent))
        if not absent and file.path is not None:
            attached.append(Attachment(file.name, file.media_type, file.path))
            room = None if room is None else room - file.size
    return Parcel(tuple(attached), tuple(told))


def _why_absent(file: MadeFile, limit: int) -> str:
    if not file.is_as_recorded:
        return _(
            "it no longer comes out as it was when the week closed, because the templates or Countersign have changed since"
        )
    if file.size == 0:  # Slack takes no empty file
        return _("it is empty, for the ledger has no entry of this week")
    if file.path is None or file.size > limit:
        return _(
            "it has {size} MB. `countersign digest --week` with `--out` writes it",
            size=str(round(file.size / 1024 / 1024, 1)),
        )
    return ""


def _recorded(row: DigestRow, s: Services) -> Mapping[str, str]:
    """What the ledger says of the files since the week was closed."""
    with s.store.transaction() as tx:
        return dict(closing_of(row, tx).get("files", {}))


def _forms(row: DigestRow, digest: Digest, s: Services) -> tuple[Form, ...]:
    """What is read first comes first, for where there is not room for all."""
    names = file_names(digest.period.week)
    return (
        Form(names.html, "text/html", lambda path: path.write_bytes(html_of(digest, s.templates).encode())),
        Form(names.pdf, "application/pdf", lambda path: path.write_bytes(row.pdf)),
        Form(names.holdings, "text/csv", lambda path: path.write_bytes(row.holdings.encode())),
        Form(names.waiting, "text/csv", lambda path: path.write_bytes(row.waiting.encode())),
        Form(names.csv, "text/csv", partial(_write_records, write_records_csv, digest, s)),
        Form(names.json, "application/jsonl", partial(_write_records, write_records_json, digest, s)),
    )


def _made(form: Form, room: Path, recorded: str) -> MadeFile:
    path = room / form.name
    form.write(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return MadeFile(form.name, form.media_type, path.stat().st_size, sha256, path, recorded)


def _not_made(form: Form, size: int, sha256: str) -> MadeFile:
    return MadeFile(form.name, form.media_type, size, sha256, None, sha256)


def _write_records(write: WriteRecords, digest: Digest, s: Services, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out, unhurried(s.store.engine) as connection:
        ledger = LedgerRows(connection)
        write(ledger.with_subjects(_entries(digest, ledger)), out, digest.names)


def _entries(digest: Digest, ledger: LedgerRows) -> Iterator[Entry]:
    """By number as well: what was appended after the closing, though of a moment before it, belongs to no frozen week."""
    first, last = digest.ledger.first, digest.ledger.last
    of_the_week = ledger.entries(since=digest.period.starts, until=digest.period.ends)
    return (entry for entry in of_the_week if first <= entry.seq <= last)
