"""The report as a document: its headline, what needs attention, and its sections in order.

The lists are in `tables`, counts and pictures in `figures`.
"""

from __future__ import annotations

from itertools import groupby

from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest, Finding, FindingKind, LedgerFigures
from bot.domain.ledger.checkpoint import read_note
from bot.errors import InvalidCheckpoint
from bot.language import N_, _, count_text, ngettext, now_reading, sentences, translated
from bot.reports import coverage, figures, tables
from bot.reports.graph_svg import SCREEN, Pen
from bot.reports.shape import Document, Group, Headline, Matter, Section, Words
from bot.reports.values import Writer, duration, legible, rest_note, web

TO_CHECK = N_(
    "To check it later: countersign audit verify --checkpoint FILE, where FILE is the page (.html) or this text."
)
GRAVE = (
    FindingKind.LEDGER_BROKEN,
    FindingKind.VOTE_REFUSED,
    FindingKind.GLASS_NOT_REVIEWED,
    FindingKind.GLASS_BROKEN,
    FindingKind.MOVED_WITHOUT_APPROVAL,
    FindingKind.HELD_WITHOUT_APPROVAL,
    FindingKind.UNKNOWN_REQUESTER,
)


def document_of(digest: Digest, pen: Pen = SCREEN, signed: str = "") -> Document:
    """The same digest gives the same document. `pen` draws its pictures; `signed` is the sentence about its sign-off."""
    w = Writer(digest)
    whole = Document(
        week=digest.period.week,
        title=words.title(digest),
        days=words.period_text(digest.period),
        bounds=_bounds(w),
        closed=digest.closed_at.isoformat(),
        quiet=_(words.QUIET) if digest.is_quiet and words.is_counted(digest) else "",
        headlines=_headlines(digest),
        sections=_sections(w, pen, signed),
        footer=_footer(digest),
        language=now_reading(),
        words=Words(),
    )
    return translated(whole)


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
        return Section("attention", _("What needs attention"), (_(words.ALL_IN_ORDER),))
    groups = tuple(
        _group(concern, tuple(found), w) for concern, found in groupby(listed.shown, key=lambda one: one.concern)
    )
    rest = _("All targets are in {targets}, and all events in {events}.", targets=w.files.holdings, events=w.files.csv)
    return Section("attention", _("What needs attention"), groups=groups, note=rest_note(listed, rest))


def ledger(w: Writer) -> Section:
    told = w.digest.ledger
    so_far = not words.is_over(w.digest)
    said = _("The ledger: {what}.", what=legible(words.ledger_text(told, so_far=so_far)))
    return Section("ledger", _("Ledger"), (said, _fixed(told)), verbatim=_kept(told.checkpoint))


def _fixed(told: LedgerFigures) -> str:
    """The preview of a week that is not over has entries that are not signed yet."""
    if not told.checkpoint:
        return _("No checkpoint was signed over them.")
    try:
        size = read_note(told.checkpoint).checkpoint.size
    except InvalidCheckpoint:  # it was changed; the ledger's fault reports that
        return _("The newest checkpoint, as the database has it:")
    fixed = _("The signed checkpoint below fixes all of them.")
    if size < told.count:
        fixed = _("The signed checkpoint below fixes the first {count} of them.", count=size)
    return sentences(fixed, _(TO_CHECK))


def _group(concern: FindingKind, found: tuple[Finding, ...], w: Writer) -> Group:
    in_all = w.digest.concerns.get(concern, len(found))
    matters = tuple(Matter(legible(one.sentence), w.moment(one.at) if one.at else None, web(one.link)) for one in found)
    return Group(_(words.CONCERNS[concern]), count_text(in_all), concern in GRAVE, matters)


def _headlines(digest: Digest) -> tuple[Headline, ...]:
    needs = _headline(
        digest.attention.total, ngettext("item needs attention", "items need attention", digest.attention.total), True
    )
    if not words.is_counted(digest):
        return (needs,)
    transitions, waiting, held = digest.transitions.total, digest.waiting.total, digest.inventory.total
    median = next((one.median for one in digest.latency if not one.rule), None)
    return (
        needs,
        _headline(transitions, ngettext("transition ended", "transitions ended", transitions)),
        _headline(waiting, ngettext("request pending", "requests pending", waiting)),
        Headline(duration(median).text, _("median time to decision")),
        _headline(held, ngettext("target in use", "targets in use", held)),
    )


def _headline(count: int, label: str, wants_eyes: bool = False) -> Headline:
    return Headline(count_text(count), label, wants_eyes and count > 0)


def _bounds(w: Writer) -> str:
    period, closed = w.digest.period, w.wall_clock(w.digest.closed_at)
    told = _("closed {when}", when=closed)
    if not words.is_over(w.digest):
        told = _("previewed on {when}, before its end", when=closed)
    return _(
        "From {first} until {last}, {closed}. All times are those of {zone}.",
        first=w.wall_clock(period.starts),
        last=w.wall_clock(period.ends),
        closed=told,
        zone=period.timezone,
    )


def _footer(digest: Digest) -> tuple[str, ...]:
    if not words.is_over(digest):
        return (_("Preview by Countersign of a week that was not over. These figures were not kept."),)
    return (
        _("Made by Countersign from figures that were frozen when the week closed."),
        _("To regenerate this report: {command}", command="countersign digest --week " + digest.period.week),
    )


def _kept(text: str) -> str:
    """Keeps every line and character, because a note's signature covers them."""
    return "\n".join(legible(line) for line in text.split("\n")).strip("\n")
