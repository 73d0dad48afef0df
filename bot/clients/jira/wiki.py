"""Cards and texts as Jira's wiki markup, for Data Center. Pure. Every text is escaped so that nothing of it can come alive.

What could begin markup becomes a numeric HTML entity, which Jira shows as the character and never parses. A backslash before it would
be easier on the eye, but cannot escape a backslash (two of them break the line), an address, or a ticket's key.
https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.clients.plain_text import is_web_address
from bot.domain.card.card import Card, Fact, Link, Table

LIVE = re.compile(
    r"""
      [\\{}\[\]|!*+^~&<>]              # escapes, macros, links, tables, images, effects, entities
    | (?<!\w)[_-] | [_-](?!\w)         # effects, lists, dashes and rules; inside a word, as in bike-demand, they are letters
    | (?<=[A-Z][A-Z0-9])-(?=\d)        # the key of a ticket
    | \?(?=\?) | (?<=\?)\?             # a citation
    | :(?=[^\s\d])                     # an address, an emoticon
    | ;(?=\)) | \((?=[^)\s]{1,3}\))    # emoticons and signs, such as (c)
    | ^\#                              # a numbered list
    | (?<=^h[1-6])\.(?=\s) | (?<=^bq)\.(?=\s)   # headings and quotations
    """,
    re.VERBOSE,
)


def escaped(text: str) -> str:
    """One line of text, inert."""
    return LIVE.sub(lambda match: f"&#{ord(match.group())};", text.strip())


def card_as_wiki(card: Card) -> str:
    blocks = [text_as_wiki(card.summary)]
    if card.facts:
        blocks.append("\n".join(f"||{_cell(fact.label)}|{_fact(fact)}|" for fact in card.facts))
    blocks += [_table(table) for table in card.tables]
    blocks += [text_as_wiki(text) for text in card.paragraphs]
    if card.footer:
        blocks += ["----", text_as_wiki(card.footer)]
    return "\n\n".join(blocks)


def text_as_wiki(text: str) -> str:
    return "\n".join(escaped(line) for line in text.splitlines())


def _fact(fact: Fact) -> str:
    if not isinstance(fact.value, Link):
        return _cell(fact.value)
    text = fact.value.text or fact.value.url
    if not is_web_address(fact.value.url):
        return _cell(text)
    return f"[{escaped(text)}|{quote(fact.value.url, safe=':/?#@&=+$,;%.')}]"


def _table(table: Table) -> str:
    header = "||" + "||".join(_cell(name) for name in table.columns) + "||"
    rows = ["|" + "|".join(_cell(text) for text in row) + "|" for row in table.rows]
    return "\n".join([f"h3. {escaped(table.title)}", header, *rows])


def _cell(text: str) -> str:
    """A cell must not be empty, or the row falls apart."""
    return escaped(text) or " "
