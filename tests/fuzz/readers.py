"""The parsers behind the doors and the command line: each takes any text, or refuses it with an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bot import signatures
from bot.assertions import proven_by, public_key
from bot.clients.slack.bodies import check_shape
from bot.clients.slack.inbound import read_click, read_mention
from bot.domain.ledger import chain
from bot.domain.ledger.checkpoint import read_notes
from bot.domain.model import Target
from bot.domain.registry.model_uri import ModelUri
from bot.dvc.files import metric_files, read_lock, read_params
from bot.errors import ChainBroken, CountersignError
from bot.gate import references
from bot.passkey_enrolment import read_made
from bot.passkeys import PARTS, read_assertion, verify_assertion
from bot.store.audit import event_of
from config.policy import notices, read_policy
from config.settings import SETTINGS, read_settings
from tests.builders.passkeys import CHALLENGE, MADE, PARTY, PASSKEY, PAYLOAD, SENT

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ENTRY_KINDS = ("RequestOpened", "EvidenceFrozen", "VoteCast", "RequestApproved", "PolicyActivated", "TargetMoved")


def refuses_or_reads(read: Callable[[str], object], text: str) -> bool:
    """True when it was read, False when it was refused; every other exception is a bug."""
    try:
        read(text)
    except CountersignError:
        return False
    return True


def ledger_entry(text: str) -> object:
    """A body as `audit verify` reads it: as every kind of entry, and against its index columns."""
    text = text.encode("utf-8", "replace").decode()  # as PostgreSQL can store it
    leaf = chain.leaf_of(text)
    for kind in ENTRY_KINDS:
        entry = chain.Entry(1, NOW, kind, text, leaf, chain.head_of(b"", leaf))
        chain.body_agrees(entry)
        try:
            event_of(entry)
        except ChainBroken:
            continue
    return chain.first_fault([entry])


def settings(text: str) -> object:
    """The same text as every variable."""
    return read_settings({setting.name: text for setting in SETTINGS}, frozenset())


def each_setting(text: str) -> object:
    """As each variable alone: the first that is refused would hide the others."""
    return [
        refuses_or_reads(lambda value, name=setting.name: read_settings({name: value}, frozenset()), text)
        for setting in SETTINGS
    ]  # type: ignore[misc]


def slack_form(text: str) -> object:
    check_shape(text.encode("utf-8", "replace"), "application/x-www-form-urlencoded")
    return None


def slack_click(text: str) -> object:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read_click(body) if isinstance(body, dict) else None


def model_files(text: str) -> object:
    """The same text as each of a model's files that refer to something."""
    found = []
    for name, read in references.READERS.items():
        try:
            found.append(read(name, text))
        except (ValueError, RecursionError):  # then `references_of` says that it cannot be read
            continue
    return found


def vote_by_passkey(text: str) -> object:
    """A signed statement as the gate reads it."""
    try:
        statement = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return proven_by(statement) if isinstance(statement, dict) else None


def passkeys_answer(text: str) -> object:
    """What a page sends, with the text as all of it and as each of its parts."""
    for name in PARTS:
        refuses_or_reads(lambda part, name=name: read_assertion({**SENT, name: part}, PAYLOAD), text)  # type: ignore[misc]
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(sent, dict):
        return None
    verify_assertion(read_assertion(sent, PAYLOAD), PAYLOAD, PASSKEY.public_key, PARTY)
    return sent


def made_passkey(text: str) -> object:
    """What a page sends about a new passkey, with the text as each of its parts."""
    for name in MADE:
        refuses_or_reads(lambda part, name=name: read_made({**MADE, name: part}, CHALLENGE, PARTY), text)  # type: ignore[misc]
    return None


READERS: Mapping[str, Callable[[str], object]] = {
    "policy": read_policy,
    "policy-notices": notices,
    "settings": settings,
    "each-setting": each_setting,
    "ledger-entry": ledger_entry,
    "checkpoint": read_notes,
    "envelope": lambda text: signatures.verify(text, {}),
    "vote-by-passkey": vote_by_passkey,
    "passkeys-answer": passkeys_answer,
    "passkey-key": public_key,
    "made-passkey": made_passkey,
    "dvc-lock": read_lock,
    "dvc-params": read_params,
    "dvc-yaml": metric_files,
    "model-files": model_files,
    "slack-shape": slack_form,
    "slack-click": slack_click,
    "slack-mention": read_mention,
    "target": Target.parse,
    "model-uri": ModelUri.parse,
}
