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
from bot.language import N_, _, ngettext, sentences

GAPS_TOLD = 3
ERROR_TOLD = 300  # characters
BY_WHOM = N_("By whom is unknown: MLflow does not record it.")
WITHOUT_APPROVAL, WITHOUT_REQUEST = N_("without an approval"), N_("without a request")
RULE_IT = N_("Write a rule for it, or set default: ignore in the policy.")
ADOPT = N_("To have it approved retroactively, run: countersign adopt")


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
    said = _(
        "The ledger does not verify: {fault}. Find out who changed the database, and run: countersign audit verify",
        fault=fault.rstrip("."),
    )
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
    what = _moved(model, target, version, previous, local_moment(at, period), WITHOUT_APPROVAL)
    link = asked.card.url if asked and asked.card else ""
    return Finding(
        FindingKind.MOVED_WITHOUT_APPROVAL,
        sentences(what, _what_became(asked, version) if is_ruled else sentences(_("No rule covers it."), _(RULE_IT))),
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
    what = _moved(model, target, version, previous, local_moment(at, period), WITHOUT_REQUEST)
    said = _(
        "It was approved for this target before, {approved}, and that approval counts again. No action is needed.",
        approved=approved,
    )
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, sentences(what, said), at, model)


def given_back(
    model: str, target: Target, to: VersionId, taken_at: datetime, given_at: datetime, period: Period
) -> Finding:
    """An emptied target that the rule filled again."""
    what = _moved(model, target, None, to, local_moment(taken_at, period), WITHOUT_REQUEST)
    said = _(
        "The rule put {version} back on {when}. No action is needed.",
        version=str(to),
        when=local_moment(given_at, period),
    )
    return Finding(FindingKind.MOVED_WITHOUT_APPROVAL, sentences(what, said), taken_at, model)


def _moved(
    model: str, target: Target, version: VersionId | None, previous: VersionId | None, when: str, how: str
) -> str:
    values = {"target": str(target), "model": model, "when": when, "how": _(how)}
    if version is None:
        was = str(previous) if previous else _("no known version")
        moved = _("{target} of {model} was removed from {version} on {when} {how}.", version=was, **values)
    elif previous:
        moved = _(
            "{version} was put on {target} of {model} on {when} {how}; {previous} held it before.",
            version=str(version),
            previous=str(previous),
            **values,
        )
    else:
        moved = _("{version} was put on {target} of {model} on {when} {how}.", version=str(version), **values)
    return sentences(moved, _(BY_WHOM))


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
    when = _("since {when}", when=local_moment(since, period)) if since else _("since before anything was recorded")
    link = asked.card.url if asked and asked.card else ""
    return Finding(
        FindingKind.HELD_WITHOUT_APPROVAL,
        _(
            "{version} has held {target} of {model} {since}, {unapproved}",
            version=str(version),
            target=str(target),
            model=model,
            since=when,
            unapproved=_unapproved(asked, rejected_by, lapsed, period),
        ),
        since,
        model,
        link,
    )


def _unapproved(asked: TransitionRequest | None, rejected_by: str, lapsed: str, period: Period) -> str:
    nobody = _("without an approval.")
    if lapsed:
        nobody = _(
            "without an approval: its earlier one, {lapsed}, ended when another version replaced it.", lapsed=lapsed
        )
    if asked is None:
        return sentences(nobody, _(ADOPT))
    ticket = f" ({asked.ticket.key})" if asked.ticket else ""
    if asked.state.is_open:
        return sentences(nobody, _("Its request is pending{ticket}", ticket=ticket))
    if asked.state is State.REJECTED and asked.decided_at is not None:
        return _(
            "although {who} rejected it on {when}{ticket}. Move the target back, or request approval again: countersign adopt",
            who=rejected_by,
            when=local_moment(asked.decided_at, period),
            ticket=ticket,
        )
    ended = _("Its request is {state}{ticket}.", state=state_text(asked.state), ticket=ticket)
    return sentences(nobody, ended, _(ADOPT))


def approval_too_old(
    version: VersionId,
    model: str,
    target: Target,
    approved_at: datetime,
    age: timedelta,
    valid_for: timedelta,
    period: Period,
) -> Finding:
    said = _(
        "{version} holds {target} of {model} on an approval of {when}, {age} old at the week's end; under the rule an approval is valid "
        "for {valid_for}. Request a new one: countersign request-transition",
        version=str(version),
        target=str(target),
        model=model,
        when=local_moment(approved_at, period),
        age=_days(age),
        valid_for=_days(valid_for),
    )
    return Finding(FindingKind.APPROVAL_TOO_OLD, said, approved_at, model)


def lineage_incomplete(version: VersionId, model: str, target: Target, gaps: Sequence[str], link: str) -> Finding:
    said = _(
        "{version} holds {target} of {model}, and its lineage is incomplete: {gaps}.",
        version=str(version),
        target=str(target),
        model=model,
        gaps="; ".join(gap.rstrip(".") for gap in gaps[:GAPS_TOLD]),
    )
    if len(gaps) > GAPS_TOLD:
        said = sentences(said, _("And {count} more.", count=len(gaps) - GAPS_TOLD))
    return Finding(FindingKind.LINEAGE_INCOMPLETE, said, None, model, link)


