"""The ticket that a request names, as in `ML-4521: retrained on May data`, and what ours becomes to it.

The text is not trusted: all who may ask, or may write in the registry, can name any ticket. So only one that our account can see counts,
and cards and tickets say where the name comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from bot.domain.model import TransitionRequest
from bot.domain.references import NamedTicket, Relation, SeenTicket, TicketPlan

KEY = re.compile(r"(?<![\w-])[A-Z][A-Z0-9_]{1,19}-[1-9][0-9]{0,8}(?![\w-])", re.ASCII)
MOST = 5  # UTF-8 and GPT-4 look like names of tickets too
MOST_TEXT = 5000  # characters


def names_in(request: TransitionRequest) -> tuple[tuple[str, bool], ...]:
    """What looks like the name of a ticket, and whether the request has it: its comment comes before the version's description."""
    return tuple(islice(_names(request), MOST))


def _names(request: TransitionRequest) -> Iterator[tuple[str, bool]]:
    seen: set[str] = set()
    of_version = request.evidence.description if request.evidence else ""
    for text, in_request in ((request.comment, True), (of_version, False)):
        for name in KEY.findall(text[:MOST_TEXT]):
            if name not in seen:
                seen.add(name)
                yield name, in_request


def related(plan: TicketPlan, seen: SeenTicket, *, in_request: bool) -> NamedTicket:
    trouble = _trouble(plan, seen)
    relation = Relation.NONE if trouble else plan.relation
    return NamedTicket(seen.key or seen.name, relation, in_request, trouble)


def chosen(found: Iterable[NamedTicket]) -> NamedTicket | None:
    """The first that ours can be related to, with those before it that it cannot; without any, the first of these."""
    refused: list[NamedTicket] = []
    for one in found:
        if one.relation:
            return replace(one, refused=tuple(f"{other.key}: {other.trouble}" for other in refused))
        refused.append(one)
    return replace(refused[0], refused=tuple(f"{one.key}: {one.trouble}" for one in refused[1:])) if refused else None


def _trouble(plan: TicketPlan, seen: SeenTicket) -> str:
    if not seen.is_there:
        return "it was not found, or the bot's account may not see it"
    if plan.relation is Relation.SUBTASK and seen.project != plan.project:
        return f"it is not in {plan.project}, and a sub-task must be in its parent's project"
    if plan.relation is Relation.SUBTASK and seen.is_subtask:
        return "it is a sub-task itself"
    allowed = plan.relation_projects or (plan.project,)
    if plan.relation is Relation.LINK and seen.project not in allowed:
        return f"it is in {seen.project}, and the policy has it linked only to tickets of {' and '.join(allowed)}"
    return ""
