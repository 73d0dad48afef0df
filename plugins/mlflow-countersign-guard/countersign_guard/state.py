"""What the guard says about itself to those who have its secret: `countersign doctor` looks for what it lacks."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Response, jsonify, request

from countersign_guard.guard import HEADER
from countersign_guard.keeping import Keeper, Key
from countersign_guard.outbox import Outbox
from countersign_guard.reporting import Reporter

PATH = "/api/2.0/countersign-guard"
DISTRIBUTION = "mlflow-countersign-guard"


def answer_about(
    keeper: Keeper, reporter: Reporter, outbox: Outbox, secret: str, has_basic_auth: bool
) -> Callable[[], Response | None]:
    """For Flask's `before_request`, before that of basic auth: the secret is what opens it. Without the secret the path leads nowhere."""

    def answer() -> Response | None:
        if request.method != "GET" or request.path != PATH:
            return None
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), secret.encode()):
            return None
        return jsonify(_state(keeper, reporter, outbox) | {"basic_auth": has_basic_auth})

    return answer


def _state(keeper: Keeper, reporter: Reporter, outbox: Outbox) -> dict[str, Any]:
    """Of the process that answers."""
    return {
        "version": version(DISTRIBUTION),
        "registry": keeper.source.registry,
        "keys": [id_of(key) for key in keeper.source.keys],
        "governed": _list(keeper),
        "trouble": keeper.trouble,
        "reports": _reports(reporter, outbox),
    }


def _list(keeper: Keeper) -> Mapping[str, Any] | None:
    governed = keeper.governed
    if governed is None:
        return None
    return {
        "issued": governed.issued.isoformat(),
        "expires": governed.expires.isoformat(),
        "rules": len(governed.rules),
        "versions": len(governed.versions),
    }


def _reports(reporter: Reporter, outbox: Outbox) -> Mapping[str, Any]:
    """`waiting` is None when the file cannot be read, which `trouble` says."""
    try:
        waiting, since = outbox.backlog()
    except (sqlite3.Error, OSError) as trouble:
        return {"waiting": None, "since": None, "trouble": str(trouble)}
    oldest = datetime.fromtimestamp(since, UTC).isoformat() if waiting else None
    return {"waiting": waiting, "since": oldest, "trouble": reporter.trouble}


def id_of(key: Key) -> str:
    """As the bot names it: the sha256 of its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
