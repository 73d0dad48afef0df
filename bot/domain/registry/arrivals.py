"""The next step when a version arrives at a place by hand, or when a place is emptied."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.model import State, TargetKind, VersionId
from bot.domain.registry.custody import custody_of, is_waiting, may_hold, way_back_from
from bot.domain.registry.facts import Facts, Handling, Intent, copies_of, was_put_back_by_rule, when
from bot.domain.registry.steps import Ask, How, Nothing, PutBack, Report, Restore, Resume, Settle, Step
from bot.language import recorded

ROUNDS = 3  # put-backs by rule of one place within WITHIN, before people are called
WITHIN = timedelta(days=1)


def step_for_arrival(version: VersionId, previous: VersionId | None, facts: Facts, now: datetime) -> Step:
    """`previous` held the place on record before it."""
    ours = _announced(version, previous, facts)
    if ours is not None:
        return Resume(ours.request_id, ours.restores)
    approval = _approval_of(version, facts)
    if facts.handling is Handling.IGNORE and not approval:
        return Nothing("no rule covers it")
    if approval or may_hold(version, facts) or facts.handling in (Handling.REPORT, Handling.IGNORE):
        return Report(approval)
    if facts.handling is Handling.ASK:
        return Ask()
    return _by_rule(version, facts, now)


def step_when_emptied(previous: VersionId | None, facts: Facts, now: datetime) -> Step:
    ours = next((intent for intent in facts.intents if _empties(intent, previous)), None)
    if ours is not None:
        return Resume(ours.request_id, ours.restores)
    if facts.handling is Handling.IGNORE:
        return Nothing("no rule covers it")
    to = custody_of(facts).way_back
    can = facts.handling is Handling.REVERT and to is not None and to in facts.there and not _is_spent(facts, now)
    return Restore(to) if can and to is not None and facts.target.kind is not TargetKind.MODEL else Report()


def step_for_restore(intent: Intent, facts: Facts) -> Step:
    """An emptied target is given back only while no one holds it and its holder is still the lawful one."""
    lawful = custody_of(facts).way_back
    if lawful is None or lawful.version != intent.to_version or lawful not in facts.there:
        return Nothing("another is the lawful holder now")
    if facts.holders == (lawful,):
        return Settle(moved=True)
    return Restore(lawful) if not facts.holders else Nothing("somebody holds it")


def _by_rule(version: VersionId, facts: Facts, now: datetime) -> Step:
    lawful = way_back_from(version, facts)
    if _is_spent(facts, now):
        return Ask(
            recorded(
                "outcome",
                "the rule has put something back here {count} times within a day, so Countersign stops and people decide",
                count=ROUNDS,
            )
        )
    if facts.target.kind is TargetKind.MODEL:
        return PutBack(version, None, How.DENY)
    if lawful is not None and lawful not in facts.there:
        return Ask(
            recorded(
                "outcome",
                "it cannot go back to {version}, which is no longer in the registry, so people decide",
                version=str(lawful),
            )
        )
    return PutBack(version, lawful, How.MOVE)


def _approval_of(version: VersionId, facts: Facts) -> str:
    """The request that approved the version for this place: applied and not replaced since, or waiting to be applied."""
    waiting = is_waiting(version, facts)
    if waiting is not None:
        return waiting.id
    applied = [one for one in facts.about(version) if one.state is State.APPLIED]
    return max(applied, key=when).id if applied and may_hold(version, facts) else ""


def _is_spent(facts: Facts, now: datetime) -> bool:
    by_rule = [one.opened_at for one in facts.decisions if was_put_back_by_rule(one)]
    return sum(1 for at in (*by_rule, *facts.restored) if now - at < WITHIN) >= ROUNDS


def _announced(version: VersionId, previous: VersionId | None, facts: Facts) -> Intent | None:
    """The open intent that the move equals."""
    is_copied = facts.target.kind is TargetKind.MODEL
    for intent in facts.intents:
        as_said = is_copied or (intent.to_version == version.version and _begins_at(intent, previous, facts))
        if as_said and _leads_to(version, intent, facts):
            return intent
    return None


def _begins_at(intent: Intent, previous: VersionId | None, facts: Facts) -> bool:
    """It leads away from the holder on record, or from one that we read later than the record was made."""
    if intent.from_version == _number(previous):
        return True
    seen = facts.seen.get(previous) if previous else None
    return seen is not None and seen < intent.at


def _leads_to(version: VersionId, intent: Intent, facts: Facts) -> bool:
    """Whether its job would bring this very version there: a number may be another version's by now, or the request may have ended.

    The number of a copy is not known before, so it is recognised by its source.
    """
    if intent.restores:
        return version == custody_of(facts).way_back
    request = next((one for one in facts.decisions if one.id == intent.request_id), None)
    if request is None:
        return False
    if request.state is State.REJECTED:
        return version == way_back_from(request.version, facts)
    ours = copies_of(request, facts) if facts.target.kind is TargetKind.MODEL else (request.version,)
    return request.state is State.APPROVED and version in ours


def _empties(intent: Intent, previous: VersionId | None) -> bool:
    is_move = intent.target.kind is not TargetKind.MODEL
    return is_move and intent.to_version is None and intent.from_version == _number(previous)


def _number(version: VersionId | None) -> int | None:
    return version.version if version else None
