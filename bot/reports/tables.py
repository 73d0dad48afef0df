"""The report's sections with lists: holders, transitions, waiting requests, and changes of policy and people."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.digest.figures import Holding, PolicyChange, Transition, Waiting
from bot.domain.digest.sentences import state_text, transitions_text
from bot.domain.model import Kind
from bot.domain.text import counted
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
    Column("Version", 1.45),
    Column("Target", 1.35),
    Column("Held since", 1.05),
    Column("Approved by", 1.3),
    Column("Approval age", 1.05, Look.NUMBER),
    Column("Commit", 1.1),
    Column("Training data", 1.15),
    Column("Ticket", 0.8),
)
TRANSITIONS = (
    Column("Version", 1.4),
    Column("Target", 1.3),
    Column("When", 1.05),
    Column("Outcome", 0.95),
    Column("Decided by", 1.15),
    Column("Requested by", 1.1),
    Column("Reason", 1.7),
    Column("Ticket", 0.8),
)
WAITING = (
    Column("Version", 1.6),
    Column("Target", 1.4),
    Column("Requested", 1.1),
    Column("Age", 0.8, Look.NUMBER),
    Column("Decide by", 1.1),
    Column("Missing", 1.8),
    Column("Ticket", 0.8),
)
CHANGES = (Column("What", 3), Column("When", 1.4), Column("In detail", 2.6))
SINCE_BEFORE = "before records began"


def inventory(w: Writer) -> Section:
    listed = w.digest.inventory
    if not listed.total:
        return Section("holdings", "Targets", (f"No target had a version {w.at_the_end}.",))
    table = Table(
        caption=f"{counted(listed.total, 'target')} in use {w.at_the_end}",
        columns=HOLDINGS,
        rows=tuple(_holding(one, w) for one in listed.shown),
        note=rest_note(listed, f"All of them are in {w.files.holdings}."),
    )
    return Section("holdings", "Targets", tables=(table,))


def transitions(w: Writer) -> Section:
    listed = w.digest.transitions
    if not listed.total:
        return Section("transitions", "Transitions", ("No transition ended in this week.",))
    table = Table(
        caption=f"{counted(listed.total, 'transition')} that ended in this week",
        columns=TRANSITIONS,
        rows=tuple(_transition(one, w) for one in listed.shown),
        note=rest_note(listed, f"All of them are in {w.files.csv}."),
    )
    return Section(
        "transitions",
        "Transitions",
        (f"{counted(listed.total, 'transition')} ended: {legible(transitions_text(w.digest))}.",),
        tables=(table,),
    )


def waiting(w: Writer) -> Section:
    listed = w.digest.waiting
    if not listed.total:
        return Section("waiting", "Pending requests", (f"No request was pending {w.at_the_end}.",))
    table = Table(
        caption=f"{counted(listed.total, 'request')} pending {w.at_the_end}",
        columns=WAITING,
        rows=tuple(_waiting(one, w) for one in listed.shown),
        note=rest_note(listed, f"All of them are in {w.files.waiting}."),
    )
    return Section("waiting", "Pending requests", tables=(table,))


def changes(w: Writer) -> Section:
    listed, title = w.digest.changes, "Changes of policy and people"
    if not listed.total:
        return Section("changes", title, ("No change of the policy, the keys, or the delegates.",))
    table = Table(
        caption=f"{counted(listed.total, 'change')} of this week",
        columns=CHANGES,
        rows=tuple(_change(one, w) for one in listed.shown),
        note=rest_note(listed, f"All of them are in {w.files.csv}."),
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
    kind = () if one.kind is Kind.PROMOTION else (str(one.kind),)
    instead = (f"replaced {legible(str(one.previous))}",) if one.previous else ()
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
    return replace(w.moment(one.decide_by), more=("overdue",) if is_over else ())


def _change(one: PolicyChange, w: Writer) -> tuple[Cell, ...]:
    lines = tuple(legible(line) for line in one.changes)
    return text(one.sentence), w.moment(one.at), Cell(lines[0] if lines else NOTHING, more=lines[1:])
