"""Log lines for a person at a terminal: the time and a sentence. An outage of a vendor is one line, and its end another."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

import structlog

from bot.errors import without_replay, without_retries

RETRIED, RECOVERED = "effect will be tried again", "effect succeeded after a failure"
PARKED = "effect parked"
SENTENCES: Mapping[str, str] = {
    "starting": "starting: {what}",
    "migrated": "{what}",
    "serving": "listening on {url}, policy {policy} with {rules}; next, in a second terminal: countersign doctor",
    "listening": "the web process answers on {host} port {port}",
    "socket_mode_connected": "Slack's Socket Mode is connected",
    "stopping": "stopping: work in progress ends first, which takes {at_most} at most",
    "stopped": "stopped; what waits goes on with the next countersign serve",
    "serve_was_killed": "the countersign serve before was killed; waiting for {waits_for}, {at_most} at most",
    "database_does_not_start": "the database does not start: {why}; trying again in {tried_again_in}",
    "signing_key_is_new": "approvals are signed with key {key} from now on, and the ledger knows {ledger}: if that one is not replaced on "
    "purpose, stop, and put its file back",
    "process_died": "the process {process} ended with exit code {code}; it starts again in {restart_in}",
    "process_killed": "the process {process} was killed: {why}",
    "effect has a bug": "{effect} failed, which is a fault of Countersign",
    "the job engine lost the database and starts again": "the database is away: {error}",
}
HIDDEN = frozenset({"event", "level", "timestamp", "exception"})
VENDORS = re.compile(r"Slack|Jira|MLflow")
MARKS: Mapping[str, str] = {"warning": "! ", "error": "!! "}


class PlainLines:
    """The last processor of structlog. Remembers, for its process, which vendors do not answer."""

    def __init__(self) -> None:
        self._away: set[str] = set()

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> str:  # noqa: ARG002 - structlog's
        """Raises DropEvent for what a person has read already."""
        at = datetime.now().astimezone()
        line = f"{at:%H:%M:%S}  {MARKS.get(str(event.get('level')), '')}{self._sentence(event)}"
        line = "".join(letter if letter.isprintable() else " " for letter in line)
        trace = event.get("exception")
        return f"{line}\n{trace}" if trace else line

    def _sentence(self, event: Mapping[str, Any]) -> str:
        name = str(event.get("event", ""))
        if name in (RETRIED, RECOVERED):
            return self._of_vendor(
                str(event.get("error", "")), is_back=name == RECOVERED, effect=str(event.get("effect"))
            )
        if name == PARKED:
            error = _ended(without_replay(str(event.get("error", "?"))))
            return "parked {effect}: {error} Next: {next}".format_map(_Known({**event, "error": error}))
        if name in SENTENCES:
            return SENTENCES[name].format_map(_Known(event))
        details = ", ".join(f"{key} {value}" for key, value in event.items() if key not in HIDDEN and value is not None)
        return f"{name.replace('_', ' ')}{': ' if details else ''}{details}"

    def _of_vendor(self, error: str, *, is_back: bool, effect: str) -> str:
        found = VENDORS.match(error)
        vendor = found.group() if found else effect
        if is_back is (vendor not in self._away):
            raise structlog.DropEvent
        if is_back:
            self._away.remove(vendor)
            return f"{vendor} works again"
        self._away.add(vendor)
        return f"{vendor} does not work: {_ended(without_retries(error))} Trying again until it does"


def _ended(text: str) -> str:
    """As a sentence before another one."""
    said = text.strip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
