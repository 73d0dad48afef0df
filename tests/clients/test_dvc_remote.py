"""A DVC remote whose lists of folders somebody else wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bot.clients.dvc import DvcRemote
from bot.errors import NotFetched


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, "[" + "1" * 5_000 + "]", "[[]]", "[1]", "null", "\x80"]
)
def test_a_folders_list_that_dvc_would_not_write_is_refused(text: str, tmp_path: Path) -> None:
    content = text.encode("latin-1")
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
    place = tmp_path / "files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(content)

    with pytest.raises(NotFetched):
        DvcRemote(str(tmp_path)).listed_in(md5)
