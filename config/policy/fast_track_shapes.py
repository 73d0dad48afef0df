"""The shape of a rule's `fast_track`: the thresholds that approve without a person, in the words of MLflow's own `MetricThreshold`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema, model_validator

from bot.domain.model import FastTrackMode
from bot.domain.policy.rules import Demand, FastTrack, Threshold
from config.policy.times import Duration
from config.policy.values import Gain, MetricName, Number, Shape, Share, Text, different

DEMANDED = ("threshold", "min_absolute_change", "min_relative_change")


def _mode(value: object) -> object:
    """To YAML 1.1 a bare on is true and a bare off is false, so for this key they are the same."""
    if isinstance(value, bool):
        return FastTrackMode.ON if value else FastTrackMode.OFF
    return value


Mode = Annotated[
    FastTrackMode,
    Strict(False),
    BeforeValidator(_mode),
    WithJsonSchema({"enum": [*(mode.value for mode in FastTrackMode), True, False]}),
]


class MetricShape(Shape):
    """What one metric must reach; the changes are against the champion."""

    threshold: Number | None = None
    """The figure must be at least this, or at most this when smaller is better."""
    greater_is_better: bool
    """Whether a greater figure is the better one."""
    min_absolute_change: Gain | None = None
    """By how much the figure must be better than the champion's."""
    min_relative_change: Share | None = None
    """By which share of the champion's figure it must be better, 0 to 1; 0 asks that it is not worse."""
    dataset: Text | None = None
    """The evaluation data set whose figure counts, where the metric was measured on several."""

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        if not self.model_fields_set.intersection(DEMANDED):
            *others, last = DEMANDED
            raise ValueError(f"needs at least one of {', '.join(others)} and {last}")
        return self

    def as_threshold(self, metric: str) -> Threshold:
        wanted = (self.threshold, self.min_absolute_change, self.min_relative_change)
        return Threshold(metric, self.greater_is_better, *wanted, self.dataset)


class FastTrackShape(Shape):
    """When a version is approved without a person, because its figures are good enough."""

    mode: Mode
    """off; shadow, which only records what it would have done; or on. YAML reads a bare on as true and off as false: both will do."""
    metrics: Annotated[dict[MetricName, MetricShape], Field(min_length=1)]
    """What each metric must reach, by the metric's name in MLflow. All of them must."""
    require: Annotated[tuple[Annotated[Demand, Strict(False)], ...], Strict(False), AfterValidator(different)] = ()
    """What must hold besides: lineage, that it is complete; signature, that it is the champion's."""
    sample_to_people: Share = 0.0
    """The share, 0 to 1, of the versions that pass which people decide all the same."""
    undo_for: Duration = Field(default=timedelta(days=1), json_schema_extra={"default": "1d"})
    """How long approvers can undo what the fast track decided."""

    def as_fast_track(self) -> FastTrack:
        metrics = tuple(shape.as_threshold(name) for name, shape in self.metrics.items())
        return FastTrack(self.mode, metrics, self.require, self.sample_to_people, self.undo_for)
