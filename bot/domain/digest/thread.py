"""The thread below a digest's card: its lists as tables and lines, on as many cards as needed. Pure.

A card never exceeds one message of the notifier, so its table stays a table and no line is cut. Items beyond LINES_A_LIST or CARDS_A_LIST
are counted, and the card names the file that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeVar

from bot.domain.card.card import Card, Fact, Link, Table
from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest, Finding, Holding, Pipeline, Transition
from bot.domain.text import duration_text, person_name
from bot.language import N_, _

T = TypeVar("T")

CARDS_A_LIST = 3
LINES_A_LIST = 50
LETTERS_A_TABLE = 8_000
LETTERS_OF_A_CELL = 200
LINES_A_CARD = 15
LETTERS_OF_LINES = 3_100  # less than a third of a message, which its lines may take
LETTERS_OF_A_LINE = 480
LETTERS_OF_A_TREE = 1_000  # characters of each tree on a card
LETTERS_OF_A_HASH = 12
NOTHING = "–"
SINCE_BEFORE, NOT_SAID = N_("before records began"), N_("unknown")  # as on the page
CHANGES = N_("Changes of policy and people")

Row = tuple[str, ...]


class Files(Protocol):
    """The names of the files that have the other items."""

    @property
    def html(self) -> str: ...
    @property
    def csv(self) -> str: ...
    @property
    def holdings(self) -> str: ...
    @property
    def waiting(self) -> str: ...


def thread_cards(digest: Digest, files: Files) -> tuple[Card, ...]:
    """In the report's order. An empty list has no card."""
    matters = [finding_line(one) for one in digest.attention.shown]
    return (
        *_lined(_("What needs attention"), matters, digest.attention.total, files.html),
        *_tabled(inventory_table(digest), digest.inventory.total, files.holdings),
        *_tabled(transitions_table(digest), digest.transitions.total, files.csv),
        *_tabled(waiting_table(digest), digest.waiting.total, files.waiting),
        *_tabled(_latency_table(digest), 0, files.html),
        *_tabled(fast_track_table(digest), len(digest.fast_track), files.html),
        *_lined(_(CHANGES), _change_lines(digest), digest.changes.total, files.csv),
        *_treed(_("Pipelines"), digest.pipelines, files.html),
    )


def finding_line(finding: Finding) -> Fact:
    sentence = _cut(finding.sentence, LETTERS_OF_A_LINE)
    return Fact(_(words.CONCERNS[finding.concern]), Link(sentence, finding.link) if finding.link else sentence)


def inventory_table(digest: Digest) -> Table:
    columns = (
        _("Version"),
        _("Target"),
        _("Held since"),
        _("Approved by"),
        _("Approval age"),
        _("Commit"),
        _("Training data"),
        _("Ticket"),
    )
    return Table(_("Targets"), columns, tuple(_held(one, digest) for one in digest.inventory.shown))


def transitions_table(digest: Digest) -> Table:
    columns = (
        _("Version"),
        _("Target"),
        _("When"),
        _("Outcome"),
        _("Decided by"),
        _("Requested by"),
        _("Reason"),
        _("Ticket"),
    )
    return Table(_("Transitions"), columns, tuple(_moved(one, digest) for one in digest.transitions.shown))


def _held(one: Holding, digest: Digest) -> Row:
    return _row(
        str(one.version),
        str(one.target),
        words.local_moment(one.since, digest.period) if one.since else _(SINCE_BEFORE),
        words.approver(one, digest.names),
        duration_text(one.approval_age),
        _shortened(one.commit),
        _cut(_data(one.data), LETTERS_OF_A_CELL),
        one.ticket,
    )


def _moved(one: Transition, digest: Digest) -> Row:
    return _row(
        _("{version} (replaced {previous})", version=str(one.version), previous=str(one.previous))
        if one.previous
        else str(one.version),
        str(one.target),
        words.local_moment(one.at, digest.period),
        words.state_text(one.outcome),
        words.decision(one, digest.names, digest.period),
        _asked_by(one, digest),
        _cut(one.reason, LETTERS_OF_A_CELL),
        one.ticket,
    )


def _asked_by(one: Transition, digest: Digest) -> str:
    asked = person_name(one.requester, digest.names) if one.requester else _(NOT_SAID)
    trained = words.trainer(one.author, one.claimed_author, digest.names)
    return _("{who}; trained by {trainer}", who=asked, trainer=trained) if trained else asked


def waiting_table(digest: Digest) -> Table:
    rows = (
        _row(
            str(one.version),
            str(one.target),
            words.local_moment(one.opened_at, digest.period),
            duration_text(one.age),
            words.local_moment(one.decide_by, digest.period) if one.decide_by else NOTHING,
            one.missing,
            one.ticket,
        )
        for one in digest.waiting.shown
    )
    columns = (_("Version"), _("Target"), _("Requested"), _("Age"), _("Decide by"), _("Missing"), _("Ticket"))
    return Table(_("Pending requests"), columns, tuple(rows))


