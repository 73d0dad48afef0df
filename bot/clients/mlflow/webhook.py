"""MLflow's webhooks: is the signature good, and which model should we look at again? No I/O, and no import of mlflow.

The body is believed no further than the model's name. It names no actor, its workspace can be another's (the server caches webhooks by
event only), and stages never send one, so the registry is always read again.
https://mlflow.org/docs/latest/ml/webhooks/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.names import NAME_LIMIT
from bot.errors import Rejected
from bot.ports import RegistryHint

BODY_LIMIT = 64 * 1024
WINDOW = (
    300  # seconds; MLflow repeats the same id, timestamp and signature for each retry, which spans up to two minutes
)
ID_LIMIT = 200
TEST_DELIVERY = "example_model"  # MLflow's "test webhook" sends an event that differs from a real one in this name only

MODEL_NEWS = frozenset(
    {
        ("registered_model", "created"),
        ("model_version", "created"),
        ("model_version_tag", "set"),
        ("model_version_tag", "deleted"),
        ("model_version_alias", "created"),
        ("model_version_alias", "deleted"),
    }
)


def read_webhook(
    headers: Mapping[str, str], body: bytes, now: datetime, secrets: Sequence[str], of_registry: str = ""
) -> RegistryHint:
    """Raises Rejected unless one of the secrets signed these very bytes within the window around `now`.

    `of_registry` completes MLFLOW_WEBHOOK_SECRET to the variable that holds them.
    """
    if len(body) > BODY_LIMIT:
        raise Rejected("too_large", f"The body has {len(body)} bytes; at most {BODY_LIMIT} are read.", status=413)
    keys = [secret.encode() for secret in secrets if secret.strip()]
    if not keys:
        raise Rejected(
            "no_secret",
            f"MLflow's webhooks are refused because no secret is configured. Set MLFLOW_WEBHOOK_SECRET{of_registry} to the secret "
            "that the webhook was created with.",
        )
    delivery_id, timestamp, signature = _signed_headers(headers, of_registry)
    _check_time(timestamp, now)
    _check_signature(f"{delivery_id}.{timestamp}.".encode() + body, signature, keys, of_registry)
    return RegistryHint(delivery_id, _model_in(body))


def _signed_headers(headers: Mapping[str, str], of_registry: str) -> tuple[str, str, str]:
    given = {name.lower(): text for name, text in headers.items()}
    names = ("x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature")
    missing = [name for name in names if not given.get(name, "").strip()]
    if missing:
        raise Rejected(
            "unsigned",
            f"The delivery lacks {', '.join(missing)}. Give MLflow's webhook a secret, the one in "
            f"MLFLOW_WEBHOOK_SECRET{of_registry}.",
        )
    delivery_id, timestamp, signature = (given[name] for name in names)
    if len(delivery_id) > ID_LIMIT or not (delivery_id.isascii() and delivery_id.isprintable()):
        raise Rejected(
            "bad_delivery_id", f"X-MLflow-Delivery-Id must be at most {ID_LIMIT} printable ASCII characters."
        )
    return delivery_id, timestamp, signature


def _check_time(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Rejected("bad_timestamp", "X-MLflow-Timestamp must be a number of seconds since 1970.")
    age = now.timestamp() - int(timestamp)
    if abs(age) > WINDOW:
        side = "old" if age > 0 else "in the future"
        raise Rejected(
            "stale",
            f"The delivery was signed {abs(age):.0f} s {side}; at most {WINDOW} s are allowed. If it is not a replay, the "
            "clocks of MLflow's server and of this one differ: set both by NTP.",
        )


def _check_signature(signed: bytes, header: str, keys: Sequence[bytes], of_registry: str) -> None:
    """Every key is compared with every signature, found or not, so that the time taken reveals nothing."""
    wanted = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    given = [_decoded(part) for part in header.split()]
    if not any([hmac.compare_digest(one, other) for one in wanted for other in given]):  # noqa: C419 - constant time
        raise Rejected(
            "bad_signature",
            f"No secret in MLFLOW_WEBHOOK_SECRET{of_registry} matches X-MLflow-Signature. Use the secret that the webhook was "
            "created with.",
        )


def _decoded(part: str) -> bytes:
    version, _, text = part.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _model_in(body: bytes) -> str | None:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("malformed", "The body is signed, but it is not JSON that can be read.", status=400) from None
    if not isinstance(event, dict):
        raise Rejected("malformed", "The body is signed, but it is not a JSON object.", status=400)
    if (str(event.get("entity")), str(event.get("action"))) not in MODEL_NEWS:
        return None
    name = _name_in(event.get("data"))
    return None if name == TEST_DELIVERY else name


def _name_in(content: object) -> str:
    name = content.get("name") if isinstance(content, dict) else None
    if not isinstance(name, str) or not name.strip() or len(name) > NAME_LIMIT or not _can_be_stored(name):
        raise Rejected("malformed", "The body is signed, but its data.name is not a model's name.", status=400)
    return name


def _can_be_stored(name: str) -> bool:
    """PostgreSQL takes neither NUL nor half of a surrogate pair, both of which JSON can spell."""
    return "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
