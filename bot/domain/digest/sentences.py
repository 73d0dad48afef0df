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
)
from bot.domain.digest.periods import Period
from bot.domain.text import counted, duration_text, format_local

Names = Mapping[str, str]

PEOPLE, FAST_TRACK, RULE, NOBODY = "people", "the fast track", "the rule", "nobody"  # what `decided` says
ALL_RULES = "all rules together"
CONCERNS: Mapping[FindingKind, str] = {
    FindingKind.LEDGER_BROKEN: "The ledger does not verify",
    FindingKind.VOTE_REFUSED: "Vote that nothing proves",
    FindingKind.MOVED_WITHOUT_APPROVAL: "Moved without an approval",
    FindingKind.HELD_WITHOUT_APPROVAL: "Held without an approval",
    FindingKind.UNKNOWN_REQUESTER: "Rolled back by an unknown requester",
    FindingKind.APPROVAL_TOO_OLD: "Approval too old",
    FindingKind.LINEAGE_INCOMPLETE: "Lineage not complete",
    FindingKind.NO_RULE: "No rule speaks of it",
    FindingKind.PARKED_JOBS: "Parked jobs",
    FindingKind.SELF_APPROVAL_REFUSED: "Self-approval refused",
    FindingKind.DIGESTS_LEFT_OUT: "Digests left out",
}
OUTCOMES = ("applied", "rejected", "expired", "withdrawn", "superseded", "stale", "called_off")  # in reading order
QUIET = "Nothing happened this week: nothing was asked, decided, moved or changed."
UNCOUNTED = "the week could not be counted, for its entries were changed"
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
    said = QUIET if digest.is_quiet else f"{_sentence(transitions_text(digest))} {_sentence(waiting_count(digest))}"
    return f"{said} {attention_text(digest)}"


def headline(digest: Digest) -> tuple[tuple[str, str], ...]:
    """The figures at the top, each with its name."""
    overall = next((one for one in digest.latency if not one.rule), None)
    return (
        ("Needs attention", attention_text(digest)),
        ("Transitions", transitions_text(digest)),
        ("Waiting", waiting_count(digest)),
        ("Held targets", str(digest.inventory.total)),
        ("Time to decision", latency_text(overall) if overall else NO_DECISIONS),
        ("Ledger", ledger_text(digest.ledger, so_far=not is_over(digest))),
    )


def attention_text(digest: Digest) -> str:
    """Each kind of finding with its number, the most serious first."""
    told = [f"{CONCERNS[one].lower()} ({digest.concerns[one]:,})" for one in FindingKind if digest.concerns.get(one)]
    if not told:
        return ALL_IN_ORDER
    return f"{counted(digest.attention.total, 'matter')}: {', '.join(told)}."


def transitions_text(digest: Digest) -> str:
    if not is_counted(digest):
        return UNCOUNTED
    if not digest.transitions.total:
        return "no transition ended"
    known = [name for name in OUTCOMES if digest.outcomes.get(name)]
    others = sorted(name for name in digest.outcomes if name not in OUTCOMES and digest.outcomes[name])
    told = ", ".join(f"{digest.outcomes[name]} {name.replace('_', ' ')}" for name in (*known, *others))
    return f"{counted(digest.transitions.total, 'transition')} ended: {told}"


def waiting_count(digest: Digest) -> str:
    if not digest.waiting.total:
        return "no request waits"
    oldest = max(one.age for one in digest.waiting.shown) if digest.waiting.shown else None
    since = f", the oldest for {duration_text(oldest)}" if oldest is not None else ""
    waits = "waits" if digest.waiting.total == 1 else "wait"
    return f"{counted(digest.waiting.total, 'request')} {waits}{since}"


def decider(decided: str, by: tuple[str, ...], names: Names, roles: tuple[str, ...] = ()) -> str:
    """Who or what decided: names with the groups they voted for, the fast track, the rule, or none."""
    told = zip_longest((names.get(person, UNKNOWN) for person in by), roles[: len(by)], fillvalue="")
    return " and ".join(f"{name} ({role})" if role else name for name, role in told) if by else decided


def approver(one: Holding, names: Names) -> str:
    """Who approved a holder and, after a rollback, who brought it back on that approval."""
    said = decider(one.decided, one.by, names, one.roles)
    if one.restored_at is None:
        return said
    return f"{said}; restored by a rollback{f' of {names.get(one.restored_by, UNKNOWN)}' if one.restored_by else ''}"


def trainer(author: str | None, claimed: str, names: Names) -> str:
    """The person's name, else what the client said; empty when neither is known."""
    return names.get(author, UNKNOWN) if author else claimed


NO_DECISIONS = "people decided nothing this week"


def latency_text(latency: Latency) -> str:
    if latency.median is None or latency.p95 is None:
        return NO_DECISIONS
    half, most = duration_text(latency.median), duration_text(latency.p95)
    return f"median {half}, 95th percentile {most} ({counted(latency.decided, 'decision')})"


def rule_name(label: str) -> str:
    return label or ALL_RULES


def ledger_text(ledger: LedgerFigures, *, so_far: bool = False) -> str:
    """`so_far` for a week that is not over."""
    week = "none of its entries is of this week"
    if ledger.last:
        one = ledger.first == ledger.last
        week = (
            f"entry {ledger.first} is of this week"
            if one
            else f"entries {ledger.first} to {ledger.last} are of this week"
        )
    holds = f"it does not verify: {ledger.fault.rstrip('.')}" if ledger.fault else "it verifies"
    when = "so far" if so_far else "at the week's end"
    return f"{counted(ledger.count, 'entry')} {when}, {week}; {holds}"


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
