"""The report as a document: its headline, what needs attention, and its sections in order.

The lists are in `tables`, counts and pictures in `figures`.
"""

from __future__ import annotations

from itertools import groupby

from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest, Finding, FindingKind, LedgerFigures
from bot.domain.ledger.checkpoint import read_note
from bot.errors import InvalidCheckpoint
from bot.reports import coverage, figures, tables
from bot.reports.graph_svg import SCREEN, Pen
from bot.reports.shape import Document, Group, Headline, Matter, Section
from bot.reports.values import Writer, duration, legible, rest_note, web

TO_CHECK = "To check it later: countersign audit verify --checkpoint FILE, where FILE is the page (.html) or this text."
GRAVE = (
    FindingKind.LEDGER_BROKEN,
    FindingKind.VOTE_REFUSED,
    FindingKind.MOVED_WITHOUT_APPROVAL,
    FindingKind.HELD_WITHOUT_APPROVAL,
    FindingKind.UNKNOWN_REQUESTER,
)


def document_of(digest: Digest, pen: Pen = SCREEN, signed: str = "") -> Document:
    """The same digest gives the same document. `pen` draws its pictures; `signed` is the sentence about its sign-off."""
    w = Writer(digest)
    return Document(
        week=digest.period.week,
        title=words.title(digest),
        days=words.period_text(digest.period),
        bounds=_bounds(w),
        closed=digest.closed_at.isoformat(),
        quiet=words.QUIET if digest.is_quiet and words.is_counted(digest) else "",
        headlines=_headlines(digest),
        sections=_sections(w, pen, signed),
        footer=_footer(digest),
    )


def _sections(w: Writer, pen: Pen, signed: str) -> tuple[Section, ...]:
    """Of a week that could not be counted there are no lists, because empty ones would claim that there was nothing."""
    covered = (coverage.rules(w), coverage.scope(w), ledger(w), coverage.glossary())
    if not words.is_counted(w.digest):
        return tuple(filter(None, (attention(w), coverage.sign_off(w, signed), *covered)))
    found = (
        attention(w),
        coverage.sign_off(w, signed),
        tables.inventory(w),
        tables.transitions(w),
        tables.waiting(w),
        figures.latency(w),
        figures.trend(w, pen),
        figures.fast_track(w),
        tables.changes(w),
        coverage.rules(w),
        coverage.people(w),
        figures.pipelines(w, pen),
        coverage.scope(w),
        ledger(w),
        coverage.glossary(),
    )
    return tuple(section for section in found if section is not None)


def attention(w: Writer) -> Section:
    """The most serious first, in the order of the figures."""
    listed = w.digest.attention
    if not listed.total:
        return Section("attention", "What needs attention", (words.ALL_IN_ORDER,))
    groups = tuple(
        _group(concern, tuple(found), w) for concern, found in groupby(listed.shown, key=lambda one: one.concern)
    )
    rest = f"All targets are in {w.files.holdings}, and all events in {w.files.csv}."
    return Section("attention", "What needs attention", groups=groups, note=rest_note(listed, rest))


def ledger(w: Writer) -> Section:
    told = w.digest.ledger
    said = f"The ledger: {legible(words.ledger_text(told, so_far=not words.is_over(w.digest)))}."
    return Section("ledger", "Ledger", (said, _fixed(told)), verbatim=_kept(told.checkpoint))


def _fixed(told: LedgerFigures) -> str:
    """The preview of a week that is not over has entries that are not signed yet."""
    if not told.checkpoint:
        return "No checkpoint was signed over them."
    try:
        size = read_note(told.checkpoint).checkpoint.size
    except InvalidCheckpoint:  # it was changed; the ledger's fault reports that
        return "The newest checkpoint, as the database has it:"
    which = "all of them" if size >= told.count else f"the first {size:,} of them"
    return f"The signed checkpoint below fixes {which}. {TO_CHECK}"


def _group(concern: FindingKind, found: tuple[Finding, ...], w: Writer) -> Group:
    in_all = w.digest.concerns.get(concern, len(found))
    matters = tuple(Matter(legible(one.sentence), w.moment(one.at) if one.at else None, web(one.link)) for one in found)
    return Group(words.CONCERNS[concern], f"{in_all:,}", concern in GRAVE, matters)


def _headlines(digest: Digest) -> tuple[Headline, ...]:
    needs = _headline(digest.attention.total, "item needs attention", "items need attention", wants_eyes=True)
    if not words.is_counted(digest):
        return (needs,)
    median = next((one.median for one in digest.latency if not one.rule), None)
    return (
        needs,
        _headline(digest.transitions.total, "transition ended", "transitions ended"),
        _headline(digest.waiting.total, "request pending", "requests pending"),
        Headline(duration(median).text, "median time to decision"),
        _headline(digest.inventory.total, "target in use", "targets in use"),
    )


def _headline(count: int, one: str, several: str, *, wants_eyes: bool = False) -> Headline:
    return Headline(f"{count:,}", one if count == 1 else several, wants_eyes and count > 0)


def _bounds(w: Writer) -> str:
    period, closed = w.digest.period, w.wall_clock(w.digest.closed_at)
    told = f"closed {closed}" if words.is_over(w.digest) else f"previewed on {closed}, before its end"
    return (
        f"From {w.wall_clock(period.starts)} until {w.wall_clock(period.ends)}, {told}. "
        f"All times are those of {period.timezone}."
    )


def _footer(digest: Digest) -> tuple[str, ...]:
    if not words.is_over(digest):
        return ("Preview by Countersign of a week that was not over. These figures were not kept.",)
    return (
        "Made by Countersign from figures that were frozen when the week closed.",
        f"To regenerate this report: countersign digest --week {digest.period.week}",
    )


def _kept(text: str) -> str:
    """Keeps every line and character, because a note's signature covers them."""
    return "\n".join(legible(line) for line in text.split("\n")).strip("\n")
