"""How votes fill the places that a rule demands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import (
    Ask,
    AskKind,
    Assertion,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Approve, Escalate, Observed, ReasonDemand, Requirement, Rule, UnknownRequester
from bot.domain.request.lifecycle import cast_vote
from bot.domain.request.quorum import ANYONE, places, requester_is_unknown, tally, wants_passkey
from bot.errors import Refused

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GROUPS = ("leads", "risk", "legal")
REQUEST = TransitionRequest(
    id="3f1c9a70",
    kind=Kind.PROMOTION,
    state=State.PENDING,
    version=VersionId("default", "bike-demand", 7, NOON),
    target=Target(TargetKind.ALIAS, "champion"),
    ask=Ask(AskKind.COMMAND),
    requester="ana",
    author="bea",
    comment="",
    opened_at=NOON,
    expires_at=None,
    rule_hash="sha256:0",
)


def rule_of(**quorums: int) -> Rule:
    requirements = tuple(Requirement(group, quorum) for group, quorum in quorums.items())
    return Rule(
        models="bike-*",
        workspace="default",
        target=REQUEST.target,
        ask_on=(),
        observed=Observed.ASK,
        channel="#models",
        ticket=None,
        approve=Approve(requirements, ReasonDemand.ON_REJECT, UnknownRequester.ONE_MORE),
        expire_after=None,
    )


def approval(person: str, *groups: str) -> Vote:
    return Vote(person, Verdict.APPROVE, "", NOON, groups, "test")


def with_votes(*votes: Vote, request: TransitionRequest = REQUEST) -> TransitionRequest:
    return replace(request, votes=votes)


def test_without_votes_every_place_is_open() -> None:
    now = tally(with_votes(), rule_of(leads=2, risk=1))

    assert now.missing == ("leads", "leads", "risk")
    assert not now.is_complete


def test_a_rejection_fills_no_place() -> None:
    rejection = replace(approval("cy", "leads"), verdict=Verdict.REJECT)

    now = tally(with_votes(rejection), rule_of(leads=1))

    assert (now.met, now.missing) == ((), ("leads",))


def test_a_vote_counts_only_for_the_groups_of_the_voter() -> None:
    now = tally(with_votes(approval("cy", "risk")), rule_of(leads=1))

    assert now.missing == ("leads",)


def test_a_quorum_of_two_takes_two_people() -> None:
    rule = rule_of(leads=2)

    assert tally(with_votes(approval("cy", "leads")), rule).missing == ("leads",)
    assert tally(with_votes(approval("cy", "leads"), approval("dan", "leads")), rule).is_complete


def test_one_person_in_two_groups_does_not_stand_for_both() -> None:
    now = tally(with_votes(approval("cy", "leads", "risk")), rule_of(leads=1, risk=1))

    assert len(now.met) == len(now.missing) == 1


def test_who_belongs_to_two_groups_makes_room_for_who_belongs_to_one() -> None:
    rule = rule_of(leads=1, risk=1)

    now = tally(with_votes(approval("abe", "leads", "risk"), approval("cy", "leads")), rule)

    assert dict(now.met) == {"abe": "risk", "cy": "leads"}


def test_more_approvals_than_places_do_no_harm() -> None:
    votes = [approval(person, "leads") for person in ("cy", "dan", "eve")]

    now = tally(with_votes(*votes), rule_of(leads=1))

    assert now.is_complete
    assert len(now.met) == 1


@pytest.mark.parametrize(
    ("requester", "author", "kind", "unknown"),
    [
        ("ana", "bea", Kind.PROMOTION, False),
        (None, "bea", Kind.PROMOTION, True),
        ("ana", None, Kind.PROMOTION, True),
        (None, "bea", Kind.OBSERVED, True),
        ("ana", "bea", Kind.OBSERVED, False),
        (None, "bea", Kind.ROLLBACK, False),
        (None, None, Kind.OBSERVED, True),
    ],
)
def test_who_is_unknown(requester: str | None, author: str | None, kind: Kind, unknown: bool) -> None:
    request = replace(REQUEST, requester=requester, author=author, kind=kind)

    assert requester_is_unknown(request) is unknown


def test_an_unknown_requester_costs_one_more_approval_by_anyone_of_the_groups() -> None:
    request = replace(REQUEST, requester=None)
    rule = rule_of(leads=1, risk=1)

    assert places(request, rule) == ("leads", "risk", ANYONE)
    two = with_votes(approval("cy", "leads"), approval("dan", "risk"), request=request)
    assert tally(two, rule).missing == (ANYONE,)
    assert tally(replace(two, votes=(*two.votes, approval("eve", "risk"))), rule).is_complete


@pytest.mark.parametrize("unknown", [UnknownRequester.REFUSE, UnknownRequester.AUTHOR_ONLY])
def test_the_other_answers_to_an_unknown_requester_cost_no_further_approval(unknown: UnknownRequester) -> None:
    rule = rule_of(leads=1)

    milder = replace(rule, approve=replace(rule.approve, unknown_requester=unknown))

    assert places(replace(REQUEST, requester=None), milder) == ("leads",)


# What Hypothesis plays with: any rule, any people in any groups, any of them approving.

QUORUMS = st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 3), min_size=1)
MEMBERSHIPS = st.sets(st.sampled_from(GROUPS), min_size=1).map(sorted)
VOTES = st.lists(
    st.builds(
        lambda person, groups, verdict: replace(approval(person, *groups), verdict=verdict),
        st.sampled_from("abcdefgh"),
        MEMBERSHIPS,
        st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.REJECT]),
    ),
    unique_by=lambda vote: vote.person,
)
REQUESTERS = st.sampled_from([None, "ana"])


def seats_by_brute_force(votes: list[Vote], wanted: tuple[str, ...]) -> bool:
    """Tries every way to seat people, which is too slow for the product and plain enough to trust."""
    if len(votes) < len(wanted):
        return False
    return any(
        all(group == ANYONE or group in vote.groups for vote, group in zip(chosen, wanted, strict=True))
        for chosen in permutations(votes, len(wanted))
    )


@given(QUORUMS, VOTES, REQUESTERS, st.data())
def test_the_order_of_votes_never_matters(
    quorums: dict[str, int], votes: list[Vote], requester: str | None, data: st.DataObject
) -> None:
    request = replace(REQUEST, requester=requester)
    shuffled = data.draw(st.permutations(votes))

    one, other = (tally(with_votes(*order, request=request), rule_of(**quorums)) for order in (votes, shuffled))

    assert one == other


@given(QUORUMS, VOTES, REQUESTERS)
def test_nobody_sits_twice_or_where_they_do_not_belong(
    quorums: dict[str, int], votes: list[Vote], requester: str | None
) -> None:
    request = with_votes(*votes, request=replace(REQUEST, requester=requester))

    now = tally(request, rule_of(**quorums))

    groups_of = {vote.person: (*vote.groups, ANYONE) for vote in votes if vote.verdict is Verdict.APPROVE}
    people = [person for person, _ in now.met]
    assert len(set(people)) == len(people)
    assert all(group in groups_of[person] for person, group in now.met)


@given(QUORUMS, VOTES, REQUESTERS)
def test_every_place_is_either_met_or_missing(
    quorums: dict[str, int], votes: list[Vote], requester: str | None
) -> None:
    request = with_votes(*votes, request=replace(REQUEST, requester=requester))
    rule = rule_of(**quorums)

    now = tally(request, rule)

    assert sorted([*(group for _, group in now.met), *now.missing]) == sorted(places(request, rule))


@given(
    st.dictionaries(st.sampled_from(GROUPS[:2]), st.integers(1, 2), min_size=1),
    VOTES.map(lambda votes: votes[:6]),
    REQUESTERS,
)
def test_complete_means_exactly_that_different_people_can_fill_all_places(
    quorums: dict[str, int], votes: list[Vote], requester: str | None
) -> None:
    request = with_votes(*votes, request=replace(REQUEST, requester=requester))
    rule = rule_of(**quorums)
    approvals = [vote for vote in votes if vote.verdict is Verdict.APPROVE]

    now = tally(request, rule)

    assert now.is_complete is seats_by_brute_force(approvals, places(request, rule))


@given(QUORUMS, VOTES)
def test_an_unknown_requester_takes_exactly_one_more_vote(quorums: dict[str, int], votes: list[Vote]) -> None:
    rule = rule_of(**quorums)
    unknown = with_votes(*votes, request=replace(REQUEST, requester=None))
    approvals = sum(vote.verdict is Verdict.APPROVE for vote in votes)

    known_is_complete = tally(with_votes(*votes), rule).is_complete

    assert tally(unknown, rule).is_complete is (known_is_complete and approvals > sum(quorums.values()))


@given(QUORUMS, VOTES, MEMBERSHIPS)
def test_a_further_approval_never_opens_a_place(quorums: dict[str, int], votes: list[Vote], groups: list[str]) -> None:
    rule = rule_of(**quorums)
    before = tally(with_votes(*votes), rule)

    after = tally(with_votes(*votes, approval("zoe", *groups)), rule)

    assert len(before.missing) - 1 <= len(after.missing) <= len(before.missing)


def by_passkey(vote: Vote) -> Vote:
    return replace(vote, passkey=Assertion("Y3JlZA", "e30", "AA", "AA", "sha256:1"))


LEADS_SIGN = replace(
    rule_of(leads=1, risk=1),
    approve=Approve(
        (Requirement("leads", 1, passkey=True), Requirement("risk", 1)),
        ReasonDemand.ON_REJECT,
        UnknownRequester.ONE_MORE,
    ),
)


def test_an_approval_without_its_passkey_takes_no_place_that_needs_one() -> None:
    both = approval("cy", "leads", "risk")

    pressed, signed = tally(with_votes(both), LEADS_SIGN), tally(with_votes(by_passkey(both)), LEADS_SIGN)

    assert (pressed.met, pressed.missing) == ((("cy", "risk"),), ("leads",))
    assert signed.met == (("cy", "leads"),)


def test_the_person_with_the_passkey_is_seated_where_one_is_needed() -> None:
    signed, pressed = by_passkey(approval("cy", "leads", "risk")), approval("dan", "leads", "risk")

    for votes in permutations((signed, pressed)):
        assert set(tally(with_votes(*votes), LEADS_SIGN).met) == {("cy", "leads"), ("dan", "risk")}


@pytest.mark.parametrize(("groups", "wanted"), [(("leads",), True), (("risk",), False), (("heads",), True)])
def test_who_stands_in_for_a_group_that_needs_a_passkey_needs_theirs(groups: tuple[str, ...], wanted: bool) -> None:
    rule = replace(LEADS_SIGN, escalate=Escalate(timedelta(hours=8), "heads"))
    escalated = replace(REQUEST, escalated_at=NOON)

    pressed = approval("cy", *groups)

    assert wants_passkey(pressed, rule) is wanted
    assert not wants_passkey(replace(pressed, verdict=Verdict.REJECT), rule)
    assert ("leads" in tally(with_votes(pressed, request=escalated), rule).missing) is True


def test_a_rule_that_needs_passkeys_counts_no_approval_without_one_anywhere() -> None:
    rule = replace(LEADS_SIGN, approve=replace(LEADS_SIGN.approve, passkey=True))
    unknown = replace(REQUEST, requester=None)

    pressed = with_votes(approval("cy", "leads"), approval("dan", "risk"), approval("eve", "risk"), request=unknown)

    assert tally(pressed, rule).missing == ("leads", "risk", ANYONE)
    assert tally(replace(pressed, votes=tuple(map(by_passkey, pressed.votes))), rule).is_complete


def test_an_approval_that_takes_a_passkey_is_not_cast_without_one_and_a_rejection_is() -> None:
    vote = approval("cy", "leads")

    with pytest.raises(Refused, match="this approval needs your passkey"):
        cast_vote(REQUEST, vote, LEADS_SIGN, "sha256:0")

    assert cast_vote(REQUEST, by_passkey(vote), LEADS_SIGN, "sha256:0")
    assert cast_vote(REQUEST, replace(vote, verdict=Verdict.REJECT, reason="worse"), LEADS_SIGN, "sha256:0")
