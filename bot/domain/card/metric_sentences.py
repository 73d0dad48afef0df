"""One metric beside the holder's, in words: better or worse, and whether it meets the rule's limit."""

from __future__ import annotations

import math
from dataclasses import replace

from bot.domain.card.metrics_table import figure, is_too_little, loss_of, misses
from bot.domain.evidence.directions import metric_name
from bot.domain.model import Kind, Metric, TransitionRequest
from bot.domain.policy.rules import Threshold
from bot.domain.request.fast_track_metrics import asked_as, asked_percent
from bot.language import _


def figures_text(metric: Metric, beside: Metric | None, upwards: bool, request: TransitionRequest) -> str:
    """Beside the holder's: "MAE 49.56 vs champion 24.51: 102 % worse". Of anything but a promotion the holder is named by its number."""
    figures = f"{metric_name(metric.name)} {figure(metric.value)}"
    if beside is None:
        return figures
    value, change = figure(beside.value), _change(metric, beside, upwards)
    champion = request.evidence.champion if request.evidence else None
    if request.kind is not Kind.PROMOTION and champion is not None:
        held = f"v{champion.version.version}"
        return _(
            "{metric} vs {value} for {version}: {change}", metric=figures, value=value, version=held, change=change
        )
    return _(
        "{metric} vs {holder} {value}: {change}", metric=figures, holder=request.target.name, value=value, change=change
    )


def _change(metric: Metric, beside: Metric, upwards: bool) -> str:
    loss = loss_of(metric, beside, upwards)
    if loss is None:
        return _("not comparable")
    if loss == 0:
        return _("the same")
    share = abs(loss) * 100
    amount = f"{abs(metric.value - beside.value):.4g}" if math.isinf(share) else f"{share:.3g} %"
    return _("{amount} worse", amount=amount) if loss > 0 else _("{amount} better", amount=amount)


def beyond_text(said: str, metric: Metric, threshold: Threshold) -> str:
    """With the rule's limit, where that is broken."""
    if threshold.threshold is None or math.isnan(metric.value) or not misses(metric, threshold):
        return said
    limit = asked_as(threshold.threshold)
    if metric.value < threshold.threshold:
        return _("{metric}, below the limit of {limit}", metric=said, limit=limit)
    return _("{metric}, above the limit of {limit}", metric=said, limit=limit)


def within_text(said: str, threshold: Threshold) -> str:
    """For what has no holder's figure beside it, and meets the rule's limit."""
    if threshold.threshold is None:
        return said
    return _("{metric} is within the limit of {limit}", metric=said, limit=asked_as(threshold.threshold))


def least_text(metric: Metric, beside: Metric | None, threshold: Threshold) -> str:
    """The improvement that the rule asks for: the share if that is missing, else the amount."""
    share = replace(threshold, min_absolute_change=None)
    if threshold.min_relative_change is not None and is_too_little(metric, beside, share):
        return asked_percent(threshold.min_relative_change)
    return asked_as(threshold.min_absolute_change or 0.0)
