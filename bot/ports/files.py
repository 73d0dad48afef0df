"""A file that goes out with a message, a ticket or a mail. See also `bot.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attachment:
    """A file on disk of any size. `name` has no folder, such as countersign-2026-W47.pdf; `alt` describes a picture."""

    name: str
    media_type: str
    path: Path
    alt: str = ""
