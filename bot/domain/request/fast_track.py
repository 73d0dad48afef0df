"""The fast track: whether a version's frozen metrics are good enough to pass without a person, and every reason why or why not.

The comparisons are those of MLflow's own `validate_evaluation_results`. MLflow passes a version whose figure is missing; here it fails,
and people decide.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.evidence.lineage import missing
from bot.domain.grounds import newest, objection_text
from bot.domain.model import Check, DataSet, Evidence, FastTrackMode, Judgement, Kind, Metric, TransitionRequest
from bot.domain.policy.rules import Demand, FastTrack, Threshold

BETTER_THAN_ZERO = 1e-10  # what MLflow accepts as better where the champion has 0, of which no share can be computed
NOT_ASKED = {
    Kind.OBSERVED: "this target was moved without asking",
    Kind.ROLLBACK: "this goes back to an earlier version",
}


def judge(
    request: TransitionRequest, evidence: Evidence, track: FastTrack, *, is_switched_on: bool, lot: str = ""
) -> Judgement:
    """Makes all checks, also after the first failure, so that people see all results.

    `lot` seeds the sample: the id of the first request for this content, so that asking or registering again gives no second draw.
    """
    if track.mode is FastTrackMode.OFF:
        return Judgement(track.mode, ())
    judgement = Judgement(track.mode, tuple(_checks(request, evidence, track)))
    if track.mode is not FastTrackMode.ON or not judgement.passes:
        return judgement
    return replace(judgement, held_back=_held_back(lot or request.id, track.sample_to_people, is_switched_on))


def demand_text(threshold: Threshold) -> str:
    """What is asked of a metric, short enough for a table: "≤ 40, better by 1 %"."""
    wanted = []
    if threshold.threshold is not None:
        wanted.append(f"{'≥' if threshold.greater_is_better else '≤'} {_asked(threshold.threshold)}")
    if threshold.min_absolute_change is not None:
        wanted.append(f"better by {_asked(threshold.min_absolute_change)}")
    if threshold.min_relative_change is not None:
        share = threshold.min_relative_change
        wanted.append(f"better by {_asked_percent(share)}" if share else "not worse")
    return ", ".join(wanted)


def _checks(request: TransitionRequest, evidence: Evidence, track: FastTrack) -> Iterator[Check]:
    if request.kind is not Kind.PROMOTION:
        yield Check(False, f"only promotions pass on the fast track, and {NOT_ASKED[request.kind]}")
    if request.failed_before:
        yield Check(False, f"{request.version} has failed at {request.target} before: {request.failed_before}")
    objection = newest(request.objections)
    if objection is not None:
        yield Check(False, f"people said no to the same content before: {objection_text(objection)}")
    asked_since = (
        request.asked_since or request.opened_at
    )  # what was logged again while it waited does not count for a successor either
    for threshold in track.metrics:
        yield from _checks_of_metric(threshold, evidence, asked_since)
    if evidence.artifacts is None:
        yield Check(
            False, f"nobody can vouch for files that were not read: {evidence.artifacts_unread or 'no reason is known'}"
        )
    for found in evidence.outside:
        yield Check(False, f"the model runs files that are not its own: {found}")
    for demand in track.require:
        yield from DEMANDS[demand](evidence)


def _held_back(request_id: str, share: float, is_switched_on: bool) -> str:
    if not is_switched_on:
        return "the fast track is switched off"
    if _draw(request_id) < share:
        return f"{_asked_percent(share)} of the versions that pass go to people all the same, and this is one of them"
    return ""


def _draw(request_id: str) -> float:
    """From 0 up to 1, evenly distributed, and always the same for a request."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:6]) / 2**48


# Which figure counts


@dataclass(frozen=True)
class _Side:
    """Whose figures these are; `texts` are the names that are there as parameters or tags."""

    whose: str
    metrics: tuple[Metric, ...]
    texts: Mapping[str, str]

    def figure(self, threshold: Threshold, opened_at: datetime) -> Metric | str:
        """The one figure that counts, or the sentence why there is none."""
        named = [metric for metric in self.metrics if metric.name == threshold.metric]
        chosen = [metric for metric in named if threshold.dataset in (None, _data_set_name(metric))]
        what = f"{self.whose}{threshold.metric}"
        if not named:
            return f"{what} {'is there only as text' if threshold.metric in self.texts else 'was not logged'}"
        if not chosen:
            return f"{what} was not measured on the data set {threshold.dataset}, only on {_places(named)}"
        if len(chosen) > 1:
            return _ambiguous(what, chosen, threshold.dataset)
        fault = _fault(chosen[0], opened_at)
        return f"{what} {fault}" if fault else chosen[0]


def _ambiguous(what: str, chosen: Sequence[Metric], data_set: str | None) -> str:
    if data_set is not None:
        return (
            f"{what} was measured {len(chosen)} times on data sets called {data_set}, so nobody can tell which counts"
        )
    return (
        f"{what} was measured on several data sets ({_places(chosen)}), and the rule does not choose one with dataset"
    )


def _fault(metric: Metric, opened_at: datetime) -> str:
    if math.isnan(metric.value):
        return "is not a number"
    if math.isinf(metric.value):
        return "is infinite"
    if metric.logged_at is not None and metric.logged_at > opened_at:
        return f"was logged after the request was opened, on {metric.logged_at:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _data_set_name(metric: Metric) -> str:
    return metric.measured_on.name if metric.measured_on else ""


def _places(metrics: Sequence[Metric]) -> str:
    return ", ".join(sorted({_data_set_name(metric) or "one that is not named" for metric in metrics}))


# What it must reach


