"""No template of the pages has a text of its own: each is marked. Read from the templates, so that no branch of them is missed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests.language.marked import ROOT

PAGES = ROOT / "bot" / "pages"
TEMPLATES = sorted(PAGES.glob("*.html"))
SHOWN = {
    "alt",
    "aria-label",
    "aria-description",
    "data-label",
    "label",
    "placeholder",
    "title",
}  # attributes that people read
NAMES = {
    *("Countersign", "countersign", "describe", "models"),  # the house's, and a command's
    *("bike", "ana"),  # in the example of a search
    *("get", "create"),  # blocks that are filled for an attribute
}
WORD = re.compile(r"[^\W\d_]{2,}")
GAP = "\ufffc"  # where a template prints a value
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


class Texts(HTMLParser):
    """The texts that a person sees, in elements and in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in SHOWN and value]


def unmarked_in(template: str) -> list[str]:
    """Words that the template itself prints: in its markup, and as a literal of an expression, such as `or "none"`."""
    tree = Environment(autoescape=True).parse(template)
    parts = [_printed(node) for output in tree.find_all(nodes.Output) for node in output.nodes]
    texts = Texts()
    texts.feed("".join(parts))
    texts.close()
    return [word for text in texts.found for word in WORD.findall(text) if word not in NAMES]


def _printed(node: nodes.Expr) -> str:
    return node.data if isinstance(node, nodes.TemplateData) else GAP.join(["", *_literals(node), ""])


def _literals(node: nodes.Node) -> Iterator[str]:
    """Outside of calls, which mark a text or take a key, of what a condition compares with, and of paths."""
    if isinstance(node, nodes.Const):
        if isinstance(node.value, str) and not node.value.startswith("/"):
            yield node.value
    elif not isinstance(node, nodes.Call | nodes.Compare | nodes.Filter | nodes.Test):
        for child in node.iter_child_nodes():
            yield from _literals(child)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_page_prints_no_text_that_is_not_marked(template: Path) -> None:
    assert unmarked_in(template.read_text()) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Nothing waits</p>",
        '{% if more %}<a href="/x">Older</a>{% endif %}',
        '<input placeholder="my phone">',
        '<td data-label="Since">{{ x }}</td>',
        '<p>{{ _("Asked") }} by {{ who }}</p>',
        '{{ name or "unknown" }}',
        '{{ "none" if x else y }}',
        "{% block title %}Ledger{% endblock %}",
        "{% macro row(x) %}<b>Row</b>{% endmacro %}",
    ],
)
def test_a_text_without_a_mark_is_found(template: str) -> None:
    assert unmarked_in(template)


def test_marked_texts_values_and_what_no_one_reads_are_no_findings() -> None:
    template = (
        '<p class="lead" id="top">{{ _("Asked by {who}", who=x | bdi) }}, v{{ n }}'
        ' · {{ shown(x) }}{% if x == "default" %}–{% endif %}</p>'
    )

    assert unmarked_in(template) == []


def test_the_script_of_the_pages_says_only_what_the_page_gives_it() -> None:
    code = re.sub(r"^\s*//.*$", "", (PAGES / "passkeys.js").read_text(), flags=re.MULTILINE)

    said = [text for text in re.findall(r'"([^"\n]*)"|`([^`]*)`', code) if SENTENCE.search("".join(text))]

    assert said == [("use strict", "")]
