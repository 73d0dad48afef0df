"""A Python that has Countersign and what it needs, and none of the tools of development: what an installation holds and takes.

Libraries load what they find beside them, as structlog does `rich` and securesystemslib boto3.
"""

from __future__ import annotations

import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bot

OURS = "mlflow-countersign"


def runtime_python(home: Path) -> str:
    """Its path. The environment below `home` has links to the packages of this one."""
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    for needed in runtime_distributions():
        for part in _parts_of(needed):
            link = site / part.name
            if part.exists() and not link.exists():
                link.symlink_to(part)
    (site / "countersign.pth").write_text(str(Path(bot.__file__).parents[1]))
    return str(home / "bin" / Path(sys.executable).name)


def runtime_distributions() -> list[Distribution]:
    """All that an installation without extras has, ours left out."""
    found: dict[str, Distribution] = {}
    unseen = list(_needs_of(distribution(OURS)))
    while unseen:
        name = unseen.pop()
        if name not in found:
            found[name] = distribution(name)
            unseen += _needs_of(found[name])
    return list(found.values())


def _needs_of(one: Distribution, extras: tuple[str, ...] = ("",)) -> Iterator[str]:
    for text in one.requires or ():
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            yield canonicalize_name(needed.name)
            if needed.extras:
                yield from _needs_of(distribution(needed.name), tuple(needed.extras))


def _parts_of(one: Distribution) -> set[Path]:
    """The folders and modules right in site-packages."""
    tops = {file.parts[0] for file in one.files or () if file.parts[0] not in ("..", "__pycache__")}
    return {Path(str(one.locate_file(top))) for top in tops}
