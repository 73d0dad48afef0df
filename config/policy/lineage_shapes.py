"""The shape of a rule's `lineage`: which git remote vouches for a version's origin, and what nothing may be approved without.

And of `evidence_watch`: how often what approvals rest on is looked after.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from bot.domain.policy.rules import LINEAGE_CODES, EvidenceWatch, LineageDemand
from config.policy.times import Duration
from config.policy.values import BranchName, GitRemote, Shape, different

COMPLETE = "complete"


def _all_for_complete(value: object) -> object:
    return LINEAGE_CODES if value == COMPLETE else value


def _known(code: str) -> str:
    if code not in LINEAGE_CODES:
        raise ValueError(
            f'names "{code[:20]}", which is no check. Write complete, or some of {LINEAGE_CODES[0]} to {LINEAGE_CODES[-1]}'
        )
    return code


Code = Annotated[str, AfterValidator(_known)]
Codes = Annotated[
    tuple[Code, ...],
    Strict(False),
    BeforeValidator(_all_for_complete),
    AfterValidator(different),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": COMPLETE},
                {"type": "array", "items": {"enum": list(LINEAGE_CODES)}},
            ]
        }
    ),
]


class LineageShape(Shape):
    """Where a version must come from. Every check is made and shown; these say on whose word, and which of them block."""

    git: GitRemote | None = None
    """The training repository's remote, of which the worker keeps a read-only mirror; without it all is the trainer's own word."""
    main: BranchName = "main"
    """The branch that the code must have been merged into."""
    block: Codes = Field(default=(), json_schema_extra={"default": []})
    """The checks (L01 to L19) without which nothing is approved, or complete for all of them."""

    def as_demand(self) -> LineageDemand:
        return LineageDemand(self.git, self.main, self.block)


SHORTEST_WATCH = timedelta(hours=1)
MOST_WAYS_BACK = 20


def _slow(every: timedelta) -> timedelta:
    if every < SHORTEST_WATCH:
        raise ValueError(
            'must be at least "1h": what vanished is looked for slowly, so that it costs the servers little'
        )
    return every


Slow = Annotated[Duration, AfterValidator(_slow)]


class EvidenceWatchShape(Shape):
    """How what approvals rest on is looked after: runs, files, data and commits, of what holds a target and of its ways back."""

    every: Slow = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """Within this time everything is looked at, and a loss is reported; at least 1h."""
    ways_back: Annotated[int, Field(ge=0, le=MOST_WAYS_BACK)] = 3
    """How many of the versions that a target could go back to are looked after, beside its holder."""

    def as_watch(self) -> EvidenceWatch:
        return EvidenceWatch(self.every, self.ways_back)
