"""Whose vote would bring a request forward, and whether enough people are left to approve it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.grounds import Assertion
from bot.domain.model import State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Group, Rule
from bot.domain.request.quorum import ANYONE, groups_with_a_say, places, places_for, tally, under

WITH_PASSKEY = Assertion("", "", "", "", "")  # the person would sign with it, where the rule asks for one
OUTSIDER = "somebody-else"  # nobody's id: who asks and is in none of the groups


class Bar(StrEnum):
    """Why a member of a group may not vote on a request."""

    ASKED = "asked"
    TRAINED = "trained"
    COMMITTED = "committed"
    BEFORE = "before"
    AWAY = "away"


@dataclass(frozen=True)
class Away:
    """`delegate` is the address of who votes until then, with one vote for all."""

    until: datetime
    delegate: str


@dataclass(frozen=True)
class Electorate:
    """What is known of the people of a rule's groups: addresses by id, and by address who is away. A group of Slack has unknown people."""

    groups: tuple[Group, ...]
    emails: Mapping[str, str]
    away: Mapping[str, Away]


@dataclass(frozen=True)
class Excluded:
    email: str
    why: Bar
    until: datetime | None = None


@dataclass(frozen=True)
class Shortage:
    """`missing` are the approvals, named as in `tally`, that nobody is left to give; `groups` are those they could come from.

    `waits_for_absent`: they can be given once everybody is back. `counts_once`: somebody in two of the groups is needed for the other one.
    `may_be_rejected`: somebody is left who may vote at all.
    """

    missing: tuple[str, ...]
    groups: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    waits_for_absent: bool
    counts_once: bool
    may_be_rejected: bool


def is_needed_from(
    ids: Collection[str], groups: Collection[str], request: TransitionRequest, rule: Rule, rule_hash: str
) -> bool:
    """Whether an approval by this person would fill a place that is still open. `ids` are all of the person's, `groups` of the rule's.

    Neither a party of the request nor a person who has voted can.
    """
    valid = under(request, rule_hash)
    has_voted = any(set(ids) & {*vote.ids, *vote.standing_in_for} for vote in valid.votes)
    if request.state is not State.PENDING or request.parties & set(ids) or has_voted or not groups:
        return False
    with_it = replace(valid, votes=(*valid.votes, _approval(min(ids), groups, valid)))
    return len(tally(with_it, rule).missing) < len(tally(valid, rule).missing)


def shortage_of(request: TransitionRequest, rule: Rule, rule_hash: str, known: Electorate) -> Shortage | None:
    """None while enough people may be left: an escalation still to come counts, and so do all of whom only Slack knows."""
    if request.state is not State.PENDING:
        return None
    valid = under(request, rule_hash)
    if rule.escalate is not None and valid.escalated_at is None:
        valid = replace(valid, escalated_at=valid.opened_at)
    best = _with_all_votes(valid, rule, known, known.away)
    if tally(best, rule).is_complete:
        return None
    back = _with_all_votes(valid, rule, known, {})
    waits_for_absent = tally(back, rule).is_complete
    best = best if waits_for_absent else back
    short = _places_that_are_short(best, rule)
    asked = {*short, *([rule.escalate.group] if rule.escalate else [])}
    groups = [group for group in known.groups if group.slack_group is None and {group.name, ANYONE} & asked]
    away = known.away if waits_for_absent else {}
    return Shortage(
        missing=tally(best, rule).missing,
        groups=tuple(group.name for group in groups),
        excluded=tuple(_excluded(groups, valid, known, away)),
        waits_for_absent=waits_for_absent,
        counts_once=len(short) > 1 and ANYONE not in short,
        may_be_rejected=len(best.votes) > len(valid.votes),
    )


def _with_all_votes(
    valid: TransitionRequest, rule: Rule, known: Electorate, away: Mapping[str, Away]
) -> TransitionRequest:
    """As if everybody approved who still may. Of those whom only Slack knows there may be as many as it takes.

    Of people in the same groups only as many approve as there are places: more change nothing.
    """
    named = groups_with_a_say(valid, rule)
    members = _members([group for group in known.groups if group.name in named])
    bound = {*_barred(valid, known), *_used(valid, known)}
    gone = bound | set(away)
    free = {email: set(groups) for email, groups in members.items() if email not in gone}
    for email, absence in away.items():
        if email in members and not {email, absence.delegate} & bound and absence.delegate not in away:
            free.setdefault(absence.delegate, set()).update(members[email])
    alike: dict[frozenset[str], list[str]] = {}
    for email, groups in free.items():
        alike.setdefault(frozenset(groups), []).append(email)
    of_slack = [group.name for group in known.groups if group.slack_group is not None and group.name in named]
    count = len(places(valid, rule))
    listed = [_approval(email, groups, valid) for groups, emails in alike.items() for email in emails[:count]]
    unknown = [_approval(f"{name} {number}", (name,), valid) for name in of_slack for number in range(count)]
    return replace(valid, votes=(*valid.votes, *listed, *unknown))


def _places_that_are_short(request: TransitionRequest, rule: Rule) -> set[str]:
    """The open places, and those whose people could have filled them: with the same people, any of these could be the open one."""
    found = tally(request, rule)
    votes = {vote.person: vote for vote in request.votes}
    short, size = set(found.missing), 0
    while size != len(short):
        size = len(short)
        short |= {place for person, place in found.met if places_for(votes[person], request, rule) & short}
    return short


def _excluded(
    groups: Iterable[Group], valid: TransitionRequest, known: Electorate, away: Mapping[str, Away]
) -> Iterator[Excluded]:
    barred, used = _barred(valid, known), _used(valid, known)
    for email in _members(groups):
        if email in barred:
            yield Excluded(email, barred[email])
        elif email in away and email not in used:
            yield Excluded(email, Bar.AWAY, away[email].until)


def _barred(request: TransitionRequest, known: Electorate) -> Mapping[str, Bar]:
    """By address why a party may not vote; of several reasons the first in this order."""
    why = {
        **dict.fromkeys(request.barred, Bar.BEFORE),
        **dict.fromkeys(filter(None, [request.commit_author]), Bar.COMMITTED),
        **dict.fromkeys(filter(None, [request.author]), Bar.TRAINED),
        **dict.fromkeys(filter(None, [request.requester, *request.joined]), Bar.ASKED),
    }
    return {known.emails[one]: bar for one, bar in why.items() if one in known.emails}


def _used(valid: TransitionRequest, known: Electorate) -> set[str]:
    """The addresses of those who have voted, themselves or by delegate."""
    ids = {one for vote in valid.votes for one in (*vote.ids, *vote.standing_in_for)}
    return {known.emails[one] for one in ids if one in known.emails}


def _members(groups: Iterable[Group]) -> Mapping[str, set[str]]:
    """The names of their groups by address, of the groups that name their people."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for email in group.people:
            found.setdefault(email, set()).add(group.name)
    return found


def _approval(person: str, groups: Collection[str], valid: TransitionRequest) -> Vote:
    """As the person would give it, with the passkey where the rule asks for one."""
    return Vote(person, Verdict.APPROVE, "", valid.opened_at, tuple(groups), "", valid.rule_hash, passkey=WITH_PASSKEY)
