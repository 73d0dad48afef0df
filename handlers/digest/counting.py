"""What is counted of decisions: how long they took, under which rule, week for week, and how the fast track has done.

The database counts (`bot.store.digest_figures`); here its answers get the names that rules have in the policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain import events as e
from bot.domain.digest.figures import TREND_WEEKS, FastTrackFigures, Latency, WeekOfTrend
from bot.domain.digest.periods import Period, previous_period
from bot.domain.policy.rules import Policy
from bot.domain.request.fast_track import Agreement
from bot.errors import InvalidPolicy
from bot.language import N_, _
from bot.store.digest_figures import ENDINGS, Decided, DigestFigures, KindCounts
from bot.store.transaction import Store

NO_LONGER_KNOWN = N_("rules that are no longer known")


class Policies:
    """Those that were in force before the week ended, the newest first; what this release cannot read is as if it had never been."""

    def __init__(self, figures: DigestFigures, store: Store, ends: datetime) -> None:
        self._activated = list(figures.policy_texts(ends))
        self._texts = [text for _, text in self._activated]
        self._store = store

    def in_force(self) -> Policy | None:
        return self._read(self._texts[0]) if self._texts else None

    def newest_first(self) -> Iterator[tuple[datetime, Policy]]:
        """Each with the time when it came into force."""
        for at, text in self._activated:
            policy = self._read(text)
            if policy is not None:
                yield at, policy

    def labels(self, hashes: Iterable[str]) -> Mapping[str, str]:
        """The labels of the rules with these hashes."""
        wanted = dict.fromkeys(hashes, str(_(NO_LONGER_KNOWN)))
        unknown = set(wanted)
        for text in self._texts:
            if not unknown:
                break
            policy = self._read(text)
            by_hash = {one: rule.label for rule in policy.rules for one in policy.hashes(rule)} if policy else {}
            wanted |= {one: by_hash[one] for one in unknown & by_hash.keys()}
            unknown -= by_hash.keys()
        return wanted

    def _read(self, text: str) -> Policy | None:
        try:
            return self._store.parse_policy(text)
        except InvalidPolicy:
            return None


def weeks_before(period: Period, figures: DigestFigures) -> Iterator[WeekOfTrend]:
    """Oldest first, none from before the ledger began. What a digest was frozen with is not counted again."""
    weeks: list[Period] = []
    earlier, began = previous_period(period), figures.began_at()
    while began is not None and earlier.ends > began and len(weeks) < TREND_WEEKS - 1:
        weeks.insert(0, earlier)
        earlier = previous_period(earlier)
    frozen = figures.frozen_trend([week.week for week in weeks])
    for week in weeks:
        if week.week in frozen:
            yield _frozen_week(week.week, frozen[week.week])
        else:
            ended = figures.kinds(week).of(*ENDINGS)
            yield week_of_trend(week.week, figures.decided(week), ended)


def _frozen_week(week: str, said: Mapping[str, Any]) -> WeekOfTrend:
    median, p95 = (None if said[key] is None else timedelta(seconds=said[key]) for key in ("median", "p95"))
    return WeekOfTrend(week, said["decided"], median, p95, said["transitions"])


def week_of_trend(week: str, decided: Decided, ended: int) -> WeekOfTrend:
    return WeekOfTrend(week, decided.decided, decided.median, decided.p95, ended)


def latency_by_rule(
    period: Period, by_hash: Mapping[str, Decided], policies: Policies, figures: DigestFigures
) -> Iterator[Latency]:
    """All rules together first, then each by its label; a rule that was changed in the week has several hashes."""
    yield _as_latency("", by_hash[""])
    labels = policies.labels(one for one in by_hash if one)
    for label in sorted(set(labels.values())):
        hashes = [one for one in labels if labels[one] == label]
        yield _as_latency(label, by_hash[hashes[0]] if len(hashes) == 1 else figures.latency_under(hashes, period))


def _as_latency(label: str, decided: Decided) -> Latency:
    return Latency(label, decided.decided, decided.median, decided.p95)


def fast_track_by_rule(
    period: Period, kinds: KindCounts, policies: Policies, figures: DigestFigures
) -> tuple[FastTrackFigures, ...]:
    judged = figures.judged(period) if kinds.of(e.FastTrackJudged.__name__) else {}
    compared = figures.compared(period) if kinds.of(e.FastTrackCompared.__name__) else {}
    by_hash = figures.undone(period) if kinds.of(e.RequestOpened.__name__) else {}
    labels = policies.labels(by_hash)
    undone: dict[str, int] = {}
    for rule_hash, times in by_hash.items():
        undone[labels[rule_hash]] = undone.get(labels[rule_hash], 0) + times
    told = []
    for rule in sorted({*judged, *compared, *undone}):
        passed, held = judged.get(rule, (0, 0))
        agreement = Agreement.of(compared.get(rule, {}))
        said = agreement.agreed, agreement.false_passes, agreement.false_holds
        told.append(FastTrackFigures(rule, passed, held, undone.get(rule, 0), *said))
    return tuple(told)
