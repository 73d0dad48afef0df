"""The differences between two policies, as sentences with the YAML's own words; also a policy text's digest.

People are identified by their e-mail addresses. Where no address may be written, pass both policies through `with_people_as` first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import SequenceMatcher

from bot.domain.model import Ask
from bot.domain.policy.break_glass import BreakGlass
from bot.domain.policy.calendars import Dated, Freeze, Weekly, Window, WorkingHours
from bot.domain.policy.registry_changes import registry_changes
from bot.domain.policy.rules import (
    DigestPlan,
    FastTrack,
    Group,
    LineageDemand,
    PersonEntry,
    Policy,
    Requirement,
    Rule,
    Threshold,
)
from bot.domain.references import TicketField, TicketPlan
from bot.domain.seals.places import SealPlan
from bot.domain.text import exact_duration
from bot.domain.workspaces import DEFAULT, pattern_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NONE = "none"

Fields = dict[str, str]
RuleKey = tuple[str, str, str, int]


def digest_of(text: str) -> str:
    """Identifies exactly this text: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def changes(before: Policy | None, after: Policy) -> tuple[str, ...]:
    """One sentence for each difference, rules first; empty for the first policy, or when only the formatting has changed."""
    if before is None:
        return ()
    return (
        *_rule_changes(before.rules, after.rules),
        *_group_changes(before.groups, after.groups),
        *registry_changes(before.registries, after.registries),
        *_people_changes(before.people, after.people),
        *_differences(_house_fields(before), _house_fields(after)),
    )


def addresses_in(policy: Policy) -> tuple[str, ...]:
    """Every e-mail address in the policy."""
    listed = (email for group in policy.groups for email in group.people)
    told = policy.digest.email if policy.digest else ()
    return tuple(dict.fromkeys((*(entry.email for entry in policy.people), *listed, *told)))


def with_people_as(policy: Policy, names: Mapping[str, str]) -> Policy:
    """The policy with its e-mail addresses replaced by `names`."""
    people = tuple(replace(entry, email=names[entry.email]) for entry in policy.people)
    groups = tuple(replace(group, people=tuple(names[email] for email in group.people)) for group in policy.groups)
    digest = policy.digest and replace(policy.digest, email=tuple(names[email] for email in policy.digest.email))
    return replace(policy, people=people, groups=groups, digest=digest)


def _rule_changes(before: Sequence[Rule], after: Sequence[Rule]) -> Iterator[str]:
    was, now = _by_key(before), _by_key(after)
    yield from (f"rule {_label(rule)} was added" for key, rule in now.items() if key not in was)
    yield from (f"rule {_label(rule)} was removed" for key, rule in was.items() if key not in now)
    for key in _moved(list(was), list(now)):
        place, old_place = list(now).index(key) + 1, list(was).index(key) + 1
        yield f"rule {_label(now[key])} was moved: it is number {place} now, was number {old_place}"
    for key, rule in now.items():
        if key in was:
            changed = _differences(_rule_fields(was[key]), _rule_fields(rule))
            yield from (f"rule {_label(rule)}: {sentence}" for sentence in changed)


def _by_key(rules: Iterable[Rule]) -> dict[RuleKey, Rule]:
    """The rules by what they match; several rules that match the same are numbered."""
    seen: Counter[tuple[str, str, str]] = Counter()
    keyed = {}
    for rule in rules:
        key = (rule.workspace, rule.models, str(rule.target))
        keyed[*key, seen[key]] = rule
        seen[key] += 1
    return keyed


def _moved(was: Sequence[RuleKey], now: Sequence[RuleKey]) -> Iterator[RuleKey]:
    """The smallest set of remaining rules whose move explains the new order."""
    before, after = [key for key in was if key in now], [key for key in now if key in was]
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    in_order = {key for block in blocks for key in after[block.b : block.b + block.size]}
    return (key for key in after if key not in in_order)


def _label(rule: Rule) -> str:
    where = "" if rule.workspace == DEFAULT else f" in workspace {pattern_text(rule.workspace)}"
    return f"{rule.label}{where}"


def _group_changes(before: Sequence[Group], after: Sequence[Group]) -> Iterator[str]:
    was, now = ({group.name: group for group in groups} for groups in (before, after))
    yield from (f"group {name} was added: {_members(now[name])}" for name in now if name not in was)
    yield from (f"group {name} was removed" for name in was if name not in now)
    for name in now:
        if name not in was or was[name] == now[name]:
            continue
        old, new = set(was[name].people), set(now[name].people)
        if not old or not new:
            yield f"group {name}: {_members(now[name])}, was {_members(was[name])}"
            continue
        yield from (f"group {name}: {person} was added" for person in now[name].people if person not in old)
        yield from (f"group {name}: {person} was removed" for person in was[name].people if person not in new)


