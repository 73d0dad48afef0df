"""Who decided a request, as the lists of the command line say it."""

from __future__ import annotations

import pytest

from bot.commands.reading.deciders import approved_by
from bot.domain.model import ENDED_UNDECIDED, DecidedBy, State
from tests.builders import a_rejection, a_request, a_vote

NAMES = {"ben": "Ben", "cy": "Cy"}


@pytest.mark.parametrize("state", [*ENDED_UNDECIDED, State.PENDING, State.COLLECTING])
def test_votes_on_what_ended_undecided_or_still_waits_have_decided_nothing(state: State) -> None:
    assert approved_by(a_request(state, votes=(a_vote("ben"), a_vote("cy"))), NAMES) == ""


def test_only_votes_for_what_came_about_have_decided_it() -> None:
    votes = (a_vote("ben"), a_rejection("cy"))

    assert approved_by(a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE, votes=votes), NAMES) == "Cy"
    assert approved_by(a_request(State.APPLIED, decided_by=DecidedBy.PEOPLE, votes=votes[:1]), NAMES) == "Ben"
