"""People who may not vote stay excluded: after everything that happens to a request, and under all their ids and accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Ask, AskKind, Kind, State, TransitionRequest
from bot.domain.policy.rules import UnknownRequester
from bot.domain.request import lifecycle
from bot.domain.request.evolution import initial
from bot.domain.request.lifecycle import OwnRequest, cast_vote, open_request
from bot.domain.request.opening import asked_again, remembered
from bot.domain.request.quorum import places, tally, under
from bot.errors import Refused
from tests.builders import LATER, NOON, RULE_HASH, a_request, a_rule, a_vote, after, an_observed
from tests.strategies import PEOPLE, requests

RULE = a_rule()
SOME = st.lists(st.sampled_from(PEOPLE), max_size=3, unique=True).map(tuple)


@given(requests(), SOME, SOME)
def test_a_request_that_is_opened_again_is_closed_to_all_to_whom_the_stale_one_was(
    request: TransitionRequest, barred: tuple[str, ...], latecomers: tuple[str, ...]
) -> None:
    stale = replace(request, barred=barred, latecomers=latecomers)

    for new in (lifecycle.reopened(stale), asked_again(stale, Ask(AskKind.TAG, "countersign.ask"), LATER)):
        fresh = initial(open_request(new, "fresh", RULE, RULE_HASH, LATER))
        assert fresh.parties >= stale.parties | set(latecomers)
        assert fresh.requester == stale.requester


@given(requests(), SOME, st.sampled_from(Kind))
def test_of_an_earlier_request_all_are_remembered_unless_it_was_applied_and_this_one_goes_back(
    earlier: TransitionRequest, latecomers: tuple[str, ...], kind: Kind
) -> None:
    earlier = replace(earlier, latecomers=latecomers)
    is_going_back = kind is Kind.ROLLBACK and earlier.kind is not Kind.ROLLBACK and earlier.state is State.APPLIED

    assert remembered(earlier, kind) == (frozenset() if is_going_back else earlier.parties | set(latecomers))


def test_an_adopted_holder_stays_adopted_when_its_request_is_opened_again() -> None:
    stale = an_observed(State.STALE, ask=Ask(AskKind.ADOPTED), previous=None)

    again = initial(open_request(lifecycle.reopened(stale), "fresh", RULE, RULE_HASH, LATER))
    once_more = initial(open_request(lifecycle.reopened(again), "fresher", RULE, RULE_HASH, LATER))

    assert (again.ask.kind, again.is_adopted, once_more.is_adopted) == (AskKind.REOPENED, True, True)


@pytest.mark.parametrize(
    "kept", [{"requester": "cy"}, {"author": "cy"}, {"joined": ("cy",)}, {"barred": ("cy",)}], ids=str
)
def test_nobody_votes_on_their_own_under_another_id(kept: dict[str, object]) -> None:
    request = a_request(**kept)

    with pytest.raises(OwnRequest, match="someone else must decide it"):
        cast_vote(request, a_vote("cy-with-a-new-address", also=("cy",)), RULE, RULE_HASH)


def test_nobody_votes_twice_under_two_ids() -> None:
    rule = a_rule({"leads": 2})
    voted = after(a_request(), cast_vote(a_request(), a_vote("cy"), rule, RULE_HASH))

    with pytest.raises(Refused, match="you have voted on this already"):
        cast_vote(voted, a_vote("cy-with-a-new-address", also=("cy",)), rule, RULE_HASH)


def test_a_vote_counts_no_longer_when_its_person_asks_under_another_id() -> None:
    rule = a_rule({"leads": 2})
    voted = after(a_request(), cast_vote(a_request(), a_vote("cy-new", also=("cy",)), rule, RULE_HASH))

    joined = after(voted, lifecycle.join(voted, "cy", Ask(AskKind.API), "", LATER))

    assert under(joined, RULE_HASH).votes == ()


@given(st.sampled_from(UnknownRequester), st.sampled_from([None, "bea"]), st.sampled_from([None, "dan"]))
def test_a_move_by_hand_never_needs_fewer_votes_than_asking(
    unknown: UnknownRequester, author: str | None, requester: str | None
) -> None:
    rule = a_rule({"leads": 1, "risk": 1}, unknown_requester=unknown)
    asked = a_request(requester=requester, author=author)
    moved = an_observed(requester=requester, author=author)

    assert len(places(moved, rule)) >= len(places(asked, rule))
    for request in (asked, moved):
        may_be_approved = unknown is not UnknownRequester.REFUSE or None not in (author, requester)
        try:
            assert may_be_approved == bool(cast_vote(request, a_vote("cy", "leads", "risk"), rule, RULE_HASH))
        except Refused:
            assert not may_be_approved


def test_a_rule_that_only_has_another_name_since_an_upgrade_keeps_its_votes_and_approvals() -> None:
    rule = a_rule({"leads": 2})
    voted = after(a_request(), cast_vote(a_request(), a_vote("cy"), rule, RULE_HASH))

    rebound = after(voted, lifecycle.rebind(voted, RULE_HASH, "sha256:new", LATER))

    assert [vote.rule_hash for vote in under(rebound, "sha256:new").votes] == ["sha256:new"]
    assert lifecycle.rebind(rebound, RULE_HASH, "sha256:new", LATER) == []
    assert after(rebound, cast_vote(rebound, a_vote("dan"), rule, "sha256:new")).state is State.APPROVED


def test_a_stand_in_whose_group_is_made_of_others_now_stands_in_no_longer_and_may_vote_again() -> None:
    rule = a_rule({"leads": 1, "risk": 1})
    both, stand_in = a_vote("cy", "leads", "heads"), a_vote("dan", "heads")
    request = a_request(escalated_at=NOON, votes=(both, stand_in))

    voided = after(request, lifecycle.void_stand_ins(request, "heads", LATER))

    assert [(vote.person, vote.groups) for vote in under(voided, RULE_HASH).votes] == [("cy", ("leads",))]
    assert tally(under(voided, RULE_HASH), rule).missing == ("risk",)
    assert cast_vote(voided, a_vote("dan", "risk"), rule, RULE_HASH)