def _members(group: Group) -> str:
    return f"slack_group {group.slack_group}" if group.slack_group is not None else _listed(group.people)


def _people_changes(before: Sequence[PersonEntry], after: Sequence[PersonEntry]) -> Iterator[str]:
    """Without their names in the policy and in MLflow, because this goes into the ledger, which holds only ids."""
    was, now = ({entry.email: entry for entry in people} for people in (before, after))
    yield from (f"people: {email} was added" for email in now if email not in was)
    yield from (f"people: {email} was removed" for email in was if email not in now)
    for email in (email for email in now if email in was):
        if was[email].name != now[email].name:
            yield f"people: {email} has another name"
        if was[email].mlflow_user != now[email].mlflow_user:
            yield f"people: {email} has {'another' if now[email].mlflow_user else 'no'} mlflow_user"


def _differences(was: Fields, now: Fields) -> Iterator[str]:
    for name in dict.fromkeys((*now, *was)):
        old, new = was.get(name, NONE), now.get(name, NONE)
        if old != new:
            yield f"{name}: {new}, was {old}"


def _house_fields(policy: Policy) -> Fields:
    """The settings that apply to all rules."""
    return {
        "poll.versions": _lasting(policy.poll.versions),
        "poll.aliases": _lasting(policy.poll.aliases),
        "authors_from": ", ".join(policy.authors_from) or NONE,
        "language": policy.language,
        **_calendar_fields(policy.calendar),
        **{name: text for freeze in policy.freezes for name, text in _freeze_fields(freeze).items()},
        "artifact_stores": _listed(policy.artifact_stores),
        "evidence_watch.every": _lasting(policy.evidence_watch.every),
        "evidence_watch.ways_back": str(policy.evidence_watch.ways_back),
        "default": policy.default,
        "readers": _listed(policy.readers),
        **(_digest_fields(policy.digest) if policy.digest else {}),
    }


def _digest_fields(plan: DigestPlan) -> Fields:
    return {
        "digest.cron": plan.cron,
        "digest.timezone": plan.timezone,
        "digest.notify": plan.channel or NONE,
        "digest.ticket": _digest_ticket(plan),
        "digest.email": _listed(plan.email),
        "digest.sign_off": f"{plan.sign_off} within {_lasting(plan.sign_off_within)}" if plan.sign_off else NONE,
    }


def _digest_ticket(plan: DigestPlan) -> str:
    if plan.ticket is None:
        return NONE
    said = f"project {plan.ticket[0]} type {plan.ticket[1]}"
    return f"{said} {_ticket_fields(plan.ticket_fields)}" if plan.ticket_fields else said


def _calendar_fields(calendar: WorkingHours) -> Fields:
    return {
        "calendar.days": _days(calendar.days),
        "calendar.hours": f"{_hours(calendar.opens, calendar.closes)} ({calendar.timezone})",
        "calendar.holidays": _listed(str(day) for day in calendar.holidays),
    }


def _freeze_fields(freeze: Freeze) -> Fields:
    return {
        f"freezes.{freeze.name}.deny": _windows(freeze.deny, freeze.timezone),
        f"freezes.{freeze.name}.allow": _windows(freeze.allow, freeze.timezone),
    }


def _rule_fields(rule: Rule) -> Fields:
    return {
        "ask_on": _listed(_ask(ask) for ask in rule.ask_on),
        "observed": rule.observed,
        "revert.copies": rule.copies,
        "notify": rule.channel,
        "notify.group_above": str(rule.group_above or "never"),
        "ticket": _ticket(rule.ticket),
        "approve": _all_of(rule.approve.all_of),
        "approve.reason": rule.approve.reason,
        "approve.passkey": "required" if rule.approve.passkey else NONE,
        "approve.unknown_requester": rule.approve.unknown_requester,
        "remind_after": _lasting(rule.remind_after),
        "escalate": f"after {_lasting(rule.escalate.after)} to {rule.escalate.group}" if rule.escalate else NONE,
        "expire_after": _lasting(rule.expire_after),
        "break_glass": _glass(rule.break_glass),
        "freezes": _listed(rule.freezes),
        "rollback": rule.rollback,
        "approval_valid_for": _lasting(rule.approval_valid_for),
        "seal": _seal(rule.seal),
        **(_fast_track_fields(rule.fast_track) if rule.fast_track else {}),
        **(_lineage_fields(rule.lineage) if rule.lineage else {}),
    }


