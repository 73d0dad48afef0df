"""Sentences about changes to who decides and how: policies, the kill switch, absences, keys. Pure.

The ledger holds ids, so the caller passes the names. A policy's changes write a person as `person:` and an id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain import events as e
from bot.domain.card.sentences import UNKNOWN
from bot.domain.digest.figures import PolicyChange
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment
from bot.domain.ledger.chain import Plain

PERSON_ID = re.compile(r"person:([0-9a-f]{32})")
Body = Mapping[str, Plain]


@dataclass(frozen=True)
class Reader:
    """What the sentences need besides the entry: people's names, and the time zone."""

    names: Mapping[str, str]
    period: Period

    def name(self, person: Plain) -> str:
        return self.names.get(str(person), UNKNOWN)


def change_text(kind: str, at: datetime, body: Body, reader: Reader) -> PolicyChange:
    """`kind` is one of CHANGES, `body` the entry's."""
    said = body.get("changes") or body.get("mistakes")
    lines = tuple(_printed(str(line), reader) for line in said) if isinstance(said, list) else ()
    return PolicyChange(at, kind, CHANGES[kind](body, reader), lines)


def _activated(body: Body, _reader: Reader) -> str:
    return f"Policy {body['policy_id']} came into force, from {_file(body)} ({str(body['digest'])[:19]})."


def _refused(body: Body, _reader: Reader) -> str:
    return f"A broken policy was refused, from {_file(body)}. The one before stayed in force."


def _switched(body: Body, reader: Reader) -> str:
    because = f": {str(body['reason']).rstrip('.')}" if body["reason"] else ""
    return f"{reader.name(body['person'])} switched the fast track {'on' if body['on'] else 'off'}{because}."


def _away(body: Body, reader: Reader) -> str:
    until = local_moment(datetime.fromisoformat(str(body["until"])), reader.period)
    return f"{reader.name(body['delegate'])} stands in for {reader.name(body['person'])} until {until}."


def _back(body: Body, reader: Reader) -> str:
    return f"{reader.name(body['delegate'])} stands in for {reader.name(body['person'])} no longer."


def _key_added(body: Body, _reader: Reader) -> str:
    return f"Key {str(body['key'])[:12]} ({body['algorithm']}) signs the {body['purpose']} from here on."


def _key_retired(body: Body, _reader: Reader) -> str:
    return f"Key {str(body['key'])[:12]} was retired: {str(body['reason']).rstrip('.')}."


CHANGES: Mapping[str, Callable[[Body, Reader], str]] = {
    e.PolicyActivated.__name__: _activated,
    e.PolicyRefused.__name__: _refused,
    e.FastTrackSwitched.__name__: _switched,
    e.AwayDeclared.__name__: _away,
    e.AwayEnded.__name__: _back,
    e.KeyAdded.__name__: _key_added,
    e.KeyRetired.__name__: _key_retired,
}


def _file(body: Body) -> str:
    """The file's name without its folder on the bot's machine."""
    return str(body["source"]).rpartition("/")[2]


def _printed(line: str, reader: Reader) -> str:
    return PERSON_ID.sub(lambda found: reader.name(found[1]), line)
