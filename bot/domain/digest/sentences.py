"""The digest's sentences, shared by card, page and mail. Pure; without markup.

The sentences about what needs attention are in `findings`. Each form arranges the sentences itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from bot.domain.card.sentences import UNKNOWN
from bot.domain.digest.figures import (
    Digest,
    FindingKind,
    Holding,
    Latency,
    LedgerFigures,
    Transition,
)
from bot.domain.digest.periods import Period
from bot.domain.text import counted, duration_text, format_local

Names = Mapping[str, str]

PEOPLE, FAST_TRACK, RULE, NOBODY = "people", "the fast track", "the rule", "nobody"  # what `decided` says
NOT_APPROVED, NOT_DECIDED = "not approved", "not decided"  # in place of nobody
ALL_RULES = "all rules together"
STATES = {  # where the word of the record would mislead
    "stale": "approved, never applied",
    "called_off": "approved, then called off",
}
CONCERNS: Mapping[FindingKind, str] = {
    FindingKind.LEDGER_BROKEN: "The ledger does not verify",
    FindingKind.VOTE_REFUSED: "Unproven vote",
    FindingKind.MOVED_WITHOUT_APPROVAL: "Moved without an approval",
    FindingKind.HELD_WITHOUT_APPROVAL: "Held without an approval",
    FindingKind.UNKNOWN_REQUESTER: "Unknown requester",
    FindingKind.ROLLED_BACK: "Rolled back",
    FindingKind.APPROVAL_TOO_OLD: "Approval too old",
    FindingKind.LINEAGE_INCOMPLETE: "Lineage incomplete",
    FindingKind.NO_RULE: "No rule",
    FindingKind.PARKED_JOBS: "Parked jobs",
    FindingKind.SELF_APPROVAL_REFUSED: "Self-approval blocked",
    FindingKind.NOT_SIGNED_OFF: "Digest not signed off",
    FindingKind.DIGESTS_LEFT_OUT: "Weeks without a digest",
}
OUTCOMES = ("applied", "rejected", "expired", "withdrawn", "superseded", "stale", "called_off")  # in reading order
QUIET = "Nothing happened this week: nothing was requested, decided, moved or changed."
UNCOUNTED = "the week could not be counted, because entries of the ledger were changed"
ALL_IN_ORDER = "Nothing needs attention."


def title(digest: Digest) -> str:
    """The title. That of a week that is not over cannot be confused with a closed one's."""
    said = f"Model approvals, week {digest.period.week}"
    return said if is_over(digest) else f"Preview: {said}"


def edition(digest: Digest) -> str:
    """The start of its files' names."""
    return digest.period.week if is_over(digest) else f"{digest.period.week}-preview"


def is_over(digest: Digest) -> bool:
    """Whether the week is over. A week that is not over cannot be closed, only previewed."""
    return digest.closed_at >= digest.period.ends


def period_text(period: Period) -> str:
    """From Monday to Sunday, as dates in the policy's time zone."""
    zone = ZoneInfo(period.timezone)
    first = period.starts.astimezone(zone).date()
    last = period.ends.astimezone(zone).date() - timedelta(days=1)
    return f"{day_text(first)} to {day_text(last)}, {period.timezone}"


