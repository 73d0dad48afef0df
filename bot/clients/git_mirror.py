"""A read-only mirror of a git remote: is a commit there, and what did it hold. A `bot.ports.GitMirror`.

The remote's content is only ever read as text: nothing is checked out, no hook runs, nobody is asked for a password, and git may speak
https, ssh and the file system alone. Who may read the remote is the operator's business: a credential helper, or an ssh key.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.domain.git_remote import why_no_remote
from bot.domain.lineage import Mirrored
from bot.ports import Permanent, Temporary

COMMIT = re.compile(r"[0-9a-f]{40}")
LARGEST_LOCK = 4 * 2**20  # bytes
MOST_CHANGED = 1000
LOCKED_DOWN = (
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "fetch.recurseSubmodules=false",
    "core.fsmonitor=false",
    "http.followRedirects=false",
    "gc.auto=0",
)
NOBODY_IS_ASKED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",  # the program of that name: answers nothing
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}


class GitMirrors:
    """One bare repository for each remote, below `home`. `timeout` is in seconds and holds for each git command."""

    def __init__(self, home: Path, timeout: float = 60) -> None:
        self._home = home
        self._timeout = timeout

    def look(self, remote: str, commit: str, main: str, lock_path: str, code: str) -> Mirrored:
        """Fetches first, so that what was pushed is seen and what was taken away is not. Raises Temporary or Permanent."""
        reason = why_no_remote(remote)
        if reason:
            raise Permanent(f"The git remote {reason}.")
        with self._fetched(remote) as repository:
            if not COMMIT.fullmatch(commit) or not repository.holds(commit):
                return Mirrored(remote, is_there=False)
            knows_code = bool(COMMIT.fullmatch(code)) and repository.holds(code)
            return Mirrored(
                remote,
                is_there=True,
                branches=repository.branches_with(commit),
                on_main=repository.is_on(main, commit),
                lock=repository.text_at(commit, lock_path),
                author=repository.author_of(code if knows_code else commit),
                changed=repository.changed_between(code, commit) if knows_code else None,
            )

    @contextmanager
    def _fetched(self, remote: str) -> Iterator[Repository]:
        """Workers share the mirror, so one fetches and looks at a time."""
        git = shutil.which("git")
        if git is None:
            raise Permanent(
                "git is not on the worker's PATH, so no git remote can be mirrored. Install git beside the worker."
            )
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        repository = Repository(
            git, self._home / f"{hashlib.sha256(remote.encode()).hexdigest()[:24]}.git", self._timeout
        )
        with repository.path.with_suffix(".lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            repository.fetch(remote)
            yield repository


class Repository:
    """One mirror on disk."""

    def __init__(self, git: str, path: Path, timeout: float) -> None:
        self._git = git
        self._timeout = timeout
        self.path = path

    def fetch(self, remote: str) -> None:
        if not (self.path / "HEAD").exists():
            self._run(remote, "init", "--quiet", "--bare", "--template=", str(self.path))
        done = self._run(
            remote, "fetch", "--quiet", "--prune", "--no-tags", "--no-auto-gc", "--force", "--", remote, "+refs/heads/*:refs/heads/*"
        )  # fmt: skip
        if done.returncode:
            raise _unreachable(remote, done.stderr.decode(errors="replace"))

    def holds(self, commit: str) -> bool:
        return self._asked("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def branches_with(self, commit: str) -> tuple[str, ...]:
        listed = self._asked("for-each-ref", "--contains", commit, "--format=%(refname:lstrip=2)", "refs/heads")
        return tuple(listed.stdout.decode(errors="replace").split())

    def is_on(self, branch: str, commit: str) -> bool:
        return self._asked("merge-base", "--is-ancestor", commit, f"refs/heads/{branch}").returncode == 0

    def text_at(self, commit: str, path: str) -> str | None:
        """None when the commit has no such file, or one that is too large or no text."""
        where = f"{commit}:{path}"
        size = self._asked("cat-file", "-s", where)
        if size.returncode or int(size.stdout) > LARGEST_LOCK:
            return None
        try:
            return self._asked("cat-file", "blob", where).stdout.decode()
        except UnicodeDecodeError:
            return None

    def author_of(self, commit: str) -> str:
        return self._asked("log", "-1", "--format=%ae", commit).stdout.decode(errors="replace").strip()

    def changed_between(self, code: str, commit: str) -> tuple[str, ...]:
        """Paths from the top; the first thousand."""
        listed = self._asked("diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", code, commit, "--")
        return tuple(name.decode(errors="replace") for name in listed.stdout.split(b"\0")[:MOST_CHANGED] if name)

    def _asked(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return self._run("the mirror", "--git-dir", str(self.path), *arguments)

    def _run(self, remote: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        options = [part for setting in LOCKED_DOWN for part in ("-c", setting)]
        where = ["--git-dir", str(self.path)] if arguments[0] == "fetch" else []
        environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")} | NOBODY_IS_ASKED
        try:
            return subprocess.run(
                [self._git, *options, *where, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Temporary(
                f"git did not answer within {self._timeout:g} s about {remote}. It will be tried again."
            ) from error


def _unreachable(remote: str, said: str) -> Temporary:
    """Git's exit code does not tell a remote that is down from one that refuses us, so both are tried again."""
    lines = [
        line.removeprefix("fatal: ") for line in said.splitlines() if line.startswith(("fatal:", "error:", "ERROR"))
    ]
    why = " ".join(lines[0].split())[:200].rstrip(".") if lines else "git gave no reason"
    return Temporary(
        f"The git remote {remote} cannot be read: {why}. Check the address, and that the worker's account may read it; "
        "it will be tried again."
    )
