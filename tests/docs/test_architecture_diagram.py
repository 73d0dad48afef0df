"""The README's diagram of the architecture: every node is a package, every arrow an import that exists and that the contract allows."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import grimp
import pytest

from tests.docs.pages import ROOT

DIAGRAM = re.compile(r"^```mermaid\nflowchart \w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
NODE = re.compile(r'(\w+)\["([^"]+)"\]')
ARROW = re.compile(r"(\w+) --> (\w+)")
OUR_ROOTS = ("bot", "handlers", "config")


def the_diagram() -> str:
    (diagram,) = DIAGRAM.findall((ROOT / "README.md").read_text())
    return str(diagram)


def packages() -> dict[str, str]:
    """The packages that the nodes name in their first line, by the nodes' ids."""
    labels = {node: label.split("<br/>")[0] for node, label in NODE.findall(the_diagram())}
    return {node: label for node, label in labels.items() if label.split(".")[0] in OUR_ROOTS}


def arrows() -> list[tuple[str, str]]:
    names = packages()
    return [(names[tail], names[head]) for tail, head in ARROW.findall(NODE.sub(r"\1", the_diagram()))]


def layers() -> dict[str, int]:
    """How far up each package is in the contract "Imports point inward": 0 is the lowest layer."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"] == "Imports point inward"]
    rows = [row.split(" | ") for row in reversed(contract["layers"])]
    return {package: height for height, row in enumerate(rows) for package in row}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*OUR_ROOTS, cache_dir=None)


def test_every_node_is_a_package_or_module() -> None:
    paths = {name: ROOT.joinpath(*name.split(".")) for name in packages().values()}

    assert [name for name, path in paths.items() if not path.is_dir() and not path.with_suffix(".py").exists()] == []


def test_every_package_of_the_contract_is_drawn() -> None:
    """Single modules may be left out, a package may not."""
    in_the_contract = {name for name in layers() if ROOT.joinpath(*name.split(".")).is_dir()}

    assert in_the_contract - set(packages().values()) == set()


def test_every_arrow_points_to_a_lower_layer() -> None:
    heights = layers()

    assert [f"{tail} --> {head}" for tail, head in arrows() if heights[tail] <= heights[head]] == []


def test_every_arrow_is_an_import_that_exists(imports: grimp.ImportGraph) -> None:
    unused = [
        f"{tail} --> {head}"
        for tail, head in arrows()
        if not imports.direct_import_exists(importer=tail, imported=head, as_packages=True)
    ]

    assert unused == []


def test_every_node_has_an_arrow() -> None:
    assert set(packages().values()) == set(chain.from_iterable(arrows()))
