"""What is still needed before a request is decided, and why."""

from __future__ import annotations

from collections import Counter

from bot.domain.card.context import CardContext
from bot.domain.evidence.lineage import in_the_way
from bot.domain.model import Kind, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import ANYONE, author_is_unknown, tally, under
from bot.domain.text import counted, format_utc

NO_RULE = "No rule of the policy covers this target any more, so it cannot be decided."
LEFT_OVER = "The votes that the rule demands are there; one more vote by anyone of its groups decides."


def button_labels(request: TransitionRequest) -> tuple[str, str]:
    """The labels of the two buttons."""
    if request.kind is not Kind.OBSERVED:
        return "Approve", "Reject"
    return "Ratify", "Reject" if request.is_adopted else "Put back"


def what_is_missing(request: TransitionRequest, context: CardContext) -> tuple[str, ...]:
    """The requirements that no vote has met, one per missing vote, named as in `tally`; empty without a rule."""
    if context.rule is None:
        return ()
    return tally(under(request, context.rule_hash), context.rule).missing


def may_stand_in(request: TransitionRequest, context: CardContext) -> str:
    """Who else may decide after the escalation; empty before."""
    if request.escalated_at is None or context.rule is None or context.rule.escalate is None:
        return ""
    return f"Members of {context.rule.escalate.group} may stand in since {format_utc(request.escalated_at)}."


def needs_text(request: TransitionRequest, context: CardContext) -> str:
    """For a request that waits for votes: "Needs 3 approvals: 1 of ml-leads, 1 of risk, 1 more because the author is unknown."."""
    if context.rule is None:
        return NO_RULE
    reject = button_labels(request)[1]
    blocked = [check.code for check in in_the_way(request, context.rule)]
    if blocked:
        return f"The rule approves nothing that fails {' and '.join(blocked)}, so it can only be rejected: {reject}."
    missing = what_is_missing(request, context)
    if not missing:  # an unknown requester needed one more vote, and is known now
        return LEFT_OVER
    more = "more " if tally(under(request, context.rule_hash), context.rule).met else ""
    wanted = ", ".join(_places(missing, request, context.rule))
    return f"Needs {counted(len(missing), f'{more}approval')}: {wanted}. {may_stand_in(request, context)}".rstrip()


def unknown_party(request: TransitionRequest) -> str:
    """Because of whom one more approval is needed than the rule's groups give."""
    return "author" if author_is_unknown(request) else "requester"


def _places(missing: tuple[str, ...], request: TransitionRequest, rule: Rule) -> list[str]:
    texts = []
    for group, number in Counter(missing).items():
        how = " with a passkey" if rule.approve.wants_passkey_for(group) else ""
        named = f"more{how} because the {unknown_party(request)} is unknown" if group == ANYONE else f"of {group}{how}"
        texts.append(f"{number} {named}")
    return texts
