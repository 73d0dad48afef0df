"""How many approvals a rule asks for, and which of its requirements the votes have met so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.model import Kind, TransitionRequest, Verdict, Vote
from bot.domain.policy import Rule, UnknownRequester

ANYONE = "any of the groups"


@dataclass(frozen=True)
class Standing:
    """`met` pairs each counted person with the requirement the vote satisfies; `missing` names the open ones, one a place."""

    met: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not self.missing


def places(request: TransitionRequest, rule: Rule) -> tuple[str, ...]:
    """One entry for each approval that the rule demands, named by its group."""
    demanded = tuple(req.group for req in rule.approve.all_of for _ in range(req.quorum))
    one_more = requester_is_unknown(request) and rule.approve.unknown_requester is UnknownRequester.ONE_MORE
    return (*demanded, ANYONE) if one_more else demanded


def requester_is_unknown(request: TransitionRequest) -> bool:
    """An unmapped author counts as unknown; an observed transition has no requester to know."""
    return request.author is None or (request.requester is None and request.kind is Kind.PROMOTION)


def standing(request: TransitionRequest, rule: Rule) -> Standing:
    """Seats each approver in one place at most, so that one person never stands for two; the order of votes does not matter."""
    approvals = {vote.person: vote for vote in request.votes if vote.verdict is Verdict.APPROVE}
    wanted = places(request, rule)
    seated: dict[int, Vote] = {}
    for _, vote in sorted(approvals.items()):
        _seat(vote, wanted, seated, set())
    met = tuple((seated[place].person, wanted[place]) for place in sorted(seated))
    missing = tuple(group for place, group in enumerate(wanted) if place not in seated)
    return Standing(met, missing)


def _seat(vote: Vote, wanted: Sequence[str], seated: dict[int, Vote], tried: set[int]) -> bool:
    """Kuhn's augmenting path: take a free place, or move whoever sits there to another one."""
    for place, group in enumerate(wanted):
        if place in tried or not (vote.groups if group == ANYONE else group in vote.groups):
            continue
        tried.add(place)
        if place not in seated or _seat(seated[place], wanted, seated, tried):
            seated[place] = vote
            return True
    return False