def _glass(may: BreakGlass | None) -> str:
    return f"{may.group}, reviewed by {may.reviewers} within {_lasting(may.review_within)}" if may else NONE


def _seal(plan: SealPlan | None) -> str:
    return f"{plan.to} locked for {_lasting(plan.lock_for)}" if plan and plan.lock_for else plan.to if plan else NONE


def _fast_track_fields(track: FastTrack) -> Fields:
    return {
        "fast_track.mode": track.mode,
        **{f"fast_track.metrics.{one.metric}": _threshold(one) for one in track.metrics},
        "fast_track.require": _listed(track.require),
        "fast_track.sample_to_people": _number(track.sample_to_people) if track.sample_to_people else NONE,
        "fast_track.undo_for": _lasting(track.undo_for),
    }


def _lineage_fields(demand: LineageDemand) -> Fields:
    return {"lineage.git": demand.git or NONE, "lineage.main": demand.main, "lineage.block": _listed(demand.block)}


def _threshold(one: Threshold) -> str:
    numbers = {
        "threshold": one.threshold,
        "min_absolute_change": one.min_absolute_change,
        "min_relative_change": one.min_relative_change,
    }
    said = [f"{name} {_number(number)}" for name, number in numbers.items() if number is not None]
    direction = f"greater_is_better {str(one.greater_is_better).lower()}"
    return " ".join((*said, direction, *([f"dataset {one.dataset}"] if one.dataset else [])))


def _all_of(requirements: Sequence[Requirement]) -> str:
    return " and ".join(f"{_count(one.quorum)} of {one.group}{_by_passkey(one)}" for one in requirements)


def _by_passkey(requirement: Requirement) -> str:
    return " with a passkey" if requirement.passkey else ""


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _ask(ask: Ask) -> str:
    return f"{ask.kind} {ask.name}" if ask.name else ask.kind


def _ticket(plan: TicketPlan | None) -> str:
    if plan is None:
        return NONE
    said = f"project {plan.project} type {plan.type} approved {plan.approved} rejected {plan.rejected}"
    return " ".join([said, *_ticket_details(plan)])


def _ticket_details(plan: TicketPlan) -> Iterator[str]:
    """Only what differs from a plain ticket, so that the entry of an older policy reads as before."""
    for decision, path, resolution in (
        ("approved", plan.approved_path, plan.approved_resolution),
        ("rejected", plan.rejected_path, plan.rejected_resolution),
    ):
        if path:
            yield f"{decision} by {' > '.join(path)}"
        if resolution:
            yield f"{decision} as {resolution}"
    if plan.fields:
        yield _ticket_fields(plan.fields)
    if plan.break_glass_type:
        yield f"break glass type {plan.break_glass_type}"
    if plan.decide_approve:
        yield f"decided there by {plan.decide_approve} or {plan.decide_reject}"
    if plan.approvals:
        yield "decided there by its approvals"
    if plan.relation:
        of_these = f" in {', '.join(plan.relation_projects)}" if plan.relation_projects else ""
        yield f"named as {plan.relation} {plan.relation_type}{of_these}"


def _ticket_fields(fields: Sequence[TicketField]) -> str:
    return "fields " + ", ".join(f"{field.name} {field.value}" for field in fields)


def _windows(windows: Sequence[Window], zone: str) -> str:
    """With the zone that their times are of: a change of the windows alone says nothing else about it."""
    return f"{_listed(_window(window) for window in windows)} ({zone})" if windows else _listed(())


def _window(window: Window) -> str:
    if isinstance(window, Dated):
        return f"{window.begins:%Y-%m-%d %H:%M} until {window.ends:%Y-%m-%d %H:%M}"
    return _weekly(window)


def _weekly(window: Weekly) -> str:
    return f"{_days(window.days)} {_hours(window.opens, window.closes)}"


def _days(days: Iterable[int]) -> str:
    return "/".join(DAYS[day] for day in days)


def _hours(opens: int, closes: int) -> str:
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (opens, closes))


def _lasting(duration: timedelta | None) -> str:
    return exact_duration(duration) if duration is not None else NONE


def _number(number: float) -> str:
    """All digits, so that different numbers print differently."""
    return repr(float(number)).removesuffix(".0")


def _listed(words: Iterable[str]) -> str:
    said = list(words)
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or NONE
