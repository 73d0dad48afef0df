"""Tells the bot who wrote what in the registry: at once, and again until the bot has taken it."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from flask import Response, g

from countersign_guard.keeping import TIMEOUT, Source
from countersign_guard.names import shown
from countersign_guard.outbox import Outbox, Waiting
from countersign_guard.writes import REPORTED, Write

log = logging.getLogger("countersign_guard")
SIGNATURE = "X-Countersign-Guard-Signature"
AT_ONCE = 100
LARGEST = 512 * 1024  # bytes of a report; the bot takes twice as much
MOST_NAMES, LONGEST_NAME, LONGEST_USER = 100, 250, 320  # MLflow's own tags have names of at most 250 characters
LONGEST_WAIT = 60.0  # seconds between two tries while the bot is away
GATHERED = 0.2  # seconds in which writes become one report: its sending takes the time of the requests that are served meanwhile
BEGINNING = threading.Lock()


class Reporter:
    """`user` gives the name that the server's authentication has found, and what vouches for it; both empty without one."""

    def __init__(self, source: Source, secret: str, outbox: Outbox, user: Callable[[], tuple[str, str]]) -> None:
        self._source, self._secret, self._outbox, self._user = source, secret.encode(), outbox, user
        self._process: int | None = None  # whose thread it is
        self._news = threading.Event()
        self._said = ""

    def start(self) -> None:
        """Also reports what an earlier process left."""
        if self._process == os.getpid():
            return
        with BEGINNING:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._news = threading.Event()
            self._news.set()
            threading.Thread(target=self._go_on, name="countersign-reports", daemon=True).start()

    def begin(self, write: Write) -> str:
        """Before MLflow writes. Empty for what is not reported, or when the file cannot be written: the write goes on all the same."""
        if write.act not in REPORTED:
            return ""
        self.start()
        user, vouched_by = self._user()
        body = {
            "at": datetime.now(UTC).isoformat(),
            "user": user[:LONGEST_USER],
            "vouched_by": vouched_by,
            "act": f"UN{write.act.name}" if write.removes else write.act.name,
            "workspace": write.workspace,
            "model": write.model,
            "version": int(write.number) if write.number.isascii() and write.number.isdigit() else None,
            "names": [name[:LONGEST_NAME] for name in (write.name, *write.tags) if name][:MOST_NAMES],
        }
        try:
            return self._outbox.begin(body)
        except (sqlite3.Error, OSError) as trouble:
            self._say(f"who wrote {write.act.name} of {shown(write.model)} is not recorded: {trouble}")
            return ""

    def end(self, write: str, response: Response) -> None:
        """After MLflow has answered."""
        try:
            if response.status_code >= 400:
                self._outbox.drop([write])
                return
            self._outbox.finish(write, _answered(response))
        except (sqlite3.Error, OSError) as trouble:
            self._say(f"a write is reported as one that may have happened: {trouble}")
        self._news.set()

    def report(self) -> int:
        """Sends what waits, oldest first; returns how many were taken. Raises what requests and sqlite3 raise, and ValueError."""
        taken = 0
        with requests.Session() as session:
            while writes := _that_fit(self._outbox.waiting(AT_ONCE)):
                for write, why in self._send(writes, session).items():
                    log.error(
                        "countersign-guard: the bot cannot read the report of the write %s: %s",
                        shown(write),
                        shown(why),
                    )
                self._outbox.drop([one.id for one in writes])
                taken += len(writes)
        return taken

    @property
    def trouble(self) -> str:
        """What is wrong with the reports of this process; empty when nothing is."""
        return self._said

    def _send(self, writes: list[Waiting], session: requests.Session) -> Mapping[str, str]:
        """Those that the bot will never take, and why. Raises as `report`."""
        body = json.dumps({"registry": self._source.registry, "writes": [_as_sent(one) for one in writes]}).encode()
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        answer = session.post(
            f"{self._source.url.rstrip('/')}/guard/writes",
            data=body,
            headers={
                "Authorization": f"Bearer {self._source.token}",
                "Content-Type": "application/json",
                SIGNATURE: f"sha256={signature}",
            },
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if answer.status_code != 200:
            raise ValueError(f"the bot answered {answer.status_code}: {shown(answer.text, 200)}")
        refused = answer.json().get("refused")
        return {str(write): str(why) for write, why in refused.items()} if isinstance(refused, dict) else {}

    def _go_on(self) -> None:
        failures = 0
        while True:
            self._news.wait(LONGEST_WAIT if not failures else min(LONGEST_WAIT, 0.5 * 2**failures))
            time.sleep(GATHERED)
            self._news.clear()
            try:
                lost = self._outbox.shorten()
                if lost:
                    log.error(
                        "countersign-guard: %s writes were never reported, because the bot has been away too long", lost
                    )
                self._outbox.settle()
                self.report()
            except Exception as trouble:  # noqa: BLE001  whatever it is, the thread goes on and the log says it
                failures = min(failures + 1, 10)
                self._say(f"who wrote in the registry was not reported, and will be: {str(trouble) or repr(trouble)}")
                threading.Event().wait(min(LONGEST_WAIT, 0.25 * 2**failures))
                self._news.set()
            else:
                failures = 0
                self._say("")

    def _say(self, what: str) -> None:
        """Once for each change, so that an outage fills no log."""
        if what != self._said:
            self._said = what
            log.log(
                logging.WARNING if what else logging.INFO, "countersign-guard: %s", what or "all writes are reported"
            )


def _that_fit(writes: list[Waiting]) -> list[Waiting]:
    """The oldest of them, at least one."""
    sizes = itertools.accumulate(len(json.dumps(_as_sent(one))) for one in writes)
    return [one for number, (one, size) in enumerate(zip(writes, sizes, strict=True)) if not number or size <= LARGEST]


def _as_sent(one: Waiting) -> Mapping[str, Any]:
    return {**one.body, "id": one.id, "is_certain": one.is_certain}


def _answered(response: Response) -> Mapping[str, Any]:
    """The number of a version that was created."""
    if response.is_streamed or not response.is_json:
        return {}
    said = response.get_json(silent=True)
    version = said.get("model_version") if isinstance(said, dict) else None
    number = str(version.get("version", "")) if isinstance(version, dict) else ""
    return {"version": int(number)} if number.isascii() and number.isdigit() else {}


def nobody() -> tuple[str, str]:
    """Without basic auth MLflow knows no names."""
    return "", ""


def basic_auth_user() -> tuple[str, str]:
    """Whom MLflow's basic auth has let in. It has checked the password before our check runs, and checking it takes long on purpose."""
    name = g.get("mlflow_authenticated_user")
    if not name:  # older releases of MLflow keep no note of it
        from mlflow.server import auth

        name = getattr(auth.authenticate_request(), "username", None)
    return (str(name), "basic-auth") if name else nobody()
