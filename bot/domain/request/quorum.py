"""How many approvals a rule asks for, and which of its requirements the votes have met so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.model import Kind, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule, UnknownRequester

ANYONE = "any of the groups"


@dataclass(frozen=True)
class Tally:
    """`met` pairs each counted person with the requirement the vote satisfies; `missing` names the open ones, one a place."""

    met: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not self.missing


def places(request: TransitionRequest, rule: Rule) -> tuple[str, ...]:
    """One entry for each approval that the rule demands, named by its group."""
    demanded = tuple(req.group for req in rule.approve.all_of for _ in range(req.quorum))
    return (*demanded, ANYONE) if _wants_one_more(request, rule) else demanded


def place_name(place: str, rule: Rule) -> str:
    """A place for people: its group, and whether the approval takes a passkey."""
    name = "any group that decides" if place == ANYONE else place
    return f"{name} with a passkey" if rule.approve.wants_passkey_for(place) else name


def groups_with_a_say(request: TransitionRequest, rule: Rule) -> tuple[str, ...]:
    """The rule's groups and, once a request was escalated, the one that may vote in place of each of them."""
    named = tuple(requirement.group for requirement in rule.approve.all_of)
    return (*named, rule.escalate.group) if rule.escalate and request.escalated_at else named


def wants_passkey(vote: Vote, rule: Rule) -> bool:
    """Whether this vote takes its person's passkey: only approvals do, for a group that needs one, or in place of its members."""
    if vote.verdict is not Verdict.APPROVE or not rule.approve.wants_passkeys:
        return False
    may_stand_in = rule.escalate is not None and rule.escalate.group in vote.groups
    return rule.approve.passkey or may_stand_in or any(rule.approve.wants_passkey_for(group) for group in vote.groups)


def author_is_unknown(request: TransitionRequest) -> bool:
    """No source that the policy believes names a person of it as the one who trained it, or names another as the author of its commit."""
    seen = request.evidence
    claims_commit = seen is not None and bool(seen.commit_author) and seen.commit_author_from not in seen.not_believed
    return request.author is None or (claims_commit and request.commit_author is None)


def requester_is_unknown(request: TransitionRequest) -> bool:
    """An unmapped author counts as unknown, and so does a person who moved a target by hand: that must not take fewer votes than asking."""
    return author_is_unknown(request) or (request.requester is None and request.kind is not Kind.ROLLBACK)


def under(request: TransitionRequest, rule_hash: str) -> TransitionRequest:
    """The request with the valid votes: cast under this rule with its groups, and not by or for people who asked since."""

    def counts(vote: Vote) -> bool:
        return vote.rule_hash == rule_hash and not request.parties & {*vote.ids, *vote.standing_in_for}

    return replace(request, votes=tuple(vote for vote in request.votes if counts(vote)))


def _wants_one_more(request: TransitionRequest, rule: Rule) -> bool:
    """`author_only` ignores an unknown requester, but an unknown author could be any of the voters."""
    if rule.approve.unknown_requester is UnknownRequester.AUTHOR_ONLY:
        return author_is_unknown(request)
    return rule.approve.unknown_requester is UnknownRequester.ONE_MORE and requester_is_unknown(request)


def tally(request: TransitionRequest, rule: Rule) -> Tally:
    """Seats each approver in one place at most, so that no person counts twice; the order of votes does not matter.

    An approval without its person's passkey takes no place that needs one.
    """
    approvals = {vote.person: vote for vote in request.votes if vote.verdict is Verdict.APPROVE}
    wanted = places(request, rule)
    seated: dict[int, Vote] = {}
    open_to = {person: places_for(vote, request, rule) for person, vote in approvals.items()}
    for _, vote in sorted(approvals.items()):
        _seat(vote, wanted, seated, set(), open_to)
    met = tuple((seated[place].person, wanted[place]) for place in sorted(seated))
    missing = tuple(group for place, group in enumerate(wanted) if place not in seated)
    return Tally(met, missing)


def places_for(vote: Vote, request: TransitionRequest, rule: Rule) -> frozenset[str]:
    """The names of the places that this vote may take. The escalation group counts only after the request was escalated."""
    named = {*(req.group for req in rule.approve.all_of), ANYONE}
    stands_in = rule.escalate is not None and request.escalated_at is not None and rule.escalate.group in vote.groups
    own = named if stands_in else {*vote.groups, ANYONE} if vote.groups else set[str]()
    return frozenset(name for name in own if vote.passkey or not rule.approve.wants_passkey_for(name))


def _seat(
    vote: Vote,
    wanted: Sequence[str],
    seated: dict[int, Vote],
    tried: set[int],
    open_to: Mapping[str, frozenset[str]],
) -> bool:
    """Kuhn's augmenting path: take a free place, or move the person who has it to another one. `open_to` has places' names by person."""
    for place, group in enumerate(wanted):
        if place in tried or group not in open_to[vote.person]:
            continue
        tried.add(place)
        if place not in seated or _seat(seated[place], wanted, seated, tried, open_to):
            seated[place] = vote
            return True
    return False
