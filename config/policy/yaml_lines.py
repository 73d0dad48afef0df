"""YAML text -> plain values, each with its line, so that every mistake can name its line.

Only what a policy needs: mappings, lists, text, whole numbers, true and false. Anchors, tags, empty values and keys given twice are
mistakes. What the values mean is in `config.policy.shapes` and `config.policy.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

TEXT_LIMIT = 256_000  # characters; a rule takes about 500, and the parser reads about 100,000 in a second
DEPTH_LIMIT = 30  # the composer calls itself for each level
WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mistake:
    """One sentence about one line; `line` counts from 1 and is None when the mistake concerns the whole file."""

    line: int | None
    sentence: str


@dataclass
class Document:
    """`lines` knows each key and item by its path, for example ("rules", 0, "approve"); `blanks` are keys without a value."""

    content: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    blanks: set[Path] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    def line_of(self, path: Path) -> int | None:
        """The line of the path, or of the nearest thing around it that the text does contain."""
        nearest = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)
        return None if nearest is None else self.lines[nearest]


def read_document(text: str) -> Document:
    """Never raises for any text: what is wrong with it is in the document's `mistakes`."""
    if len(text) > TEXT_LIMIT:
        return Document(mistakes=[Mistake(None, f"The file is longer than {TEXT_LIMIT:,} characters. Shorten it.")])
    try:
        root = _PlainLoader(text).get_single_node()
    except _NotPlain as refusal:
        return Document(mistakes=[refusal.mistake])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and (swallowed := _line_that_a_comment_ends(text, mark.line + 1)):
            return Document(mistakes=[swallowed])
        return Document(
            mistakes=[Mistake(mark.line + 1 if mark else None, f"This is not valid YAML: {_problem(error)}.")]
        )
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Document(mistakes=[Mistake(line, "This line contains a character that YAML does not allow. Remove it.")])
    except (ValueError, OverflowError):  # PyYAML's scanner on "\UFFFFFFFF" and on a %YAML directive of 5,000 digits
        return Document(
            mistakes=[Mistake(None, "This is not valid YAML: a number or an escaped character is out of range.")]
        )
    return _Unfolding(text).unfold(root) if root is not None else Document()


QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
A_COMMENT = re.compile(r"(?<=[\s,\[{])#")
A_VALUE_BEGINS = re.compile(r"[:,\[{]\s*$")


def _line_that_a_comment_ends(text: str, until: int) -> Mistake | None:
    """`{slack: #models}`: to YAML the bracket is in a comment and never closes, and it complains of a later line."""
    for number, line in reversed(list(enumerate(text.splitlines()[:until], start=1))):
        before, sign, comment = A_COMMENT.sub("\0", QUOTED.sub("''", line), count=1).partition("\0")
        is_open = sum(map(before.count, "{[")) > sum(map(before.count, "}]"))
        if sign and is_open and A_VALUE_BEGINS.search(before) and comment[:1].strip():
            value = re.split(r"[\s,}\]]", comment)[0]
            return Mistake(
                number, f'#{value} is a comment to YAML, with all that follows it on this line. Quote it: "#{value}".'
            )
    return None


def _problem(error: yaml.MarkedYAMLError) -> str:
    if "cannot start any token" in (error.problem or ""):
        return f"{error.problem}. Indent with spaces, and quote a value that begins with @, ` or %"
    return ", ".join(part for part in (error.context, error.problem) if part) or "it cannot be read"


class _NotPlain(Exception):
    def __init__(self, event: yaml.Event, sentence: str) -> None:
        super().__init__(sentence)
        self.mistake = Mistake(event.start_mark.line + 1 if event.start_mark else None, sentence)


class _PlainLoader(yaml.SafeLoader):
    """A composer that refuses what could make a small text mean much, or something else than it seems to say."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _NotPlain(
                event,
                "Anchors (&name, *name) are not allowed here. Write the value out in each place, or one rule for several models: "
                'models: "bike-*" is a pattern, and groups are shared by their names.',
            )
        if getattr(event, "tag", None):
            raise _NotPlain(event, f"Tags ({event.tag}) are not allowed here. Quote a text that begins with !.")
        if self.depth >= DEPTH_LIMIT:
            raise _NotPlain(event, f"This is nested more than {DEPTH_LIMIT} levels deep, which no policy needs.")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Unfolding:
    """Turns nodes into values and notes their lines on the way."""

    def __init__(self, text: str) -> None:
        self._text_lines = text.splitlines()
        self._document = Document()

    def unfold(self, root: yaml.Node) -> Document:
        self._document.lines[()] = root.start_mark.line + 1
        self._document.content = self._value(root, ())
        return self._document

    def _value(self, node: yaml.Node, path: Path) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if not node.value.isprintable():
            self._mistake(node, "This value contains a line break or a character that cannot be seen. Remove it.")
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value.isprintable():
                self._mistake(key_node, "A key must be a word that can be printed, not a list or a mapping.")
                continue
            key = key_node.value
            here = (*path, key)
            if key in values or here in self._document.blanks:
                first = self._document.lines[here]
                self._mistake(
                    key_node, f'"{key}" stands here a second time, first on line {first}. Remove one of them.'
                )
                continue
            self._document.lines[here] = key_node.start_mark.line + 1
            value = self._value(value_node, here)
            if value is None:
                self._blank(key_node, here, f'"{key}"')
            else:
                values[key] = value
        return values

    def _item(self, node: yaml.Node, path: Path) -> object:
        self._document.lines[path] = node.start_mark.line + 1
        value = self._value(node, path)
        if value is None:
            self._blank(node, path, "This item")
        return value

    def _blank(self, node: yaml.Node, path: Path, subject: str) -> None:
        """`slack: #models` is the classic: to YAML the channel is a comment."""
        line = self._text_lines[node.start_mark.line] if node.start_mark.line < len(self._text_lines) else ""
        fix = "What follows # is a comment to YAML: quote a value that begins with #." if "#" in line else ""
        self._document.blanks.add(path)
        self._mistake(node, f"{subject} has no value. {fix or 'Write one, or remove it.'}")

    def _mistake(self, node: yaml.Node, sentence: str) -> None:
        self._document.mistakes.append(Mistake(node.start_mark.line + 1, sentence))


def _scalar(node: yaml.Node) -> object:
    """YAML 1.1 sees dates, sexagesimals and octals where people wrote text, so only plain numbers are numbers here."""
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return yaml.SafeLoader.bool_values[node.value.lower()]
    if kind == "int" and WHOLE_NUMBER.fullmatch(node.value):
        return int(node.value)
    return str(node.value)


def as_mapping(value: object) -> Mapping[str, object]:
    """What is not a mapping has no entries; the shape has already complained about it."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
