"""A digest in words: the sentences that every form of it shares, be it a card, a page or a mail. Pure; nothing here is markup.

The sentences about what needs attention are in `digest_matters`; where things stand on a page or a card is each form's own matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from bot.domain.digest import (
    Concern,
    Digest,
    FastTrackFigures,
    Holding,
    Latency,
    LedgerFigures,
    Listed,
    Pipeline,
    Transition,
    Waiting,
    WeekOfTrend,
)
from bot.domain.periods import Period
from bot.domain.wording import UNKNOWN, moment

T = TypeVar("T")
Names = Mapping[str, str]

PEOPLE, FAST_TRACK, RULE, NOBODY = "people", "the fast track", "the rule", "nobody"  # what `decided` says
ALL_RULES = "all rules together"
CONCERNS: Mapping[Concern, str] = {
    Concern.LEDGER_BROKEN: "The ledger does not verify",
    Concern.MOVED_WITHOUT_APPROVAL: "Moved without an approval",
    Concern.HELD_WITHOUT_APPROVAL: "Held without an approval",
    Concern.APPROVAL_TOO_OLD: "Approval too old",
    Concern.LINEAGE_INCOMPLETE: "Lineage not complete",
    Concern.NO_RULE: "No rule speaks of it",
    Concern.PARKED_JOBS: "Parked jobs",
    Concern.SELF_APPROVAL_REFUSED: "Self-approval refused",
    Concern.DIGESTS_LEFT_OUT: "Digests left out",
}
OUTCOMES = ("applied", "rejected", "expired", "withdrawn", "superseded", "stale")  # in the order of telling
QUIET = "Nothing happened this week: nothing was asked, decided, moved or changed."
UNCOUNTED = "the week could not be counted, for its entries were changed"
ALL_IN_ORDER = "Nothing needs attention."


def title(digest: Digest) -> str:
    return f"Model approvals, week {digest.period.week}"


def period_text(period: Period) -> str:
    """Whole days on the wall clock; the last one is the Sunday."""
    zone = ZoneInfo(period.timezone)
    first = period.starts.astimezone(zone).date()
    last = period.ends.astimezone(zone).date() - timedelta(days=1)
    return f"{day_text(first)} to {day_text(last)}, {period.timezone}"


def day_text(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def local_moment(at: datetime, period: Period) -> str:
    """As clocks on the wall show it where the digest is read."""
    return f"{at.astimezone(ZoneInfo(period.timezone)):%Y-%m-%d %H:%M}"


def is_counted(digest: Digest) -> bool:
    """A ledger that was changed may tell too little to count anything."""
    return bool(digest.trend)


def summary(digest: Digest) -> str:
    """One or two sentences: what a notification shows, and a mail's first line."""
    if not is_counted(digest):
        return f"{_sentence(UNCOUNTED)} {attention_text(digest)}"
    said = QUIET if digest.is_quiet else f"{_sentence(transitions_text(digest))} {_sentence(waiting_count(digest))}"
    return f"{said} {attention_text(digest)}"


def headline(digest: Digest) -> tuple[tuple[str, str], ...]:
    """The figures that stand first, each with its name."""
    overall = next((one for one in digest.latency if not one.rule), None)
    return (
        ("Needs attention", attention_text(digest)),
        ("Transitions", transitions_text(digest)),
        ("Waiting", waiting_count(digest)),
        ("Held targets", str(digest.inventory.total)),
        ("From asking to decision", latency_text(overall) if overall else NO_DECISIONS),
        ("Ledger", ledger_text(digest.ledger)),
    )


def attention_text(digest: Digest) -> str:
    """Each concern with its number, the gravest first."""
    told = [f"{CONCERNS[one].lower()} ({digest.concerns[one]:,})" for one in Concern if digest.concerns.get(one)]
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
    told = ", ".join(f"{digest.outcomes[name]} {name}" for name in (*known, *others))
    return f"{counted(digest.transitions.total, 'transition')} ended: {told}"


def waiting_count(digest: Digest) -> str:
    if not digest.waiting.total:
        return "no request waits"
    oldest = max(one.age for one in digest.waiting.shown) if digest.waiting.shown else None
    since = f", the oldest for {duration_text(oldest)}" if oldest is not None else ""
    waits = "waits" if digest.waiting.total == 1 else "wait"
    return f"{counted(digest.waiting.total, 'request')} {waits}{since}"


