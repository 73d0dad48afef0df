"""Whether enough people are left to approve a request, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import State, TransitionRequest, Vote
from bot.domain.policy.rules import Escalate, Group, Rule, UnknownRequester
from bot.domain.request.needed import Away, Bar, Electorate, Excluded, Shortage, shortage_of
from bot.domain.request.quorum import ANYONE
from tests.builders import BY_ALIAS, NOON, RULE_HASH, a_request, a_rule, a_vote

PEOPLE = ("ana", "ben", "cy", "dan", "eve")
UNTIL = NOON + timedelta(days=3)
TWO = a_rule({"leads": 2})
REQUEST = a_request(requester="ana", author="zoe")


def electorate(away: Mapping[str, str] | None = None, /, **groups: Sequence[str] | None) -> Electorate:
    """A group's people, None for one of Slack; and by person who votes for them while they are away. Everybody's id is their name."""
    shown = tuple(
        Group(name, name if people is None else None, tuple(map(at, people or ()))) for name, people in groups.items()
    )
    absent = {at(person): Away(UNTIL, at(delegate)) for person, delegate in (away or {}).items()}
    return Electorate(shown, {person: at(person) for person in (*PEOPLE, "zoe")}, absent)


def at(person: str) -> str:
    return f"{person}@example.com"


def shortage(request: TransitionRequest, rule: Rule, known: Electorate) -> Shortage:
    found = shortage_of(request, rule, RULE_HASH, known)
    assert found is not None
    return found


def test_a_group_as_large_as_its_quorum_is_short_when_one_of_it_asked() -> None:
    found = shortage(REQUEST, TWO, electorate(leads=["ana", "ben"]))

    assert found.missing == ("leads",)
    assert found.groups == ("leads",)
    assert found.excluded == (Excluded(at("ana"), Bar.ASKED),)
    assert not found.waits_for_absent
    assert not found.counts_once
    assert found.may_be_rejected


def test_each_party_is_named_with_what_it_did() -> None:
    request = a_request(requester="ana", author="ben", commit_author="cy", joined=("dan",), barred=("eve",))

    found = shortage(request, a_rule({"leads": 1}), electorate(leads=PEOPLE))

    assert [(one.email, one.why) for one in found.excluded] == [
        (at("ana"), Bar.ASKED),
        (at("ben"), Bar.TRAINED),
        (at("cy"), Bar.COMMITTED),
        (at("dan"), Bar.ASKED),
        (at("eve"), Bar.BEFORE),
    ]
    assert not found.may_be_rejected


def test_nobody_is_missing_while_the_members_are_enough_or_only_slack_knows_them() -> None:
    assert shortage_of(REQUEST, TWO, RULE_HASH, electorate(leads=["ana", "ben", "cy"])) is None
    assert shortage_of(REQUEST, TWO, RULE_HASH, electorate(leads=None)) is None


def test_an_approval_that_was_cast_is_not_missing_and_its_person_has_no_other() -> None:
    request = replace(REQUEST, votes=(a_vote("ben", "leads", rule_hash=RULE_HASH),))

    assert shortage_of(request, TWO, RULE_HASH, electorate(leads=["ana", "ben", "cy"])) is None
    assert shortage(request, TWO, electorate(leads=["ana", "ben"])).missing == ("leads",)


def test_a_vote_under_another_rule_may_be_cast_anew() -> None:
    request = replace(REQUEST, votes=(a_vote("ben", "leads", rule_hash="sha256:former"),))

    assert shortage_of(request, TWO, RULE_HASH, electorate(leads=["ana", "ben", "cy"])) is None


def test_one_person_in_two_groups_counts_for_one_of_them() -> None:
    rule = a_rule({"leads": 1, "risk": 1})

    found = shortage(REQUEST, rule, electorate(leads=["ana", "ben"], risk=["ben"]))

    assert found.counts_once
    assert found.groups == ("leads", "risk")
    assert found.excluded == (Excluded(at("ana"), Bar.ASKED),)
    assert shortage_of(REQUEST, rule, RULE_HASH, electorate(leads=["ana", "ben", "cy"], risk=["ben"])) is None


def test_a_group_that_has_enough_is_not_named() -> None:
    request = replace(REQUEST, author="dan")

    found = shortage(request, a_rule({"leads": 1, "risk": 1}), electorate(leads=["ana"], risk=["dan", "eve"]))

    assert (found.missing, found.groups) == (("leads",), ("leads",))
    assert [one.email for one in found.excluded] == [at("ana")]


def test_the_vote_more_of_an_unknown_requester_is_missing_where_only_one_is_left() -> None:
    rule = a_rule(
        {"leads": 1}, approve=replace(a_rule({"leads": 1}).approve, unknown_requester=UnknownRequester.ONE_MORE)
    )
    request = a_request(requester=None, ask=BY_ALIAS, author="ana")

    found = shortage(request, rule, electorate(leads=["ana", "ben"]))

    assert found.missing == (ANYONE,)
    assert found.excluded == (Excluded(at("ana"), Bar.TRAINED),)


def test_who_is_away_is_waited_for_and_their_delegate_has_one_vote() -> None:
    request = a_request(requester="zoe")
    both = electorate({"ana": "ben"}, leads=["ana", "ben"])

    found = shortage(request, TWO, both)

    assert found.waits_for_absent
    assert found.excluded == (Excluded(at("ana"), Bar.AWAY, UNTIL),)
    assert shortage_of(request, TWO, RULE_HASH, electorate({"ana": "eve"}, leads=["ana", "ben"])) is None


def test_a_delegate_who_is_a_party_or_away_gives_no_vote() -> None:
    request = a_request(requester="eve")
    one = a_rule({"leads": 1})

    assert shortage(request, one, electorate({"ana": "eve"}, leads=["ana"])).waits_for_absent
    assert shortage(a_request(requester="zoe"), one, electorate({"ana": "ben", "ben": "cy"}, leads=["ana"]))


def test_absence_is_no_reason_where_it_is_short_anyway() -> None:
    found = shortage(REQUEST, a_rule({"leads": 3}), electorate({"cy": "dan"}, leads=["ana", "ben", "cy"]))

    assert [one.why for one in found.excluded] == [Bar.ASKED]
    assert not found.waits_for_absent


def test_an_escalation_still_to_come_leaves_somebody() -> None:
    rule = a_rule({"leads": 2}, escalate=Escalate(timedelta(hours=8), "heads"))

    assert shortage_of(REQUEST, rule, RULE_HASH, electorate(leads=["ana", "ben"], heads=None)) is None
    assert shortage_of(REQUEST, rule, RULE_HASH, electorate(leads=["ana", "ben"], heads=["cy"])) is None
    assert shortage(REQUEST, rule, electorate(leads=["ana", "ben"], heads=["ana"])).groups == ("leads", "heads")


def test_a_request_without_open_votes_is_short_of_none() -> None:
    request = a_request(State.COLLECTING, requester="ana")

    assert shortage_of(request, TWO, RULE_HASH, electorate(leads=["ana", "ben"])) is None


MEMBERS = st.none() | st.frozensets(st.sampled_from(PEOPLE))


@given(
    groups=st.fixed_dictionaries({"leads": MEMBERS, "risk": MEMBERS, "legal": MEMBERS}),
    quorums=st.fixed_dictionaries({}, optional=dict.fromkeys(("leads", "risk", "legal"), st.integers(1, 2))).filter(
        bool
    ),
    parties=st.frozensets(st.sampled_from(PEOPLE), max_size=3),
    voters=st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    one_more=st.booleans(),
)
def test_it_is_short_exactly_when_no_choice_of_people_fills_the_places(
    groups: dict[str, frozenset[str] | None],
    quorums: dict[str, int],
    parties: frozenset[str],
    voters: frozenset[str],
    one_more: bool,
) -> None:
    """Against every order of the people, with two more for each group of Slack and place."""
    rule = a_rule(quorums)
    if one_more:
        rule = replace(rule, approve=replace(rule.approve, unknown_requester=UnknownRequester.ONE_MORE))
    asked = {name: groups[name] for name in quorums}
    votes = tuple(_vote(person, asked) for person in sorted(voters - parties) if _groups(person, asked))
    request = a_request(requester="zoe", author=None if one_more else "zoe", barred=tuple(sorted(parties)), votes=votes)
    known = electorate(**{name: sorted(people) if people is not None else None for name, people in asked.items()})

    found = shortage_of(request, rule, RULE_HASH, known)

    places = [name for name, quorum in quorums.items() for _ in range(quorum)]
    open_places = [name for name in places if asked[name] is not None]
    is_free = one_more and all(people is not None for people in asked.values())
    wanted = [*open_places, *([ANYONE] if is_free else [])]
    able = [person for person in PEOPLE if person not in parties and _groups(person, asked)]
    filled = any(
        all(place == ANYONE or place in _groups(person, asked) for person, place in zip(order, wanted, strict=True))
        for order in permutations(able, len(wanted))
    )
    assert (found is None) == filled


def _groups(person: str, asked: Mapping[str, frozenset[str] | None]) -> tuple[str, ...]:
    return tuple(name for name, people in asked.items() if people is not None and person in people)


def _vote(person: str, asked: Mapping[str, frozenset[str] | None]) -> Vote:
    return a_vote(person, *_groups(person, asked), rule_hash=RULE_HASH)
