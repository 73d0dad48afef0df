"""What Hypothesis plays with: texts, figures, evidence, rules, and requests in any state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from bot.domain.model import (
    Ask,
    AskKind,
    Champion,
    Check,
    DecidedBy,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    Metric,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Escalate, ReasonDemand, Rule, UnknownRequester
from bot.domain.references import Image
from tests.builders import CARD, NOON, RULE_HASH, TICKET, a_request, a_rule

GROUPS = ("leads", "risk")
PEOPLE = ("abe", "ana", "bea", "cy", "dan", "eve")

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)  # a NUL is stored as U+FFFD
names = st.text("abcxyz-_. 09é漢", min_size=1, max_size=12)
figures = st.floats() | st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 1e308])
moments = st.integers(0, 10**7).map(lambda seconds: NOON + timedelta(seconds=seconds))
versions = st.builds(VersionId, st.just("default"), names, st.integers(1, 99), moments)
targets = st.builds(Target, st.sampled_from(TargetKind), names)
asks = st.builds(Ask, st.sampled_from(AskKind), names)
metric = st.builds(Metric, names, figures, st.sampled_from(["run", "logged model"]))
metrics = st.lists(metric, max_size=3).map(tuple) | st.lists(metric, min_size=21, max_size=22).map(tuple)
evidences = st.builds(
    Evidence,
    source=texts,
    run_id=st.none() | names,
    author=st.none() | names,
    description=texts,
    metrics=metrics,
    params=st.dictionaries(texts, texts, max_size=2),
    tags=st.dictionaries(texts, texts, max_size=2),
    version_url=texts,
    run_url=st.none() | texts,
    champion=st.none() | st.builds(Champion, versions, metrics),
)
memberships = st.sets(st.sampled_from((*GROUPS, "strangers"))).map(sorted).map(tuple)
votes = st.builds(
    Vote,
    st.sampled_from(PEOPLE),
    st.sampled_from(Verdict),
    texts,
    moments,
    memberships,
    st.just("card"),
    st.sampled_from([RULE_HASH, "another"]),
    st.sampled_from([(), ("ana",), ("dan", "abe")]),
)
checks = st.builds(Check, st.booleans(), texts, st.just("") | names)
judgements = st.builds(Judgement, st.sampled_from(FastTrackMode), st.lists(checks, max_size=3).map(tuple), texts)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Demanding between one and four approvals."""
    quorums = draw(st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 2), min_size=1))
    return a_rule(
        quorums,
        reason=draw(st.sampled_from(ReasonDemand)),
        unknown_requester=draw(st.sampled_from(UnknownRequester)),
        expire_after=draw(st.none() | st.just(timedelta(days=3))),
        ticket=draw(st.sampled_from([a_rule().ticket, None])),
        escalate=draw(st.sampled_from([None, Escalate(timedelta(hours=8), "heads")])),
    )


@st.composite
def requests(draw: st.DrawFn) -> TransitionRequest:
    """In any state and with any texts, also in mixtures that the lifecycle would not let happen."""
    state = draw(st.sampled_from(State))
    return replace(
        a_request(state),
        kind=draw(st.sampled_from(Kind)),
        version=draw(versions),
        target=draw(targets),
        ask=draw(asks),
        requester=draw(st.none() | st.sampled_from(PEOPLE)),
        author=draw(st.none() | st.sampled_from(PEOPLE)),
        comment=draw(texts),
        expires_at=draw(st.none() | moments),
        previous=draw(st.none() | versions),
        evidence=draw(st.none() | evidences),
        votes=tuple(draw(st.lists(votes, max_size=3))),
        outcome=draw(texts),
        settled_at=draw(st.none() | moments),
        settled_by_us=draw(st.booleans()),
        settled_holder=draw(st.none() | versions),
        card=draw(st.sampled_from([None, CARD])),
        ticket=draw(st.sampled_from([None, TICKET])),
        ticket_status=draw(texts),
        joined=tuple(draw(st.sets(st.sampled_from(PEOPLE), max_size=2))),
        follows=draw(st.none() | names),
        commit_author=draw(st.none() | st.sampled_from(PEOPLE)),
        judgement=draw(st.none() | judgements),
        decided_by=draw(st.none() | st.sampled_from(DecidedBy)),
        frozen_until=draw(st.none() | moments),
        frozen_by=draw(texts),
        escalated_at=draw(st.none() | moments),
        plot=draw(st.none() | st.builds(Image, names, texts)),
        away_from=draw(st.none() | versions),
        asked_since=draw(st.none() | moments),
        failed_before=draw(st.just("") | texts),
    )
