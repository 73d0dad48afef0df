"""Which requests count for a copy that holds its target by approval."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.attestation.counting import newest_verdict, that_count
from bot.domain.model import StaleCause, State, VersionId
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


@pytest.mark.parametrize("version", [COPY, a_version()], ids=["its own", "of its original"])
def test_a_later_approval_that_went_stale_because_the_files_are_others_counts(version: VersionId) -> None:
    """A copy has the files of its original."""
    changed = a_request(State.STALE, id="changed", version=version, decided_at=AGAIN, stale_cause=StaleCause.FILES)

    assert newest_verdict(that_count([APPROVED, changed], COPY)) == changed


@pytest.mark.parametrize("cause", [StaleCause.EVIDENCE, StaleCause.RULE, StaleCause.TARGET, StaleCause.OVERTAKEN])
def test_a_later_approval_of_the_holder_itself_takes_nothing_from_it_when_it_goes_stale_for_another_cause(
    cause: StaleCause,
) -> None:
    own = a_request(State.STALE, id="own", version=COPY, decided_at=AGAIN, stale_cause=cause)

    assert newest_verdict(that_count([APPROVED, own], COPY)) == APPROVED


@pytest.mark.parametrize("state", [State.APPROVED, State.STALE, State.CALLED_OFF])
def test_a_later_approval_of_the_holder_itself_counts_that_waits_was_called_off_or_has_no_cause(state: State) -> None:
    """Older releases recorded no cause."""
    own = a_request(state, id="own", version=COPY, decided_at=AGAIN)

    assert newest_verdict(that_count([APPROVED, own], COPY)) == own


def test_a_no_stays_when_an_approval_after_it_had_no_effect() -> None:
    no = a_request(State.REJECTED, id="no", decided_at=AGAIN)
    idle = a_request(State.STALE, id="idle", decided_at=AGAIN + timedelta(hours=1))

    assert newest_verdict(that_count([APPROVED, no, idle], COPY)) == no
