"""How sealed objects are named, and which approvals need a seal before they take effect.

A name follows from what is sealed, so two runs make the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from bot.domain.attestation.in_toto import identity_digest
from bot.domain.event import RequestEvent
from bot.domain.events import SealHindered, VersionSealed
from bot.domain.model import State, TransitionRequest, VersionId
from bot.domain.policy.rules import Rule
from bot.domain.seals.events import seal_from
from bot.domain.seals.places import MODEL_FOLDER, Lock, Seal, SealedAt, SealedObject, SealPlan
from bot.domain.workspaces import Workspace

KEY_LIMIT = 1024  # bytes, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
IDENTITY_LENGTH = 16


def folder_of(plan: SealPlan, version: VersionId, files: str) -> str:
    """The beginning of the keys of this version's objects. `files` is the digest of the list of its files, `sha256:...`."""
    place = Workspace.parse(version.workspace)
    named = (place.registry, place.name, version.model)
    identity = f"v{version.version}-{identity_digest(version)[:IDENTITY_LENGTH]}"
    return (
        f"{plan.prefix}{'/'.join(quote(name, safe='') for name in named)}/{identity}/{files.removeprefix('sha256:')}/"
    )


def too_long(folder: str, paths: Iterable[str]) -> str | None:
    """The first path whose key would be longer than the store allows."""
    return next((path for path in paths if len(f"{folder}{MODEL_FOLDER}/{path}".encode()) > KEY_LIMIT), None)


def awaits_seal(request: TransitionRequest, rule: Rule | None) -> bool:
    """Whether the approved files have yet to be sealed under the rule.

    What is applied keeps its first seal, also when the rule names another place since: its signed decision names that of its time.
    """
    if rule is None or rule.seal is None:
        return False
    if request.state is State.APPLIED:
        return seal_of_approved(request) is None
    return request.state is State.APPROVED and valid_seal(request, rule) is None


def seal_of_approved(request: TransitionRequest) -> Seal | None:
    """The request's seal, if it is of the files that were approved; wherever it is."""
    seal, artifacts = request.sealing.seal, request.evidence.artifacts if request.evidence else None
    return seal if seal is not None and artifacts is not None and seal.files == artifacts.digest else None


def valid_seal(request: TransitionRequest, rule: Rule) -> Seal | None:
    """The seal of the approved files, if it is where the rule says and locked as it says."""
    seal = seal_of_approved(request)
    if seal is None or rule.seal is None:
        return None
    is_locked = rule.seal.lock_for is None or seal.lock is not None
    return seal if seal.at.is_in(rule.seal) and is_locked else None


def sealed(
    request: TransitionRequest, place: SealedAt, objects: tuple[SealedObject, ...], lock: Lock | None, at: datetime
) -> list[RequestEvent]:
    """Nothing when the same is on record."""
    artifacts = request.evidence.artifacts if request.evidence else None
    if artifacts is None or request.state not in (State.APPROVED, State.APPLIED):
        return []
    event = VersionSealed(at, request.id, place, artifacts.digest, objects, lock)
    known = request.sealing.seal
    return [] if known is not None and replace(seal_from(event), sealed_at=known.sealed_at) == known else [event]


def hinder(request: TransitionRequest, reason: str, at: datetime) -> list[RequestEvent]:
    """Says why it is not sealed; each reason once in a row."""
    is_due = request.state in (State.APPROVED, State.APPLIED)
    return [SealHindered(at, request.id, reason)] if is_due and request.sealing.hindered != reason else []
