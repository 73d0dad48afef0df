"""Loads YAML that others wrote: a dvc.lock, an MLmodel. Only the worker and the command line do, never the web process.

The base loader makes texts, lists and mappings and nothing else. libyaml's is five times as fast as PyYAML's, which takes 17 s of CPU
for 400 kB of hostile text.
"""

from __future__ import annotations

import yaml

LARGEST = 256 * 1024  # bytes
DEEPEST = 200  # levels; libyaml's loader recurses in C without a limit, so a deeper text would end the process
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # a PyYAML without libyaml has no C loader


class LargerThanRead(ValueError):
    """The text completes "dvc.lock ..."."""


def load(text: str) -> object:
    """Raises ValueError for a text that is no YAML, too deep, or LargerThanRead."""
    if len(text) > LARGEST or len(text.encode("utf-8", "replace")) > LARGEST:
        raise LargerThanRead(f"is larger than {LARGEST // 1024} KiB")
    try:
        _check_depth(text)
        # A base loader constructs no objects.
        found: object = yaml.load(text, Loader=LOADER)  # nosec B506
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("is not YAML") from error
    return found


def _check_depth(text: str) -> None:
    """Goes through the events one by one, which does not recurse. Raises ValueError."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(f"is not YAML with at most {DEEPEST} levels")