def no_rule(version: VersionId, model: str, target: Target) -> Finding:
    held = _(
        "{version} holds {target} of {model}, and no rule covers it.",
        version=str(version),
        target=str(target),
        model=model,
    )
    said = sentences(held, _(RULE_IT))
    return Finding(FindingKind.NO_RULE, said, None, model)


def parked_job(job: int, effect: str, subject: str, error: str, at: datetime | None) -> Finding:
    what = _("{effect} of {subject}", effect=effect, subject=subject[:32]) if subject else effect
    parked = _("{what} is parked.", what=what)
    if error:
        parked = _("{what} is parked: {why}.", what=what, why=_short(error))
    said = sentences(parked, _("Fix the cause, then run: {command}", command="countersign jobs replay " + str(job)))
    return Finding(FindingKind.PARKED_JOBS, said, at)


def self_approval_refused(name: str, request: TransitionRequest, at: datetime) -> Finding:
    said = _(
        "{who} tried to approve {version} for {target}, which they requested or trained; Countersign blocked it.",
        who=name,
        version=str(request.version),
        target=str(request.target),
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.SELF_APPROVAL_REFUSED, said, at, request.version.model, link)


def vote_refused(
    name: str, request: TransitionRequest, cast_at: datetime, reason: str, at: datetime, period: Period
) -> Finding:
    """`reason` is a clause that says why nothing proves the vote."""
    said = _(
        "A vote of {who} on {version} for {target}, on record since {when}, does not count: {why}. Ask them whether they pressed, and "
        "find out who can write to the database.",
        who=name,
        version=str(request.version),
        target=str(request.target),
        when=local_moment(cast_at, period),
        why=reason.rstrip("."),
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.VOTE_REFUSED, said, at, request.version.model, link)


def unknown_requester(address: str, request: TransitionRequest, at: datetime, period: Period) -> Finding:
    """A rollback that no known person asked for; `request` as it is now."""
    became = _("which is {state}", state=state_text(request.state))
    said = _(
        "{address}, who is neither in the policy nor known to Slack, asked on {when} to roll {target} of {model} back from {holder} to "
        "{version}, {became}. Find out who that was. If it was wrong, request the version again: countersign request-transition",
        address=address,
        when=local_moment(at, period),
        target=str(request.target),
        model=request.target_model,
        holder=str(request.away_from) if request.away_from else _("its holder"),
        version=str(request.version),
        became=_("and it was done") if request.state is State.APPLIED else became,
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.UNKNOWN_REQUESTER, said, at, request.version.model, link)


def not_signed_off(week: str, closed_at: datetime, group: str, period: Period) -> Finding:
    said = _(
        "The digest of {week}, closed on {when}, is not signed off. A member of {group} reads it and presses Sign off on its card",
        week=week,
        when=local_moment(closed_at, period),
        group=group,
    )
    return Finding(FindingKind.NOT_SIGNED_OFF, said, closed_at)


def rolled_back(request: TransitionRequest, requester: str, at: datetime, period: Period) -> Finding:
    """A rollback that moved the target. `requester` is a name, or says that it is unknown."""
    values = {
        "target": str(request.target),
        "model": request.target_model,
        "version": str(request.version),
        "when": local_moment(at, period),
        "who": requester,
    }
    said = _("{target} of {model} was rolled back to {version} on {when}, requested by {who}.", **values)
    if request.away_from:
        said = _(
            "{target} of {model} was rolled back from {away} to {version} on {when}, requested by {who}.",
            away=str(request.away_from),
            **values,
        )
    if request.comment:
        said = sentences(said, _("Reason: {reason}.", reason=in_one_line(request.comment).rstrip(".")))
    link = request.card.url if request.card else ""
    return Finding(FindingKind.ROLLED_BACK, said, at, request.version.model, link)


def digests_left_out(weeks: Sequence[str], at: datetime) -> Finding:
    told = weeks[0]
    if len(weeks) > 1:
        told = _("{count} weeks, {first} to {last}", count=len(weeks), first=weeks[0], last=weeks[-1])
    look = f"countersign digest --week {weeks[0]} --dry-run"
    said = _(
        "There is no digest of {weeks}: the bot was not running for too long. Preview one with: {command}",
        weeks=told,
        command=look,
    )
    return Finding(FindingKind.DIGESTS_LEFT_OUT, said, at)


def _what_became(asked: TransitionRequest | None, version: VersionId | None) -> str:
    if asked is None or asked.kind is not Kind.OBSERVED:
        return _(ADOPT) if version else _("No approved version holds it, unless it was set again since.")
    if asked.state.is_open:
        ticket = f" ({asked.ticket.key})" if asked.ticket else ""
        return _("It is still pending{ticket}: approve or reject it.", ticket=ticket)
    if asked.state in (State.APPLIED, State.APPROVED):
        return _("It was approved since.")
    if asked.state is State.REJECTED:
        return _("It was rejected, and the target goes back.")
    undecided = _("Its request is {state}, so it is undecided.", state=state_text(asked.state))
    return sentences(undecided, _(ADOPT))


def _days(length: timedelta) -> str:
    if length < timedelta(days=1):
        return f"{length // timedelta(hours=1)} h"
    return ngettext("{count} day", "{count} days", length.days)


def _short(error: str) -> str:
    flat = " ".join(error.split()).rstrip(".")
    return flat if len(flat) <= ERROR_TOLD else flat[: ERROR_TOLD - 1] + "…"
