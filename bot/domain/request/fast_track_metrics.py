"""The fast track's checks of one metric: which figure counts, and whether it reaches what the rule asks for.

The sentences are for the ledger, so in English.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import Check, DataSet, Evidence, Metric
from bot.domain.policy.rules import Threshold
from bot.language import Value, recorded

UNNAMED = recorded("fast track", "one that is not named")
BETTER_THAN_ZERO = 1e-10  # what MLflow accepts as better where the champion has 0, of which no share can be computed


# Which figure counts


@dataclass(frozen=True)
class _Side:
    """Whose figures these are; `texts` are the names that are there as parameters or tags."""

    is_champion: bool
    metrics: tuple[Metric, ...]
    texts: Mapping[str, str]

    def figure(self, threshold: Threshold, opened_at: datetime) -> Metric | str:
        """The one figure that counts, or the sentence why there is none."""
        named = [metric for metric in self.metrics if metric.name == threshold.metric]
        chosen = [metric for metric in named if threshold.dataset in (None, _data_set_name(metric))]
        what = threshold.metric
        if self.is_champion:
            what = recorded("fast track", "the champion's {metric}", metric=threshold.metric)
        if not named:
            if threshold.metric in self.texts:
                return recorded("fast track", "{what} is there only as text", what=what)
            return recorded("fast track", "{what} was not logged", what=what)
        if not chosen:
            return recorded(
                "fast track",
                "{what} was not measured on the data set {dataset}, only on {places}",
                what=what,
                dataset=threshold.dataset or "",
                places=_places(named),
            )
        if len(chosen) > 1:
            return _ambiguous(what, chosen, threshold.dataset)
        return _fault(what, chosen[0], opened_at) or chosen[0]


def _ambiguous(what: str, chosen: Sequence[Metric], data_set: str | None) -> str:
    if data_set is not None:
        return recorded(
            "fast track",
            "{what} was measured {count} times on data sets called {dataset}, so nobody can tell which counts",
            what=what,
            count=len(chosen),
            dataset=data_set,
        )
    return recorded(
        "fast track",
        "{what} was measured on several data sets ({places}), and the rule does not choose one with dataset",
        what=what,
        places=_places(chosen),
    )


def _fault(what: str, metric: Metric, opened_at: datetime) -> str:
    if math.isnan(metric.value):
        return recorded("fast track", "{what} is not a number", what=what)
    if math.isinf(metric.value):
        return recorded("fast track", "{what} is infinite", what=what)
    if metric.logged_at is not None and metric.logged_at > opened_at:
        when = f"{metric.logged_at:%Y-%m-%d %H:%M:%S} UTC"
        return recorded("fast track", "{what} was logged after the request was opened, on {when}", what=what, when=when)
    return ""


def _data_set_name(metric: Metric) -> str:
    return metric.measured_on.name if metric.measured_on else ""


def _places(metrics: Sequence[Metric]) -> str:
    return ", ".join(sorted({_data_set_name(metric) or UNNAMED for metric in metrics}))


# What it must reach


def checks_of_metric(threshold: Threshold, evidence: Evidence, opened_at: datetime) -> Iterator[Check]:
    candidate = _Side(False, evidence.metrics, {**evidence.params, **evidence.tags}).figure(threshold, opened_at)
    if isinstance(candidate, str):
        yield Check(False, candidate, threshold.metric)
        return
    if threshold.threshold is not None:
        yield _reaches(candidate, threshold.threshold, threshold.greater_is_better)
    if threshold.compares:
        yield from _compared(candidate, threshold, evidence, opened_at)


def _reaches(candidate: Metric, bound: float, greater_is_better: bool) -> Check:
    passed = candidate.value >= bound if greater_is_better else candidate.value <= bound
    values: dict[str, Value] = {
        "metric": candidate.name,
        "value": _told(candidate.value, bound),
        "bound": asked_as(bound),
    }
    if passed and greater_is_better:
        said = recorded("fast track", "{metric} {value} is at least {bound}", **values)
    elif passed:
        said = recorded("fast track", "{metric} {value} is at most {bound}", **values)
    elif greater_is_better:
        said = recorded("fast track", "{metric} {value} is below the threshold {bound}", **values)
    else:
        said = recorded("fast track", "{metric} {value} is above the threshold {bound}", **values)
    return Check(passed, said, candidate.name)


def _compared(candidate: Metric, threshold: Threshold, evidence: Evidence, opened_at: datetime) -> Iterator[Check]:
    champion = _baseline(candidate, threshold, evidence, opened_at)
    if isinstance(champion, str):
        yield Check(False, champion, candidate.name)
        return
    gain = _Gain(candidate.name, candidate.value, champion.value, threshold.greater_is_better)
    if threshold.min_absolute_change is not None:
        yield gain.is_at_least(threshold.min_absolute_change)
    if threshold.min_relative_change is not None:
        yield gain.is_share_of_at_least(threshold.min_relative_change)


def _baseline(candidate: Metric, threshold: Threshold, evidence: Evidence, opened_at: datetime) -> Metric | str:
    """The champion's figure, or the sentence why the two cannot be compared."""
    if evidence.champion is None:
        return no_champion(candidate.name)
    side = _Side(True, evidence.champion.metrics, evidence.champion.params)
    champion = side.figure(threshold, opened_at)
    if isinstance(champion, str):
        return recorded("fast track", "{why}, so a person decides", why=champion)
    return _incomparable(candidate, champion) or champion


