"""Checks that a company's template only fills blocks of the template that it extends. Jinja silently drops any other block."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

from jinja2 import Environment, nodes

from bot.reports.theme import broken


def blocks_of(name: str, environment: Environment) -> Set[str]:
    """The blocks of the template and of those it extends. Raises Permanent, which names the file, for a block that would not show."""
    tree, path = _parsed(name, environment)
    own = {block.name for block in tree.find_all(nodes.Block)}
    parent = _parent_of(tree)
    if parent is None:
        return own
    known = blocks_of(parent, environment)
    for block in _strangers(tree, known):
        there_are = f"The blocks of {parent} are {', '.join(sorted(known))}" if known else f"{parent} has none"
        raise broken(path, block.lineno, f'there is no block "{block.name}" to replace. {there_are}')
    return own | known


def _parsed(name: str, environment: Environment) -> tuple[nodes.Template, Path]:
    assert environment.loader is not None
    text, path, _ = environment.loader.get_source(environment, name)
    return environment.parse(text, name, path), Path(path or name)


def _parent_of(tree: nodes.Template) -> str | None:
    """None also when the parent is known only at run time."""
    names = (one.template for one in tree.find_all(nodes.Extends))
    return next((name.value for name in names if isinstance(name, nodes.Const)), None)


def _strangers(node: nodes.Node, known: Set[str]) -> Iterator[nodes.Block]:
    """Blocks that are not in `known`. Blocks nested in a known one are shown, so they are left out."""
    for child in node.iter_child_nodes():
        if not isinstance(child, nodes.Block):
            yield from _strangers(child, known)
        elif child.name not in known:
            yield child
