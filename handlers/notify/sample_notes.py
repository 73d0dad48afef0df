"""One note of each kind about things that never happened, for checking that the notifier takes them. Names are long and unusual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.domain.card.card import Card
from bot.domain.card.sample import MODEL, NAMES
from bot.domain.events import (
    BaselineTaken,
    DatabaseRestored,
    FastTrackSwitched,
    LookalikeSeen,
    ModelGone,
    ModelReadable,
    ModelRenamed,
    ModelUnreadable,
    MoveObserved,
    MoveReverted,
    PolicyActivated,
    PolicyRefused,
    RegistryDoubted,
    RegistryTrusted,
)
from bot.domain.model import DEFAULT_WORKSPACE, Target, TargetKind
from bot.domain.policy.rules import Observed, Policy
from bot.domain.registry.watch_events import HolderLeft
from handlers.notify.announcements import APPROVED, Body, note_of

LONG = "why <!channel> " * 40
LINES = ["a rule <https://example.com|of bikes> " * 8 for _ in range(40)]
TARGET: Body = {"kind": "alias", "name": "champion"}
SEVENTH: Body = {"version": 7}
FIFTH: Body = {"version": 5}
REGISTRY: Body = {"workspace": "eu/team-a"}
ONE_MODEL: Body = {"workspace": DEFAULT_WORKSPACE, "model": MODEL, "target": dict(TARGET)}
PLACED: Body = {"target": dict(TARGET), "version": dict(SEVENTH)}

SAMPLES: tuple[tuple[str, Mapping[str, object]], ...] = (
    (BaselineTaken.__name__, {**REGISTRY, "models": 1, "held": 1200}),
    (PolicyActivated.__name__, {"changes": LINES, "source": "policy.yaml"}),
    (PolicyRefused.__name__, {"mistakes": LINES, "source": "policy.yaml"}),
    (FastTrackSwitched.__name__, {"on": True, "person": next(iter(NAMES)), "reason": ""}),
    (FastTrackSwitched.__name__, {"on": False, "person": "", "reason": LONG}),
    (ModelGone.__name__, {**ONE_MODEL, "reason": LONG, "placements": [PLACED] * 9}),
    (ModelRenamed.__name__, {"workspace": DEFAULT_WORKSPACE, "before": MODEL, "after": f"{MODEL} again"}),
    (ModelUnreadable.__name__, {**ONE_MODEL, "reason": LONG}),
    (ModelReadable.__name__, dict(ONE_MODEL)),
    (LookalikeSeen.__name__, {**ONE_MODEL, "name": "Сandidate", "meant": "candidate", "what": "alias", "version": 7}),
    (RegistryDoubted.__name__, {**REGISTRY, "reason": LONG}),
    (RegistryTrusted.__name__, {**REGISTRY, "person": next(iter(NAMES)), "reason": LONG}),
    (RegistryTrusted.__name__, {**REGISTRY, "person": "", "reason": ""}),
    (DatabaseRestored.__name__, {"made_at": "2026-11-28T09:30:00+00:00", "entries": 1200, "ended": 2}),
    (MoveReverted.__name__, {**ONE_MODEL, "to": SEVENTH}),
    (MoveObserved.__name__, {**ONE_MODEL, "handling": Observed.REPORT.value, "previous": FIFTH, "version": SEVENTH}),
    (MoveObserved.__name__, {**ONE_MODEL, "handling": APPROVED, "previous": FIFTH, "version": SEVENTH}),
    (MoveObserved.__name__, {**ONE_MODEL, "handling": Observed.REVERT.value, "previous": FIFTH, "version": None}),
    (MoveObserved.__name__, {**ONE_MODEL, "handling": Observed.ASK.value, "previous": FIFTH, "version": None}),
    (HolderLeft.__name__, {**ONE_MODEL, "version": FIFTH, "stays": SEVENTH}),
)


def sample_notes(policy: Policy) -> Iterator[tuple[str, Card]]:
    """What each note is about, and its card; none for a policy without rules, which names no channel."""
    target = Target(TargetKind.ALIAS, "champion")
    rules = tuple(replace(rule, models="*", workspace="*", target=target) for rule in policy.rules[:1])
    for kind, body in SAMPLES if rules else ():
        note = note_of(kind, dict(body), replace(policy, rules=rules), NAMES)  # type: ignore[arg-type]  # plain, as in the ledger
        if note is not None:
            yield f"the note {kind}", note.card
