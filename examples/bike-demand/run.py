"""The whole road in one command: fetch, commit, `dvc repro`, commit the lock, push, register. README.md has it by hand.

Every step is a real git, dvc or python process in a repository of its own, under --workdir. Each step's headline goes
to stdout when it happens; the last line is JSON: {"model", "version", "run_id", "commit", "metrics"}. Called again on
the same work directory with other --params, it makes the next version.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent
NOT_COPIED = shutil.ignore_patterns("__pycache__", "tmp", "cache", "data", "run.py")
NEEDED = {
    "dvc": "dvc",
    "mlflow": "mlflow",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "ISLP": "--no-deps ISLP==0.6.0",
}
OUR_LINES = ("fetch: ", "prepare: ", "train: ", "evaluate: ", "Stage '")
TRAINER = {
    "name": "Bea Baker",
    "email": "bea@example.com",
    "login": "bea",
}  # MLflow takes the run's author from LOGNAME


class Stopped(Exception):
    """Something kept the road from being walked; the text says what, and how to mend it."""


@dataclass(frozen=True)
class Workshop:
    """Where everything lies: the repository, and the two places that it is pushed to."""

    directory: Path

    @property
    def repository(self) -> Path:
        return self.directory / "repo"

    @property
    def origin(self) -> Path:
        return self.directory / "origin.git"

    def environment(self) -> dict[str, str]:
        """Ours alone: no setting of the person's own git or DVC reaches in, and nothing is written outside."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        return inherited | {
            "PATH": with_our_scripts(),
            "LOGNAME": TRAINER["login"],
            "PYTHONUTF8": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(self.directory / "dvc-config"),
            "DVC_SYSTEM_CONFIG_DIR": str(self.directory / "dvc-config"),
            "DVC_SITE_CACHE_DIR": str(self.directory / "dvc-site-cache"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }

    def lines_of(self, *command: str) -> Iterator[str]:
        """What the command says, line by line as it says it; Stopped, with its last words, when it fails."""
        said: list[str] = []
        with subprocess.Popen(
            command,
            cwd=self.repository,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,  # a group of its own, so that DVC's stages can be ended with it
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    said.append(line.rstrip())
                    yield said[-1]
            except BaseException:  # interrupted: leave nothing running
                os.killpg(process.pid, signal.SIGTERM)
                raise
        if process.returncode:
            shown = " ".join(Path(word).name if word == sys.executable else word for word in command)
            raise Stopped("\n".join([f"`{shown}` failed in {self.repository}:", *said[-15:]]))

    def git(self, *arguments: str) -> list[str]:
        return list(self.lines_of("git", *arguments))

    def python(self, *arguments: str) -> None:
        for line in self.lines_of(sys.executable, *arguments):
            if line.startswith(OUR_LINES):
                say(line)

    def register(self, ask: str) -> None:
        """The command's answer is JSON on its last line."""
        *_, answer = self.lines_of("countersign", "register", "--ask", ask, "--json")
        made = json.loads(answer)
        say(f"register: models:/{made['model']}/{made['version']} is registered and asks for its promotion by {ask}")
        say(answer)

    def commit_everything(self, message: str) -> None:
        self.git("add", "--all")
        if self.git("status", "--porcelain"):
            self.git("commit", "--quiet", "--message", message)
            say(f"git: {self.git('log', '-1', '--format=%h %s')[0]}")


def with_our_scripts() -> str:
    """The PATH with the programs of this Python's environment first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def say(line: str) -> None:
    print(line, flush=True)


def check_surroundings() -> None:
    wrong = [
        f"{name} is not installed. Fix: pip install {what}" for name, what in NEEDED.items() if not find_spec(name)
    ]
    if not shutil.which("countersign", path=with_our_scripts()):
        wrong.append("countersign is not installed. Fix: pip install mlflow-countersign")
    if not shutil.which("git"):
        wrong.append("git is not on the PATH. Fix: install git")
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith(("http://", "https://")):
        wrong.append(f"MLFLOW_TRACKING_URI is {uri or 'not set'}. Fix: set it to your MLflow server's http address")
    elif not answers(uri):
        wrong.append(f"no MLflow server answers at {uri}. Fix: start it, or correct MLFLOW_TRACKING_URI")
    if wrong:
        raise Stopped("\n".join(wrong))


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it asks for a login, say; whatever the answer, somebody is there
    except OSError:
        return False


def is_set_up(workshop: Workshop) -> bool:
    return (workshop.origin / "HEAD").exists()


def set_up(workshop: Workshop) -> None:
    """A fresh repository with the source data under DVC, and a bare one beside it to push to."""
    shutil.copytree(TEMPLATE, workshop.repository, ignore=NOT_COPIED, dirs_exist_ok=True)
    workshop.git("init", "--quiet", "--initial-branch", "main")
    workshop.git("config", "user.name", TRAINER["name"])
    workshop.git("config", "user.email", TRAINER["email"])
    say(f"git: a repository of {TRAINER['name']} at {workshop.repository}")

    workshop.python("src/fetch.py")
    workshop.python("-m", "dvc", "--quiet", "add", "data/raw.csv")
    say("dvc: data/raw.csv is tracked by its hash")

    workshop.git("init", "--quiet", "--bare", "--initial-branch", "main", str(workshop.origin))
    workshop.git("remote", "add", "origin", "../origin.git")


def change_parameters(path: Path, changes: dict[str, str]) -> None:
    """Writes the changes into params.yaml and keeps its comments; a name that is not there is refused."""
    from ruamel.yaml import YAML  # comes with DVC, which check_surroundings has found

    round_trip = YAML()
    params = round_trip.load(path.read_text(encoding="utf-8"))
    homes = {top: params for top, below in params.items() if not isinstance(below, dict)}
    homes |= {f"{top}.{name}": below for top, below in params.items() if isinstance(below, dict) for name in below}
    for key, text in changes.items():
        if key not in homes:
            raise Stopped(f"params.yaml has no {key}. It has: {', '.join(homes)}")
        homes[key][key.rpartition(".")[2]] = round_trip.load(text)
    with path.open("w", encoding="utf-8") as file:
        round_trip.dump(params, file)


def walk(workshop: Workshop, changes: dict[str, str]) -> None:
    if not is_set_up(workshop):
        set_up(workshop)
    change_parameters(workshop.repository / "params.yaml", changes)
    wanted = ", ".join(f"{key}={text}" for key, text in changes.items()) or "the parameters of params.yaml"
    workshop.commit_everything(f"Train with {wanted}")

    say("dvc: repro")
    workshop.python("-m", "dvc", "repro")
    workshop.commit_everything("Pin the run in dvc.lock")

    workshop.git("push", "--quiet", "origin", "main")
    workshop.python("-m", "dvc", "--quiet", "push")
    say("git, dvc: pushed, so that anyone can fetch the code and the data again")

    workshop.register("alias:candidate")


def change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is no change. Write it like train.learning_rate=0.1")
    return key, value


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Train, register and ask for promotion, with real git, DVC and MLflow."
    )
    parser.add_argument("--workdir", type=Path, required=True, help="made when missing; used again when called again")
    parser.add_argument("--params", type=change, nargs="*", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted
    try:
        check_surroundings()
        walk(Workshop(asked.workdir.resolve()), dict(asked.params))
    except Stopped as reason:
        print(f"run: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