def day_text(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def local_moment(at: datetime, period: Period) -> str:
    """The time in the policy's time zone, with its distance from UTC: the hour that occurs twice when clocks go back is told apart."""
    return format_local(at, ZoneInfo(period.timezone))


def is_counted(digest: Digest) -> bool:
    """False when the ledger was changed so that nothing could be counted."""
    return bool(digest.trend)


def summary(digest: Digest) -> str:
    """One or two sentences, for notifications and a mail's first line."""
    if not is_counted(digest):
        return f"{_sentence(UNCOUNTED)} {attention_text(digest)}"
    ended = f"Transitions: {transitions_text(digest)}. Pending: {waiting_count(digest)}."
    said = QUIET if digest.is_quiet else ended
    return f"{said} {attention_text(digest)}"


def attention_text(digest: Digest) -> str:
    """Each kind of finding with its number, the most serious first."""
    found = [concern_text(one, digest.concerns[one]) for one in FindingKind if digest.concerns.get(one)]
    return f"{attention_count(digest)}: {', '.join(found)}." if found else ALL_IN_ORDER


def attention_count(digest: Digest) -> str:
    total = digest.attention.total
    return f"{counted(total, 'item')} {'needs' if total == 1 else 'need'} attention"


def concern_text(concern: FindingKind, times: int) -> str:
    """A kind of finding, with its number when there are several."""
    return CONCERNS[concern].lower() if times == 1 else f"{CONCERNS[concern].lower()} ({times:,})"


def state_text(state: str) -> str:
    """A request's state for people."""
    return STATES.get(state, state.replace("_", " "))


def transitions_text(digest: Digest) -> str:
    if not is_counted(digest):
        return UNCOUNTED
    if not digest.transitions.total:
        return "none ended"
    known = [name for name in OUTCOMES if digest.outcomes.get(name)]
    others = sorted(name for name in digest.outcomes if name not in OUTCOMES and digest.outcomes[name])
    return ", ".join(f"{digest.outcomes[name]:,} {state_text(name)}" for name in (*known, *others))


def waiting_count(digest: Digest) -> str:
    if not digest.waiting.total:
        return "none pending"
    oldest = max(one.age for one in digest.waiting.shown) if digest.waiting.shown else None
    since = f", the oldest for {duration_text(oldest)}" if oldest is not None else ""
    return f"{counted(digest.waiting.total, 'request')} pending{since}"


def decider(decided: str, by: tuple[str, ...], names: Names, roles: tuple[str, ...] = ()) -> str:
    """Who or what decided: names with the groups they voted for, the fast track, the rule, or none."""
    told = zip_longest((names.get(person, UNKNOWN) for person in by), roles[: len(by)], fillvalue="")
    return " and ".join(f"{name} ({role})" if role else name for name, role in told) if by else decided


def approver(one: Holding, names: Names) -> str:
    """Who approved a holder. After a rollback, that it was restored, and whose approval counts again."""
    said = decider(one.decided, one.by, names, one.roles)
    if one.restored_at is None:
        return NOT_APPROVED if said == NOBODY else said
    asked = f", requested by {names.get(one.restored_by, UNKNOWN)}" if one.restored_by else ""
    return f"restored by rollback{asked} ({previously(said, one.ticket)})"


def decision(one: Transition, names: Names, period: Period) -> str:
    """Who or what decided a transition; of a rollback that the rule allowed at once, whose approval counts again."""
    said = decider(one.decided, one.by, names, one.roles)
    if one.earlier is None:
        return NOT_DECIDED if said == NOBODY else said
    earlier = one.earlier
    before = previously(decider(earlier.decided, earlier.by, names, earlier.roles), earlier.ticket)
    return f"restored by rollback ({before}{f', on {local_moment(earlier.at, period)}' if earlier.at else ''})"


def previously(approvers: str, ticket: str) -> str:
    return f"previously approved by {approvers}{f', {ticket}' if ticket else ''}"


def trainer(author: str | None, claimed: str, names: Names) -> str:
    """The person's name, else what the client said; empty when neither is known."""
    return names.get(author, UNKNOWN) if author else claimed


NO_DECISIONS = "no decision by people this week"


def latency_text(latency: Latency) -> str:
    if latency.median is None or latency.p95 is None:
        return NO_DECISIONS
    half, most = duration_text(latency.median), duration_text(latency.p95)
    return f"median {half}, 95th percentile {most} ({counted(latency.decided, 'decision')})"


def rule_name(label: str) -> str:
    return label or ALL_RULES


def ledger_text(ledger: LedgerFigures, *, so_far: bool = False) -> str:
    """`so_far` for a week that is not over."""
    week = "none of them of this week"
    if ledger.last:
        one = ledger.first == ledger.last
        week = f"{ledger.first:,} of this week" if one else f"{ledger.first:,} to {ledger.last:,} of this week"
    holds = f"does not verify: {ledger.fault.rstrip('.')}" if ledger.fault else "verified"
    when = "so far" if so_far else "at the week's end"
    return f"{holds}; {counted(ledger.count, 'entry')} {when}, {week}"


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
