"""Entries of a ticket's history as they were read, sealed with a key made of our own token. Pure.

Jira signs nothing of its history. The seal shows that this bot has read the entry, and not that Jira has it still: it is read again before
what it decided is carried out (`handlers.tickets.grounds`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from bot.domain.grounds import SignedBy, SignedRequest
from bot.domain.model import Verdict
from bot.domain.names import storable
from bot.domain.ticket_votes.history import TicketAct
from bot.errors import Rejected
from bot.ports.ticket_decisions import CastInTicket

SEAL = b"countersign: read in a ticket's history"
NAME = b"countersign: which secret"
VERSION = "v0"
BROKEN = "our own seal on the kept entry of the ticket's history does not hold"
OTHER_TOKEN = "the entry of the ticket's history was sealed with another token of the ticket system than this worker has. Move it again"


class Seals:
    def __init__(self, token: str) -> None:
        self._key = hmac.new(token.encode(), SEAL, hashlib.sha256).hexdigest()

    def seal(self, cast: CastInTicket, at: datetime) -> SignedRequest:
        body, stamp = json.dumps(_as_body(cast), sort_keys=True), str(int(at.timestamp()))
        return SignedRequest(SignedBy.TICKETS, body, stamp, self._signature(stamp, body), self._name())

    def read(self, kept: SignedRequest) -> CastInTicket:
        """Raises Rejected. A token lives a year at most, so that an old one cannot be waited for."""
        if kept.signed_by is not SignedBy.TICKETS:
            raise Rejected("bad_signature", BROKEN)
        if not hmac.compare_digest(self._signature(kept.timestamp, kept.body).encode(), kept.signature.encode()):
            raise Rejected("bad_signature", BROKEN if kept.key == self._name() else OTHER_TOKEN)
        return _read_body(kept.body)

    def _signature(self, stamp: str, body: str) -> str:
        signed = f"{VERSION}:{stamp}:{body}".encode()
        return f"{VERSION}=" + hmac.new(self._key.encode(), signed, hashlib.sha256).hexdigest()

    def _name(self) -> str:
        """Which token it is, without anything of it."""
        return hmac.new(self._key.encode(), NAME, hashlib.sha256).hexdigest()[:16]


def _as_body(cast: CastInTicket) -> Mapping[str, object]:
    act = cast.act
    return {
        "request": cast.request_id,
        "ticket": cast.ticket_id,
        "entry": act.id,
        "account": act.account,
        "created": act.at.isoformat(),
        "from": act.before,
        "to": act.after,
        "answer": str(act.answer or ""),
        "verdict": str(cast.verdict),
        "reason": storable(cast.reason),
        "shown": cast.shown,
    }


def _read_body(body: str) -> CastInTicket:
    try:
        said = json.loads(body)
        answer = Verdict(said["answer"]) if said["answer"] else None
        at = datetime.fromisoformat(said["created"])
        act = TicketAct(said["entry"], said["account"], at, said["from"], said["to"], answer=answer)
        return CastInTicket(
            said["request"], said["ticket"], act, Verdict(said["verdict"]), said["reason"], said["shown"]
        )
    except (ValueError, KeyError, TypeError):
        raise Rejected("malformed", "the kept entry of the ticket's history is none of ours", 400) from None
