"""What a starter policy is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PersonDraft:
    name: str
    email: str
    mlflow_user: str = ""


@dataclass(frozen=True)
class GroupDraft:
    """A Slack user group by its handle, or people by their e-mail addresses. `size` is how many could vote for it now."""

    name: str
    slack_group: str = ""
    people: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class ThresholdDraft:
    """`value` is what the champion has; a candidate has to reach it. `improves` asks for 1 % more, which 0 has no share of."""

    metric: str
    value: float
    greater_is_better: bool

    @property
    def improves(self) -> bool:
        return self.value != 0


@dataclass(frozen=True)
class TicketDraft:
    """`resolutions` are for a workflow with one final status: then only the resolution says how it ended."""

    project: str
    type: str
    approved: str
    rejected: str
    resolutions: tuple[str, str] | None = None


@dataclass(frozen=True)
class MeasuresDraft:
    """What a rule's fast track is proposed from: the metrics of a model that the rule is for."""

    thresholds: tuple[ThresholdDraft, ...]
    undirected: tuple[str, ...]
    measured_on: str


@dataclass(frozen=True)
class PolicyDraft:
    models: tuple[str, ...]
    target: str
    ask: str
    channel: str
    groups: tuple[GroupDraft, ...]
    people: tuple[PersonDraft, ...]
    unknown_users: tuple[str, ...]
    """Users of MLflow's runs whose e-mail is not known."""
    thresholds: tuple[ThresholdDraft, ...]
    undirected: tuple[str, ...]
    """Metrics that have no threshold, because it is not known which way they are better."""
    measured_on: str
    """The version that has the thresholds' values, such as "bike-demand v3"."""
    stores: tuple[str, ...]
    ticket: TicketDraft | None
    own_measures: Mapping[str, MeasuresDraft] = field(default_factory=dict)
    """Of the rules after the first, by their patterns. The first rule has `thresholds`, `undirected` and `measured_on`."""

    def measures_for(self, pattern: str) -> MeasuresDraft:
        return self.own_measures.get(pattern) or MeasuresDraft(self.thresholds, self.undirected, self.measured_on)
