"""Replaying the past under another policy: judged on the frozen evidence, with the votes that were cast."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import Ask, AskKind, DecidedBy, FastTrackMode, Kind, State, TransitionRequest
from bot.domain.policy.rules import FastTrack, Observed, Policy, RollbackBy, Threshold, UnknownRequester
from bot.domain.queries.policy_replay import Comparison, happened, replay, summed_up
from bot.domain.registry.model_uri import ModelUri
from bot.errors import Refused
from tests.builders import (
    LATER,
    NOON,
    a_metric,
    a_policy,
    a_rejection,
    a_request,
    a_rule,
    a_vote,
    an_evidence,
    an_observed,
)


def a_track(at_most: float = 40, mode: FastTrackMode = FastTrackMode.ON, sample: float = 0.0) -> FastTrack:
    return FastTrack(mode, (Threshold("mae", greater_is_better=False, threshold=at_most),), sample_to_people=sample)


def approved(**changes: object) -> TransitionRequest:
    """By cy of the leads, an hour after it was opened; its mae is 31.5."""
    usual = {"votes": (a_vote("cy", "leads"),), "decided_by": DecidedBy.PEOPLE, "pending_since": NOON}
    return a_request(State.APPLIED, **(usual | changes))


def rejected(*groups: str) -> TransitionRequest:
    votes = (a_rejection("cy", groups=groups),)
    return a_request(State.REJECTED, votes=votes, decided_by=DecidedBy.PEOPLE)


def with_track(track: FastTrack) -> Policy:
    return a_policy(a_rule(fast_track=track))


# What people had decided


def test_what_people_approved_would_have_passed_by_itself_when_every_check_passes() -> None:
    replayed = replay(approved(), with_track(a_track()))

    assert replayed.comparison is Comparison.PASSES
    assert "31.5" in replayed.why
    assert replayed.waited == timedelta(hours=1)


@pytest.mark.parametrize(
    "track",
    [a_track(at_most=30), a_track(mode=FastTrackMode.SHADOW), a_track(mode=FastTrackMode.OFF), a_track(sample=1.0)],
    ids=["held", "shadow", "off", "drawn for the sample"],
)
def test_what_people_approved_stays_with_them_where_the_fast_track_would_not_decide(track: FastTrack) -> None:
    replayed = replay(approved(), with_track(track))

    assert replayed.comparison is Comparison.SAME


def test_the_fast_track_is_asked_about_the_evidence_that_was_frozen() -> None:
    worse = approved(evidence=an_evidence(metrics=(a_metric("mae", 41),)))

    replayed = replay(worse, with_track(a_track()))

    assert replayed.judgement is not None
    assert not replayed.judgement.passes


def test_a_second_group_needs_more_votes_and_is_named() -> None:
    policy = a_policy(a_rule({"leads": 1, "risk": 1}))

    replayed = replay(approved(), policy)

    assert (replayed.comparison, replayed.why) == (Comparison.NEEDS_VOTES, "lacks one of risk")


def test_votes_count_for_the_groups_that_were_recorded_with_them_whatever_rule_they_were_cast_under() -> None:
    policy = a_policy(a_rule({"leads": 1, "risk": 1}))
    votes = (a_vote("cy", "leads", rule_hash="sha256:old"), a_vote("dan", "risk", rule_hash="sha256:older"))

    replayed = replay(approved(votes=votes), policy)

    assert replayed.comparison is Comparison.SAME


def test_the_vote_of_somebody_who_asked_meanwhile_counts_for_nothing() -> None:
    replayed = replay(approved(joined=("cy",)), a_policy())

    assert replayed.comparison is Comparison.NEEDS_VOTES


def test_an_unknown_requester_can_be_refused_by_the_other_policy() -> None:
    policy = a_policy(a_rule(unknown_requester=UnknownRequester.REFUSE))

    replayed = replay(approved(requester=None), policy)

    assert replayed.comparison is Comparison.NEEDS_VOTES
    assert "whom the policy names" in replayed.why


def test_a_rejection_stands_when_whoever_rejected_has_a_say_under_the_other_policy() -> None:
    said = [replay(rejected("leads"), a_policy(a_rule({group: 1}))) for group in ("leads", "risk")]

    assert [one.comparison for one in said] == [Comparison.SAME, Comparison.NEEDS_VOTES]


def test_what_people_rejected_and_would_pass_is_counted_apart() -> None:
    replayed = [replay(one, with_track(a_track())) for one in (rejected("leads"), approved())]

    summary = summed_up(replayed)

    assert summary.counts == {Comparison.PASSES: 2}
    assert summary.passed_though_rejected == 1


# What nobody had decided, or no person


def test_what_the_fast_track_let_through_would_have_been_held_by_a_stricter_threshold() -> None:
    let_through = a_request(State.APPLIED, decided_by=DecidedBy.FAST_TRACK)

    held, same = (replay(let_through, with_track(a_track(at_most=limit))) for limit in (30, 40))

    assert (held.comparison, same.comparison) == (Comparison.HELD, Comparison.SAME)
    assert "31.5" in held.why
    assert held.waited is None


def test_votes_that_were_too_few_may_be_enough_under_the_other_policy() -> None:
    expired = a_request(State.EXPIRED, votes=(a_vote("cy", "leads"),))

    enough, too_few = (replay(expired, a_policy(a_rule({"leads": quorum}))) for quorum in (1, 2))

    assert (enough.comparison, too_few.comparison) == (Comparison.ENOUGH_VOTES, Comparison.SAME)


def test_an_ended_request_would_have_passed_as_well() -> None:
    replayed = replay(a_request(State.EXPIRED), with_track(a_track()))

    assert replayed.comparison is Comparison.PASSES
    assert replayed.waited is None


def test_a_target_that_no_rule_speaks_of_any_more_is_said_so() -> None:
    replayed = replay(approved(), a_policy(a_rule(models="rain-*")))

    assert (replayed.comparison, replayed.rule) == (Comparison.NO_RULE, None)


def test_a_rollback_is_at_once_only_where_the_rule_says_so_and_the_version_was_approved_before() -> None:
    back = approved(kind=Kind.ROLLBACK, ask=Ask(AskKind.ROLLBACK), away_from=None)
    by_rule = a_policy(a_rule(rollback=RollbackBy.RULE))
    by_votes = a_policy(a_rule(rollback=RollbackBy.VOTES))

    said = [replay(back, by_rule, was_approved_before=True), replay(back, by_rule), replay(back, by_votes)]

    assert [one.comparison for one in said] == [Comparison.PASSES, Comparison.SAME, Comparison.SAME]


def test_an_observed_move_that_the_rule_would_put_back_asks_nobody() -> None:
    ratified = an_observed(State.APPLIED, votes=(a_vote("cy", "leads"),), decided_by=DecidedBy.PEOPLE)
    put_back = an_observed(State.REJECTED, decided_by=DecidedBy.RULE)
    reverting = a_policy(a_rule(observed=Observed.REVERT))

    said = [replay(ratified, reverting), replay(put_back, reverting), replay(ratified, a_policy())]

    assert [one.comparison for one in said] == [Comparison.NOT_ASKED, Comparison.SAME, Comparison.SAME]


# The summary


def test_the_summary_adds_up_what_approvals_would_have_waited_less() -> None:
    hours = (1, 2, 9)
    replayed = [replay(approved(decided_at=NOON + timedelta(hours=waited)), with_track(a_track())) for waited in hours]

    summary = summed_up(replayed)

    assert (summary.requests, summary.saved) == (3, timedelta(hours=12))
    assert summary.median_saved == timedelta(hours=2)


def test_a_summary_of_nothing_saves_nothing() -> None:
    summary = summed_up([])

    assert (summary.requests, summary.saved, summary.median_saved) == (0, timedelta(), None)


def test_what_happened_says_who_decided() -> None:
    requests = [
        approved(),
        a_request(State.APPLIED, decided_by=DecidedBy.FAST_TRACK),
        an_observed(State.REJECTED),
        a_request(State.REJECTED, votes=(a_rejection(),), decided_at=LATER),
        a_request(State.SUPERSEDED),
        a_request(),
    ]

    assert [happened(request) for request in requests] == [
        "approved by people",
        "approved by the fast track",
        "rejected by the rule",
        "rejected by people",
        "superseded",
        "still waiting",
    ]


# How a version is named


def test_a_version_is_named_by_its_number_or_by_an_alias() -> None:
    named = [ModelUri.parse(text) for text in ("models:/bike-demand/7", "models:/bike-demand@candidate")]

    assert named == [ModelUri("bike-demand", 7, None), ModelUri("bike-demand", None, "candidate")]


@pytest.mark.parametrize(
    "text", ["bike-demand", "models:/bike-demand", "models:/bike/Production", "models:/bike/0", ""]
)
def test_whatever_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match="models:/bike-demand/7"):
        ModelUri.parse(text)