def no_champion(metric: str) -> str:
    return recorded("fast track", "there is no champion to compare {metric} with, so a person decides", metric=metric)


def _incomparable(candidate: Metric, champion: Metric) -> str:
    """Only figures that were measured on the same data can be compared; the digest must agree, not only the name."""
    ours, theirs = candidate.measured_on, champion.measured_on
    if ours is None or not ours.digest:
        return recorded(
            "fast track",
            "it is not known on which data {metric} was measured, so a person decides",
            metric=candidate.name,
        )
    if theirs is None or not theirs.digest:
        return recorded(
            "fast track",
            "it is not known on which data the champion's {metric} was measured, so a person decides",
            metric=champion.name,
        )
    if ours.digest == theirs.digest:
        return ""
    return recorded(
        "fast track",
        "{metric} was measured on different data sets ({ours}, champion {theirs}), "
        "so they cannot be compared: a person decides",
        metric=candidate.name,
        ours=_identity(ours),
        theirs=_identity(theirs),
    )


def _identity(data_set: DataSet) -> str:
    return f"{data_set.name} {data_set.digest}".strip()


@dataclass(frozen=True)
class _Gain:
    """By how much the candidate's figure is better than the champion's; both are finite."""

    metric: str
    candidate: float
    champion: float
    greater_is_better: bool

    @property
    def amount(self) -> float:
        """Negative when it is worse."""
        return self.candidate - self.champion if self.greater_is_better else self.champion - self.candidate

    def is_at_least(self, change: float) -> Check:
        passed = self._is_better_by(change)
        return self._check(
            passed,
            recorded("fast track", "{why}, at least {asked} was asked", why=self._deed(change), asked=asked_as(change)),
        )

    def is_share_of_at_least(self, share: float) -> Check:
        if self.champion == 0:
            passed = self._is_better_by(BETTER_THAN_ZERO)
            deed = self._deed(BETTER_THAN_ZERO)
            said = recorded("fast track", "{why}, of 0 there is no share, so any gain was asked", why=deed)
            return self._check(passed, said)
        relative = self.amount / abs(self.champion)
        deed = self._deed(share=_percent(abs(relative), share))
        if share:
            asked = asked_percent(share)
            said = recorded("fast track", "{why}, at least {asked} was asked", why=deed, asked=asked)
        else:
            said = recorded("fast track", "{why}, and it must not be worse", why=deed)
        return self._check(relative >= share, said)

    def _is_better_by(self, change: float) -> bool:
        """As MLflow computes it, which by rounding may differ from `amount >= change` in the last digit."""
        if self.greater_is_better:
            return self.candidate >= self.champion + change
        return self.candidate <= self.champion - change

    def _deed(self, change: float = 0.0, share: str = "") -> str:
        """`share` is what the difference is of the champion's figure, as text."""
        champion, metric = f"{self.champion:.6g}", self.metric
        if self.amount == 0:
            return recorded("fast track", "{metric} equals the champion's {value}", metric=metric, value=champion)
        amount = _told(abs(self.amount), change)
        by = f"{amount} ({share})" if share else amount
        if self.amount > 0:
            return recorded(
                "fast track",
                "{metric} improves on the champion's {value} by {amount}",
                metric=metric,
                value=champion,
                amount=by,
            )
        return recorded(
            "fast track",
            "{metric} is worse than the champion's {value} by {amount}",
            metric=metric,
            value=champion,
            amount=by,
        )

    def _check(self, passed: bool, said: str) -> Check:
        return Check(passed, said, self.metric)


# How figures are written


def _told(figure: float, bound: float) -> str:
    return _on_its_side(f"{figure:.6g}", figure, bound)


def _percent(share: float, asked: float) -> str:
    percent = share * 100
    short = f"{percent:.2g}" if percent < 1 else f"{round(percent, 1):.6g}"
    return f"{_on_its_side(short, percent, asked * 100)} %"


def _on_its_side(short: str, figure: float, bound: float) -> str:
    """In few digits, unless rounding would put the figure on the other side of its threshold."""
    return short if _side(float(short), bound) == _side(figure, bound) else repr(figure)


def _side(figure: float, bound: float) -> int:
    return (figure > bound) - (figure < bound)


def asked_as(bound: float) -> str:
    """As the rule says it, never rounded."""
    text = f"{bound:.6g}"
    return text if float(text) == bound else repr(bound)


def asked_percent(share: float) -> str:
    return f"{share * 100:.6g} %"
