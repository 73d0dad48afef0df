"""The digest's sentences, shared by card, page and mail. Pure; without markup.

The sentences about what needs attention are in `findings`. Each form arranges the sentences itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from bot.domain.digest.figures import (
    Digest,
    FindingKind,
    Holding,
    Latency,
    LedgerFigures,
    Transition,
)
from bot.domain.digest.periods import Period
from bot.domain.text import duration_text, format_local, person_name
from bot.language import N_, _, as_sentence, day, listed, ngettext, sentences

Names = Mapping[str, str]

# What `decided` says. The figures keep it in English.
PEOPLE, FAST_TRACK, RULE, NOBODY = N_("people"), N_("the fast track"), N_("the rule"), N_("nobody")
NOT_APPROVED, NOT_DECIDED = N_("not approved"), N_("not decided")  # in place of nobody
ALL_RULES = N_("all rules together")
STATES = {
    "collecting": N_("collecting"),
    "pending": N_("pending"),
    "approved": N_("approved"),
    "applied": N_("applied"),
    "rejected": N_("rejected"),
    "expired": N_("expired"),
    "withdrawn": N_("withdrawn"),
    "superseded": N_("superseded"),
    "stale": N_("approved, never applied"),
    "called_off": N_("approved, then called off"),
}
CONCERNS: Mapping[FindingKind, str] = {
    FindingKind.LEDGER_BROKEN: N_("The ledger does not verify"),
    FindingKind.VOTE_REFUSED: N_("Unproven vote"),
    FindingKind.GLASS_NOT_REVIEWED: N_("Broken glass not reviewed"),
    FindingKind.GLASS_BROKEN: N_("Glass broken"),
    FindingKind.MOVED_WITHOUT_APPROVAL: N_("Moved without an approval"),
    FindingKind.HELD_WITHOUT_APPROVAL: N_("Held without an approval"),
    FindingKind.UNKNOWN_REQUESTER: N_("Unknown requester"),
    FindingKind.ROLLED_BACK: N_("Rolled back"),
    FindingKind.EVIDENCE_LOST: N_("Evidence lost"),
    FindingKind.APPROVAL_TOO_OLD: N_("Approval too old"),
    FindingKind.LINEAGE_INCOMPLETE: N_("Lineage incomplete"),
    FindingKind.NO_RULE: N_("No rule"),
    FindingKind.PARKED_JOBS: N_("Parked jobs"),
    FindingKind.SELF_APPROVAL_REFUSED: N_("Self-approval blocked"),
    FindingKind.OWN_ASK_APPROVED: N_("Approved by the one who asked"),
    FindingKind.NOT_SIGNED_OFF: N_("Digest not signed off"),
    FindingKind.DIGESTS_LEFT_OUT: N_("Weeks without a digest"),
}
OUTCOMES = ("applied", "rejected", "expired", "withdrawn", "superseded", "stale", "called_off")  # in reading order
QUIET = N_("Nothing happened this week: nothing was requested, decided, moved or changed.")
UNCOUNTED = N_("the week could not be counted, because entries of the ledger were changed")
ALL_IN_ORDER = N_("Nothing needs attention.")


def title(digest: Digest) -> str:
    """The title. That of a week that is not over cannot be confused with a closed one's."""
    said = _("Model approvals, week {week}", week=digest.period.week)
    return said if is_over(digest) else _("Preview: {title}", title=said)


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
    return _("{first} to {last}, {zone}", first=day(first), last=day(last), zone=period.timezone)


def local_moment(at: datetime, period: Period) -> str:
    """The time in the policy's time zone, with its distance from UTC: the hour that occurs twice when clocks go back is told apart."""
    return format_local(at, ZoneInfo(period.timezone))


def is_counted(digest: Digest) -> bool:
    """False when the ledger was changed so that nothing could be counted."""
    return bool(digest.trend)


def summary(digest: Digest) -> str:
    """One or two sentences, for notifications and a mail's first line."""
    if not is_counted(digest):
        return sentences(as_sentence(_(UNCOUNTED)), attention_text(digest))
    ended = _(
        "Transitions: {transitions}. Pending: {pending}.",
        transitions=transitions_text(digest),
        pending=waiting_count(digest),
    )
    return sentences(_(QUIET) if digest.is_quiet else ended, attention_text(digest))


def attention_text(digest: Digest) -> str:
    """Each kind of finding with its number, the most serious first."""
    found = [concern_text(one, digest.concerns[one]) for one in FindingKind if digest.concerns.get(one)]
    return f"{attention_count(digest)}: {', '.join(found)}." if found else _(ALL_IN_ORDER)


def attention_count(digest: Digest) -> str:
    return ngettext("{count} item needs attention", "{count} items need attention", digest.attention.total)


def concern_text(concern: FindingKind, times: int) -> str:
    """A kind of finding, with its number when there are several."""
    said = _(CONCERNS[concern]).lower()
    return said if times == 1 else _("{concern} ({count})", concern=said, count=times)


