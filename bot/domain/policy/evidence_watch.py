"""How often the evidence of approvals is looked after, and of which approvals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class EvidenceWatch:
    """Of each target: the approval of what holds it, and of the first `ways_back` versions that it could go back to."""

    every: timedelta = timedelta(hours=24)
    ways_back: int = 3
