"""What a witness has cosigned last of each ledger: one text file of notes, which `audit verify --checkpoint FILE` reads as it is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from bot.domain.ledger.checkpoint import Note, read_notes
from bot.domain.ledger.cosignature import Cosignature
from bot.errors import InvalidCheckpoint, Refused

SEPARATOR = "\n\n"


class Seen:
    """Keeps the file. A witness that forgot what it saw could cosign two histories, so a damaged file is never begun anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = Lock()
        self._texts: dict[str, str] = {}

    @contextmanager
    def locked(self) -> Iterator[Mapping[str, Note]]:
        """The last note of each ledger, by origin; no other thread or process changes the file meanwhile. Raises Refused and OSError."""
        with self._threads, self._lock_file().open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._texts = self._read()
            yield {origin: read_notes(text)[0] for origin, text in self._texts.items()}

    def put(self, note: Note, cosignature: Cosignature) -> None:
        """Only while it is locked. The new file is on the disk when this returns. Raises OSError."""
        texts = {**self._texts, note.checkpoint.origin: f"{note}{cosignature}\n"}
        new = self.path.with_name(f"{self.path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            file.write("\n".join(texts[origin] for origin in sorted(texts)))
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

    def _read(self) -> dict[str, str]:
        text = self.text()
        if not text:
            return {}
        try:
            notes = read_notes(text)
        except InvalidCheckpoint as damage:
            raise Refused(self._damaged(str(damage))) from None
        texts = {note.checkpoint.origin: text[text.index(str(note)) :] for note in notes if str(note) in text}
        kept = {origin: _first(whole) for origin, whole in texts.items()}
        if "\n".join(kept[origin] for origin in sorted(kept)) != text:
            raise Refused(self._damaged("it holds something else than cosigned checkpoints"))
        return kept

    def _damaged(self, why: str) -> str:
        return (
            f"{self.path} is damaged: {why}. Restore it from a backup, or take the newest checkpoint that another witness or a ticket has; "
            "a witness that begins anew could cosign a rewritten ledger"
        )


def _first(text: str) -> str:
    """The first note of a text with all its signature lines."""
    body, _, rest = text.partition(SEPARATOR)
    signatures = []
    for line in rest.split("\n"):
        if not line.startswith("— "):
            break
        signatures.append(line)
    return f"{body}{SEPARATOR}" + "".join(f"{line}\n" for line in signatures)
