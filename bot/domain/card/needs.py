"""What is still needed before a request is decided, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from bot.domain.card.context import CardContext
from bot.domain.evidence.lineage import in_the_way
from bot.domain.model import Kind, State, TransitionRequest
from bot.domain.policy.rules import Rule, UnknownRequester
from bot.domain.request.needed import OUTSIDER, Bar, Electorate, Excluded, Shortage, shortage_of
from bot.domain.request.quorum import ANYONE, author_is_unknown, requester_is_unknown, tally, under
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
EXCLUDED = {
    Bar.ASKED: N_("{person} asked for it"),
    Bar.TRAINED: N_("{person} trained it"),
    Bar.COMMITTED: N_("{person} made its commit"),
    Bar.BEFORE: N_("{person} asked for it or trained it, now or before"),
    Bar.AWAY: N_("{person} is away until {until}"),
}
MOVED = N_("{person} moved it")
REFUSED = {  # by who is unknown
    "author": N_(
        "No one can approve it: the policy refuses that while it is not known who trained the version. Add the author to people in the "
        "policy, and ask again with countersign request-transition."
    ),
    "requester": N_(
        "No one can approve it: the policy refuses that while it is not known who asked. Whoever did can say so with "
        "countersign request-transition."
    ),
}


def button_labels(request: TransitionRequest) -> tuple[str, str]:
    """The labels of the two buttons."""
    if request.kind is not Kind.OBSERVED:
        return _("Approve"), _("Reject")
    return _("Ratify"), _("Reject") if request.is_adopted else _("Put back")


def is_blocked(request: TransitionRequest, context: CardContext) -> bool:
    """Whether the rule demands lineage checks that did not pass: no vote can approve it."""
    return context.rule is not None and bool(in_the_way(request, context.rule))


def may_be_approved(request: TransitionRequest, context: CardContext) -> bool:
    """Whether an open vote can end in an approval now."""
    return not (context.unread or is_blocked(request, context))


def what_is_missing(request: TransitionRequest, context: CardContext) -> tuple[str, ...]:
    """The requirements that no vote has met, one per missing vote, named as in `tally`; empty without a rule."""
    if context.rule is None:
        return ()
    return tally(under(request, context.rule_hash), context.rule).missing


def called_for(request: TransitionRequest, context: CardContext) -> str:
    """Says what is needed in the words before those who are called, where each missing vote is of one group; else empty."""
    missing, rule = what_is_missing(request, context), context.rule
    if is_blocked(request, context):
        return ""
    by_name = {group.name: group for group in context.groups}
    is_plain = len(set(missing)) == len(missing) and all(
        name in by_name and by_name[name].slack_group is not None and rule and not rule.approve.wants_passkey_for(name)
        for name in missing
    )
    if rule is None or not missing or not is_plain or may_stand_in(request, context):
        return ""
    count, is_begun = len(missing), bool(tally(under(request, context.rule_hash), rule).met)
    if request.kind is Kind.OBSERVED and is_begun:
        return ngettext(
            "Needs {count} more vote to ratify, of:", "Needs {count} more votes to ratify, 1 of each:", count
        )
    if request.kind is Kind.OBSERVED:
        return ngettext("Needs {count} vote to ratify, of:", "Needs {count} votes to ratify, 1 of each:", count)
    if is_begun:
        return ngettext("Needs {count} more approval, of:", "Needs {count} more approvals, 1 of each:", count)
    return ngettext("Needs {count} approval, of:", "Needs {count} approvals, 1 of each:", count)


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
    approve, reject = button_labels(request)
    if is_blocked(request, context):
        return _("Only {reject} is possible. Once that is fixed, it can be requested again.", reject=reject)
    if context.unread:
        return _(
            "Countersign looks again every ten minutes; once it can be read, {approve} is back on this card.",
            approve=approve,
        )
    missing = what_is_missing(request, context)
    if not missing:  # an unknown requester needed one more vote, and is known now
        return _(LEFT_OVER)
    wanted = ", ".join(_places(missing, request, context.rule))
    is_begun = bool(tally(under(request, context.rule_hash), context.rule).met)
    if request.kind is Kind.OBSERVED:
        needs = _to_ratify(len(missing), wanted, is_begun=is_begun)
    elif is_begun:
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
    return sentences(needs, may_stand_in(request, context), _nobody_left_on(request, context))


def _nobody_left_on(request: TransitionRequest, context: CardContext) -> str:
    known, rule = context.electorate, context.rule
    if known is None or rule is None:
        return ""
    ids = {email: person for person, email in known.emails.items()}

    def name(email: str) -> str:
        return context.name(ids[email]) if email in ids else email

    return nobody_left(request, rule, context.rule_hash, known, name)


def nobody_left(
    request: TransitionRequest, rule: Rule, rule_hash: str, known: Electorate, name: Callable[[str], str]
) -> str:
    """That nobody may give a missing vote, why, and what to do; empty while somebody may. `name` has people's names by address."""
    refuses = rule.approve.unknown_requester is UnknownRequester.REFUSE
    if refuses and requester_is_unknown(request) and request.state is State.PENDING:
        return _(REFUSED[unknown_party(request)])
    shortage = shortage_of(request, rule, rule_hash, known)
    if shortage is None:
        return ""
    why = listed(_why_not(one, request, name) for one in shortage.excluded)
    wanted = ", ".join(_places(shortage.missing, request, rule))
    groups, count = listed(shortage.groups), len(shortage.missing)
    once = ""
    if shortage.counts_once:
        wanted = _("{count} of the votes of {groups}", count=count, groups=groups)
        once = _("Each person counts for one group only.")
    said = (
        _("Nobody is left to give {wanted}: {why}.", wanted=wanted, why=why)
        if why
        else _("Nobody is left to give {wanted}.", wanted=wanted)
    )
    return sentences(said, once, *_ways_on(shortage, request, rule, rule_hash, known, name))


