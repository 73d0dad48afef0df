"""The sentences about what needs attention: what, which, and what next. Pure; `handlers.digest.gathering` finds them.

The digest's other sentences are in `sentences`. Times are in the policy's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.digest.figures import LISTED, Finding, FindingKind, Listed
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment
from bot.domain.model import Kind, State, Target, TransitionRequest, VersionId

GAPS_TOLD = 3
ERROR_TOLD = 300  # characters
BY_WHOM = "MLflow does not tell by whom."
RULE_IT = "Write a rule for it, or say default: ignore in the policy."
ADOPT = "To have the holder ratified, run: countersign adopt"


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
        f"{what} {_what_became(asked, version) if is_ruled else f'No rule speaks of it. {RULE_IT}'}",
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
    what = _moved(model, target, version, previous, local_moment(at, period), "without asking")
    said = f"{what} It had been approved for it before, {approved}, and is held by that approval: nothing needs to be adopted."
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, said, at, model)


def given_back(
    model: str, target: Target, to: VersionId, taken_at: datetime, given_at: datetime, period: Period
) -> Finding:
    """An emptied target that the rule filled again."""
    what = _moved(model, target, None, to, local_moment(taken_at, period), "without asking")
    said = f"{what} The rule gave it back to {to} on {local_moment(given_at, period)}, so nothing is left to do."
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, said, taken_at, model)


def _moved(
    model: str, target: Target, version: VersionId | None, previous: VersionId | None, when: str, how: str
) -> str:
    if version is None:
        return f"{target} of {model} was taken away from {previous or 'nobody'} on {when} {how}. {BY_WHOM}"
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
    nobody = f"and nobody has approved that: its earlier approval, {lapsed}, ended when another version took its place"
    nobody = nobody if lapsed else "and nobody has approved it"
    if asked is None:
        return f"{nobody}. {ADOPT}"
    ticket = f" ({asked.ticket.key})" if asked.ticket else ""
    if asked.state.is_open:
        return f"{nobody}. The request for it waits for a decision{ticket}"
    if asked.state is State.REJECTED and asked.decided_at is not None:
        when = local_moment(asked.decided_at, period)
        return f"although {rejected_by} rejected it on {when}{ticket}. Put the target back, or ask once more: countersign adopt"
    return f"{nobody}. Its request is {asked.state}{ticket}. {ADOPT}"


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
        f"{version} holds {target} of {model} on an approval of {local_moment(approved_at, period)}, {_days(age)} old when the week ended; "
        f"the rule lets one count for {_days(valid_for)}. Have it approved anew: countersign request-transition"
    )
    return Finding(FindingKind.APPROVAL_TOO_OLD, said, approved_at, model)


def lineage_incomplete(version: VersionId, model: str, target: Target, gaps: Sequence[str], link: str) -> Finding:
    more = f" And {len(gaps) - GAPS_TOLD} more." if len(gaps) > GAPS_TOLD else ""
    told = "; ".join(gap.rstrip(".") for gap in gaps[:GAPS_TOLD])
    said = f"{version} holds {target} of {model}, and its lineage is not complete: {told}.{more}"
    return Finding(FindingKind.LINEAGE_INCOMPLETE, said, None, model, link)


def no_rule(version: VersionId, model: str, target: Target) -> Finding:
    said = f"{version} holds {target} of {model}, and no rule speaks of it. {RULE_IT}"
    return Finding(FindingKind.NO_RULE, said, None, model)


def parked_job(job: int, effect: str, subject: str, error: str, at: datetime | None) -> Finding:
    of = f" of {subject[:32]}" if subject else ""
    why = f": {_short(error)}" if error else ""
    said = f"{effect}{of} is parked{why}. Mend the cause, then run: countersign jobs replay {job}"
    return Finding(FindingKind.PARKED_JOBS, said, at)


def self_approval_refused(name: str, request: TransitionRequest, at: datetime) -> Finding:
    said = f"{name} wanted to approve {request.version} for {request.target}, which they had asked for or trained. It was refused."
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
    became = "and it was done" if request.state is State.APPLIED else f"and that is {request.state}"
    said = (
        f"{address}, whom neither the policy nor Slack knows, asked on {local_moment(at, period)} to take {back}, {became}. "
        "Find out who that was. If it was wrong, ask for the version again: countersign request-transition"
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.UNKNOWN_REQUESTER, said, at, request.version.model, link)


def digests_left_out(weeks: Sequence[str], at: datetime) -> Finding:
    told = weeks[0] if len(weeks) == 1 else f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}"
    look = f"countersign digest --week {weeks[0]} --dry-run"
    said = f"No digest was made of {told}: the bot had stood still for too long. Look at one with: {look}"
    return Finding(FindingKind.DIGESTS_LEFT_OUT, said, at)


def _what_became(asked: TransitionRequest | None, version: VersionId | None) -> str:
    if asked is None or asked.kind is not Kind.OBSERVED:
        return ADOPT if version else "Nobody holds it by an approval now, unless it was set again since."
    became = {
        State.APPLIED: "It was ratified since.",
        State.APPROVED: "It was ratified since.",
        State.REJECTED: "It was rejected, and the target goes back.",
    }
    ticket = f" ({asked.ticket.key})" if asked.ticket else ""
    open_still = asked.state.is_open
    ended = f"Its request is {asked.state}, so it stands undecided. {ADOPT}"
    return (
        f"Nobody has decided about it yet{ticket}: ratify it, or put it back."
        if open_still
        else became.get(asked.state, ended)
    )


def _days(length: timedelta) -> str:
    if length < timedelta(days=1):
        return f"{length // timedelta(hours=1)} h"
    return "1 day" if length.days == 1 else f"{length.days} days"


def _short(error: str) -> str:
    flat = " ".join(error.split()).rstrip(".")
    return flat if len(flat) <= ERROR_TOLD else flat[: ERROR_TOLD - 1] + "…"
