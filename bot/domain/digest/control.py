"""What a digest covers: what was watched, with which gaps, under which rules, and which earlier digests are signed off. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.digest.sign_off import SignOff
from bot.domain.model import FastTrackMode
from bot.domain.policy.rules import Approve, BreakGlass, Observed, Policy, RollbackBy, Rule, UnknownRequester
from bot.domain.request.fast_track import demand_text
from bot.domain.seals.places import SealPlan
from bot.domain.text import exact_duration
from bot.language import N_, _, listed

GAPS_LISTED = 50
NAMES_LISTED = 20
EARLIER_LISTED = 12  # digests
FORM = 2  # of the frozen figures: 1 had no `control`, no addresses, and no approval behind a rollback

BY_HAND = {
    Observed.ASK: N_("A move by hand is put to the vote."),
    Observed.REVERT: N_("A move by hand is reverted."),
    Observed.REPORT: N_("A move by hand is only reported."),
}
UNKNOWN_REQUESTERS = {
    UnknownRequester.REFUSE: N_("without a known requester, no approval"),
    UnknownRequester.ONE_MORE: N_("without a known requester, one more"),
    UnknownRequester.AUTHOR_ONLY: N_("without a known requester, anyone but the author may approve"),
}


@dataclass(frozen=True)
class Watched:
    """One workspace of a registry: its registered models, those under a rule, and the targets of these.

    `names` are the first of the models under a rule. `since` is when its baseline was taken, `swept_at` when it was last read to the end.
    """

    place: str
    models: int
    ruled: int
    targets: int
    names: tuple[str, ...]
    since: datetime | None
    swept_at: datetime | None


@dataclass(frozen=True)
class Gap:
    """Something that the bot could not see or do, from `at` on; `until` is None while it lasts."""

    at: datetime
    until: datetime | None
    sentence: str


@dataclass(frozen=True)
class RuleInForce:
    """A rule that was in force at some time of the week. `until` is None when it still was at the week's end."""

    label: str
    hash: str
    words: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Earlier:
    """An earlier digest that the policy wants signed off, and its sign-off when this week was closed."""

    week: str
    closed_at: datetime
    signed: SignOff | None


@dataclass(frozen=True)
class Control:
    """`release` is the bot's version; empty in digests of releases that did not say. `gaps_total` counts those not listed as well.

    `sign_off` is the group whose members sign the digest off; empty when no one needs to. `earlier` are the digests before.
    """

    release: str = ""
    places: tuple[Watched, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gaps_total: int = 0
    rules: tuple[RuleInForce, ...] = ()
    sign_off: str = ""
    earlier: tuple[Earlier, ...] = ()


def rules_of_the_week(newest_first: Iterable[tuple[datetime, Policy]], starts: datetime) -> tuple[RuleInForce, ...]:
    """Every rule in force at some time since `starts`, those that still are first.

    `newest_first` are the policies, each with the time when it came into force. They are read only as far back as one of these rules was in
    force without a break.
    """
    open_: dict[str, RuleInForce] = {}
    ended: list[RuleInForce] = []
    for at, policy in reversed(list(_back_to_the_oldest(newest_first, starts))):
        rules = {policy.rule_hash(rule): rule for rule in policy.rules}
        gone = [hash_ for hash_ in open_ if hash_ not in rules]
        ended += [replace(open_.pop(hash_), until=at) for hash_ in gone]
        for hash_, rule in rules.items():
            open_.setdefault(hash_, RuleInForce(rule.label, hash_, rule_text(rule), at))
    return (*open_.values(), *(one for one in ended if one.until is not None and one.until > starts))


def _back_to_the_oldest(
    newest_first: Iterable[tuple[datetime, Policy]], starts: datetime
) -> Iterator[tuple[datetime, Policy]]:
    wanted: set[str] = set()
    began_before = False
    for at, policy in newest_first:
        hashes = {policy.rule_hash(rule) for rule in policy.rules}
        wanted = wanted & hashes if began_before else wanted | hashes
        yield at, policy
        if began_before and not wanted:
            return
        began_before = began_before or at <= starts


def rule_text(rule: Rule) -> str:
    """What the rule demands, in words."""
    expires = _("A request expires after {time}.", time=exact_duration(rule.expire_after)) if rule.expire_after else ""
    valid = ""
    if rule.approval_valid_for:
        valid = _("An approval is valid for {time}.", time=exact_duration(rule.approval_valid_for))
    back = _("Rollback at once.") if rule.rollback is RollbackBy.RULE else _("Rollback by votes.")
    freezes = _("Freezes: {names}.", names=", ".join(rule.freezes)) if rule.freezes else ""
    block = ", ".join(rule.lineage.block) if rule.lineage else ""
    parts = (
        _(
            "Approval by {approvers}; {unknown_requester}.",
            approvers=_approvers(rule.approve),
            unknown_requester=_(UNKNOWN_REQUESTERS[rule.approve.unknown_requester]),
        ),
        _fast_track(rule),
        _("Blocking lineage checks: {checks}.", checks=block) if block else "",
        _(BY_HAND[rule.observed]),
        back,
        expires,
        valid,
        freezes,
        _glass(rule.break_glass),
        _seal(rule.seal),
    )
    return " ".join(filter(None, parts))


def _glass(may: BreakGlass | None) -> str:
    if may is None:
        return ""
    return _(
        "In an emergency one member of {group} promotes at once, and {reviewers} review it within {time}.",
        group=may.group,
        reviewers=may.reviewers,
        time=exact_duration(may.review_within),
    )


def _seal(plan: SealPlan | None) -> str:
    if plan is None:
        return ""
    if plan.lock_for is None:
        return _("Approved files are sealed in {place}.", place=plan.to)
    lasts = exact_duration(plan.lock_for)
    return _("Approved files are sealed in {place} and locked for {time}.", place=plan.to, time=lasts)


def _approvers(approve: Approve) -> str:
    return listed(
        _("{count} of {group} with a passkey", count=one.quorum, group=one.group)
        if approve.wants_passkey_for(one.group)
        else _("{count} of {group}", count=one.quorum, group=one.group)
        for one in approve.all_of
    )


def _fast_track(rule: Rule) -> str:
    track = rule.fast_track
    if track is None or track.mode is FastTrackMode.OFF:
        return _("No fast track.")
    demands = "; ".join(f"{one.metric} {demand_text(one)}" for one in track.metrics)
    demands += f"; {listed(track.require)}" if track.require else ""
    if track.mode is FastTrackMode.SHADOW:
        return _("Fast track (records its result and decides nothing): {demands}.", demands=demands)
    return _("Fast track: {demands}.", demands=demands)
