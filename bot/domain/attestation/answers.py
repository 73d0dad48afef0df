"""The gate's question and its answer, with the reasons. `bot.domain.attestation.gate` finds the answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.attestation.in_toto import uri_of
from bot.domain.model import Target, VersionId
from bot.domain.seals.places import SealedAt
from bot.errors import NotProven


class ReasonCode(StrEnum):
    """Short names of the reasons, for programs. They never change."""

    APPROVED = "approved"
    NOT_COVERED = "not-covered"
    STILL_VOUCHED_FOR = "still-vouched-for"
    NO_APPROVAL = "no-approval"
    OTHER_TARGET = "other-target"
    OTHER_VERSION = "other-version"
    CREATED_AGAIN = "created-again"
    REJECTED = "rejected"
    TOO_OLD = "too-old"
    NOT_VERIFIED = "not-verified"
    NOT_OURS = "not-an-approval"
    RETIRED_KEY = "retired-key"
    ROLLED_BACK = "rolled-back"
    STALE = "stale"
    CALLED_OFF = "called-off"
    MOVED_BY_HAND = "moved-by-hand"
    FROZEN = "frozen"
    NO_PASSKEY = "no-passkey"
    NOT_SEALED = "not-sealed"
    NO_SUCH_VERSION = "no-such-version"
    OTHER_FILES = "other-files"
    FILES_UNKNOWN = "files-unknown"
    UNSAFE_PATH = "unsafe-path"
    REFUSED_BY_BOT = "refused-by-the-bot"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True)
class Reason:
    why: ReasonCode
    sentence: str


@dataclass(frozen=True)
class GateResult:
    """The answer. `decided` is False when there is no answer, and then nothing is allowed.

    `uri` names the resolved version, `models:/N/V`, or repeats the question when there is none. `artifacts` is the digest of the approved
    files (`sha256:...`), empty when the approval names none, and `size` is their total in bytes. `sealed` is where they are sealed: the
    files are then read there, and nowhere else; None for a target whose rule seals nothing.
    """

    allowed: bool
    reasons: tuple[Reason, ...]
    uri: str
    target: Target
    artifacts: str = ""
    decided: bool = True
    size: int | None = None
    sealed: SealedAt | None = None


class NotAllowed(NotProven):
    """The version may not ship; `reasons` are the sentences that say why."""

    def __init__(self, result: GateResult) -> None:
        super().__init__(" ".join(reason.sentence for reason in result.reasons))
        self.result = result
        self.reasons = tuple(reason.sentence for reason in result.reasons)


class Denied(NotAllowed):
    """The version has no valid approval."""


class CannotTell(NotAllowed):
    """Registry or bot did not answer, so the decision is unknown."""


@dataclass(frozen=True)
class GateQuery:
    """`source` is the version that this one was copied from, as the registry shows it now, when the target is the copy's own model."""

    version: VersionId
    target: Target
    source: VersionId | None = None


def denied(question: GateQuery, *reasons: Reason) -> GateResult:
    return GateResult(False, reasons, uri_of(question.version), question.target)
