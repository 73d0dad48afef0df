"""What the form of break glass is about. It travels in the form, so that the notifier's signature covers it together with the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import Objection, Target, TransitionRequest, VersionId
from bot.errors import Refused
from bot.language import _

ACTION = "break_glass"
OPENS_FORM = "offer_glass"  # the button on a card


@dataclass(frozen=True)
class Offer:
    """Which version would go where, under which rule, and by which request: its id is drawn when the form is opened.

    `despite` is the digest of the earlier rejections that the form names; empty when there are none.
    """

    request_id: str
    version: VersionId
    target: Target
    rule_hash: str
    despite: str = ""


def despite_of(objections: Iterable[Objection], failed_before: str) -> str:
    """The digest of what people said against the content; empty when nobody did."""
    said = sorted(f"{one.how}:{one.request_id}" for one in objections)
    said += [f"failed:{failed_before}"] if failed_before else []
    return hashlib.sha256("\n".join(said).encode()).hexdigest() if said else ""


def as_value(offer: Offer) -> str:
    version = offer.version
    return json.dumps(
        {
            "id": offer.request_id,
            "workspace": version.workspace,
            "model": version.model,
            "version": version.version,
            "created": version.created.isoformat(),
            "target": str(offer.target),
            "rule": offer.rule_hash,
            "despite": offer.despite,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def read_offer(value: str) -> Offer:
    """Raises Refused for any other text."""
    try:
        said = json.loads(value)
        words = {name: _word(said, name) for name in ("id", "workspace", "model", "created", "target", "rule")}
        created = datetime.fromisoformat(words["created"])
        version = VersionId(words["workspace"], words["model"], _number(said, "version"), created)
        target = Target.parse(words["target"])
        return Offer(words["id"], version, target, words["rule"], str(said.get("despite") or ""))
    except (ValueError, TypeError, KeyError, RecursionError, Refused):
        raise Refused(_("this form is from another release. Close it, and begin again")) from None


def offer_of(request: TransitionRequest) -> Offer | None:
    """What the person who broke the glass must have been shown; None where nobody did."""
    glass = request.glass
    if glass is None:
        return None
    return Offer(request.id, request.version, request.target, glass.rule_hash, glass.despite)


def _number(said: Mapping[str, object], name: str) -> int:
    number = said[name]
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError
    return number


def _word(said: Mapping[str, object], name: str) -> str:
    word = said[name]
    if not isinstance(word, str):
        raise TypeError
    return word
