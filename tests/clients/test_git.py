"""The git mirror on real repositories: what it finds, what it sees vanish, and what it never does."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.clients.git import LARGEST_FILE, MOST_CHANGED, GitMirrors
from bot.domain.evidence.dvc_lock import Lock, unexplained
from bot.domain.evidence.lineage import Mirrored
from bot.domain.policy.git_remote import why_no_remote
from bot.errors import Permanent, Temporary
from bot.ports.evidence_watch import Committed

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


@pytest.mark.parametrize("text", [b"\xff\xfe", b"x" * (LARGEST_FILE + 1)], ids=["no text", "too large"])
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


def test_what_changed_beyond_the_first_thousand_is_said_and_explained_by_nothing(
    remote: Remote, mirrors: GitMirrors
) -> None:
    code = remote.commit("src/train.py", "good")
    (remote.path / "docs").mkdir()
    for number in range(MOST_CHANGED):
        (remote.path / "docs" / f"{number:04}.md").write_text("x")
    commit = remote.commit("src/train.py", "evil")

    changed = look(mirrors, remote, commit, code=code).changed

    assert changed is not None
    assert unexplained(changed, Lock(()), "dvc.lock") == (f"1 more than the first {MOST_CHANGED}",)


def test_what_git_cannot_compare_does_not_pass_for_unchanged(
    remote: Remote, mirrors: GitMirrors, tmp_path: Path
) -> None:
    code = remote.commit("train.py", "good")
    commit = remote.commit("train.py", "evil")
    look(mirrors, remote, commit)
    (mirror,) = (tmp_path / "home" / "mirrors").glob("*.git")
    tree = remote.git("rev-parse", f"{code}^{{tree}}")
    for path in (mirror / "objects" / tree[:2]).glob(tree[2:]):
        path.unlink()

    with pytest.raises(Temporary, match=r"git cannot read the mirror .* remove that directory"):
        look(mirrors, remote, commit, code=code)


def test_several_files_are_read_byte_for_byte_with_one_look(remote: Remote, mirrors: GitMirrors) -> None:
    (remote.path / "hours.csv").write_bytes(b"\xff\xfe1")
    commit = remote.commit("src/train.py", "print(1)\n")

    found = mirrors.read_files(str(remote.path), commit, ["hours.csv", "src/train.py", "src", "nobody.py", ""])

    assert found == {"hours.csv": b"\xff\xfe1", "src/train.py": b"print(1)\n"}
    assert mirrors.read_files(str(remote.path), "0" * 40, ["hours.csv"]) == {}


def test_a_mirror_that_another_worker_reads_is_tried_again_soon(
    remote: Remote, mirrors: GitMirrors, tmp_path: Path
) -> None:
    commit = remote.commit("dvc.lock", "1")
    look(mirrors, remote, commit)
    (turn,) = (tmp_path / "home" / "mirrors").glob("*.lock")

    with turn.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Temporary, match="Another process reads the mirror") as busy:
            look(mirrors, remote, commit)

    assert busy.value.retry_after > 0
    assert look(mirrors, remote, commit).lock == "1"


def test_a_git_that_hangs_is_ended_with_its_helpers_and_leaves_a_mirror_that_works(
    remote: Remote, mirrors: GitMirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = remote.commit("dvc.lock", "1")
    os.mkfifo(tmp_path / "pipe")
    helper = tmp_path / "programs" / "ssh"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\nexec sleep 60 > {tmp_path}/pipe\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}{os.pathsep}{os.environ['PATH']}")
    listening = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    hasty = GitMirrors(tmp_path / "home" / "mirrors", first=2)
    with pytest.raises(Temporary, match=r"git did not answer within 2 s about git@nobody\.example\.com"):
        hasty.look("git@nobody.example.com:x.git", commit, "main", "dvc.lock", "")

    os.set_blocking(listening, True)
    assert os.read(listening, 1) == b""  # at once: the other end is closed
    os.close(listening)
    assert look(mirrors, remote, commit).lock == "1"


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


@pytest.mark.parametrize(
    "path", ["a\0b", "\ud800", "a" * 200_000, "a/" * 50_000, "../dvc.lock", "./dvc.lock", "", "folder"]
)
def test_a_path_that_no_file_of_a_commit_can_have_is_not_there(path: str, remote: Remote, mirrors: GitMirrors) -> None:
    commit = remote.commit("folder/dvc.lock", "stages: {}\n")

    assert mirrors.read_files(str(remote.path), commit, [path, "folder/dvc.lock"]) == {
        "folder/dvc.lock": b"stages: {}\n"
    }


def test_a_commit_that_left_its_branch_is_seen_and_its_files_are_still_read(
    remote: Remote, mirrors: GitMirrors
) -> None:
    kept = remote.commit("dvc.yaml", "stages: {}\n")
    commit = remote.commit(".dvc/config", "[core]\n")
    wanted = {commit: [".dvc/config", "none"], kept: [], "0" * 40: [], "--help": []}
    before = mirrors.look_after(str(remote.path), wanted)

    remote.git("reset", "--quiet", "--hard", kept)
    after = mirrors.look_after(str(remote.path), wanted)

    files = {".dvc/config": b"[core]\n"}
    assert before == {
        commit: Committed(is_on_branch=True, files=files),
        kept: Committed(is_on_branch=True),
        "0" * 40: Committed(is_on_branch=False),
        "--help": Committed(is_on_branch=False),
    }
    assert after == {**before, commit: Committed(is_on_branch=False, files=files)}
