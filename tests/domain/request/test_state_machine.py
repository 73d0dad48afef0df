"""Any commands, in any order, by anybody: what Hypothesis cannot do to a request.

The laws are said here a second time, plainly and slowly, so that the product's own words are held against others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from itertools import permutations
from math import isnan
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain import events as e
from bot.domain.break_glass.breaking import VIA, break_glass, decide_by_glass
from bot.domain.break_glass.offer import despite_of
from bot.domain.break_glass.reviewing import VERDICTS as REVIEW_BUTTONS
from bot.domain.break_glass.reviewing import remind as remind_of_review
from bot.domain.break_glass.reviewing import review, wants_review
from bot.domain.card.request_card import request_card
from bot.domain.card.sentences import CardContext
from bot.domain.conversation import comments, questions, reassignment
from bot.domain.conversation.speakers import Speaker
from bot.domain.events import Event, RequestEvent, RequestOpened
from bot.domain.ledger.chain import as_plain
from bot.domain.model import (
    Ask,
    AskKind,
    DecidedBy,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    Metric,
    StaleCause,
    State,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import BreakGlass, Escalate, ReasonDemand, Rule, UnknownRequester
from bot.domain.request import evolution, lifecycle
from bot.errors import Refused
from bot.store.requests import REQUEST
from tests.builders import (
    CARD,
    NOON,
    TICKET,
    a_champion,
    a_comment,
    a_judgement,
    a_metric,
    a_request,
    a_rule,
    a_version,
    an_evidence,
)
from tests.strategies import PEOPLE, requests

DECISIONS = (e.RequestApproved, e.RequestRejected, e.RequestExpired, e.RequestWithdrawn, e.RequestSuperseded)
OPEN = {State.COLLECTING, State.PENDING}
Ending: TypeAlias = Callable[[TransitionRequest, datetime], list[Event]]
ENDINGS: list[Ending] = [
    lambda request, at: lifecycle.withdraw(request, "no longer asked for", at),
    lambda request, at: lifecycle.mark_stale(
        request, "it was moved", StaleCause.TARGET, at
    ),  # refused but for an approved one
    lambda request, at: lifecycle.call_off(request, "ana", "the test data leaked", at),  # so is this
    lambda request, at: lifecycle.reject_by_rule(request, "the rule puts it back", "any", at),
    lambda request, at: lifecycle.supersede(request, a_request(id="r2", version=a_version(8)), at),
]
MAY_BECOME = {
    State.COLLECTING: {State.PENDING, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED},
    State.PENDING: {State.APPROVED, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED},
    State.APPROVED: {State.APPLIED, State.STALE, State.CALLED_OFF},
}
EVIDENCE = (
    an_evidence(metrics=(a_metric(value=float("nan")), a_metric("r2", float("-inf"))), params={"": "é"}),
    an_evidence(commit_author="dan@example.com"),
    an_evidence(metrics=(), author=None, run_id=None, run_url=None, champion=a_champion(a_metric(value=float("inf")))),
)
MAYBE_SOMEBODY = st.sampled_from([None, "ana", "bea"])
MAYBE_A_VERSION = st.sampled_from([None, a_version(5)])
SELDOM = st.sampled_from([False, False, False, False, True])
RULES = st.sampled_from(
    [
        a_rule(
            quorums,
            reason=reason,
            unknown_requester=unknown,
            expire_after=expire_after,
            escalate=escalate,
            break_glass=glass,
        )
        for quorums in ({"leads": 1}, {"leads": 1, "risk": 1}, {"leads": 2}, {"risk": 2, "leads": 1})
        for reason in ReasonDemand
        for unknown in UnknownRequester
        for expire_after in (None, timedelta(days=3))
        for escalate in (None, Escalate(timedelta(hours=8), "heads"))
        for glass in (None, BreakGlass("on-call", "leads", timedelta(days=2)))
    ]
)
DEEDS = st.sampled_from(
    [
        Vote(person, Verdict.APPROVE, reason, NOON, groups, VIA)
        for person in PEOPLE
        for reason in ("", "it is down", "it is down")
        for groups in (("on-call",), ("on-call",), ("leads",))
    ]
)
REVIEWS = st.sampled_from(
    [
        Vote(person, verdict, reason, NOON, groups, VIA)
        for person in PEOPLE
        for verdict in Verdict
        for reason in ("", "said why")
        for groups in (("leads",), ("leads",), ("on-call",))
    ]
)
MEMBERSHIPS = (
    ("leads",),
    ("risk",),
    ("leads", "risk"),
    ("strangers", "leads"),
    ("heads",),
    ("heads", "risk"),
    ("strangers",),
    (),
)
VOTES = st.sampled_from(
    [
        Vote(person, verdict, reason, NOON, groups, "card", standing_in_for=standing_in_for)
        for person in PEOPLE
        for verdict in Verdict
        for reason in ("", "  ", "said why")
        for groups in MEMBERSHIPS
        for standing_in_for in ((), ("dan",))
    ]
)
APPROVALS = st.sampled_from(
    [
        Vote(person, Verdict.APPROVE, "said why", NOON, groups, "card")
        for person in ("abe", "cy", "dan", "eve")
        for groups in (*MEMBERSHIPS[:3], ("heads",))
    ]
)


JUDGEMENTS = st.sampled_from(
    [
        a_judgement(*failed, mode=mode, held_back=held_back)
        for mode in FastTrackMode
        for failed in ((), ("mae 41.2 is above the threshold 40",))
        for held_back in ("", "the fast track is switched off")
    ]
)


def said_or_refused(say: Callable[[], list[Event]]) -> list[Event]:
    try:
        return say()
    except Refused:
        return []


class LifeOfARequest(RuleBasedStateMachine):
    """One request, under all that people, rules and the registry do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.events: list[Event] = []
        self.rule: Rule
        self.rule_hash = "rule 0"
        self.request: TransitionRequest

    @initialize(
        rule=RULES,
        kind=st.sampled_from(Kind),
        requester=MAYBE_SOMEBODY,
        author=MAYBE_SOMEBODY,
        failed_before=st.sampled_from(["", "", "", "rolled back"]),
        is_slow=SELDOM,
    )
    def somebody_asks(
        self, rule: Rule, kind: Kind, requester: str | None, author: str | None, failed_before: str, is_slow: bool
    ) -> None:
        """In most lives the vote opens at once, because otherwise few would ever come to a vote."""
        ask = Ask(AskKind.API)
        new = lifecycle.NewRequest(
            a_version(), rule.target, ask, kind, requester, previous=a_version(5), failed_before=failed_before
        )
        event = lifecycle.open_request(new, "r1", rule, self.rule_hash, self.now)
        self.rule = rule
        self.request = evolution.initial(event)
        self.events.append(event)
        if not is_slow:
            self.freeze(EVIDENCE[0], author, None)

    @rule(hours=st.sampled_from([1, 24, 72]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(evidence=st.sampled_from(EVIDENCE), author=MAYBE_SOMEBODY, committer=st.sampled_from([None, "dan"]))
    def the_evidence_comes(self, evidence: Evidence, author: str | None, committer: str | None) -> None:
        self.freeze(evidence, author, committer)

    def freeze(self, evidence: Evidence, author: str | None, committer: str | None) -> None:
        was_collecting = self.request.state is State.COLLECTING

        authors = lifecycle.Authors(author, committer)
        events = lifecycle.freeze_evidence(self.request, evidence, authors, self.rule_hash, self.now)

        assert bool(events) is was_collecting
        self.happened(events)
        self.the_glass_decides()

    @precondition(lambda self: self.request.state in OPEN)
    @rule(deed=DEEDS, was_shown=st.booleans())
    def somebody_breaks_the_glass(self, deed: Vote, was_shown: bool) -> None:
        request, may = self.request, self.rule.break_glass
        despite = despite_of(request.objections, request.failed_before) if was_shown else ""
        deed = replace(deed, at=self.now, rule_hash=self.rule_hash)
        is_lawful = (
            may is not None
            and request.kind is Kind.PROMOTION
            and request.glass is None
            and deed.reason != ""
            and may.group in deed.groups
        )
        try:
            events = break_glass(request, deed, self.rule, despite, self.now)
        except Refused:
            events = []
        assert bool(events) is is_lawful
        self.happened(events)
        self.the_glass_decides()

    def the_glass_decides(self) -> None:
        """As when the evidence is frozen, or when somebody breaks the glass after that."""
        before, glass = self.request, self.request.glass
        self.happened(decide_by_glass(before, self.rule, self.rule_hash, None, self.now))
        if glass is None or glass.held_by or before.state is not State.PENDING:
            assert self.request == before
            return
        is_known = not before.failed_before or glass.despite != ""
        is_same_rule = glass.rule_hash == self.rule_hash and self.rule.break_glass is not None
        assert (self.request.state is State.APPROVED) is (is_known and is_same_rule)
        assert (self.request.glass is not None and self.request.glass.held_by != "") is not (is_known and is_same_rule)

    @rule(said=REVIEWS)
    def somebody_reviews_it(self, said: Vote) -> None:
        request, glass = self.request, self.request.glass
        is_over = request.state in (State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED)
        is_lawful = (
            glass is not None
            and not (glass.held_by or glass.review or is_over)
            and said.person != glass.person
            and said.person not in self.who_asked_or_trained()
            and glass.reviewers in said.groups
            and (said.verdict is Verdict.APPROVE or said.reason != "")
        )
        try:
            events = review(request, replace(said, at=self.now), self.now)
        except Refused:
            events = []
        assert bool(events) is is_lawful
        self.happened(events)

    @rule()
    def the_review_is_asked_for(self) -> None:
        glass = self.request.glass
        events = remind_of_review(self.request, self.now)
        if events:
            assert glass is not None
            assert glass.review is None
            assert self.now >= glass.at + timedelta(days=1)
        self.happened(events)

    @precondition(lambda self: self.request.state is not State.PENDING or self.request.judgement is None)
    @rule(judgement=JUDGEMENTS, it_does=SELDOM)
    def the_fast_track_judges(self, judgement: Judgement, it_does: bool) -> None:
        if not it_does:
            return
        is_open = self.request.state is State.PENDING and self.request.kind is Kind.PROMOTION

        events = lifecycle.decide_by_thresholds(self.request, judgement, self.rule, self.rule_hash, self.now)

        assert bool(events) is is_open
        self.happened(events)
        if is_open:
            lets_through = judgement.mode is FastTrackMode.ON and not judgement.held_back
            figures_are_good = bool(judgement.checks) and all(check.passed for check in judgement.checks)
            assert (self.request.state is State.APPROVED) is (lets_through and figures_are_good)

    @rule(it_does=SELDOM)
    def the_rule_lets_it_go_back(self, it_does: bool) -> None:
        may = self.request.kind is Kind.ROLLBACK and not self.request.failed_before
        if it_does or not may:
            was_pending = self.request.state is State.PENDING
            events = lifecycle.approve_by_rule(self.request, self.rule_hash, self.now)
            assert bool(events) is (may and was_pending)
            self.happened(events)

    @rule()
    def it_has_waited_long(self) -> None:
        events = lifecycle.escalate(self.request, self.rule, self.rule_hash, self.now)
        self.happened(events)
        if events:
            is_approved = any(isinstance(event, e.RequestApproved) for event in events)
            is_over = self.request.expires_at is not None and self.now >= self.request.expires_at
            refuses = self.rule.approve.unknown_requester is UnknownRequester.REFUSE
            is_refused = refuses and (self.author_is_unknown() or self.requester_is_unknown())
            assert is_approved is (self.has_all_that_the_rule_demands() and not is_over and not is_refused)
        self.happened(lifecycle.remind(self.request, self.now))

    @rule(is_over=st.booleans())
    def a_freeze_comes_and_goes(self, is_over: bool) -> None:
        held = lifecycle.hold(self.request, "year-end", self.now + timedelta(days=9), self.now)
        self.happened(held)
        assert bool(self.request.frozen_until) is (bool(held) or self.request.frozen_until is not None)
        if is_over:
            self.happened(lifecycle.thaw(self.request, self.now))
            assert self.request.state is not State.APPROVED or self.request.frozen_until is None

    @rule(vote=VOTES)
    def somebody_votes(self, vote: Vote) -> None:
        self.vote(replace(vote, at=self.now))

    @precondition(lambda self: self.request.state is State.PENDING)
    @rule(vote=APPROVALS)
    def somebody_approves(self, vote: Vote) -> None:
        """Said again, because approvals must be frequent for a quorum ever to be met."""
        self.vote(replace(vote, at=self.now))

    @rule(
        person=st.sampled_from(PEOPLE), groups=st.sampled_from(MEMBERSHIPS), text=st.sampled_from(["why?", "how?", " "])
    )
    def somebody_asks_a_question(self, person: str, groups: tuple[str, ...], text: str) -> None:
        asker, before = Speaker(person, groups), self.request
        is_lawful = self.may_speak(asker) and bool(text.strip()) and self.has_room_for(person, text)
        was_stopped = self.request.conversation.is_stopped(self.now)

        events = said_or_refused(lambda: questions.ask(self.request, asker, text, self.rule, self.now))

        assert bool(events) is is_lawful
        self.happened(events)
        if events and was_stopped:
            assert self.request.expires_at == before.expires_at

    @precondition(lambda self: self.request.conversation.unanswered)
    @rule(person=st.sampled_from(PEOPLE), number=st.sampled_from([1, 2, 3]))
    def somebody_answers(self, person: str, number: int) -> None:
        known = self.who_asked_or_trained() - {None}
        is_open = self.request.state is State.PENDING and not self.is_over()
        asked = [event for event in self.events if isinstance(event, e.QuestionAsked) and event.number == number]
        answered = [event for event in self.events if isinstance(event, e.QuestionAnswered) and event.number == number]
        is_theirs = (person in known or not known) and person not in {event.person for event in asked}

        events = said_or_refused(lambda: questions.answer(self.request, number, Speaker(person), "because", self.now))

        assert bool(events) is (is_open and bool(asked) and not answered and is_theirs)
        self.happened(events)

    @rule(by=st.sampled_from(PEOPLE), to=st.sampled_from(PEOPLE), groups=st.sampled_from(MEMBERSHIPS))
    def somebody_hands_it_over(self, by: str, to: str, groups: tuple[str, ...]) -> None:
        wanted = {one.group for one in self.rule.approve.all_of}
        has_it = reassignment.in_charge(self.request)
        is_lawful = (
            self.may_speak(Speaker(by, groups))
            and to not in self.who_asked_or_trained()
            and to not in [vote.person for vote in self.votes_that_count()]
            and bool(wanted & set(groups) or (self.was_escalated() and "heads" in groups))
            and (has_it is None or has_it.to != to)
            and len(self.request.conversation.handovers) < reassignment.MOST
        )

        events = said_or_refused(
            lambda: reassignment.reassign(
                self.request,
                Speaker(by, groups),
                reassignment.Candidate(Speaker(to, groups), to),
                "",
                (self.rule, self.rule_hash),
                self.now,
            )
        )

        assert bool(events) is is_lawful
        self.happened(events)

    @rule(text=st.sampled_from(["fine", "not fine"]), it_does=SELDOM)
    def somebody_puts_a_comment_on_record(self, text: str, it_does: bool) -> None:
        if it_does:
            known = self.request.conversation.comments
            events = comments.record(self.request, a_comment(text, at=self.now))
            assert bool(events) is (not known or known[-1].text != text)
            self.happened(events)

    def may_speak(self, speaker: Speaker) -> bool:
        """Who may vote on it now, or has voted."""
        wanted = {one.group for one in self.rule.approve.all_of}
        voted = {event.vote.person for event in self.events if isinstance(event, e.VoteCast)}
        may_vote = wanted & set(speaker.groups) or (self.was_escalated() and "heads" in speaker.groups)
        is_open = self.request.state is State.PENDING and not self.is_over()
        is_party = speaker.person in self.who_asked_or_trained()
        return is_open and not is_party and bool(may_vote or speaker.person in voted)

    def has_room_for(self, person: str, text: str) -> bool:
        waiting = self.request.conversation.unanswered
        repeats = any((one.person, one.text) == (person, text) for one in waiting)
        return (
            len(waiting) < questions.MOST_OPEN
            and len(self.request.conversation.questions) < questions.MOST
            and not repeats
        )

    def was_escalated(self) -> bool:
        return self.rule.escalate is not None and any(isinstance(event, e.RequestEscalated) for event in self.events)

    def is_over(self) -> bool:
        return self.request.expires_at is not None and self.now >= self.request.expires_at

    @rule(person=st.sampled_from(PEOPLE), it_is_so=SELDOM)
    def somebody_asks_in_words(self, person: str, it_is_so: bool) -> None:
        self.somebody_asks_for_it_too(person, it_is_so)

    def somebody_asks_for_it_too(self, person: str, it_is_so: bool) -> None:
        if not it_is_so:
            return
        was, under_rule = self.request.state, (self.rule, self.rule_hash)
        events = lifecycle.join(self.request, person, Ask(AskKind.COMMAND), "", self.now, under_rule=under_rule)
        self.happened(events)
        if events and was is State.PENDING:
            is_over = self.request.expires_at is not None and self.now >= self.request.expires_at
            refuses = self.rule.approve.unknown_requester is UnknownRequester.REFUSE
            is_refused = refuses and (self.author_is_unknown() or self.requester_is_unknown())
            is_approved = self.request.state is State.APPROVED
            assert is_approved is (self.has_all_that_the_rule_demands() and not is_over and not is_refused)

    @precondition(lambda self: self.request.state is State.PENDING and self.request.votes)
    @rule(it_is_so=SELDOM)
    def somebody_who_voted_asks_for_it_too(self, it_is_so: bool) -> None:
        self.somebody_asks_for_it_too(self.request.votes[0].person, it_is_so)

    @rule(rule=RULES, it_does=SELDOM)
    def the_rule_changes(self, rule: Rule, it_does: bool) -> None:
        if it_does:
            self.rule, self.rule_hash = rule, f"{self.rule_hash}+"

    @rule(previous=MAYBE_A_VERSION, moved=st.booleans())
    def the_target_is_moved(self, previous: VersionId | None, moved: bool) -> None:
        self.happened(lifecycle.apply(self.request, previous, self.now, moved=moved))

    @rule(to=MAYBE_A_VERSION, moved=st.booleans())
    def the_target_is_put_back(self, to: VersionId | None, moved: bool) -> None:
        self.happened(lifecycle.put_back(self.request, to, self.now, moved=moved))

    @rule(ending=st.sampled_from(ENDINGS), it_does=SELDOM)
    def it_may_end_without_a_vote(self, ending: Ending, it_does: bool) -> None:
        if it_does or self.request.state not in OPEN:  # what has ended already must withstand all of them, always
            self.happened(ending(self.request, self.now))

    @rule()
    def the_clock_comes_by(self) -> None:
        is_over = self.request.expires_at is not None and self.now >= self.request.expires_at

        events = lifecycle.expire(self.request, self.now)

        assert bool(events) is (is_over and self.request.state in OPEN)
        self.happened(events)

    @precondition(lambda self: self.request.state is State.APPROVED)
    @rule(reason=st.sampled_from(["", "it was moved"]))
    def the_world_changes_before_it_is_applied(self, reason: str) -> None:
        self.happened(lifecycle.mark_stale(self.request, reason, StaleCause.TARGET, self.now))

    @rule()
    def card_and_ticket_are_there(self) -> None:
        posted = e.CardPosted(self.now, "r1", CARD)
        self.happened([posted, e.TicketOpened(self.now, "r1", TICKET), e.TicketClosed(self.now, "r1", TICKET, "Done")])

    # How a vote must end, said plainly

    def vote(self, vote: Vote) -> None:
        is_lawful = self.is_lawful(vote)
        try:
            events = lifecycle.cast_vote(self.request, vote, self.rule, self.rule_hash)
        except Refused:
            events = []
        assert bool(events) is is_lawful
        if not events:
            return
        self.happened(events)
        approved = [event for event in events if isinstance(event, e.RequestApproved)]
        assert bool(approved) is (vote.verdict is Verdict.APPROVE and self.has_all_that_the_rule_demands())
        assert (self.request.state is State.REJECTED) is (vote.verdict is Verdict.REJECT)
        for decision in approved:
            wanted_it = {vote.person for vote in self.votes_that_count() if vote.verdict is Verdict.APPROVE}
            assert wanted_it >= set(decision.approvers)
            assert len(set(decision.approvers)) == len(decision.approvers) >= len(self.rule.approve.all_of)

    def is_lawful(self, vote: Vote) -> bool:
        request, approve = self.request, self.rule.approve
        approves = vote.verdict is Verdict.APPROVE
        demand = approve.wants_reason_to_approve if approves else approve.wants_reason_to_reject
        refuses_unknown = approve.unknown_requester is UnknownRequester.REFUSE
        return (
            request.state is State.PENDING
            and (request.expires_at is None or self.now < request.expires_at)
            and vote.person not in self.who_asked_or_trained()
            and (self.may_stand_in(vote) or any(one.group in vote.groups for one in approve.all_of))
            and not any(vote.person in earlier.standing_in_for for earlier in self.votes_that_count())
            and not set(vote.standing_in_for) & self.who_asked_or_trained()
            and not set(vote.standing_in_for) & self.whose_say_is_used()
            and not (approves and refuses_unknown and (self.author_is_unknown() or self.requester_is_unknown()))
            and vote.person not in [earlier.person for earlier in self.votes_that_count()]
            and not ((demand() or (approves and request.failed_before)) and not vote.reason.strip())
        )

    def may_stand_in(self, vote: Vote) -> bool:
        """Of the group that the rule escalates to, once it has been."""
        was_escalated = any(isinstance(event, e.RequestEscalated) for event in self.events)
        return was_escalated and self.rule.escalate is not None and self.rule.escalate.group in vote.groups

    def whose_say_is_used(self) -> set[str]:
        return {person for vote in self.votes_that_count() for person in (vote.person, *vote.standing_in_for)}

    def who_asked_or_trained(self) -> set[str | None]:
        joined = {event.person for event in self.events if isinstance(event, e.AskJoined)}
        asked = {event.requester for event in self.events if isinstance(event, RequestOpened)}
        frozen = [event for event in self.events if isinstance(event, e.EvidenceFrozen)]
        trained = {event.author for event in frozen} | {event.commit_author for event in frozen}
        return joined | asked | trained

    def author_is_unknown(self) -> bool:
        evidence = self.request.evidence
        commit_is_claimed = evidence is not None and evidence.commit_author is not None
        return self.request.author is None or (commit_is_claimed and self.request.commit_author is None)

    def requester_is_unknown(self) -> bool:
        return self.request.kind is not Kind.ROLLBACK and self.request.requester is None

    def votes_that_count(self) -> list[Vote]:
        """Cast under the rule as it is now, by people who have not asked for it themselves since."""
        cast = [event.vote for event in self.events if isinstance(event, e.VoteCast)]
        barred = self.who_asked_or_trained()
        mine = [vote for vote in cast if vote.rule_hash == self.rule_hash]
        return [vote for vote in mine if not barred & {vote.person, *vote.standing_in_for}]

    def has_all_that_the_rule_demands(self) -> bool:
        """Tries every way to give each place to a different person."""
        wanted = [requirement.group for requirement in self.rule.approve.all_of for _ in range(requirement.quorum)]
        one_more = {
            UnknownRequester.ONE_MORE: self.author_is_unknown() or self.requester_is_unknown(),
            UnknownRequester.AUTHOR_ONLY: self.author_is_unknown(),
            UnknownRequester.REFUSE: False,
        }[self.rule.approve.unknown_requester]
        approvals = [vote for vote in self.votes_that_count() if vote.verdict is Verdict.APPROVE]
        assert len({vote.person for vote in approvals}) == len(approvals)
        return any(
            all(group in vote.groups or self.may_stand_in(vote) for vote, group in zip(chosen, wanted, strict=False))
            for chosen in permutations(approvals, len(wanted) + one_more)
        )

    def happened(self, events: Sequence[Event]) -> None:
        for event in events:
            assert isinstance(event, RequestEvent)
            before = self.request
            self.request = evolution.evolve(before, event)
            self.events.append(event)
            now = self.request.state
            assert now is before.state or now in MAY_BECOME.get(before.state, set()), f"{before.state} -> {now}"
        if events:
            self.its_events_tell_the_whole_of_it()
            self.its_card_can_be_drawn_and_asks_only_while_it_waits()
            assert_survives_its_row(self.request)

    # What holds at every moment

    @invariant()
    def it_was_decided_at_most_once(self) -> None:
        decisions = [event for event in self.events if isinstance(event, DECISIONS)]

        assert len(decisions) == (self.request.state not in OPEN)
        assert (self.request.decided_at is None) is (self.request.state in OPEN)
        assert all(self.request.decided_at == decision.at for decision in decisions)

    @invariant()
    def what_the_glass_decided_somebody_broke_it_for(self) -> None:
        deeds = [event for event in self.events if isinstance(event, e.GlassBroken)]
        decided = [event for event in self.events if isinstance(event, e.RequestApproved)]

        assert len(deeds) <= 1
        if any(event.by is DecidedBy.BREAK_GLASS for event in decided):
            (broken,) = deeds
            assert broken.group in broken.deed.groups
            assert broken.deed.reason
            assert not any(isinstance(event, e.GlassHeld) for event in self.events)
        for event in self.events:
            if isinstance(event, e.GlassReviewed):
                assert event.said.person != deeds[0].deed.person

    @invariant()
    def questions_stop_its_clock_for_no_longer_than_it_has(self) -> None:
        first = self.events[0]
        assert isinstance(first, RequestOpened)
        if first.expires_at is None or self.request.expires_at is None:
            return
        stopped = sum((stop.until - stop.since for stop in self.request.conversation.stops), timedelta())
        assert self.request.expires_at - first.expires_at == stopped
        assert timedelta() <= stopped <= timedelta(days=3)

    # What holds after every change

    def its_events_tell_the_whole_of_it(self) -> None:
        first, *others = self.events
        assert isinstance(first, RequestOpened)

        retold = reduce(
            evolution.evolve, (event for event in others if isinstance(event, RequestEvent)), evolution.initial(first)
        )

        assert retold == self.request

    def its_card_can_be_drawn_and_asks_only_while_it_waits(self) -> None:
        card = request_card(self.request, CardContext({}, self.rule))

        assert {"approve", "reject"} <= {
            button.action for button in card.buttons
        } or self.request.state is not State.PENDING
        actions = {button.action for button in card.buttons} - set(REVIEW_BUTTONS)
        assert not actions or self.request.state in (State.PENDING, State.APPROVED)
        assert actions == {"call_off"} or self.request.state is not State.APPROVED
        assert actions == {button.action for button in card.buttons} or wants_review(self.request)


def assert_survives_its_row(request: TransitionRequest) -> None:
    """What the store writes and reads: plain values as JSON text, and back."""
    plain = as_plain(request)

    reread = REQUEST.validate_python(json.loads(json.dumps(plain)))

    assert as_plain(reread) == plain
    assert calm(reread) == calm(request)


def calm(request: TransitionRequest) -> TransitionRequest:
    """NaN is not equal to itself, so it is compared as the figure that it never is."""
    if request.evidence is None:
        return request
    champion = request.evidence.champion
    evidence = replace(
        request.evidence,
        metrics=_calm(request.evidence.metrics),
        champion=replace(champion, metrics=_calm(champion.metrics)) if champion else None,
    )
    return replace(request, evidence=evidence)


def _calm(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    return tuple(replace(metric, value=-404.25) if isnan(metric.value) else metric for metric in metrics)


@given(requests())
def test_any_request_survives_its_row(request: TransitionRequest) -> None:
    assert_survives_its_row(request)


TestLifeOfARequest = LifeOfARequest.TestCase
TestLifeOfARequest.settings = settings(max_examples=3 * settings.default.max_examples, stateful_step_count=25)
