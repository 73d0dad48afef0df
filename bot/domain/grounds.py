"""Grounds for a decision: checks of lineage and fast track, earlier rejections, votes that nothing proves, signed requests, passkeys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.language import Value, recorded


@dataclass(frozen=True)
class LineageCheck:
    """One condition of a complete lineage, met or not; `sentence` says what was found, and how to fix it when it fails.

    `blocks` says that the rule allows no approval without it; `code` is L01 and so on.
    """

    code: str
    passed: bool
    sentence: str
    blocks: bool = False


class No(StrEnum):
    """The ways in which people reject a version."""

    REJECTED = "rejected"
    ROLLED_BACK = "rolled back"
    CALLED_OFF = "called off"
    REVIEWED = "reviewed"


HOW = {
    No.REJECTED: recorded("outcome", "rejected"),
    No.ROLLED_BACK: recorded("outcome", "rolled back"),
    No.CALLED_OFF: recorded("outcome", "called off"),
    No.REVIEWED: recorded("outcome", "rejected by the review of a broken glass"),
}


@dataclass(frozen=True)
class Objection:
    """That people said no to this very content: under which name and number, for which target, who (an id), why and when."""

    request_id: str
    how: No
    version: str
    target: str
    person: str
    reason: str
    at: datetime


class StaleCause(StrEnum):
    """Why an approval was not applied, for programs; the reason is for people. Entries of older releases have no cause."""

    UNKNOWN = ""
    FILES = "files"
    EVIDENCE = "evidence"
    RULE = "rule"
    TARGET = "target"
    OVERTAKEN = "overtaken"


class AuthorSource(StrEnum):
    """Where the name of an author comes from; a policy says which of them it believes."""

    GIT = "git"
    RUN = "run"
    COMMIT_TAG = "commit_tag"


class SignedBy(StrEnum):
    """Who signed the request that carried a vote: the notifier, or the bot itself where the notifier signs nothing.

    TICKETS: the bot sealed the entry of a ticket's history, as it read it at the ticket system.
    """

    NOTIFIER = "notifier"
    BOT = "bot"
    TICKETS = "tickets"


@dataclass(frozen=True)
class SignedRequest:
    """A notifier's request as it arrived: the raw body, the moment that was signed with it (in seconds, as text), and the signature.

    `key` names the secret that signed it and says nothing of it, so that a process that does not know the secret can wait for it.
    """

    signed_by: SignedBy
    body: str
    timestamp: str
    signature: str
    key: str = ""

    @property
    def digest(self) -> str:
        parts = (self.signed_by, self.timestamp, self.signature, self.body)
        return "sha256:" + hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True)
class Assertion:
    """A person's own signature over a vote's statement, made with their passkey; all but `statement` is base64url as the browser gave it.

    `credential` is the passkey's id. `statement` is the digest (sha256:...) of the statement's bytes, which were the challenge.
    """

    credential: str
    client_data: str
    authenticator_data: str
    signature: str
    statement: str


@dataclass(frozen=True)
class Cut:
    """What of the evidence was too large for the record: how many there are and how many were kept, and the digest of all.

    `kept` is 0 where long texts were cut; each ends in its own digest then.
    """

    what: str
    count: int
    kept: int
    digest: str


@dataclass(frozen=True)
class RefusedVote:
    """A vote that was on record and does not count: whose (an id), when it was cast by the record, and why nothing proves it."""

    person: str
    cast_at: datetime
    reason: str


def objection_text(objection: Objection) -> str:
    """For the ledger, in English, as a phrase without its full stop. No one is named."""
    values: dict[str, Value] = {
        "version": objection.version,
        "how": HOW[objection.how],
        "target": objection.target,
        "when": f"{objection.at:%Y-%m-%d %H:%M} UTC",
    }
    reason = objection.reason.strip().removesuffix(".")
    if not reason:
        return recorded("outcome", "{version} was {how} for {target} on {when}", **values)
    return recorded("outcome", "{version} was {how} for {target} on {when}: {reason}", **values, reason=reason)


def newest(objections: Iterable[Objection]) -> Objection | None:
    return max(objections, key=lambda objection: (objection.at, objection.request_id), default=None)


class DecidedBy(StrEnum):
    """Who decided: people with their votes, the rule's thresholds, the rule by itself, or one person who broke the glass."""

    PEOPLE = "people"
    FAST_TRACK = "fast_track"
    RULE = "rule"
    BREAK_GLASS = "break_glass"


class FastTrackMode(StrEnum):
    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


@dataclass(frozen=True)
class Check:
    """One check of the fast track; `sentence` says what was found, with the figures. `metric` is empty for the others."""

    passed: bool
    sentence: str
    metric: str = ""


@dataclass(frozen=True)
class Judgement:
    """What the fast track says about a version. `held_back` says why a person decides although every check passed."""

    mode: FastTrackMode
    checks: tuple[Check, ...]
    held_back: str = ""

    @property
    def passes(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def decides(self) -> bool:
        return self.mode is FastTrackMode.ON and self.passes and not self.held_back
