"""Warnings about what a policy allows, such as rules that overlap, unused groups and freezes, and addresses that look mistyped.

What is not allowed is in `config.policy.checks`; rules that feed each other are in `config.policy.cycles`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain, combinations

from bot.domain.policy.rules import UnknownRequester
from bot.domain.text import IN_PROSE, counted, duration_text
from config.policy.checks import hides
from config.policy.cycles import rules_that_feed_on_copies
from config.policy.parts import Finding
from config.policy.patterns import common_name
from config.policy.places import common_place, rules_for_no_place
from config.policy.shapes import PolicyShape, RuleShape

NEARLY = 0.8  # ana and anna; a name of three letters of which one is another may be somebody else's
ANY = ""  # no group's name: of any of them
LETTERS = re.compile(r"\[[^\]!-][^\]-]*\]")  # not [a-z] and [!a], which no one writes by chance


def notable(policy: PolicyShape) -> Iterator[Finding]:
    yield from _rules_that_overlap(policy.rules)
    yield from rules_for_no_place(policy)
    yield from _brackets_that_stand_for_a_letter(policy.rules)
    yield from _groups_without_a_rule(policy)
    yield from _freezes_without_a_rule(policy)
    yield from _ages_without_a_digest(policy)
    yield from rules_that_feed_on_copies(policy.rules)
    yield from _reminders_after_the_end(policy)
    yield from _names_that_count_for_nothing(policy)
    yield from _approvals_that_no_ticket_can_take(policy.rules)
    yield from _seals_among_the_models(policy)
    yield from _addresses_nearly_listed(policy)
    yield from _votes_that_take_everybody(policy)


def _votes_that_take_everybody(policy: PolicyShape) -> Iterator[Finding]:
    """No one approves their own work, so where everybody's vote is needed, what one of them asks for or trains waits in vain.

    Who is alone in a group was named on purpose: that is noticed only of those whom the policy knows as trainers. Rules that lack the same
    people are noticed once.
    """
    always: dict[tuple[str, ...], list[int]] = {}
    with_one_more: dict[tuple[tuple[str, ...], UnknownRequester], list[int]] = {}
    for index, rule in enumerate(policy.rules):
        needed, unknown = _irreplaceable(policy, rule, more=0), rule.approve.unknown_requester
        noticed = tuple(one for one in needed if not _is_named_on_purpose(one, policy, rule))
        if noticed:
            always.setdefault(noticed, []).append(index)
        then = tuple(one for one in _irreplaceable(policy, rule, more=1) if one not in needed)
        if then and unknown is not UnknownRequester.REFUSE:
            with_one_more.setdefault((then, unknown), []).append(index)
    for people, places in always.items():
        yield (
            ("rules", places[0], "approve", "all_of"),
            f"{_rules(places, policy)} cannot do without {' and '.join(people)}: what {_each(people)} asked for or trained could never be "
            f"approved, because no one approves their own work. Add a person to the group, {_lower(places, policy)}or add escalate.",
        )
    for (people, unknown), places in with_one_more.items():
        is_one_more = unknown is UnknownRequester.ONE_MORE
        asked = "who asked (an alias, a tag or a stage does not say it) or " if is_one_more else ""
        yield (
            ("rules", places[0], "approve", "unknown_requester"),
            f"{_rules(places, policy)} takes one vote more when nobody knows {asked}who trained the version. Then it cannot do without "
            f"{' and '.join(people)}, so what {_each(people)} {'trained or ' if is_one_more else ''}asked for could not be approved. Add "
            "a person to the group, or add escalate.",
        )


def _lower(places: Sequence[int], policy: PolicyShape) -> str:
    can = any(one.quorum > 1 for place in places for one in policy.rules[place].approve.all_of)
    return "lower the quorum, " if can else ""


def _rules(places: Sequence[int], policy: PolicyShape) -> str:
    more = f", like {counted(len(places) - 1, 'more rule')}," if len(places) > 1 else ""
    return f'rule "{policy.rules[places[0]].models}"{more}'


def _each(people: Sequence[str]) -> str:
    return "one of them" if len(people) > 1 else "they"


def _is_named_on_purpose(person: str, policy: PolicyShape, rule: RuleShape) -> bool:
    """A group of one person says so itself, as where a risk officer must see everything. The card says it when they have asked."""
    return any(_people_of(one.group, policy) == frozenset([person]) for one in rule.approve.all_of)


def _irreplaceable(policy: PolicyShape, rule: RuleShape, *, more: int) -> list[str]:
    """Those without whom the votes cannot be given, with so many more by any of the groups. Whom only Slack knows may be many.

    By Hall's theorem they are those of groups that have only as many people together as they have votes to give.
    """
    groups = [one.group for one in rule.approve.all_of]
    standing_in = _people_of(rule.escalate.group, policy) if rule.escalate else frozenset[str]()
    if standing_in is None:
        return []
    listed = {group: people | standing_in for group in groups if (people := _people_of(group, policy)) is not None}
    quorums = {one.group: one.quorum for one in rule.approve.all_of if one.group in listed}
    if more and len(listed) == len(groups):
        quorums, listed = {**quorums, ANY: more}, {**listed, ANY: frozenset().union(*listed.values())}
    found: set[str] = set()
    for names in chain.from_iterable(combinations(quorums, size) for size in range(1, len(quorums) + 1)):
        everybody = frozenset[str]().union(*(listed[name] for name in names))
        if sum(quorums[name] for name in names) >= len(everybody):
            found |= everybody
    return sorted(found)


def _people_of(group: str, policy: PolicyShape) -> frozenset[str] | None:
    """None when only Slack knows them."""
    people = policy.groups[group].people
    return None if people is None else frozenset(people)


def _addresses_nearly_listed(policy: PolicyShape) -> Iterator[Finding]:
    """An address in a group that is in people but for a letter or two. If somebody has it they can vote, and both can be listed."""
    listed = {person.email for person in policy.people}
    in_order = sorted(listed)
    for name, group in policy.groups.items():
        for index, address in enumerate(group.people or ()):
            meant = "" if address in listed else next((one for one in in_order if _is_nearly(address, one)), "")
            if meant:
                yield (
                    ("groups", name, "people", index),
                    f'group "{name}" names {address}, which is not in people. Did you mean {meant}? If these are two persons, add '
                    "this one to people.",
                )


def _is_nearly(address: str, other: str) -> bool:
    """Differing by a letter or two on one side of the @."""
    (name, _, host), (other_name, _, other_host) = address.partition("@"), other.partition("@")
    if host == other_host:
        return SequenceMatcher(None, name, other_name).ratio() >= NEARLY
    return name == other_name and SequenceMatcher(None, host, other_host).ratio() >= NEARLY


def _seals_among_the_models(policy: PolicyShape) -> Iterator[Finding]:
    for index, rule in enumerate(policy.rules):
        to = rule.seal.to if rule.seal else ""
        store = next((store for store in policy.artifact_stores if to.startswith(store)), None)
        if store is not None:
            yield (
                ("rules", index, "seal"),
                f'rule "{rule.models}" seals in {to}, which is in the artifact store {store}, where those who train write. Name a bucket '
                "that only the bot writes to.",
            )


def _approvals_that_no_ticket_can_take(rules: tuple[RuleShape, ...]) -> Iterator[Finding]:
    for index, rule in enumerate(rules):
        if rule.ticket is not None and rule.ticket.decide is not None and rule.approve.as_approve().wants_passkeys:
            yield (
                ("rules", index, "ticket", "decide"),
                f'rule "{rule.models}": approvals take a passkey, which a ticket cannot ask for. People can only reject in the ticket.',
            )


def _brackets_that_stand_for_a_letter(rules: tuple[RuleShape, ...]) -> Iterator[Finding]:
    """A model may be called `[prod] bike`, and few know that a shell pattern reads `[prod]` as one letter of four."""
    for index, rule in enumerate(rules):
        patterns = [("models", rule.models), ("registry", rule.registry)]
        key_of_workspaces = "workspace" if rule.workspaces is None else "workspaces"
        for key, pattern in (*patterns, *((key_of_workspaces, one) for one in rule.named_workspaces)):
            found = next((one for one in LETTERS.findall(pattern) if one != "[[]"), None)
            if found is not None:
                yield (
                    ("rules", index, key),
                    f'rule "{rule.models}": {found} in {key} stands for one letter of those in it. If the name has brackets, write '
                    f'"{pattern.replace(found, "[[]" + found[1:])}".',
                )


def _rules_that_overlap(rules: tuple[RuleShape, ...]) -> Iterator[Finding]:
    """A narrow rule before a wide one is how exceptions are written; only patterns that cross can surprise."""
    for index, rule in enumerate(rules):
        shared = next(((one, found) for one in rules[:index] if (found := _shared(one, rule))), None)
        if shared is not None:
            earlier, name = shared
            yield (
                ("rules", index),
                f'rule "{rule.models}" for {rule.target.as_target()} and the rule "{earlier.models}" before it both match '
                f"{name}, and the one before holds for it. If that is not meant, put this rule first or narrow a pattern.",
            )


def _shared(first: RuleShape, second: RuleShape) -> str | None:
    """A model that is a matter of both rules, although neither covers the other."""
    if first.target.as_target() != second.target.as_target() or hides(second, first):
        return None
    model = common_name(first.models, second.models)
    if model is None or first.place == second.place:
        return None if model is None else f'"{model}"'
    place = common_place(first, second)
    return None if place is None else f'"{model}" in the workspace "{place}"'


def _groups_without_a_rule(policy: PolicyShape) -> Iterator[Finding]:
    asked = {requirement.group for rule in policy.rules for requirement in rule.approve.all_of}
    standing_in = {rule.escalate.group for rule in policy.rules if rule.escalate is not None}
    glasses = [rule.break_glass for rule in policy.rules if rule.break_glass is not None]
    in_emergency = {name for glass in glasses for name in (glass.group, glass.review.group)}
    signing = {policy.digest.sign_off} if policy.digest is not None else set()
    for name in policy.groups:
        if name not in asked | standing_in | in_emergency | signing | set(policy.readers or ()):
            sentence = f'group "{name}" decides nothing, because no rule names it. Name it in a rule, or remove it.'
            yield ("groups", name), sentence


def _freezes_without_a_rule(policy: PolicyShape) -> Iterator[Finding]:
    named = {name for rule in policy.rules for name in rule.freezes}
    for name in policy.freezes:
        if name not in named:
            sentence = f'freeze "{name}" holds nothing back, because no rule names it. Add it to a rule\'s freezes, or remove it.'
            yield ("freezes", name), sentence


def _ages_without_a_digest(policy: PolicyShape) -> Iterator[Finding]:
    for index, rule in enumerate(policy.rules):
        if rule.approval_valid_for is not None and policy.digest is None:
            yield (
                ("rules", index, "approval_valid_for"),
                f'rule "{rule.models}" says how old an approval may get, and only the digest would tell, which there is none of. '
                "Add digest, or remove approval_valid_for.",
            )


def _reminders_after_the_end(policy: PolicyShape) -> Iterator[Finding]:
    """Reminders count working time, and a request expires by the clock: what would take longer than that never happens."""
    calendar = policy.calendar.as_calendar()
    for index, rule in enumerate(policy.rules):
        if rule.expire_after is None:
            continue
        at_work = calendar.most_within(rule.expire_after)
        ends, worked = duration_text(rule.expire_after, IN_PROSE), duration_text(at_work, IN_PROSE)
        said = f"which expires after {ends}, with at most {worked} of working time in it"
        if rule.remind_after is not None and rule.remind_after >= at_work:
            sentence = f'rule "{rule.models}" reminds nobody of a request, {said}. Shorten remind_after, or lengthen expire_after.'
            yield ("rules", index, "remind_after"), sentence
        if rule.escalate is not None and rule.escalate.after >= at_work:
            sentence = f'rule "{rule.models}" never escalates a request, {said}. Shorten escalate.after, or lengthen expire_after.'
            yield ("rules", index, "escalate"), sentence


def _names_that_count_for_nothing(policy: PolicyShape) -> Iterator[Finding]:
    """As in policies of older releases, which believed every source."""
    if policy.authors_from or not any(person.mlflow_user for person in policy.people):
        return
    sentence = (
        "people have an mlflow_user, but the policy believes no source of authors, so that every author counts as unknown and every "
        "request takes one vote more. To believe the user that MLflow has on a run, add authors_from: [run]; whoever can write to a "
        "run can write another name there."
    )
    yield ("people",), sentence
