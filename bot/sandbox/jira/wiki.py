"""Renders Jira's wiki markup as HTML: enough of it to see whether untrusted text became markup.

Backslash escapes and HTML entities are honoured as Jira's renderer does; everything else is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup, escape

from bot.sandbox.jira.adf import as_link

INLINE = re.compile(
    r"""
      \\\\                                              # a forced line break
    | \\(?P<escaped>[^\w\s])
    | (?P<entity>&(?:\#\d+|\w+);)
    | \{\{(?P<mono>.+?)\}\}
    | \[~(?P<mention>[^\]\s]+)\]
    | \[(?P<text>[^\]|]+)\|(?P<href>[^\]\s]+)\]
    | \[(?P<link>\w+:[^\]\s|]+)\]
    | (?P<bare>(?:https?|ftp|file)://[^\s|\]]+|mailto:[^\s|\]]+)
    | !(?P<image>[^\s!][^!\n]*)!
    | \{(?P<macro>color|anchor|status)(?::[^}]*)?\}
    | (?<!\w)\*(?=\S)(?P<strong>[^*\n]+?)(?<=\S)\*(?!\w)
    | (?<!\w)_(?=\S)(?P<em>[^_\n]+?)(?<=\S)_(?!\w)
    | (?<!\w)-(?=[^\s-])(?P<strike>[^\n]+?)(?<=[^\s-])-(?!\w)
    | (?<!\w)\+(?=\S)(?P<underline>[^+\n]+?)(?<=\S)\+(?!\w)
    | \b(?P<issue>[A-Z][A-Z0-9]+-\d+)\b
    """,
    re.VERBOSE,
)
HEADING = re.compile(r"h([1-6])\.\s+(.*)")
BULLET = re.compile(r"([*#-])\s+(.*)")
CELL = re.compile(r"(\|\|?)((?:\[[^\]]*\]|\\.|[^|])+)(?=\|)")  # a bar within a link separates nothing
FENCE = re.compile(r"\{(code|noformat|quote|panel)(?::[^}]*)?\}")


def as_html(markup: str) -> Markup:
    lines = markup.splitlines()
    html: list[Markup] = []
    while lines:
        html.append(_take_block(lines))
    return Markup("\n").join(html)


def _take_block(lines: list[str]) -> Markup:
    line = lines.pop(0)
    if fence := FENCE.match(line):
        return _fenced(fence.group(1), line[fence.end() :], lines)
    if heading := HEADING.match(line):
        return Markup("<h{0}>{1}</h{0}>").format(heading.group(1), inline(heading.group(2)))
    if line.strip() == "----":
        return Markup("<hr>")
    if line.startswith("|"):
        return Markup("<table><tbody>{}</tbody></table>").format(
            _while(lines, line, lambda at: at.startswith("|"), _row)
        )
    if bullet := BULLET.match(line):
        items = _while(lines, line, lambda at: BULLET.match(at) is not None, _item)
        return Markup("<{0}>{1}</{0}>").format(Markup("ol" if bullet.group(1) == "#" else "ul"), items)
    return Markup("<p>{}</p>").format(inline(line)) if line.strip() else Markup("")


def _while(lines: list[str], first: str, more: Callable[[str], bool], render: Callable[[str], Markup]) -> Markup:
    taken = [render(first)]
    while lines and more(lines[0]):
        taken.append(render(lines.pop(0)))
    return Markup("").join(taken)


def _fenced(kind: str, first: str, lines: list[str]) -> Markup:
    held = [first] if first else []
    while lines:
        line = lines.pop(0)
        if "{" + kind + "}" in line:
            break
        held.append(line)
    text = "\n".join(held)
    if kind in ("code", "noformat"):
        return Markup("<pre><code>{}</code></pre>").format(text)
    return Markup('<div class="panel panel-info">{}</div>').format(as_html(text))


def _row(line: str) -> Markup:
    """`||` before a cell makes it a header; a row may mix header and plain cells."""
    cells = CELL.findall(line.strip())
    shown = (
        Markup("<{0}>{1}</{0}>").format(Markup("th" if bars == "||" else "td"), inline(cell)) for bars, cell in cells
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(shown))


def _item(line: str) -> Markup:
    return Markup("<li>{}</li>").format(inline(line.split(None, 1)[1]))


def inline(text: str) -> Markup:
    html, end = Markup(""), 0
    for match in INLINE.finditer(text):
        html += escape(text[end : match.start()]) + _inline_html(match)
        end = match.end()
    return html + escape(text[end:])


def _inline_html(match: re.Match[str]) -> Markup:
    kind = match.lastgroup
    held = match.group(kind) if kind else ""
    if kind == "href":
        return as_link(held, inline(match.group("text")))
    if kind is None or kind == "macro":
        return Markup("<br>") if kind is None else Markup('<span class="macro"></span>')
    return RENDERINGS[kind](held)


RENDERINGS: dict[str, Callable[[str], Markup]] = {
    "escaped": escape,
    "entity": Markup,
    "mono": Markup("<code>{}</code>").format,
    "mention": Markup('<span class="chip mention">@{}</span>').format,
    "link": lambda held: as_link(held, escape(held)),
    "bare": lambda held: as_link(held, escape(held)),
    "image": Markup('<span class="chip image">{}</span>').format,
    "strong": lambda held: Markup("<strong>{}</strong>").format(inline(held)),
    "em": lambda held: Markup("<em>{}</em>").format(inline(held)),
    "strike": lambda held: Markup("<del>{}</del>").format(inline(held)),
    "underline": lambda held: Markup("<u>{}</u>").format(inline(held)),
    "issue": lambda held: Markup('<a href="/browse/{0}">{0}</a>').format(held),
}
