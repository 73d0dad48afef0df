"""Reads the names in a Delta table's log: which of its entries one version needs, and which files of the table may be touched.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md: entry N is `N.json`; a checkpoint, in one part or several, stands for all
entries up to it, and older ones are removed after the table's retention. What is in them is deltalake's to read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import unquote

from bot.domain.model import DataSet
from bot.errors import NotFetched

ENTRY = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
IN_A_FOLDER = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_FOLDER = 80
RESTORE = "Restore the table's folder from a backup, or from the bucket's versions, and name that folder with --table"


def entry_of(version: int) -> str:
    return f"{version:020}.json"


def needed(names: Collection[str], version: int, where: str) -> tuple[str, ...]:
    """The log's files that make up this version, oldest first. Raises NotFetched when the log does not have it, or has it no more."""
    entries = {int(found[1]) for found in map(ENTRY.fullmatch, names) if found}
    checkpoints = _whole_checkpoints(names)
    newest = max((*entries, *checkpoints), default=None)
    if newest is None:
        raise NotFetched(
            f"{where} is no Delta table: its _delta_log has no entries. Correct the path, or {_lower(RESTORE)}"
        )
    if version > newest:
        raise NotFetched(
            f"{where} has no version {version}: its newest is {newest}, so it is another table, or was created again. {RESTORE}"
        )
    start = max((one for one in checkpoints if one <= version), default=None)
    wanted = range(0 if start is None else start + 1, version + 1)
    gone = [one for one in wanted if one not in entries]
    if gone:
        raise NotFetched(
            f"version {version} of {where} is gone: entry {gone[0]} of its log was removed, as Delta does once an entry is older than the "
            f"table's delta.logRetentionDuration (30 days unless set). {RESTORE}"
        )
    first = () if start is None else (*sorted(checkpoints[start]), *([entry_of(start)] if start in entries else []))
    return (*first, *map(entry_of, wanted))


def _whole_checkpoints(names: Collection[str]) -> Mapping[int, list[str]]:
    """By version; one whose parts are not all there counts as none."""
    whole: dict[int, list[str]] = {}
    parts: dict[tuple[int, int], list[str]] = {}
    for name in sorted(names):
        found = CHECKPOINT.fullmatch(name)
        if found and found[2] is None:
            whole[int(found[1])] = [name]
        elif found:
            parts.setdefault((int(found[1]), int(found[3])), []).append(name)
    for (version, count), there in parts.items():
        if len(there) == count:
            whole.setdefault(version, there)
    return whole


def place_in_table(path: str, where: str) -> str:
    """A data file's path below the table, as its log has it (percent-encoded). Raises NotFetched when it leads elsewhere.

    Whoever writes the log could name any file of this machine. Shallow clones name files of another table.
    """
    place = unquote(path)  # what is no UTF-8 becomes U+FFFD
    parts = place.split("/")
    is_plain = place.isprintable() and not {"\\", "\ufffd"} & set(place) and not {"", ".", ".."} & set(parts)
    if not is_plain or ":" in parts[0] or parts[0] == "_delta_log":
        raise NotFetched(
            f"{where} names the file {path!r}, which is not below the table (a shallow clone does that), so it is not read. "
            "Make a deep copy of that version (CREATE TABLE ... DEEP CLONE), and name its folder with --table"
        )
    return place


def folders_of(used: Collection[DataSet]) -> Mapping[DataSet, str]:
    """The folder for each table: by its data set's name and the version, one number more where two are the same."""
    folders: dict[DataSet, str] = {}
    for one in used:
        version = one.table.version if one.table else None
        name = IN_A_FOLDER.sub("_", one.name).strip("._")[:LONGEST_FOLDER] or "table"
        folder, number = f"{name}-v{version}", 1
        while folder in folders.values():
            number += 1
            folder = f"{name}-v{version}-{number}"
        folders[one] = folder
    return folders


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
