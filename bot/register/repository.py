"""The training's git repository: uncommitted changes, the current commit, and whether others can fetch it."""

from __future__ import annotations

import re
import shutil
import subprocess
from os.path import normpath
from pathlib import Path
from posixpath import dirname
from shlex import quote

from bot.errors import Refused

TIMEOUT = 120  # seconds; calls to the remote go over the network


def _trusting(said: str, folder: Path) -> str:
    """As git says it: it wants the repository's root, which it does not tell otherwise."""
    told = re.search(r"git config --global --add safe\.directory \S.*", said)
    return told[0].rstrip() if told else f"git config --global --add safe.directory {quote(str(folder))}"


class Repository:
    """`folder` holds dvc.lock, anywhere in the repository. Raises Refused when there is no repository."""

    def __init__(self, folder: Path) -> None:
        git = shutil.which("git")
        if git is None:
            raise Refused("git is not on the PATH. The version would name no commit. Fix: install git.")
        self._git = git
        self.folder = folder
        top = self._run("rev-parse", "--show-toplevel")
        if "dubious ownership" in top.stderr:
            raise Refused(
                f"git does not trust {folder}, because it belongs to another account. What is committed cannot be told. "
                f"Fix: `{_trusting(top.stderr, folder)}`, and register again."
            )
        if top.returncode:
            raise Refused(
                f"{folder} is in no git repository. The version would name no commit. "
                "Fix: register where the training code is checked out, or name that place with --lock-dir."
            )
        self.top = Path(top.stdout.strip())

    @property
    def head(self) -> str:
        return self._word("rev-parse", "--verify", "--quiet", "HEAD")

    @property
    def user_email(self) -> str:
        return self._word("config", "user.email")

    def uncommitted(self) -> tuple[str, ...]:
        """Paths relative to the root. With -z names are not quoted, and a rename's old name follows as its own entry."""
        entries = self._output("status", "--porcelain", "-z", "--untracked-files=all").split("\0")
        paths, is_old_name = [], False
        for entry in filter(None, entries):
            if is_old_name:
                is_old_name = False
                continue
            paths.append(entry[3:])
            is_old_name = entry[0] in "RC"
        return tuple(paths)

    @property
    def is_shallow(self) -> bool:
        return self._word("rev-parse", "--is-shallow-repository") == "true"

    def pipelines(self) -> tuple[str, ...]:
        """The folders of all pipelines in the repository, relative to its root."""
        listed = self._output("ls-files", "-z", "--full-name", "--", ":(top,glob)**/dvc.yaml").split("\0")
        return tuple(dirname(path) for path in listed if path)

    def knows(self, commit: str) -> bool:
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def changed_between(self, before: str, after: str) -> tuple[str, ...]:
        return tuple(filter(None, self._output("diff", "--name-only", "--no-renames", "-z", before, after).split("\0")))

    def holds(self, path: str) -> bool:
        """Whether the path, relative to `folder`, leads into the repository; DVC may read others too."""
        inside = Path(normpath(self.folder.resolve() / path)).is_relative_to(self.top.resolve())
        return inside and "://" not in path

    def tracks(self, path: str) -> bool:
        """False for a path outside the repository."""
        return self.holds(path) and bool(self._output("ls-files", "--", path).strip())

    def subject_of(self, commit: str) -> str:
        return self._word("log", "-1", "--format=%s", commit)

    def author_of(self, commit: str) -> str:
        return self._word("log", "-1", "--format=%ae", commit)

    def from_top(self, path: Path) -> str:
        return path.resolve().relative_to(self.top.resolve()).as_posix()

    @property
    def push_command(self) -> str:
        """Puts the current commit into a branch of the remote, also from a detached HEAD and without an upstream branch."""
        branch = self._word("symbolic-ref", "--quiet", "--short", "HEAD")
        what = branch or f"HEAD:refs/heads/trained-{self.head[:8]}"
        return f"git push {quote(self.remote or 'origin')} {quote(what)}"

    def why_unreachable(self, commit: str) -> str:
        """Completes "commit X ..."; empty when a branch of the remote contains it. Calls the remote."""
        remote = self.remote
        if not remote:
            return "cannot be fetched by anybody, because this repository has no git remote"
        heads = self._run("ls-remote", "--heads", remote)
        if heads.returncode:
            said = " ".join(heads.stderr.split())[:200].removeprefix("fatal: ")
            return f"cannot be looked for, because the git remote {remote} does not answer ({said})"
        tips = [line.split()[0] for line in heads.stdout.splitlines()]
        is_there = any(tip == commit or self._leads_to(tip, commit) for tip in tips)
        return "" if is_there else f"is in no branch of the git remote {remote}"

    def _leads_to(self, tip: str, commit: str) -> bool:
        """False for a tip that this repository has not fetched."""
        return self._run("merge-base", "--is-ancestor", commit, tip).returncode == 0

    @property
    def remote(self) -> str:
        """The remote that this branch pushes to, else origin, else the first remote."""
        branch = self._word("symbolic-ref", "--quiet", "--short", "HEAD")
        named = self._word("config", f"branch.{branch}.remote") if branch else ""
        known = self._run("remote").stdout.split()
        return next((one for one in (named, "origin", *known) if one and one in known), "")

    def _word(self, *arguments: str) -> str:
        return self._run(*arguments).stdout.strip()

    def _output(self, *arguments: str) -> str:
        """The output of a command that must succeed: empty output would mean "nothing has changed". Raises Refused."""
        done = self._run(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.split())[:200].removeprefix("fatal: ").rstrip(".") or "it gave no reason"
            raise Refused(
                f"`git {arguments[0]}` failed: {said}. Nobody can tell what is committed. Fix: see that `git status` works here."
            )
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Does not raise on a non-zero exit code; the caller checks it."""
        try:
            return subprocess.run(
                [self._git, *arguments],
                cwd=self.folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Refused(
                f"`git {arguments[0]}` took longer than {TIMEOUT} s. Fix: see that the remote answers."
            ) from error