def _latency_table(digest: Digest) -> Table:
    """Empty without decisions; the card says so."""
    rows = (
        _row(words.rule_name(one.rule), str(one.decided), duration_text(one.median), duration_text(one.p95))
        for one in digest.latency
        if one.decided
    )
    return Table(
        _("Time to decision"), (_("Rule"), _("Requests decided"), _("Median"), _("95th percentile")), tuple(rows)
    )


def fast_track_table(digest: Digest) -> Table:
    columns = (_("Rule"), _("Passed"), _("Held"), _("Undone"), _("Agreed"), _("False passes"), _("False holds"))
    rows = (
        _row(
            one.rule,
            *map(str, (one.passed, one.held, one.undone, one.agreed, one.false_passes, one.false_holds)),
        )
        for one in digest.fast_track
    )
    return Table(_("Fast track"), columns, tuple(rows))


def changes_table(digest: Digest) -> Table:
    rows = (
        _row(
            _cut(one.sentence, LETTERS_OF_A_LINE),
            words.local_moment(one.at, digest.period),
            _cut("; ".join(change.rstrip(".") for change in one.changes), LETTERS_OF_A_LINE),
        )
        for one in digest.changes.shown
    )
    return Table(_(CHANGES), (_("What"), _("When"), _("In detail")), tuple(rows))


def _change_lines(digest: Digest) -> list[Fact]:
    return [
        Fact(
            words.local_moment(one.at, digest.period),
            _cut(" ".join((one.sentence, *(f"{change.rstrip('.')}." for change in one.changes))), LETTERS_OF_A_LINE),
        )
        for one in digest.changes.shown
    ]


def _lined(title: str, lines: Sequence[Fact], total: int, where: str) -> Iterator[Card]:
    pages = _pages(lines, _letters_of_line, LINES_A_CARD, LETTERS_OF_LINES)
    return _numbered(title, pages, lambda page: Card("", "", facts=tuple(page)), total, where)


def _tabled(table: Table, total: int, where: str) -> Iterator[Card]:
    pages = _pages(table.rows, _letters_of_row, LINES_A_LIST, LETTERS_A_TABLE)
    return _numbered(
        table.title,
        pages,
        lambda page: Card("", "", tables=(Table("", table.columns, tuple(page)),)),
        total,
        where,
    )


def _treed(title: str, pipelines: Sequence[Pipeline], where: str) -> Iterator[Card]:
    pages = _pages([_tree(one) for one in pipelines], len, LINES_A_CARD, LETTERS_OF_LINES)
    return _numbered(title, pages, lambda page: Card("", "", paragraphs=tuple(page)), len(pipelines), where)


def _tree(pipeline: Pipeline) -> str:
    """Draws the branches, because Slack removes spaces at the start of a line."""
    heading = _("{version} on {target}", version=str(pipeline.version), target=str(pipeline.target))
    lines = [_branch(line) for line in pipeline.stages] or [_("No pipeline is known: {why}", why=pipeline.missing)]
    return _cut("\n".join((heading, *lines)), LETTERS_OF_A_TREE)


def _branch(line: str) -> str:
    depth = (len(line) - len(line.lstrip())) // 2
    return f"└{'──' * (depth - 1)} {line.lstrip()}" if depth else line


def _pages(items: Iterable[T], letters: Callable[[T], int], most: int, room: int) -> Iterator[list[T]]:
    page: list[T] = []
    used = 0
    for item in islice(items, LINES_A_LIST):
        if page and (len(page) == most or used + letters(item) > room):
            yield page
            page, used = [], 0
        page.append(item)
        used += letters(item)
    if page:
        yield page


def _numbered(
    title: str, pages: Iterable[list[T]], card_of: Callable[[list[T]], Card], total: int, where: str
) -> Iterator[Card]:
    """Numbers the cards; the last one says how many items are not shown."""
    shown = list(pages)[:CARDS_A_LIST]
    hidden = max(0, total - sum(map(len, shown)))
    for number, page in enumerate(shown, start=1):
        name = (
            title
            if len(shown) == 1
            else _("{title} ({number} of {count})", title=title, number=number, count=len(shown))
        )
        rest = _("and {count} more: see {where}", count=hidden, where=where) if hidden and number == len(shown) else ""
        yield replace(card_of(page), title=name, summary=name, footer=rest)


def _letters_of_row(row: Row) -> int:
    return sum(min(len(cell), LETTERS_OF_A_CELL) for cell in row)


def _letters_of_line(line: Fact) -> int:
    value = line.value.text if isinstance(line.value, Link) else line.value
    return len(line.label) + len(value) + 3


def _row(*cells: str) -> Row:
    return tuple(cell or NOTHING for cell in cells)


def _shortened(whole: str) -> str:
    """The algorithm's name and the first characters of a hash."""
    kind, colon, letters = whole.rpartition(":")
    return f"{kind}{colon}{letters[:LETTERS_OF_A_HASH]}"


def _data(whole: str) -> str:
    """Each digest shortened, with the version of its table."""
    parts = (one.partition(" ") for one in whole.split(", "))
    return ", ".join(f"{_shortened(digest)}{space}{table}" for digest, space, table in parts)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
