"""The list of files that is signed, made from the files on disk: `sha256sum` agrees with it, and no path leads out of the folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.domain.attestation.model_signing import statement_over
from bot.errors import UnsafePath
from bot.gate.manifests import check_path, digest_of, digests_in, manifest_in, manifest_of

SHA256SUM = shutil.which("sha256sum")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "code").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}\n")
    (made / "code" / "ä.py").write_text("print()\n")
    (made / "code.txt").write_text("")
    return made


@pytest.mark.skipif(SHA256SUM is None, reason="sha256sum is not there")
def test_sha256sum_checks_the_list_as_it_is(folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(manifest_in(folder))

    checked = subprocess.run(
        [str(SHA256SUM), "--strict", "-c", str(listed)], cwd=folder, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert len(checked.stdout.splitlines()) == 3


def test_the_list_is_sorted_by_the_bytes_of_the_paths(folder: Path) -> None:
    paths = [line.partition("  ")[2] for line in manifest_in(folder).splitlines()]

    assert paths == ["MLmodel", "code.txt", "code/ä.py"]


def test_what_mlflows_client_adds_to_a_copy_is_no_part_of_the_model(folder: Path) -> None:
    before = manifest_in(folder)
    (folder / "registered_model_meta").write_text("model_name: bike\n")

    assert manifest_in(folder) == before


def test_a_single_byte_a_name_and_an_added_file_each_change_the_digest(folder: Path) -> None:
    digests = {digest_of(manifest_in(folder))}

    (folder / "MLmodel").write_text("flavors: []\n")
    digests.add(digest_of(manifest_in(folder)))
    (folder / "MLmodel").rename(folder / "MLmodeL")
    digests.add(digest_of(manifest_in(folder)))
    (folder / "added").touch()
    digests.add(digest_of(manifest_in(folder)))

    assert len(digests) == 4


def test_the_digest_is_that_of_the_lists_text() -> None:
    text = manifest_of({"b": "22", "a": "11"})

    assert text == "11  a\n22  b\n"
    assert digest_of(text) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("path", ["a\u2028b", "a\x85b", "a\x0bb", "a\x0cb", "a  b", "a\x1cb"])
def test_a_name_with_what_python_takes_for_the_end_of_a_line_reads_back(path: str) -> None:
    digests = {"MLmodel": "11" * 32, path: "22" * 32}
    text = manifest_of(digests)

    check_path(path)
    assert digests_in(text, digest_of(text)) == digests
    resources = statement_over(text, "bike")["predicate"]["resources"]
    assert {one["name"]: one["digest"] for one in resources} == digests


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", "a//b", ".", "a\\b", "a\nb", "a\udc80"])
def test_a_path_that_climbs_or_that_tools_read_differently_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        check_path(path)


@pytest.mark.parametrize("to", ["/etc/passwd", "MLmodel", "code"])
def test_a_link_is_refused_wherever_it_leads(folder: Path, to: str) -> None:
    (folder / "link").symlink_to(to)

    with pytest.raises(UnsafePath, match="is a link"):
        manifest_in(folder)
