"""What a witness has cosigned last for each key of each ledger: a text file of notes, which `audit verify --checkpoint FILE` reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from bot.domain.ledger.checkpoint import Note, read_notes
from bot.domain.ledger.cosignature import Cosignature
from bot.errors import InvalidCheckpoint, Refused

SEPARATOR = "\n\n"
Key = tuple[str, bytes]  # a ledger's origin, and the hint of the key that signed


def newest_of(notes: Iterable[Note]) -> Mapping[str, Note]:
    """By the ledger's origin."""
    return {note.checkpoint.origin: note for note in sorted(notes, key=lambda one: one.checkpoint.size)}


class Seen:
    """Keeps the file. A witness that forgot what it saw could cosign two histories, so it never starts over from a damaged file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = Lock()
        self._texts: dict[Key, str] = {}

    @contextmanager
    def locked(self) -> Iterator[tuple[Note, ...]]:
        """The last note of each ledger for each of its keys. They say which ledger a key belongs to, also after it was replaced.

        No other thread or process changes the file meanwhile. Raises Refused and OSError.
        """
        with self._threads, self._lock_file().open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._texts = self._read()
            yield tuple(read_notes(text)[0] for text in self._texts.values())

    def put(self, note: Note, cosignature: Cosignature) -> None:
        """Only while it is locked. The new file is on the disk when this returns. Raises OSError."""
        texts = {**self._texts, _key_of(note): f"{note}{cosignature}\n"}
        new = self.path.with_name(f"{self.path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            file.write("\n".join(texts[key] for key in sorted(texts)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def text(self) -> str:
        """The whole file; empty when nothing was cosigned yet."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def _lock_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    def _read(self) -> dict[Key, str]:
        text = self.text()
        if not text:
            return {}
        try:
            notes = read_notes(text)
        except InvalidCheckpoint as damage:
            raise Refused(self._damaged(str(damage))) from None
        texts = {_key_of(note): text[text.index(str(note)) :] for note in notes if str(note) in text}
        kept = {key: _first(whole) for key, whole in texts.items()}
        if "\n".join(kept[key] for key in sorted(kept)) != text:
            raise Refused(self._damaged("it holds something else than cosigned checkpoints"))
        return kept

    def _damaged(self, why: str) -> str:
        return (
            f"{self.path} is damaged: {why}. Restore it from a backup, or take the newest checkpoint that another witness or a ticket has; "
            "a witness that starts over could cosign a rewritten ledger"
        )


def _key_of(note: Note) -> Key:
    return note.checkpoint.origin, note.hint


def _first(text: str) -> str:
    """The first note of a text with all its signature lines."""
    body, _, rest = text.partition(SEPARATOR)
    signatures = []
    for line in rest.split("\n"):
        if not line.startswith("— "):
            break
        signatures.append(line)
    return f"{body}{SEPARATOR}" + "".join(f"{line}\n" for line in signatures)
