"""Which requests count for a copy that holds its target by approval."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.attestation.counting import newest_verdict, that_count
from bot.domain.model import State
from tests.builders import LATER, a_request, a_version

COPY = a_version(1, "prod.bike-demand")
APPROVED = a_request(State.APPLIED, id="approved", version=COPY, decided_at=LATER)
AGAIN = LATER + timedelta(hours=1)


@pytest.mark.parametrize("state", [State.APPROVED, State.STALE, State.CALLED_OFF])
def test_a_later_approval_of_the_original_without_effect_takes_nothing_from_the_copy(state: State) -> None:
    idle = a_request(state, id="idle", decided_at=AGAIN)

    assert newest_verdict(that_count([APPROVED, idle], COPY)) == APPROVED


@pytest.mark.parametrize("state", [State.REJECTED, State.APPLIED])
def test_a_later_decision_about_the_original_that_took_effect_counts(state: State) -> None:
    later = a_request(state, id="later", decided_at=AGAIN)

    assert newest_verdict(that_count([APPROVED, later], COPY)) == later


@pytest.mark.parametrize("state", [State.STALE, State.CALLED_OFF])
def test_a_later_approval_of_the_copy_itself_counts_in_any_state(state: State) -> None:
    own = a_request(state, id="own", version=COPY, decided_at=AGAIN)

    assert newest_verdict(that_count([APPROVED, own], COPY)) == own


def test_a_no_stays_when_an_approval_after_it_had_no_effect() -> None:
    no = a_request(State.REJECTED, id="no", decided_at=AGAIN)
    idle = a_request(State.STALE, id="idle", decided_at=AGAIN + timedelta(hours=1))

    assert newest_verdict(that_count([APPROVED, no, idle], COPY)) == no
