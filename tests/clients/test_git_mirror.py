"""The git mirror on real repositories: what it finds, what it sees vanish, and what it never does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.clients.git_mirror import LARGEST_LOCK, GitMirrors
from bot.domain.git_remote import why_no_remote
from bot.domain.lineage import Mirrored
from bot.ports import Permanent, Temporary

BEA = ("-c", "user.name=Bea Baker", "-c", "user.email=bea@example.com")


@dataclass(frozen=True)
class Remote:
    """A repository that one works in; the mirror fetches from it."""

    path: Path

    def git(self, *arguments: str) -> str:
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *BEA, *arguments], cwd=self.path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, name: str, text: str) -> str:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Write {name}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    (tmp_path / "remote").mkdir()
    made = Remote(tmp_path / "remote")
    made.git("init", "--quiet", "--initial-branch", "main")
    return made


@pytest.fixture
def mirrors(tmp_path: Path) -> GitMirrors:
    return GitMirrors(tmp_path / "home" / "mirrors")


def look(mirrors: GitMirrors, remote: Remote, commit: str, lock_path: str = "dvc.lock", code: str = "") -> Mirrored:
    return mirrors.look(str(remote.path), commit, "main", lock_path, code)


def test_a_commit_is_found_with_its_lock_its_author_and_what_changed_since_the_code(
    remote: Remote, mirrors: GitMirrors
) -> None:
    code = remote.commit("train.py", "print(1)\n")
    commit = remote.commit("work/dvc.lock", "stages: {}\n")

    seen = look(mirrors, remote, commit, "work/dvc.lock", code)

    assert seen == Mirrored(
        remote=str(remote.path),
        is_there=True,
        branches=("main",),
        on_main=True,
        lock="stages: {}\n",
        author="bea@example.com",
        changed=("work/dvc.lock",),
    )


def test_what_was_pushed_since_is_seen_and_a_branch_that_was_deleted_is_gone(
    remote: Remote, mirrors: GitMirrors
) -> None:
    first = remote.commit("dvc.lock", "1")
    assert look(mirrors, remote, first).on_main

    remote.git("checkout", "--quiet", "-b", "try/it")
    second = remote.commit("dvc.lock", "2")
    on_a_branch = look(mirrors, remote, second)
    remote.git("checkout", "--quiet", "main")
    remote.git("branch", "-D", "try/it")
    taken_away = look(mirrors, remote, second)

    assert (on_a_branch.branches, on_a_branch.on_main, on_a_branch.lock) == (("try/it",), False, "2")
    assert (taken_away.branches, taken_away.on_main) == ((), False)


@pytest.mark.parametrize("commit", ["0" * 40, "", "main", "--all", "HEAD~0"])
def test_a_commit_that_is_not_there_or_none_at_all_is_not_found(
    remote: Remote, mirrors: GitMirrors, commit: str
) -> None:
    remote.commit("dvc.lock", "1")

    assert look(mirrors, remote, commit) == Mirrored(str(remote.path), is_there=False)


def test_a_tree_or_a_file_is_no_commit(remote: Remote, mirrors: GitMirrors) -> None:
    commit = remote.commit("dvc.lock", "1")
    tree = remote.git("rev-parse", f"{commit}^{{tree}}")

    assert not look(mirrors, remote, tree).is_there


@pytest.mark.parametrize("text", [b"\xff\xfe", b"x" * (LARGEST_LOCK + 1)], ids=["no text", "too large"])
def test_a_lock_that_is_no_text_or_too_large_is_not_read(remote: Remote, mirrors: GitMirrors, text: bytes) -> None:
    (remote.path / "dvc.lock").write_bytes(text)
    commit = remote.commit("README.md", "")

    assert look(mirrors, remote, commit).lock is None


def test_a_link_is_read_as_the_text_that_it_is(remote: Remote, mirrors: GitMirrors) -> None:
    (remote.path / "dvc.lock").symlink_to("/etc/passwd")
    commit = remote.commit("README.md", "")

    assert look(mirrors, remote, commit).lock == "/etc/passwd"


def test_no_hook_and_no_setting_of_the_remote_runs_here(remote: Remote, mirrors: GitMirrors, tmp_path: Path) -> None:
    trap = tmp_path / "trapped"
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-merge"):
        path = remote.path / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {trap}-$0\n")
    (remote.path / ".gitattributes").write_text("* filter=evil diff=evil\n")
    commit = remote.commit("dvc.lock", "1")
    for path in (remote.path / ".git" / "hooks").iterdir():
        path.chmod(0o755)

    seen = look(mirrors, remote, commit, code=commit)

    assert seen.lock == "1"
    assert list(tmp_path.glob("trapped*")) == []


def test_a_remote_that_is_not_there_is_tried_again_later(mirrors: GitMirrors, tmp_path: Path) -> None:
    with pytest.raises(Temporary, match=r"cannot be read: .* does not appear to be a git repository"):
        look(mirrors, Remote(tmp_path / "nobody"), "0" * 40)


def test_nobody_is_asked_for_a_password(mirrors: GitMirrors) -> None:
    with pytest.raises(Temporary, match="cannot be read"):
        mirrors.look("https://127.0.0.1:9/bikes.git", "0" * 40, "main", "dvc.lock", "")


def test_what_git_would_run_is_no_remote(mirrors: GitMirrors) -> None:
    with pytest.raises(Permanent, match="must be an https or ssh address"):
        mirrors.look("ext::sh", "0" * 40, "main", "dvc.lock", "")


@pytest.mark.parametrize(
    "text",
    [
        "/srv/git/x.git",
        "https://git.example.com/x.git",
        "ssh://git@h/x",
        "file:///srv/x",
        "git@h.example.com:team/x.git",
    ],
)
def test_addresses_and_paths_may_be_mirrored(text: str) -> None:
    assert why_no_remote(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://git.example.com/x.git", "must be an https or ssh address"),
        ("ext::sh -c touch", "cannot be read"),
        ("--upload-pack=touch", "cannot be read"),
        ("ssh://-oProxyCommand=touch/x", "names no host"),
        ("https:///x", "names no host"),
        ("https://bea:secret@h/x", "has a password or a user name"),
        ("https://token@h/x", "has a password or a user name"),
        ("../x", "must be an https or ssh address"),
        ("https://h:port/x", "must be an https or ssh address"),
        ("", "must be an https or ssh address"),
    ],
)
def test_nothing_else_may(text: str, reason: str) -> None:
    assert why_no_remote(text).startswith(reason)
