"""The installation rules that a machine can check: who may import whom, what happens on import, and what the code never does."""

from __future__ import annotations

import ast
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

import bot
from bot.domain import events
from bot.domain.events import Event
from bot.domain.registry import watch_events
from bot.supervisor import COUNTERSIGN
from handlers import ON, URGENCY
from handlers.effects import EFFECTS
from tests.scheduling import TOGETHER

ROOT = Path(bot.__file__).parents[1]
SOURCES = sorted(path for package in ("bot", "handlers", "config") for path in (ROOT / package).rglob("*.py"))
SCRIPTS = Path(sys.executable).parent
POLICY = ROOT / "config" / "policy.yaml"

# The job runner, which parks whatever an effect raises. The other place that meets any exception is Bolt's error handler, a function.
# The web server's threads log it: one that died would be missing until the process ends.
MEETS_ANY_EXCEPTION = {"bot/engine/attempts.py", "bot/web/pools.py"}

# What these say is known to whoever recorded it, or told by what comes after; nothing has to be brought about.
NEEDS_NO_FOLLOW_UP = {
    events.TicketClosed,
    events.QuestionPosted,
    events.EvidenceLost,
    events.EvidenceFound,
    events.EvidenceOutOfSight,
    events.LossAcknowledged,
    watch_events.WatchBegun,
    events.FastTrackJudged,
    events.FastTrackCompared,
    events.KeyAdded,
    events.KeyRetired,
    events.VoteSigned,
    events.ModelSigned,
    events.GlassPassed,
    events.DigestDelivered,
    events.DigestsLeftOut,
    events.OwnAskApproved,
    events.SelfApprovalRefused,
    events.VotesRebound,
    events.AccountBound,
    events.AccountUnbound,
    events.TicketAccountBound,
    events.TicketAccountUnbound,
    events.OldRecordsListed,
    events.OldBaselinesListed,
    events.BaselineRecorded,
    events.VerdictSigned,
}
ABSTRACT = {events.RequestEvent, events.RegistryEvent, events.AttestationSigned}

WORLDLY = {"open", "input", "print", "now", "today", "utcnow", "time", "monotonic", "uuid4", "getenv", "environ"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "data", "info"}

# Runs in a process of its own: whatever the import opens is written down as it happens. Vendors probe two things on import, which
# stay: urllib3 whether there is IPv6 (it binds port 0 and lets go), and Python's `platform` what it was built for (`file`).
IMPORT_AND_WATCH = """
import json, sys, threading
seen = []
def watch(event, details):
    if event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+"):
        seen.append([event, str(details[0])])
    elif event == "socket.bind" and details[1][1] != 0:
        seen.append([event, str(details[1])])
    elif event == "subprocess.Popen" and list(details[1])[:1] != ["file"]:
        seen.append([event, str(details[1])])
    elif event in ("socket.connect", "socket.getaddrinfo", "os.fork", "sqlite3.connect"):
        seen.append([event, str(details)])
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import bot.app, bot.__main__, bot.doctor.sections
print(json.dumps({"opened": seen, "threads": [thread.name for thread in threading.enumerate()]}))
"""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def every_event() -> set[type[Event]]:
    named = (vars(events) | vars(watch_events)).values()
    concrete = {value for value in named if isinstance(value, type) and issubclass(value, Event)}
    return concrete - ABSTRACT - {Event}


# Imports


def test_imports_point_inward() -> None:
    contracts = subprocess.run(
        [str(SCRIPTS / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert contracts.returncode == 0, contracts.stdout
    assert "0 broken" in contracts.stdout


def test_nothing_is_opened_by_importing_the_composition_root() -> None:
    told = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_WATCH], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout.splitlines()[-1]) == {"opened": [], "threads": ["MainThread"]}


@pytest.mark.parametrize("path", [path for path in SOURCES if "domain" in path.parts], ids=lambda path: path.name)
def test_the_domain_knows_no_clock_no_chance_and_no_world(path: Path) -> None:
    tree = ast.parse(path.read_text())

    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {func.id if isinstance(func, ast.Name) else getattr(func, "attr", "") for func in called}
    assert not named & WORLDLY


# The table of contents


def test_every_effect_that_an_event_leads_to_can_be_run() -> None:
    named = {follow_up.effect for follow_ups in ON.values() for follow_up in follow_ups}

    assert named <= EFFECTS.keys()


def test_every_event_has_follow_ups_or_is_known_to_need_none() -> None:
    assert set(ON) | NEEDS_NO_FOLLOW_UP == every_event()
    assert not set(ON) & NEEDS_NO_FOLLOW_UP


def test_only_effects_are_urgent() -> None:
    assert URGENCY.keys() <= EFFECTS.keys()


def test_no_event_defers_one_effect_twice() -> None:
    doubled = [event.__name__ for event, follow_ups in ON.items() if len(set(follow_ups)) != len(follow_ups)]

    assert doubled == []


# Habits


def test_any_exception_is_met_in_the_job_runner_and_the_web_servers_threads_alone() -> None:
    broad = {
        where
        for where, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and not _passes_it_on(node)
    }

    assert broad == MEETS_ANY_EXCEPTION


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(node, ast.Name) and node.id in ("Exception", "BaseException") for node in ast.walk(handler.type)
    )


