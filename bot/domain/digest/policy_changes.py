"""Sentences about changes to who decides and how: policies, the kill switch, absences, keys. Pure.

The ledger holds ids, so the caller passes the names. A policy's changes write a person as `person:` and an id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain import events as e
from bot.domain.digest.figures import PolicyChange
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment
from bot.domain.ledger.chain import Plain
from bot.domain.text import person_name
from bot.language import _

PERSON_ID = re.compile(r"person:([0-9a-f]{32})")
Body = Mapping[str, Plain]


@dataclass(frozen=True)
class Reader:
    """What the sentences need besides the entry: people's names, and the time zone."""

    names: Mapping[str, str]
    period: Period

    def name(self, person: Plain) -> str:
        return person_name(str(person), self.names)


def change_text(kind: str, at: datetime, body: Body, reader: Reader) -> PolicyChange:
    """`kind` is one of CHANGES, `body` the entry's."""
    said = body.get("changes") or body.get("mistakes")
    lines = tuple(_printed(str(line), reader) for line in said) if isinstance(said, list) else ()
    return PolicyChange(at, kind, CHANGES[kind](body, reader), lines)


def _activated(body: Body, _reader: Reader) -> str:
    return _(
        "Policy {policy} came into force, from {file} ({digest}).",
        policy=str(body["policy_id"]),
        file=_file(body),
        digest=str(body["digest"])[:19],
    )


def _refused(body: Body, _reader: Reader) -> str:
    return _("A broken policy was refused, from {file}. The one before stayed in force.", file=_file(body))


def _switched(body: Body, reader: Reader) -> str:
    person = reader.name(body["person"])
    because = f": {str(body['reason']).rstrip('.')}" if body["reason"] else ""
    if body["on"]:
        return _("{person} switched the fast track on{because}.", person=person, because=because)
    return _("{person} switched the fast track off{because}.", person=person, because=because)


def _away(body: Body, reader: Reader) -> str:
    until = local_moment(datetime.fromisoformat(str(body["until"])), reader.period)
    return _(
        "{delegate} stands in for {person} until {when}.",
        delegate=reader.name(body["delegate"]),
        person=reader.name(body["person"]),
        when=until,
    )


def _back(body: Body, reader: Reader) -> str:
    return _(
        "{delegate} stands in for {person} no longer.",
        delegate=reader.name(body["delegate"]),
        person=reader.name(body["person"]),
    )


def _key_added(body: Body, _reader: Reader) -> str:
    key, algorithm = str(body["key"])[:12], str(body["algorithm"])
    if body["purpose"] == "approvals":
        return _("Key {key} ({algorithm}) signs the approvals from here on.", key=key, algorithm=algorithm)
    if body["purpose"] == "ledger":
        return _("Key {key} ({algorithm}) signs the ledger from here on.", key=key, algorithm=algorithm)
    purpose = str(body["purpose"])
    return _("Key {key} ({algorithm}) signs the {purpose} from here on.", key=key, algorithm=algorithm, purpose=purpose)


def _key_retired(body: Body, _reader: Reader) -> str:
    return _("Key {key} was retired: {why}.", key=str(body["key"])[:12], why=str(body["reason"]).rstrip("."))


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
