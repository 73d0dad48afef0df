"""Atlassian Document Format: is a document valid, and what does it look like. The product writes ADF elsewhere; this is Jira's side.

Stricter than a tolerant reader on purpose: what passes here also passes Jira's own schema
(https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/).
"""

from __future__ import annotations

from typing import TypeAlias

from markupsafe import Markup, escape

Node: TypeAlias = dict[str, object]

INLINES = frozenset({"text", "hardBreak", "mention", "emoji", "inlineCard", "status", "date"})
LISTS = frozenset({"bulletList", "orderedList"})
SIMPLE_BLOCKS = LISTS | {"paragraph", "heading", "codeBlock", "rule"}
CELL_BLOCKS = SIMPLE_BLOCKS | {"panel", "blockquote"}
BLOCKS = CELL_BLOCKS | {"table", "expand"}

CHILDREN: dict[str, frozenset[str]] = {
    "doc": BLOCKS,
    "paragraph": INLINES,
    "heading": INLINES,
    "bulletList": frozenset({"listItem"}),
    "orderedList": frozenset({"listItem"}),
    "listItem": LISTS | {"paragraph", "codeBlock"},
    "codeBlock": frozenset({"text"}),
    "blockquote": LISTS | {"paragraph", "codeBlock"},
    "panel": SIMPLE_BLOCKS,
    "expand": CELL_BLOCKS | {"table"},
    "table": frozenset({"tableRow"}),
    "tableRow": frozenset({"tableCell", "tableHeader"}),
    "tableCell": CELL_BLOCKS,
    "tableHeader": CELL_BLOCKS,
}
MUST_HOLD_SOMETHING = LISTS | {"listItem", "blockquote", "panel", "expand", "table", "tableCell", "tableHeader"}
MARKS = frozenset({"strong", "em", "code", "strike", "underline", "link", "subsup", "textColor"})
PANELS = frozenset({"info", "note", "tip", "warning", "error", "success"})
KEYS = frozenset({"type", "attrs", "content", "text", "marks"})
SAFE_SCHEMES = ("http://", "https://", "mailto:")

TAGS = {
    "paragraph": "p",
    "bulletList": "ul",
    "orderedList": "ol",
    "listItem": "li",
    "blockquote": "blockquote",
    "tableRow": "tr",
    "tableCell": "td",
    "tableHeader": "th",
    "strong": "strong",
    "em": "em",
    "code": "code",
    "strike": "del",
    "underline": "u",
}


class InvalidDocument(ValueError):
    """The message begins with the path of the offending node."""


def check(document: Node) -> None:
    if document.get("type") != "doc" or document.get("version") != 1:
        raise InvalidDocument('the root must be {"type": "doc", "version": 1, "content": [...]}')
    if not isinstance(document.get("content"), list):
        raise InvalidDocument("doc: content must be a list")
    _check_children(document, "doc")


def _check_children(node: Node, path: str) -> None:
    kind = str(node["type"])
    children = node.get("content", [])
    if not isinstance(children, list):
        raise InvalidDocument(f"{path}: content must be a list")
    if kind in MUST_HOLD_SOMETHING and not children:
        raise InvalidDocument(f"{path}: {kind} must not be empty")
    for index, child in enumerate(children):
        _check_child(child, CHILDREN.get(kind, frozenset()), f"{path}.{index}")


def _check_child(child: object, allowed: frozenset[str], path: str) -> None:
    if not isinstance(child, dict):
        raise InvalidDocument(f"{path}: a node must be an object")
    kind = child.get("type")
    if kind not in allowed:
        raise InvalidDocument(f"{path}: {kind!r} is not allowed here")
    if unknown := child.keys() - KEYS:
        raise InvalidDocument(f"{path}: unknown property {min(unknown)!r}")
    _check_text(child, path)
    _check_attributes(child, path)
    _check_children(child, path)


