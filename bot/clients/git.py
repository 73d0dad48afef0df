"""A read-only mirror of a git remote: does it have a commit, and which files are in it.

Implements `bot.ports.data_stores.GitMirror`, and `CommitKeeper` of `bot.ports.evidence_watch`.

The remote's content is only read, never run: nothing is checked out, no hook runs, git never prompts for a password, and only the https,
ssh and file protocols are allowed. The operator grants access to the remote, with a credential helper or an ssh key.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import basename, dirname, join

from bot.domain.evidence.lineage import Mirrored
from bot.domain.policy.git_remote import why_no_remote
from bot.errors import Permanent, Temporary
from bot.folders import make_private
from bot.ports.evidence_watch import Committed

COMMIT = re.compile(r"[0-9a-f]{40}")
LARGEST_FILE = 4 * 2**20  # bytes
LONGEST_PATH = 4096  # characters
NO_PATH = re.compile("[\0\ud800-\udfff]")  # what no argument of a program can have
FIRST_FETCH, OTHERWISE = 15 * 60, 60  # seconds; the first fetch downloads the whole history
ENDING = 5  # seconds for git to remove its lock files
BUSY = 5  # seconds
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
NO_PROMPTS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",  # the program `true`, which prints nothing
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}


class GitMirrors:
    """One bare repository for each remote, below `home`. `first` is for the first fetch, `timeout` for each other command, in seconds."""

    def __init__(self, home: Path, first: float = FIRST_FETCH, timeout: float = OTHERWISE) -> None:
        self._home = home
        self._first = first
        self._timeout = timeout

    def look(self, remote: str, commit: str, main: str, lock_path: str, code: str) -> Mirrored:
        """Fetches first, so the answer shows what the remote has now. Raises Temporary or Permanent."""
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
                pipeline=repository.text_at(commit, join(dirname(lock_path), "dvc.yaml")),
                params=repository.text_at(commit, join(dirname(lock_path), "params.yaml")),
                others=repository.folders_with(commit, "dvc.yaml"),
            )

    def read_files(self, remote: str, commit: str, paths: Collection[str]) -> dict[str, bytes]:
        """Fetches once. Leaves out files that the commit does not have or that are too large. Raises Temporary or Permanent."""
        with self._fetched(remote) as repository:
            if not COMMIT.fullmatch(commit) or not repository.holds(commit):
                return {}
            found = ((path, repository.bytes_at(commit, path)) for path in paths)
            return {path: content for path, content in found if content is not None}

    def look_after(self, remote: str, wanted: Mapping[str, Collection[str]]) -> dict[str, Committed]:
        """A commit that no branch has stays in the mirror, so its files are still read. Raises Temporary or Permanent."""
        with self._fetched(remote) as repository:
            return {commit: _committed(commit, paths, repository) for commit, paths in wanted.items()}

    @contextmanager
    def _fetched(self, remote: str) -> Iterator[Repository]:
        """Workers share the mirror, so one at a time fetches and reads; the others retry later."""
        reason = why_no_remote(remote)
        if reason:
            raise Permanent(f"The git remote {reason}.")
        git = shutil.which("git")
        if git is None:
            raise Permanent(
                "git is not on the worker's PATH, so no git remote can be mirrored. Install git beside the worker."
            )
        make_private(self._home)
        path = self._home / f"{hashlib.sha256(remote.encode()).hexdigest()[:24]}.git"
        repository = Repository(git, path, self._timeout)
        with path.with_suffix(".lock").open("w") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                busy = f"Another process reads the mirror of {remote} just now. It will be tried again."
                raise Temporary(busy, retry_after=BUSY) from error
            repository.fetch(remote, self._first)
            yield repository


def _committed(commit: str, paths: Collection[str], repository: Repository) -> Committed:
    if not COMMIT.fullmatch(commit) or not repository.holds(commit):
        return Committed(is_on_branch=False)
    found = ((path, repository.bytes_at(commit, path)) for path in paths)
    files = {path: content for path, content in found if content is not None}
    return Committed(bool(repository.branches_with(commit)), files)


class Repository:
    """One mirror on disk."""

    def __init__(self, git: str, path: Path, timeout: float) -> None:
        self._git = git
        self._timeout = timeout
        self.path = path

    def fetch(self, remote: str, first: float) -> None:
        if not (self.path / "HEAD").exists():
            self._run(remote, self._timeout, "init", "--quiet", "--bare", "--template=", str(self.path))
        is_first = not self._output("for-each-ref", "--count=1")
        careful = ("--quiet", "--prune", "--no-tags", "--no-auto-gc", "--force")
        words = ("--git-dir", str(self.path), "fetch", *careful, "--", remote, "+refs/heads/*:refs/heads/*")
        done = self._run(remote, first if is_first else self._timeout, *words)
        if done.returncode:
            raise Temporary(
                f"The git remote {remote} cannot be read: {_why(done)}. Check the address, and that the worker's account may read it; "
                "it will be tried again."
            )

    def holds(self, commit: str) -> bool:
        return self._asked("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def branches_with(self, commit: str) -> tuple[str, ...]:
        listed = self._output("for-each-ref", "--contains", commit, "--format=%(refname:lstrip=2)", "refs/heads")
        return tuple(listed.decode(errors="replace").split())

    def is_on(self, branch: str, commit: str) -> bool:
        return self._asked("merge-base", "--is-ancestor", commit, f"refs/heads/{branch}").returncode == 0

    def text_at(self, commit: str, path: str) -> str | None:
        """None when the commit has no such file, or when the file is too large or not text."""
        content = self.bytes_at(commit, path)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError:
            return None

    def bytes_at(self, commit: str, path: str) -> bytes | None:
        """None when the commit has no such file, or when the file is too large."""
        if len(path) > LONGEST_PATH or NO_PATH.search(path):
            return None
        where = f"{commit}:{path}"
        kind = self._asked("cat-file", "-t", where)
        if kind.stdout.strip() != b"blob" or int(self._output("cat-file", "-s", where)) > LARGEST_FILE:
            return None
        return self._output("cat-file", "blob", where)

    def folders_with(self, commit: str, name: str) -> tuple[str, ...]:
        """The folders that hold a file of this name; the root's is empty."""
        listed = self._output("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).split(b"\0")
        paths = (path.decode(errors="replace") for path in listed)
        return tuple(dirname(path) for path in paths if basename(path) == name)

    def author_of(self, commit: str) -> str:
        return self._output("log", "-1", "--format=%ae", commit).decode(errors="replace").strip()

    def changed_between(self, code: str, commit: str) -> tuple[str, ...]:
        """Paths relative to the repository's root. After the first thousand, one sentence replaces the rest."""
        listed = self._output("diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", code, commit, "--")
        names = [name.decode(errors="replace") for name in listed.split(b"\0") if name]
        more = len(names) - MOST_CHANGED
        return (*names[:MOST_CHANGED], f"{more} more than the first {MOST_CHANGED}") if more > 0 else tuple(names)

    def _output(self, *arguments: str) -> bytes:
        """The output of a command that always succeeds on an intact mirror. Raises Temporary."""
        done = self._asked(*arguments)
        if done.returncode:
            raise Temporary(
                f"git cannot read the mirror {self.path}: {_why(done)}. It will be tried again; if it stays so, remove that directory, "
                "which is fetched anew."
            )
        return done.stdout

    def _asked(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """For commands whose exit code is the answer."""
        return self._run("the mirror", self._timeout, "--git-dir", str(self.path), *arguments)

    def _run(self, about: str, timeout: float, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        options = [part for setting in LOCKED_DOWN for part in ("-c", setting)]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")} | NO_PROMPTS
        command = [self._git, *options, *arguments]
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                said, complained = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired as error:
                raise Temporary(
                    f"git did not answer within {timeout:g} s about {about}. It will be tried again."
                ) from error
            finally:
                if process.returncode is None:
                    _end(process)
        return subprocess.CompletedProcess(command, process.returncode, said, complained)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also ends its helpers (ssh, index-pack), which would keep pipes and connection open. SIGTERM first, so that no lock file remains."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING)
    with suppress(ProcessLookupError):  # all of them are gone
        os.killpg(process.pid, signal.SIGKILL)


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    """Git's exit code is the same for a remote that is down and one that refuses us, so both are retried."""
    said = done.stderr.decode(errors="replace").splitlines()
    lines = [line.removeprefix("fatal: ") for line in said if line.startswith(("fatal:", "error:", "ERROR"))]
    return " ".join(lines[0].split())[:200].rstrip(".") if lines else "git gave no reason"