def _why_not(one: Excluded, request: TransitionRequest, name: Callable[[str], str]) -> str:
    if one.until is not None:
        return _(EXCLUDED[one.why], person=name(one.email), until=one.until)
    is_move = one.why is Bar.ASKED and request.kind is Kind.OBSERVED
    return _(MOVED if is_move else EXCLUDED[one.why], person=name(one.email))


def _waits_for(shortage: Shortage, request: TransitionRequest, name: Callable[[str], str]) -> list[str]:
    away = [(one.email, one.until) for one in shortage.excluded if one.until is not None]
    people = listed(name(email) for email, _until in away)
    is_too_late = request.expires_at is not None and all(until >= request.expires_at for _email, until in away)
    return [
        _("It waits for {people}; after /countersign back they can vote at once.", people=people),
        _("Otherwise the request ends first.") if is_too_late else "",
    ]


def _ways_on(
    shortage: Shortage,
    request: TransitionRequest,
    rule: Rule,
    rule_hash: str,
    known: Electorate,
    name: Callable[[str], str],
) -> list[str]:
    """What brings the request forward, and what is possible until then."""
    if shortage.waits_for_absent:
        return _waits_for(shortage, request, name)
    groups = listed(shortage.groups)
    can_ask_for_fewer = any(one.group in shortage.groups and one.quorum > 1 for one in rule.approve.all_of)
    ways = [
        _("Add people to {groups} in the policy, or ask for fewer votes there.", groups=groups)
        if can_ask_for_fewer
        else _("Add people to {groups} in the policy.", groups=groups)
    ]
    if ANYONE in shortage.missing and not author_is_unknown(request) and requester_is_unknown(request):
        told = replace(request, requester=OUTSIDER)
        if shortage_of(told, rule, rule_hash, known) is None:
            ways.insert(0, _("If whoever asked says so with countersign request-transition, one vote less is needed."))
    if rule.break_glass is not None and request.kind is not Kind.OBSERVED:
        ways.append(_("In an emergency, members of {group} may break the glass.", group=rule.break_glass.group))
    _approve, reject = button_labels(request)
    until = (
        _("Until then only {reject} can decide it.", reject=reject)
        if shortage.may_be_rejected
        else _("Until then nobody can decide it.")
    )
    return [*ways, until]


def _to_ratify(count: int, wanted: str, *, is_begun: bool) -> str:
    if is_begun:
        return ngettext(
            "Needs {count} more vote to ratify: {wanted}.",
            "Needs {count} more votes to ratify: {wanted}.",
            count,
            wanted=wanted,
        )
    return ngettext(
        "Needs {count} vote to ratify: {wanted}.", "Needs {count} votes to ratify: {wanted}.", count, wanted=wanted
    )


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
