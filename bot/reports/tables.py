"""The report's sections with lists: holders, transitions, waiting requests, and changes of policy and people."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.digest.figures import Holding, PolicyChange, Transition, Waiting
from bot.domain.digest.sentences import state_text, transitions_text
from bot.domain.model import Kind
from bot.language import N_, _, ngettext
from bot.reports.shape import Cell, Column, Look, Section, Table
from bot.reports.values import (
    NOTHING,
    Writer,
    digest_of,
    duration,
    legible,
    rest_note,
    text,
    version,
)

HOLDINGS = (
    Column(_("Version"), 1.45),
    Column(_("Target"), 1.35),
    Column(_("Held since"), 1.05),
    Column(_("Approved by"), 1.3),
    Column(_("Approval age"), 1.05, Look.NUMBER),
    Column(_("Commit"), 1.1),
    Column(_("Training data"), 1.15),
    Column(_("Ticket"), 0.8),
)
TRANSITIONS = (
    Column(_("Version"), 1.4),
    Column(_("Target"), 1.3),
    Column(_("When"), 1.05),
    Column(_("Outcome"), 0.95),
    Column(_("Decided by"), 1.15),
    Column(_("Requested by"), 1.1),
    Column(_("Reason"), 1.7),
    Column(_("Ticket"), 0.8),
)
WAITING = (
    Column(_("Version"), 1.6),
    Column(_("Target"), 1.4),
    Column(_("Requested"), 1.1),
    Column(_("Age"), 0.8, Look.NUMBER),
    Column(_("Decide by"), 1.1),
    Column(_("Missing"), 1.8),
    Column(_("Ticket"), 0.8),
)
CHANGES = (Column(_("What"), 3), Column(_("When"), 1.4), Column(_("In detail"), 2.6))
KINDS = {Kind.OBSERVED: N_("observed"), Kind.ROLLBACK: N_("rollback")}
ALL_OF_THEM = N_("All of them are in {file}.")
SINCE_BEFORE = _("before records began")


def inventory(w: Writer) -> Section:
    listed = w.digest.inventory
    if not listed.total:
        return Section("holdings", _("Targets"), (_("No target had a version {then}.", then=w.at_the_end),))
    table = Table(
        caption=ngettext(
            "{count} target in use {then}", "{count} targets in use {then}", listed.total, then=w.at_the_end
        ),
        columns=HOLDINGS,
        rows=tuple(_holding(one, w) for one in listed.shown),
        note=rest_note(listed, _(ALL_OF_THEM, file=w.files.holdings)),
    )
    return Section("holdings", _("Targets"), tables=(table,))


def transitions(w: Writer) -> Section:
    listed = w.digest.transitions
    if not listed.total:
        return Section("transitions", _("Transitions"), (_("No transition ended in this week."),))
    table = Table(
        caption=ngettext(
            "{count} transition that ended in this week", "{count} transitions that ended in this week", listed.total
        ),
        columns=TRANSITIONS,
        rows=tuple(_transition(one, w) for one in listed.shown),
        note=rest_note(listed, _(ALL_OF_THEM, file=w.files.csv)),
    )
    return Section(
        "transitions",
        _("Transitions"),
        (
            ngettext(
                "{count} transition ended: {how}.",
                "{count} transitions ended: {how}.",
                listed.total,
                how=legible(transitions_text(w.digest)),
            ),
        ),
        tables=(table,),
    )


def waiting(w: Writer) -> Section:
    listed = w.digest.waiting
    if not listed.total:
        return Section("waiting", _("Pending requests"), (_("No request was pending {then}.", then=w.at_the_end),))
    table = Table(
        caption=ngettext(
            "{count} request pending {then}", "{count} requests pending {then}", listed.total, then=w.at_the_end
        ),
        columns=WAITING,
        rows=tuple(_waiting(one, w) for one in listed.shown),
        note=rest_note(listed, _(ALL_OF_THEM, file=w.files.waiting)),
    )
    return Section("waiting", _("Pending requests"), tables=(table,))


def changes(w: Writer) -> Section:
    listed, title = w.digest.changes, _("Changes of policy and people")
    if not listed.total:
        return Section("changes", title, (_("No change of the policy, the keys, or the delegates."),))
    table = Table(
        caption=ngettext("{count} change of this week", "{count} changes of this week", listed.total),
        columns=CHANGES,
        rows=tuple(_change(one, w) for one in listed.shown),
        note=rest_note(listed, _(ALL_OF_THEM, file=w.files.csv)),
    )
    return Section("changes", title, tables=(table,))


def _holding(one: Holding, w: Writer) -> tuple[Cell, ...]:
    approved = (w.wall_clock(one.approved_at),) if one.approved_at else ()
    return (
        version(one.version, one.evidence_url),
        text(str(one.target)),
        w.moment(one.since, SINCE_BEFORE),
        Cell(w.approver(one), more=approved),
        duration(one.approval_age),
        replace(digest_of(one.commit), more=w.trained_by(one)),
        digest_of(one.data),
        text(one.ticket, one.ticket_url),
    )


def _transition(one: Transition, w: Writer) -> tuple[Cell, ...]:
    kind = (_(KINDS[one.kind]),) if one.kind in KINDS else ()
    instead = (_("replaced {version}", version=legible(str(one.previous))),) if one.previous else ()
    return (
        replace(version(one.version, one.evidence_url), more=instead),
        text(str(one.target)),
        w.moment(one.at),
        Cell(legible(state_text(one.outcome)), more=kind),
        Cell(w.decision(one)),
        Cell(w.person(one.requester), more=w.trained_by(one)),
        text(one.reason),
        text(one.ticket, one.ticket_url),
    )


def _waiting(one: Waiting, w: Writer) -> tuple[Cell, ...]:
    return (
        version(one.version),
        text(str(one.target)),
        w.moment(one.opened_at),
        duration(one.age),
        _deadline(one, w),
        text(one.missing),
        text(one.ticket, one.ticket_url),
    )


def _deadline(one: Waiting, w: Writer) -> Cell:
    is_over = one.decide_by is not None and one.decide_by < one.opened_at + one.age
    return replace(w.moment(one.decide_by), more=(_("overdue"),) if is_over else ())


def _change(one: PolicyChange, w: Writer) -> tuple[Cell, ...]:
    lines = tuple(legible(line) for line in one.changes)
    return text(one.sentence), w.moment(one.at), Cell(lines[0] if lines else NOTHING, more=lines[1:])
