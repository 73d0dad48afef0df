"""What a complete lineage is: where a version comes from, told well enough to train it again. The fast track may demand it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.model import DataSet, Evidence

EVALUATING = frozenset(
    {"eval", "evaluation", "test", "validation", "holdout"}
)  # contexts of data that nothing was trained on


@dataclass(frozen=True)
class Part:
    """One thing that a complete lineage has; `mend` says what to do when it is not there."""

    name: str
    is_there: Callable[[Evidence], bool]
    mend: str


def missing(evidence: Evidence) -> tuple[str, ...]:
    """One sentence for each part that is not there; empty when the lineage is complete."""
    return tuple(f"there is no {part.name}: {part.mend}" for part in PARTS if not part.is_there(evidence))


def _names_its_training_data(evidence: Evidence) -> bool:
    return any(_was_trained_on(data_set) and data_set.digest for data_set in evidence.datasets)


def _was_trained_on(data_set: DataSet) -> bool:
    return data_set.context.strip().lower() not in EVALUATING


PARTS = (
    Part("run", lambda evidence: bool(evidence.run_id), "register the version from the run that trained it"),
    Part(
        "commit",
        lambda evidence: bool(evidence.commit),
        "train from a git checkout, so that the run is tagged with its commit",
    ),
    Part(
        "training data set with a digest",
        _names_its_training_data,
        "log what the version was trained on as an input of the run, with the context training",
    ),
    Part("author", lambda evidence: bool(evidence.author), "train under a user name that the run is tagged with"),
    Part("parameter", lambda evidence: bool(evidence.params), "log the parameters of the training on the run"),
)
