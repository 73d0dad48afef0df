"""The fast track: whether a version's frozen metrics are good enough to pass without a person, and every reason why or why not.

The comparisons are those of MLflow's own `validate_evaluation_results`. MLflow passes a version whose figure is missing; here it fails,
and people decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.evidence.lineage import missing
from bot.domain.grounds import newest, objection_text
from bot.domain.model import Check, Evidence, FastTrackMode, Judgement, Kind, TransitionRequest
from bot.domain.policy.rules import Demand, FastTrack, Threshold
from bot.domain.request.fast_track_metrics import asked_as, asked_percent, checks_of_metric
from bot.language import _, recorded

NO_PROMOTION = {
    Kind.OBSERVED: recorded(
        "fast track", "only promotions pass on the fast track, and this target was moved without asking"
    ),
    Kind.ROLLBACK: recorded(
        "fast track", "only promotions pass on the fast track, and this goes back to an earlier version"
    ),
}


UNCONFIRMED = Check(
    False,
    recorded(
        "fast track",
        "the champion has its place by a broken glass that nobody has confirmed, so it is no measure and a person decides",
    ),
)

OFF_RECORD = Check(
    False,
    recorded(
        "fast track",
        "what the database says of how the champion came there is not what the ledger says, so it is no measure and a person decides",
    ),
)


def judge(
    request: TransitionRequest,
    evidence: Evidence,
    track: FastTrack,
    *,
    is_switched_on: bool,
    lot: str = "",
    is_champion_unconfirmed: bool = False,
    is_champion_off_record: bool = False,
) -> Judgement:
    """Makes all checks, also after the first failure, so that people see all results.

    `is_champion_unconfirmed`: what it is compared with has its place by a broken glass alone, so it is no measure;
    `is_champion_off_record`: by rows that are not as the ledger says. `lot` seeds the sample: the id of the first request for this
    content, so that asking or registering again gives no second draw.
    """
    if track.mode is FastTrackMode.OFF:
        return Judgement(track.mode, ())
    checks = tuple(_checks(request, evidence, track))
    is_compared = Demand.SIGNATURE in track.require or any(threshold.compares for threshold in track.metrics)
    if is_champion_unconfirmed and is_compared:
        checks = (*checks, UNCONFIRMED)
    if is_champion_off_record and is_compared:
        checks = (*checks, OFF_RECORD)
    judgement = Judgement(track.mode, checks)
    if track.mode is not FastTrackMode.ON or not judgement.passes:
        return judgement
    return replace(judgement, held_back=_held_back(lot or request.id, track.sample_to_people, is_switched_on))


def demand_text(threshold: Threshold) -> str:
    """What is asked of a metric, short enough for a table: "≤ 40, better by 1 %"."""
    wanted = []
    if threshold.threshold is not None:
        wanted.append(f"{'≥' if threshold.greater_is_better else '≤'} {asked_as(threshold.threshold)}")
    if threshold.min_absolute_change is not None:
        wanted.append(_("better by {amount}", amount=asked_as(threshold.min_absolute_change)))
    if threshold.min_relative_change is not None:
        share = threshold.min_relative_change
        wanted.append(_("better by {amount}", amount=asked_percent(share)) if share else _("not worse"))
    return ", ".join(wanted)


def _checks(request: TransitionRequest, evidence: Evidence, track: FastTrack) -> Iterator[Check]:
    if request.kind is not Kind.PROMOTION:
        yield Check(False, NO_PROMOTION[request.kind])
    if request.failed_before:
        said = recorded(
            "fast track",
            "{version} has failed at {target} before: {failed}",
            version=str(request.version),
            target=str(request.target),
            failed=request.failed_before,
        )
        yield Check(False, said)
    objection = newest(request.objections)
    if objection is not None:
        said = objection_text(objection)
        yield Check(False, recorded("fast track", "people said no to the same content before: {why}", why=said))
    asked_since = (
        request.asked_since or request.opened_at
    )  # what was logged again while it waited does not count for a successor either
    for threshold in track.metrics:
        yield from checks_of_metric(threshold, evidence, asked_since)
    if evidence.artifacts is None:
        why = evidence.artifacts_unread or recorded("fast track", "no reason is known")
        yield Check(False, recorded("fast track", "nobody can vouch for files that were not read: {why}", why=why))
    for found in evidence.outside:
        yield Check(False, recorded("fast track", "the model runs files that are not its own: {file}", file=found))
    for demand in track.require:
        yield from DEMANDS[demand](evidence)


def _held_back(request_id: str, share: float, is_switched_on: bool) -> str:
    if not is_switched_on:
        return recorded("fast track", "the fast track is switched off")
    if _draw(request_id) < share:
        return recorded(
            "fast track",
            "{share} of the versions that pass go to people all the same, and this is one of them",
            share=asked_percent(share),
        )
    return ""


def _draw(request_id: str) -> float:
    """From 0 up to 1, evenly distributed, and always the same for a request."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:6]) / 2**48


# What else it must have


def _lineage_checks(evidence: Evidence) -> tuple[Check, ...]:
    gaps = [recorded("fast track", "the lineage is not complete, {gap}", gap=gap) for gap in missing(evidence)]
    if not gaps:
        return (Check(True, recorded("fast track", "the lineage is complete")),)
    return tuple(Check(False, gap) for gap in gaps)


def _signature_checks(evidence: Evidence) -> tuple[Check, ...]:
    """Of the model's inputs and outputs."""
    if evidence.champion is None:
        said = recorded(
            "fast track", "there is no champion whose model signature could be the same, so a person decides"
        )
        return (Check(False, said),)
    if evidence.signature is None:
        return (Check(False, recorded("fast track", "the version has no model signature, so a person decides")),)
    if evidence.champion.signature is None:
        return (Check(False, recorded("fast track", "the champion has no model signature, so a person decides")),)
    if evidence.signature == evidence.champion.signature:
        return (Check(True, recorded("fast track", "the model signature is the same as the champion's")),)
    return (Check(False, recorded("fast track", "the model signature differs from the champion's")),)


DEMANDS: Mapping[Demand, Callable[[Evidence], tuple[Check, ...]]] = {
    Demand.LINEAGE: _lineage_checks,
    Demand.SIGNATURE: _signature_checks,
}


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
