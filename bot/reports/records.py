"""The records of a week: all its ledger entries, for other tools. They are streamed, so their number does not matter.

The body is the exact text that was hashed into the leaf, so a reader can verify it. Further columns are for filtering: the entry's
transition, and people's names as they were when the week closed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TextIO, TypeAlias

from bot.domain.ledger.chain import Entry, Plain
from bot.domain.ledger.proofs import plain_entry
from bot.domain.ledger.subjects import Subject

Record: TypeAlias = tuple[Entry, Subject]

COLUMNS = ("seq", "at", "kind", "request_id", "model", "version", "target", "names", "body", "leaf", "head")
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection
BYTE_ORDER_MARK = "\ufeff"  # without it Excel does not recognise UTF-8
NO_NAMES: Mapping[str, str] = MappingProxyType({})
AN_ID = re.compile(r'(?:"|person:)([0-9a-f]{32})(?![0-9a-f])')  # a policy's changes write person:<id>


@dataclass(frozen=True)
class FileNames:
    """The names of the week's files, the same for every receiver."""

    html: str
    pdf: str
    csv: str
    json: str
    holdings: str
    waiting: str
    chart: str
    figures: str


def file_names(week: str) -> FileNames:
    stem = f"countersign-{week}"
    return FileNames(
        html=f"{stem}.html",
        pdf=f"{stem}.pdf",
        csv=f"{stem}.csv",
        json=f"{stem}.jsonl",
        holdings=f"{stem}-holdings.csv",
        waiting=f"{stem}-waiting.csv",
        chart=f"{stem}.png",
        figures=f"{stem}-figures.json",
    )


def write_records_csv(records: Iterable[Record], out: TextIO, names: Mapping[str, str] = NO_NAMES) -> None:
    """A header row, then one row per entry. A cell that a spreadsheet would read as a formula gets an apostrophe in front."""
    out.write(BYTE_ORDER_MARK)
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry, subject in records:
        told = "; ".join(f"{name} = {one}" for one, name in _named_in(entry.body, names).items())
        plain = {**_plain(entry, subject), "names": told}
        rows.writerow(["" if plain[column] is None else safe_cell(str(plain[column])) for column in COLUMNS])


def write_records_json(records: Iterable[Record], out: TextIO, names: Mapping[str, str] = NO_NAMES) -> None:
    """JSON Lines, one object per entry. Values that an entry does not have are null."""
    for entry, subject in records:
        plain = {**_plain(entry, subject), "names": _named_in(entry.body, names)}
        out.write(json.dumps({column: plain[column] for column in COLUMNS}, ensure_ascii=False) + "\n")


def safe_cell(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text


def _plain(entry: Entry, subject: Subject) -> dict[str, Plain]:
    return {**plain_entry(entry), **asdict(subject)}


def _named_in(body: str, names: Mapping[str, str]) -> dict[str, str]:
    """The people whose ids are in the body, each once, in order."""
    return {one: names[one] for one in AN_ID.findall(body) if one in names}
