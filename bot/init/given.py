"""What a person said on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class PolicyAnswers:
    """Empty where a proposal or a question decides. `people` are e-mail addresses by users of MLflow, `directions` by metrics."""

    models: tuple[str, ...] = ()
    target: str = ""
    ask: str = ""
    channel: str = ""
    approvers: tuple[str, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, bool] = field(default_factory=dict)
    project: str = ""
    type: str = ""
    approved: str = ""
    rejected: str = ""

    @property
    def has_any(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))