def _check_text(node: Node, path: str) -> None:
    if node["type"] != "text":
        return
    if not isinstance(node.get("text"), str) or not node["text"]:
        raise InvalidDocument(f"{path}: a text node needs a text that is not empty")
    marks = {mark.get("type") for mark in _list(node, "marks")}
    if unknown := marks - MARKS:
        raise InvalidDocument(f"{path}: unknown mark {min(map(str, unknown))!r}")
    if "code" in marks and marks - {"code", "link"}:
        raise InvalidDocument(f"{path}: the code mark goes with no other mark than link")
    for mark in _list(node, "marks"):
        if mark["type"] == "link" and not isinstance(_attribute(mark, "href"), str):
            raise InvalidDocument(f"{path}: a link mark needs attrs.href")


def _check_attributes(node: Node, path: str) -> None:
    if node["type"] == "heading" and _attribute(node, "level") not in range(1, 7):
        raise InvalidDocument(f"{path}: a heading needs attrs.level from 1 to 6")
    if node["type"] == "panel" and _attribute(node, "panelType") not in PANELS:
        raise InvalidDocument(f"{path}: a panel needs attrs.panelType, one of {', '.join(sorted(PANELS))}")
    if node["type"] == "mention" and not isinstance(_attribute(node, "id"), str):
        raise InvalidDocument(f"{path}: a mention needs attrs.id")


def from_text(text: str) -> Node:
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in text.splitlines() if line
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}


def as_text(node: Node) -> str:
    if node.get("type") == "text":
        return str(node["text"])
    if node.get("type") == "hardBreak":
        return "\n"
    children = [as_text(child) for child in _list(node, "content")]
    between = (
        ""
        if node.get("type") in ("paragraph", "heading", "codeBlock")
        else "\t"
        if node.get("type") == "tableRow"
        else "\n"
    )
    return between.join(children)


def as_html(node: Node) -> Markup:
    kind = str(node.get("type"))
    inside = Markup("").join(as_html(child) for child in _list(node, "content"))
    if kind == "text":
        return _marked(node)
    if kind == "heading":
        return Markup("<h{0}>{1}</h{0}>").format(_attribute(node, "level"), inside)
    if kind == "panel":
        return Markup('<div class="panel panel-{}">{}</div>').format(_attribute(node, "panelType"), inside)
    if kind in TAGS:
        return Markup("<{0}>{1}</{0}>").format(Markup(TAGS[kind]), inside)
    if kind in SPECIAL:
        return SPECIAL[kind].format(inside)
    return _chip(node) if kind in INLINES else inside


SPECIAL = {
    "hardBreak": Markup("<br>"),
    "rule": Markup("<hr>"),
    "codeBlock": Markup("<pre><code>{}</code></pre>"),
    "table": Markup("<table><tbody>{}</tbody></table>"),
    "expand": Markup("<details open><summary>More</summary>{}</details>"),
}


def _chip(node: Node) -> Markup:
    shown = next(
        (_attribute(node, name) for name in ("text", "url", "shortName", "timestamp") if _attribute(node, name)), ""
    )
    return Markup('<span class="chip">{}</span>').format(shown)


def _marked(node: Node) -> Markup:
    html = escape(str(node["text"]))
    for mark in _list(node, "marks"):
        kind = str(mark["type"])
        if kind == "link":
            html = as_link(str(_attribute(mark, "href")), html)
        elif kind in TAGS:
            html = Markup("<{0}>{1}</{0}>").format(Markup(TAGS[kind]), html)
    return html


def as_link(href: str, shown: Markup) -> Markup:
    """A link for the schemes that Jira makes links of; for any other the bare text."""
    if not href.lower().startswith(SAFE_SCHEMES):
        return shown
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(href, shown)


def _list(node: Node, name: str) -> list[Node]:
    value = node.get(name, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _attribute(node: Node, name: str) -> object:
    attributes = node.get("attrs")
    return attributes.get(name) if isinstance(attributes, dict) else None
