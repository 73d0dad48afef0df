"""The sentences about what needs attention: what, which, and what next. Pure; `handlers.digest.gathering` finds them.

The digest's other sentences are in `sentences`. Times are in the policy's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.digest.figures import LISTED, Finding, FindingKind, Listed
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment, state_text
from bot.domain.model import Kind, State, Target, TransitionRequest, VersionId
from bot.domain.names import in_one_line

GAPS_TOLD = 3
ERROR_TOLD = 300  # characters
BY_WHOM = "By whom is unknown: MLflow does not record it."
RULE_IT = "Write a rule for it, or set default: ignore in the policy."
ADOPT = "To have it approved retroactively, run: countersign adopt"


def in_order(found: Sequence[Listed[Finding]]) -> Listed[Finding]:
    """The most serious first. When not all fit, each kind gets a share, so that many findings of one kind do not hide another."""
    total = sum(one.total for one in found)
    gravest_first = sorted(found, key=lambda one: list(FindingKind).index(one.shown[0].concern) if one.shown else 0)
    if sum(len(one.shown) for one in found) <= LISTED:
        return Listed(tuple(matter for one in gravest_first for matter in one.shown), total)
    share = LISTED // len(FindingKind)
    spare = LISTED - sum(min(len(one.shown), share) for one in gravest_first)
    shown: list[Finding] = []
    for one in gravest_first:
        more = min(max(len(one.shown) - share, 0), spare)
        shown += one.shown[: share + more]
        spare -= more
    return Listed(tuple(shown), total)


def ledger_broken(fault: str) -> Finding:
    said = f"The ledger does not verify: {fault.rstrip('.')}. Find out who changed the database, and run: countersign audit verify"
    return Finding(FindingKind.LEDGER_BROKEN, said)


def moved_without_approval(
    model: str,
    target: Target,
    version: VersionId | None,
    previous: VersionId | None,
    at: datetime,
    asked: TransitionRequest | None,
    period: Period,
    *,
    is_ruled: bool = True,
) -> Finding:
    """`asked` is the request that the move opened, as it was when the week ended; None when the rule only reports such moves.

    `is_ruled` is False when no rule matches the target, so that there is no one to ask.
    """
    what = _moved(model, target, version, previous, local_moment(at, period), "without an approval")
    link = asked.card.url if asked and asked.card else ""
    return Finding(
        FindingKind.MOVED_WITHOUT_APPROVAL,
        f"{what} {_what_became(asked, version) if is_ruled else f'No rule covers it. {RULE_IT}'}",
        at,
        model,
        link,
    )


def moved_back(
    model: str,
    target: Target,
    version: VersionId,
    previous: VersionId | None,
    at: datetime,
    approved: str,
    period: Period,
) -> Finding:
    """A move by hand to a version whose earlier approval counts again. `approved` says who gave it and when."""
    what = _moved(model, target, version, previous, local_moment(at, period), "without a request")
    said = f"{what} It was approved for this target before, {approved}, and that approval counts again. No action is needed."
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, said, at, model)


def given_back(
    model: str, target: Target, to: VersionId, taken_at: datetime, given_at: datetime, period: Period
) -> Finding:
    """An emptied target that the rule filled again."""
    what = _moved(model, target, None, to, local_moment(taken_at, period), "without a request")
    said = f"{what} The rule put {to} back on {local_moment(given_at, period)}. No action is needed."
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, said, taken_at, model)


def _moved(
    model: str, target: Target, version: VersionId | None, previous: VersionId | None, when: str, how: str
) -> str:
    if version is None:
        return f"{target} of {model} was removed from {previous or 'no known version'} on {when} {how}. {BY_WHOM}"
    before = f"; {previous} held it before" if previous else ""
    return f"{version} was put on {target} of {model} on {when} {how}{before}. {BY_WHOM}"


def held_without_approval(
    version: VersionId,
    model: str,
    target: Target,
    since: datetime | None,
    period: Period,
    asked: TransitionRequest | None = None,
    rejected_by: str = "",
    lapsed: str = "",
) -> Finding:
    """`asked` is the newest request for it, as it was when the week ended, and `rejected_by` who rejected that one.

    `lapsed` says whose approval it had before another version took its place.
    """
    when = f"since {local_moment(since, period)}" if since else "since before anything was recorded"
    what = f"{version} has held {target} of {model} {when}"
    link = asked.card.url if asked and asked.card else ""
    return Finding(
        FindingKind.HELD_WITHOUT_APPROVAL,
        f"{what}, {_unapproved(asked, rejected_by, lapsed, period)}",
        since,
        model,
        link,
    )


def _unapproved(asked: TransitionRequest | None, rejected_by: str, lapsed: str, period: Period) -> str:
    nobody = f"without an approval: its earlier one, {lapsed}, ended when another version replaced it"
    nobody = nobody if lapsed else "without an approval"
    if asked is None:
        return f"{nobody}. {ADOPT}"
    ticket = f" ({asked.ticket.key})" if asked.ticket else ""
    if asked.state.is_open:
        return f"{nobody}. Its request is pending{ticket}"
    if asked.state is State.REJECTED and asked.decided_at is not None:
        when = local_moment(asked.decided_at, period)
        return f"although {rejected_by} rejected it on {when}{ticket}. Move the target back, or request approval again: countersign adopt"
    return f"{nobody}. Its request is {state_text(asked.state)}{ticket}. {ADOPT}"


def approval_too_old(
    version: VersionId,
    model: str,
    target: Target,
    approved_at: datetime,
    age: timedelta,
    valid_for: timedelta,
    period: Period,
) -> Finding:
    said = (
        f"{version} holds {target} of {model} on an approval of {local_moment(approved_at, period)}, {_days(age)} old at the week's end; "
        f"under the rule an approval is valid for {_days(valid_for)}. Request a new one: countersign request-transition"
    )
    return Finding(FindingKind.APPROVAL_TOO_OLD, said, approved_at, model)


def lineage_incomplete(version: VersionId, model: str, target: Target, gaps: Sequence[str], link: str) -> Finding:
    more = f" And {len(gaps) - GAPS_TOLD} more." if len(gaps) > GAPS_TOLD else ""
    told = "; ".join(gap.rstrip(".") for gap in gaps[:GAPS_TOLD])
    said = f"{version} holds {target} of {model}, and its lineage is incomplete: {told}.{more}"
    return Finding(FindingKind.LINEAGE_INCOMPLETE, said, None, model, link)


def no_rule(version: VersionId, model: str, target: Target) -> Finding:
    said = f"{version} holds {target} of {model}, and no rule covers it. {RULE_IT}"
    return Finding(FindingKind.NO_RULE, said, None, model)


def parked_job(job: int, effect: str, subject: str, error: str, at: datetime | None) -> Finding:
    of = f" of {subject[:32]}" if subject else ""
    why = f": {_short(error)}" if error else ""
    said = f"{effect}{of} is parked{why}. Fix the cause, then run: countersign jobs replay {job}"
    return Finding(FindingKind.PARKED_JOBS, said, at)


def self_approval_refused(name: str, request: TransitionRequest, at: datetime) -> Finding:
    said = f"{name} tried to approve {request.version} for {request.target}, which they requested or trained; Countersign blocked it."
    link = request.card.url if request.card else ""
    return Finding(FindingKind.SELF_APPROVAL_REFUSED, said, at, request.version.model, link)


def vote_refused(
    name: str, request: TransitionRequest, cast_at: datetime, reason: str, at: datetime, period: Period
) -> Finding:
    """`reason` is a clause that says why nothing proves the vote."""
    said = (
        f"A vote of {name} on {request.version} for {request.target}, on record since {local_moment(cast_at, period)}, does not count: "
        f"{reason.rstrip('.')}. Ask them whether they pressed, and find out who can write to the database."
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.VOTE_REFUSED, said, at, request.version.model, link)


def unknown_requester(address: str, request: TransitionRequest, at: datetime, period: Period) -> Finding:
    """A rollback that no known person asked for; `request` as it is now."""
    back = (
        f"{request.target} of {request.target_model} back from {request.away_from or 'its holder'} to {request.version}"
    )
    became = "and it was done" if request.state is State.APPLIED else f"which is {state_text(request.state)}"
    said = (
        f"{address}, who is neither in the policy nor known to Slack, asked on {local_moment(at, period)} to roll {back}, {became}. "
        "Find out who that was. If it was wrong, request the version again: countersign request-transition"
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.UNKNOWN_REQUESTER, said, at, request.version.model, link)


def not_signed_off(week: str, closed_at: datetime, group: str, period: Period) -> Finding:
    said = (
        f"The digest of {week}, closed on {local_moment(closed_at, period)}, is not signed off. A member of {group} reads it and presses "
        "Sign off on its card"
    )
    return Finding(FindingKind.NOT_SIGNED_OFF, said, closed_at)


def rolled_back(request: TransitionRequest, requester: str, at: datetime, period: Period) -> Finding:
    """A rollback that moved the target. `requester` is a name, or says that it is unknown."""
    away = f" from {request.away_from}" if request.away_from else ""
    why = f" Reason: {in_one_line(request.comment).rstrip('.')}." if request.comment else ""
    said = (
        f"{request.target} of {request.target_model} was rolled back{away} to {request.version} on {local_moment(at, period)}, "
        f"requested by {requester}.{why}"
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.ROLLED_BACK, said, at, request.version.model, link)


def digests_left_out(weeks: Sequence[str], at: datetime) -> Finding:
    told = weeks[0] if len(weeks) == 1 else f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}"
    look = f"countersign digest --week {weeks[0]} --dry-run"
    said = f"There is no digest of {told}: the bot was not running for too long. Preview one with: {look}"
    return Finding(FindingKind.DIGESTS_LEFT_OUT, said, at)


def _what_became(asked: TransitionRequest | None, version: VersionId | None) -> str:
    if asked is None or asked.kind is not Kind.OBSERVED:
        return ADOPT if version else "No approved version holds it, unless it was set again since."
    became = {
        State.APPLIED: "It was approved since.",
        State.APPROVED: "It was approved since.",
        State.REJECTED: "It was rejected, and the target goes back.",
    }
    ticket = f" ({asked.ticket.key})" if asked.ticket else ""
    open_still = asked.state.is_open
    ended = f"Its request is {state_text(asked.state)}, so it is undecided. {ADOPT}"
    return f"It is still pending{ticket}: approve or reject it." if open_still else became.get(asked.state, ended)


def _days(length: timedelta) -> str:
    if length < timedelta(days=1):
        return f"{length // timedelta(hours=1)} h"
    return "1 day" if length.days == 1 else f"{length.days} days"


def _short(error: str) -> str:
    flat = " ".join(error.split()).rstrip(".")
    return flat if len(flat) <= ERROR_TOLD else flat[: ERROR_TOLD - 1] + "…"
