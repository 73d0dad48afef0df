"""Reads the list of a version's files, as `sha256sum` writes it: digest, two spaces and path, each ended by a line feed.

A name may hold other characters that Python takes for the end of a line, such as U+2028, so `str.splitlines` would break it in two.
"""

from __future__ import annotations


def listed_files(manifest: str) -> dict[str, str]:
    """The sha256 (hex) of each file by its path, in the order of the list."""
    pairs = (line.partition("  ") for line in manifest.split("\n") if line)
    return {path: sha256 for sha256, _, path in pairs}
