"""The folders of COUNTERSIGN_HOME are their owner's alone, also where the umask closes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.clients.keys import make_key
from bot.links import make_link_key
from bot.supervisor import only_one


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def lock(home: Path) -> None:
    with only_one(home / "serve.lock", "countersign serve runs"):
        pass


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("make", [lambda home: make_key(home / "keys" / "signing.pem"), make_link_key, lock])
def test_each_folder_that_is_made_on_the_way_is_closed_to_others_and_one_that_is_there_stays(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)

    make(there / "var" / "home")

    made = [path for path in there.rglob("*") if path.is_dir()]
    assert len(made) >= 2
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    assert there.stat().st_mode & 0o777 == 0o755
