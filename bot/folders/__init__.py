"""The folder of COUNTERSIGN_HOME, with keys and a database: what is made in it, or above it, is its owner's alone."""

from __future__ import annotations

from pathlib import Path

OWNER_ALONE = 0o700


def make_private(folder: Path) -> None:
    """Makes each folder that is missing with mode 700: `mkdir(parents=True)` gives the mode to the last one only, whatever the umask is.

    One that is there stays as it is. Raises OSError.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private(folder.parent)
    folder.mkdir(mode=OWNER_ALONE, exist_ok=True)
