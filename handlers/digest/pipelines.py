"""Story of the pipelines: what the version on each target was made by, read from the dvc.lock that its run keeps.

The registry is asked once for each version. A refusal concerns that version alone; without any answer, nothing is asked for the
rest, and each pipeline says why it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot import dvc_files
from bot.domain.digest.figures import Holding, Pipeline
from bot.domain.model import VersionId
from bot.domain.queries.description import pipeline_of
from bot.errors import InvalidDvcFile, OutsideError, Permanent
from bot.services import Services

UNTOLD = "the registry could not tell when the week was closed: {}"


def pipelines_of(held: Sequence[Holding], stores: Sequence[str], s: Services) -> Iterator[Pipeline]:
    """Each version once, however many targets it holds."""
    silence = ""
    seen: set[VersionId] = set()
    for holding in held:
        if holding.version in seen:
            continue
        seen.add(holding.version)
        text, trouble = None, silence
        if not silence:
            try:
                text = s.registry.read_lock(holding.version, stores)
            except Permanent as refusal:
                trouble = UNTOLD.format(refusal)
            except OutsideError as silent:
                trouble = silence = UNTOLD.format(silent)
        yield _pipeline(holding, text, trouble)


def _pipeline(holding: Holding, text: str | None, trouble: str) -> Pipeline:
    nothing = Pipeline(
        holding.version, holding.target, (), (), trouble or "the run has logged no lineage/dvc.lock that may be read"
    )
    if text is None:
        return nothing
    try:
        read = pipeline_of(dvc_files.read_lock(text), "", None)
    except InvalidDvcFile as fault:
        return replace(nothing, missing=f"the run's dvc.lock {fault}")
    return Pipeline(holding.version, holding.target, read.tree, read.edges)
