"""A full digest in which everybody writes as much as people do, in narrow letters and wide ones."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from bot.domain.digest.figures import Digest, FastTrackFigures, Finding, FindingKind, Latency, Pipeline, PolicyChange
from bot.domain.model import Target, TargetKind
from tests.builders.digest import a_digest, a_holding, a_transition, a_version_of, a_waiting, at, listed

PIPELINE = 8  # names
LONG = timedelta(days=1234, hours=23)
LONG_TARGET = Target(TargetKind.MODEL, "production.europe.customers.scoring-of-credit")
TICKET = "GOVERNANCE-123456"
LONG_NAMES = (
    "demand_forecast_for_the_whole_of_europe_with_weather_and_holidays",
    "W" * 70,
    "需要予測モデル" * 9,
    "i" * 120,
    "Forecast of the demand for bicycles in every town of the northern provinces",
    "models/europe/spain/andalusia/bikes.demand:champion",
    "Bauchspeicheldrüsenentzündungsfrüherkennungsmodell" * 2,
)


def a_full_digest_of_long_names(many: int = 30) -> Digest:
    """Names, reasons and rules as long as people write them, with joints and without, in wide letters and narrow ones."""
    names = [f"{LONG_NAMES[n % len(LONG_NAMES)]}-{n}" for n in range(many)]
    long = names[0]
    matters = [Finding(FindingKind.NO_RULE, f"{name} v1 holds {LONG_TARGET}: {name * 2}", at(1)) for name in names]
    return a_digest(
        attention=listed(*matters),
        concerns={FindingKind.NO_RULE: many},
        inventory=listed(
            *(a_holding(name, 1_000_000, target=LONG_TARGET, approval_age=LONG, ticket=TICKET) for name in names)
        ),
        transitions=listed(
            *(a_transition(name, 1_000_000, target=LONG_TARGET, reason=name * 3, ticket=TICKET) for name in names)
        ),
        waiting=listed(
            *(a_waiting(name, 1_000_000, target=LONG_TARGET, age=LONG, missing=name, ticket=TICKET) for name in names)
        ),
        latency=(Latency("", 3_000_000, LONG, LONG), *(Latency(name, 3_000_000, LONG, LONG) for name in names)),
        fast_track=tuple(FastTrackFigures(name, *[3_000_000] * 6) for name in names),
        changes=listed(*(PolicyChange(at(1), "PolicyActivated", name * 2, (name, name * 3)) for name in names)),
        pipelines=(Pipeline(a_version_of(long, 7), LONG_TARGET, (long,), tuple(pairwise(names[:PIPELINE]))),),
        names={"p-ana": LONG_NAMES[0], "p-ben": LONG_NAMES[1], "p-cy": LONG_NAMES[2]},
    )