def state_text(state: str) -> str:
    """A request's state for people."""
    return _(STATES[state]) if state in STATES else state.replace("_", " ")


def transitions_text(digest: Digest) -> str:
    if not is_counted(digest):
        return _(UNCOUNTED)
    if not digest.transitions.total:
        return _("none ended")
    known = [name for name in OUTCOMES if digest.outcomes.get(name)]
    others = sorted(name for name in digest.outcomes if name not in OUTCOMES and digest.outcomes[name])
    return ", ".join(_ended(name, digest.outcomes[name]) for name in (*known, *others))


def waiting_count(digest: Digest) -> str:
    if not digest.waiting.total:
        return _("none pending")
    oldest = max(one.age for one in digest.waiting.shown) if digest.waiting.shown else None
    pending = ngettext("{count} request pending", "{count} requests pending", digest.waiting.total)
    if oldest is None:
        return pending
    return _("{pending}, the oldest for {age}", pending=pending, age=duration_text(oldest))


def _ended(state: str, times: int) -> str:
    """How many transitions ended so. Each state has a plural of its own in some languages."""
    match state:
        case "applied":
            return ngettext("{count} applied", "{count} applied", times)
        case "rejected":
            return ngettext("{count} rejected", "{count} rejected", times)
        case "expired":
            return ngettext("{count} expired", "{count} expired", times)
        case "withdrawn":
            return ngettext("{count} withdrawn", "{count} withdrawn", times)
        case "superseded":
            return ngettext("{count} superseded", "{count} superseded", times)
        case "stale":
            return ngettext("{count} approved, never applied", "{count} approved, never applied", times)
        case "called_off":
            return ngettext("{count} approved, then called off", "{count} approved, then called off", times)
        case _other:
            return _("{count} {state}", count=times, state=state_text(state))


def decider(decided: str, by: tuple[str, ...], names: Names, roles: tuple[str, ...] = ()) -> str:
    """Who or what decided: names with the groups they voted for, the fast track, the rule, or none."""
    told = zip_longest((person_name(person, names) for person in by), roles[: len(by)], fillvalue="")
    return listed(f"{name} ({role})" if role else name for name, role in told) if by else _(decided)


def approver(one: Holding, names: Names) -> str:
    """Who approved a holder. After a rollback, that it was restored, and whose approval counts again."""
    said = decider(one.decided, one.by, names, one.roles)
    if one.restored_at is None:
        return _(NOT_APPROVED) if one.decided == NOBODY and not one.by else said
    before = previously(said, one.ticket)
    if not one.restored_by:
        return _("restored by rollback ({before})", before=before)
    who = person_name(one.restored_by, names)
    return _("restored by rollback, requested by {who} ({before})", who=who, before=before)


def decision(one: Transition, names: Names, period: Period) -> str:
    """Who or what decided a transition; of a rollback that the rule allowed at once, whose approval counts again."""
    said = decider(one.decided, one.by, names, one.roles)
    if one.earlier is None:
        return _(NOT_DECIDED) if one.decided == NOBODY and not one.by else said
    earlier = one.earlier
    before = previously(decider(earlier.decided, earlier.by, names, earlier.roles), earlier.ticket)
    if earlier.at:
        before = _("{before}, on {when}", before=before, when=local_moment(earlier.at, period))
    return _("restored by rollback ({before})", before=before)


def previously(approvers: str, ticket: str) -> str:
    said = _("previously approved by {people}", people=approvers)
    return f"{said}, {ticket}" if ticket else said


def trainer(author: str | None, claimed: str, names: Names) -> str:
    """The person's name, else what the client said; empty when neither is known."""
    return person_name(author, names) if author else claimed


NO_DECISIONS = N_("no decision by people this week")


def latency_text(latency: Latency) -> str:
    if latency.median is None or latency.p95 is None:
        return _(NO_DECISIONS)
    half, most = duration_text(latency.median), duration_text(latency.p95)
    return ngettext(
        "median {median}, 95th percentile {most} ({count} decision)",
        "median {median}, 95th percentile {most} ({count} decisions)",
        latency.decided,
        median=half,
        most=most,
    )


def rule_name(label: str) -> str:
    return label or _(ALL_RULES)


def ledger_text(ledger: LedgerFigures, *, so_far: bool = False) -> str:
    """`so_far` for a week that is not over."""
    week = _("none of them of this week")
    if ledger.last and ledger.first == ledger.last:
        week = _("{number} of this week", number=ledger.first)
    elif ledger.last:
        week = _("{first} to {last} of this week", first=ledger.first, last=ledger.last)
    holds = _("does not verify: {why}", why=ledger.fault.rstrip(".")) if ledger.fault else _("verified")
    entries = ngettext("{count} entry at the week's end", "{count} entries at the week's end", ledger.count)
    if so_far:
        entries = ngettext("{count} entry so far", "{count} entries so far", ledger.count)
    return _("{verified}; {entries}, {of_the_week}", verified=holds, entries=entries, of_the_week=week)