def decider(decided: str, by: tuple[str, ...], names: Names) -> str:
    """Who decided, in print: names, the fast track, the rule, or nobody."""
    return " and ".join(names.get(person, UNKNOWN) for person in by) if by else decided


def holding_text(held: Holding, names: Names) -> str:
    since = f"since {moment(held.since)}" if held.since else "since before anything was recorded"
    approved = "without an approval"
    if held.approved_at is not None:
        approved = f"approved by {decider(held.decided, held.by, names)} on {moment(held.approved_at)}"
    ticket = f" ({held.ticket})" if held.ticket else ""
    return f"{held.version} holds {held.target} {since}, {approved}{ticket}"


def transition_text(one: Transition, names: Names) -> str:
    """Who, when and why in a line."""
    by = f" by {decider(one.decided, one.by, names)}" if one.decided != NOBODY else ""
    asked = f", asked by {names.get(one.requester, UNKNOWN)}" if one.requester else ""
    why = f": {one.reason}" if one.reason else ""
    ticket = f" ({one.ticket})" if one.ticket else ""
    return f"{moment(one.at)} {one.version} → {one.target}: {one.outcome}{by}{asked}{ticket}{why}"


def waiting_text(one: Waiting) -> str:
    ticket = f" ({one.ticket})" if one.ticket else ""
    return f"{one.version} → {one.target} has waited for {duration_text(one.age)}, for {one.missing}{ticket}"


NO_DECISIONS = "people decided nothing this week"


def latency_text(latency: Latency) -> str:
    if latency.median is None or latency.p95 is None:
        return NO_DECISIONS
    half, most = duration_text(latency.median), duration_text(latency.p95)
    return f"median {half}, 95th percentile {most} ({counted(latency.decided, 'decision')})"


def rule_name(label: str) -> str:
    return label or ALL_RULES


def fast_track_text(figures: FastTrackFigures) -> str:
    judged = f"{figures.passed} passed, {figures.held} held, {figures.undone} undone"
    compared = figures.agreed + figures.false_passes + figures.false_holds
    if not compared:
        return f"{judged}; people decided none that it had judged"
    wrong = f"{_several(figures.false_passes, 'false pass')}, {_several(figures.false_holds, 'false hold')}"
    return f"{judged}; people agreed with it on {figures.agreed} of {compared} ({wrong})"


def pipeline_text(pipeline: Pipeline) -> str:
    """The stages as a tree, or why there is none."""
    return "\n".join(pipeline.stages) or f"No pipeline is known: {pipeline.missing}"


def ledger_text(ledger: LedgerFigures) -> str:
    week = (
        f"entries {ledger.first} to {ledger.last} are of this week"
        if ledger.last
        else "none of its entries is of this week"
    )
    holds = f"it does not verify: {ledger.fault.rstrip('.')}" if ledger.fault else "it verifies"
    return f"{counted(ledger.count, 'entry')} at the week's end, {week}; {holds}"


def trend_text(trend: tuple[WeekOfTrend, ...]) -> str:
    """What a picture of the trend shows, for whoever does not see it."""
    return " ".join(f"{one.week}: {_week_of_trend(one)}." for one in trend)


def more_text(listed: Listed[T]) -> str:
    """What a list leaves out; empty when it shows everything."""
    hidden = listed.total - len(listed.shown)
    return f"and {hidden:,} more; every one stands in the records" if hidden else ""


def duration_text(length: timedelta | None) -> str:
    """In the two largest units that say something."""
    if length is None:
        return "–"
    minutes = int(length.total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = [(counted(days, "day"), days), (f"{hours} h", hours), (f"{rest} min", rest)]
    told = [text for text, number in units if number]
    return " ".join(told[:2]) or "under 1 min"


def counted(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {_plural(noun)}"


def _week_of_trend(one: WeekOfTrend) -> str:
    ended = counted(one.transitions, "transition")
    return f"{ended}, median {duration_text(one.median)}" if one.median is not None else f"{ended}, no decision"


def _plural(noun: str) -> str:
    return (
        f"{noun[:-1]}ies" if noun.endswith("y") and noun != "day" else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    )


def _several(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else _plural(noun)}"


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