def _passes_it_on(handler: ast.ExceptHandler) -> bool:
    """Tidies up and raises the very same again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_error_is_swallowed_without_a_word() -> None:
    silent = [
        f"{where}:{node.lineno}"
        for where, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and all(isinstance(deed, ast.Pass) for deed in node.body)
    ]

    assert silent == []


def test_every_file_is_about_one_subject() -> None:
    """One that grows past 350 lines has two."""
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}

    assert {where: lines for where, lines in long.items() if lines > 350} == {}


def test_no_folder_is_too_full_to_be_read() -> None:
    """Migrations are a sequence that only grows, and each is read once."""
    full = Counter(path.parent for path in SOURCES if path.name != "__init__.py" and path.parent.name != "versions")

    assert {str(folder.relative_to(ROOT)): count for folder, count in full.items() if count > 20} == {}


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]

    assert statistics.median(lengths) < 15


def test_importing_a_handler_builds_no_reader_of_json() -> None:
    """It takes 10 ms and more of each command: JsonReader builds it at the first use."""
    found = [path for path in SOURCES if path.is_relative_to(ROOT / "handlers") and "TypeAdapter(" in path.read_text()]

    assert found == [], "use bot.database.json_readers.JsonReader"


def test_every_module_says_what_lives_in_it() -> None:
    unsaid = [where for where, tree in trees() if tree.body and not ast.get_docstring(tree)]

    assert unsaid == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path.name for path in SOURCES if path.stem in NAMES_THAT_SAY_NOTHING] == []


# The command, wherever it is called


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A team's own directory, with packages of its own that are called like ours."""
    for package in ("config", "handlers", "bot"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(f"raise RuntimeError('this is the team's own {package}')\n")
    return tmp_path


@pytest.mark.parametrize(
    "command", [[str(SCRIPTS / "countersign")], list(COUNTERSIGN)], ids=["the script", "a child of serve"]
)
def test_the_command_works_in_a_directory_that_has_a_config_of_its_own(elsewhere: Path, command: list[str]) -> None:
    told = subprocess.run(
        [*command, "policy", "check", str(POLICY)], cwd=elsewhere, capture_output=True, text=True, check=False
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert "No mistakes." in told.stdout


def test_the_web_server_works_in_a_directory_that_has_a_config_of_its_own(elsewhere: Path, database_url: str) -> None:
    port = _free_port()
    settings = {
        "DATABASE_URL": database_url,
        "COUNTERSIGN_POLICY": str(POLICY),
        "PORT": str(port),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
        "SLACK_SIGNING_SECRET": "a-slack-signing-secret-of-the-tests",
    }

    with _web(elsewhere, settings) as web:
        answer = _answer_of(web, f"http://127.0.0.1:{port}/healthz")

    assert answer == {"status": "ok"}


@contextmanager
def _web(directory: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **settings}
    command = [str(SCRIPTS / "countersign"), "web", "--host", "127.0.0.1"]
    with subprocess.Popen(command, cwd=directory, env=environment, stderr=subprocess.PIPE, text=True) as web:
        try:
            yield web
        finally:
            web.terminate()


def _answer_of(web: subprocess.Popen[str], url: str) -> object:
    for _ in range(300):
        assert web.poll() is None, web.stderr.read() if web.stderr else ""
        try:
            return requests.get(url, timeout=5).json()
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("the web process never answered")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_is_kept_on_one_worker_is_there() -> None:
    assert [path for path in TOGETHER if not (ROOT / path).exists()] == []
