"""An open request whose target changed hands is outdated, however that came about; while a move is under way nothing is said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.events import RequestSuperseded, RequestWithdrawn
from bot.domain.model import Champion, DecidedBy, Kind, State, TransitionRequest, VersionId
from bot.domain.registry.comparisons import lawful_there, why_outdated
from bot.domain.request import lifecycle
from tests.builders import LATER, PRODUCTION, a_request, a_version, an_evidence
from tests.builders.custody import C1, C2, INTO_PROD, V1, V2, V3, announced, applied, approved, moved_by_hand, the_facts

V4 = a_version(4)


def pending(version: VersionId = V3, against: VersionId | None = V2, **changes: object) -> TransitionRequest:
    evidence = an_evidence(champion=Champion(against) if against else None)
    found = (against,) if against else ()
    return a_request(id="open", version=version, evidence=evidence, found=found, **changes)


def back_to_v1(at: float) -> TransitionRequest:
    return applied(V1, at, id="back", kind=Kind.ROLLBACK, away_from=V2)


OLDER = (applied(V1, 1), applied(V2, 2))
IN_STAGE = tuple(replace(one, target=PRODUCTION) for one in OLDER)
CHANGED = {
    "a rollback": (pending(), the_facts(*OLDER, back_to_v1(3), holders=(V1,))),
    "another promotion": (pending(), the_facts(*OLDER, applied(V4, 3), holders=(V4,), there=frozenset({V2, V4}))),
    "a move by hand that people are asked about": (
        pending(),
        the_facts(*OLDER, moved_by_hand(V1, State.PENDING, 3), holders=(V1,)),
    ),
    "a move by hand that is only reported": (pending(), the_facts(*OLDER, holders=(V1,))),
    "a target that was emptied": (pending(), the_facts(*OLDER, holders=())),
    "a target that had no holder": (pending(against=None), the_facts(applied(V1, 1), holders=(V1,))),
    "a holder that was ratified since": (
        replace(pending(), found=(V1,)),
        the_facts(*OLDER, moved_by_hand(V1, State.APPLIED, 3), holders=(V1,)),
    ),
    "a stage": (pending(target=PRODUCTION), the_facts(*IN_STAGE, holders=(V1,), target=PRODUCTION)),
    "a target model": (
        pending(against=C1, target=INTO_PROD),
        the_facts(holders=(C2, C1), target=INTO_PROD),
    ),
}
SAME = {
    "the same holder": (pending(), the_facts(*OLDER, holders=(V2,))),
    "a move of ours under way": (
        pending(),
        the_facts(*OLDER, approved(V1, 3, (V2,)), holders=(V1,), intents=(announced(approved(V1, 3, (V2,)), 2, 1),)),
    ),
    "a put-back under way": (
        pending(),
        the_facts(*OLDER, moved_by_hand(V1, State.REJECTED, 3, decided_by=DecidedBy.RULE), holders=(V1,)),
    ),
    "a version that is there already": (pending(), the_facts(*OLDER, holders=(V3,))),
    "evidence that is being read": (pending(state=State.COLLECTING), the_facts(*OLDER, holders=(V1,))),
    "what is decided": (approved(V3, 3, (V2,)), the_facts(*OLDER, holders=(V1,))),
    "a question about a move by hand": (
        moved_by_hand(V1, State.PENDING, 3),
        the_facts(*OLDER, holders=(V1,)),
    ),
    "a rollback away from the lawful holder, moved by hand": (
        pending(V1, V2, kind=Kind.ROLLBACK, away_from=V2),
        the_facts(*OLDER, holders=(V3,)),
    ),
}


@pytest.mark.parametrize("by", CHANGED)
def test_a_comparison_is_outdated_by(by: str) -> None:
    request, facts = CHANGED[by]

    why = why_outdated(request, facts)

    assert str(request.target) in why
    assert re.search("when the evidence was frozen it was|after the evidence of this request was frozen", why)


@pytest.mark.parametrize("by", SAME)
def test_a_comparison_is_not_outdated_by(by: str) -> None:
    request, facts = SAME[by]

    assert why_outdated(request, facts) == ""


@pytest.mark.parametrize("by", CHANGED)
def test_what_was_collected_since_is_never_outdated_so_that_a_renewal_ends(by: str) -> None:
    request, facts = CHANGED[by]
    lawful = lawful_there(facts)

    fresh = replace(pending(against=lawful, target=request.target), found=facts.holders[:1])

    assert why_outdated(fresh, facts) == ""


def test_a_rollback_is_overtaken_when_another_version_is_lawful_by_now() -> None:
    request = pending(V1, V2, kind=Kind.ROLLBACK, away_from=V2)

    why = why_outdated(request, the_facts(*OLDER, applied(V3, 3), holders=(V3,)))

    assert "to bike-demand v3 after" in why
    assert lifecycle.withdraw(request, why, LATER) == [RequestWithdrawn(LATER, "open", why)]


def test_only_an_open_promotion_is_renewed() -> None:
    renewed = lifecycle.renew(pending(), "fresh", "v1 holds it now", LATER)

    assert renewed == [RequestSuperseded(LATER, "open", "fresh", "v1 holds it now", renewed=True)]
    assert lifecycle.renew(approved(V3, 3), "fresh", "why", LATER) == []
    assert lifecycle.renew(moved_by_hand(V1, State.PENDING, 3), "fresh", "why", LATER) == []
