"""What is still needed before a request is decided, and why."""

from __future__ import annotations

from collections import Counter

from bot.domain.card.context import CardContext
from bot.domain.evidence.lineage import in_the_way
from bot.domain.model import Kind, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.quorum import ANYONE, author_is_unknown, tally, under
from bot.language import N_, Value, _, listed, ngettext, sentences

NO_RULE = N_("No rule of the policy covers this target any more, so it cannot be decided.")
LEFT_OVER = N_("The votes that the rule demands are there; one more vote by anyone of its groups decides.")
PLACES = {  # by whether the vote needs a passkey
    False: N_("{count} of {group}"),
    True: N_("{count} of {group} with a passkey"),
}
MORE = {  # by whose name is missing, and whether the vote needs a passkey
    ("author", False): N_("{count} more because the author is unknown"),
    ("author", True): N_("{count} more with a passkey because the author is unknown"),
    ("requester", False): N_("{count} more because the requester is unknown"),
    ("requester", True): N_("{count} more with a passkey because the requester is unknown"),
}


def button_labels(request: TransitionRequest) -> tuple[str, str]:
    """The labels of the two buttons."""
    if request.kind is not Kind.OBSERVED:
        return _("Approve"), _("Reject")
    return _("Ratify"), _("Reject") if request.is_adopted else _("Put back")


def what_is_missing(request: TransitionRequest, context: CardContext) -> tuple[str, ...]:
    """The requirements that no vote has met, one per missing vote, named as in `tally`; empty without a rule."""
    if context.rule is None:
        return ()
    return tally(under(request, context.rule_hash), context.rule).missing


def may_stand_in(request: TransitionRequest, context: CardContext) -> str:
    """Who else may decide after the escalation; empty before."""
    if request.escalated_at is None or context.rule is None or context.rule.escalate is None:
        return ""
    return _(
        "Members of {group} may stand in since {since}.",
        group=context.rule.escalate.group,
        since=request.escalated_at,
    )


def needs_text(request: TransitionRequest, context: CardContext) -> str:
    """For a request that waits for votes: "Needs 3 approvals: 1 of ml-leads, 1 of risk, 1 more because the author is unknown."."""
    if context.rule is None:
        return _(NO_RULE)
    reject = button_labels(request)[1]
    blocked = [check.code for check in in_the_way(request, context.rule)]
    if blocked:
        return _(
            "The rule approves nothing that fails {checks}, so it can only be rejected: {reject}.",
            checks=listed(blocked),
            reject=reject,
        )
    missing = what_is_missing(request, context)
    if not missing:  # an unknown requester needed one more vote, and is known now
        return _(LEFT_OVER)
    wanted = ", ".join(_places(missing, request, context.rule))
    if tally(under(request, context.rule_hash), context.rule).met:
        needs = ngettext(
            "Needs {count} more approval: {wanted}.",
            "Needs {count} more approvals: {wanted}.",
            len(missing),
            wanted=wanted,
        )
    else:
        needs = ngettext(
            "Needs {count} approval: {wanted}.", "Needs {count} approvals: {wanted}.", len(missing), wanted=wanted
        )
    return sentences(needs, may_stand_in(request, context))


def unknown_party(request: TransitionRequest) -> str:
    """Because of whom one more approval is needed than the rule's groups give; a key of `MORE`."""
    return "author" if author_is_unknown(request) else "requester"


def _places(missing: tuple[str, ...], request: TransitionRequest, rule: Rule) -> list[str]:
    texts: list[str] = []
    for group, number in Counter(missing).items():
        by_passkey = rule.approve.wants_passkey_for(group)
        text = MORE[unknown_party(request), by_passkey] if group == ANYONE else PLACES[by_passkey]
        values: dict[str, Value] = {"count": number} if group == ANYONE else {"count": number, "group": group}
        texts.append(_(text, **values))
    return texts