def _checks_of_metric(threshold: Threshold, evidence: Evidence, opened_at: datetime) -> Iterator[Check]:
    candidate = _Side("", evidence.metrics, {**evidence.params, **evidence.tags}).figure(threshold, opened_at)
    if isinstance(candidate, str):
        yield Check(False, candidate, threshold.metric)
        return
    if threshold.threshold is not None:
        yield _reaches(candidate, threshold.threshold, threshold.greater_is_better)
    if threshold.compares:
        yield from _compared(candidate, threshold, evidence, opened_at)


def _reaches(candidate: Metric, bound: float, greater_is_better: bool) -> Check:
    passed = candidate.value >= bound if greater_is_better else candidate.value <= bound
    if passed:
        relation = "at least" if greater_is_better else "at most"
    else:
        relation = "below the threshold" if greater_is_better else "above the threshold"
    figure = _told(candidate.value, bound)
    return Check(passed, f"{candidate.name} {figure} is {relation} {_asked(bound)}", candidate.name)


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
        return f"there is no champion to compare {candidate.name} with, so a person decides"
    side = _Side("the champion's ", evidence.champion.metrics, evidence.champion.params)
    champion = side.figure(threshold, opened_at)
    if isinstance(champion, str):
        return f"{champion}, so a person decides"
    return _incomparable(candidate, champion) or champion


def _incomparable(candidate: Metric, champion: Metric) -> str:
    """Only figures that were measured on the same data can be compared; the digest must agree, not only the name."""
    ours, theirs = candidate.measured_on, champion.measured_on
    if ours is None or not ours.digest:
        return f"it is not known on which data {candidate.name} was measured, so a person decides"
    if theirs is None or not theirs.digest:
        return f"it is not known on which data the champion's {champion.name} was measured, so a person decides"
    if ours.digest == theirs.digest:
        return ""
    return (
        f"{candidate.name} was measured on different data sets ({_identity(ours)}, champion {_identity(theirs)}), "
        "so they cannot be compared: a person decides"
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
        return self._check(passed, self._deed(change), f"at least {_asked(change)} was asked")

    def is_share_of_at_least(self, share: float) -> Check:
        if self.champion == 0:
            passed = self._is_better_by(BETTER_THAN_ZERO)
            return self._check(passed, self._deed(BETTER_THAN_ZERO), "of 0 there is no share, so any gain was asked")
        relative = self.amount / abs(self.champion)
        deed = f"{self._deed()} ({_percent(abs(relative), share)})" if self.amount else self._deed()
        asked = f"at least {_asked_percent(share)} was asked" if share else "and not to be worse was asked"
        return self._check(relative >= share, deed, asked)

    def _is_better_by(self, change: float) -> bool:
        """As MLflow computes it, which by rounding may differ from `amount >= change` in the last digit."""
        if self.greater_is_better:
            return self.candidate >= self.champion + change
        return self.candidate <= self.champion - change

    def _deed(self, change: float = 0.0) -> str:
        if self.amount == 0:
            return f"{self.metric} equals the champion's {self.champion:.6g}"
        verb = "improves on" if self.amount > 0 else "is worse than"
        return f"{self.metric} {verb} the champion's {self.champion:.6g} by {_told(abs(self.amount), change)}"

    def _check(self, passed: bool, deed: str, asked: str) -> Check:
        return Check(passed, f"{deed}, {asked}", self.metric)


# What else it must have


def _lineage_checks(evidence: Evidence) -> tuple[Check, ...]:
    gaps = tuple(Check(False, f"the lineage is not complete, {gap}") for gap in missing(evidence))
    return gaps or (Check(True, "the lineage is complete"),)


def _signature_checks(evidence: Evidence) -> tuple[Check, ...]:
    """Of the model's inputs and outputs."""
    if evidence.champion is None:
        return (Check(False, "there is no champion whose model signature could be the same, so a person decides"),)
    if evidence.signature is None or evidence.champion.signature is None:
        whose = "the version" if evidence.signature is None else "the champion"
        return (Check(False, f"{whose} has no model signature, so a person decides"),)
    same = evidence.signature == evidence.champion.signature
    return (Check(same, f"the model signature {'is the same as' if same else 'differs from'} the champion's"),)


DEMANDS: Mapping[Demand, Callable[[Evidence], tuple[Check, ...]]] = {
    Demand.LINEAGE: _lineage_checks,
    Demand.SIGNATURE: _signature_checks,
}


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


def _asked(bound: float) -> str:
    """As the rule says it, never rounded."""
    text = f"{bound:.6g}"
    return text if float(text) == bound else repr(bound)


def _asked_percent(share: float) -> str:
    return f"{share * 100:.6g} %"


class Outcome(StrEnum):
    AGREED = "agreed"
    FALSE_PASS = "false_pass"
    FALSE_HOLD = "false_hold"


def compare(would_pass: bool, approved: bool) -> Outcome:
    """A false pass is what the fast track would have let through and people rejected; a false hold is the reverse."""
    if would_pass == approved:
        return Outcome.AGREED
    return Outcome.FALSE_PASS if would_pass else Outcome.FALSE_HOLD


@dataclass(frozen=True)
class Agreement:
    """Counts of versions that both the fast track has judged and people have decided."""

    agreed: int
    false_passes: int
    false_holds: int

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Agreement:
        """`counts` has a number for each Outcome that occurred."""
        return cls(*(counts.get(outcome, 0) for outcome in Outcome))

    @property
    def decided(self) -> int:
        return self.agreed + self.false_passes + self.false_holds

    @property
    def rate(self) -> float | None:
        """The share, 0 to 1, in which both said the same; None before people have decided any."""
        return self.agreed / self.decided if self.decided else None
