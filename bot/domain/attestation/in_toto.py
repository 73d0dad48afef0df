"""The common parts of the statements that Countersign signs: types, subjects, and parsing of untrusted values.

Statements about decisions are written in `decision` and read in `gate`; verdicts are in `vsa`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import rfc8785

from bot.domain.model import VersionId
from bot.errors import InvalidStatement

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Plain

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
APPROVAL_TYPE = "urn:countersign:approval:v1"
VERDICT_TYPE = "https://slsa.dev/verification_summary/v1"  # https://slsa.dev/spec/v1.1/verification_summary
ARTIFACTS = "artifacts"  # the subject that names the list of the version's files
CLOCKS_DIFFER = timedelta(minutes=5)  # at most, those of the bot's database and of the machine that reads a statement


def is_older(made_at: datetime, age: timedelta, now: datetime) -> bool:
    """Also when it was made later than now: a clock was set back since, so nobody knows its age."""
    return not -CLOCKS_DIFFER <= now - made_at <= age


def uri_of(version: VersionId) -> str:
    return f"models:/{version.model}/{version.version}"


def identity_digest(version: VersionId) -> str:
    """Hex. Includes the creation time, because name and number are reused after a version is deleted and created again."""
    identity: dict[str, Plain] = {
        "workspace": version.workspace,
        "name": version.model,
        "version": version.version,
        "created": version.created.isoformat(),
    }
    return hashlib.sha256(rfc8785.dumps(identity)).hexdigest()


def subjects_of(version: VersionId, artifacts: str) -> list[Plain]:
    """`artifacts` is the digest of the list of files (`Artifacts.digest`); empty when the files were not read."""
    identity: Plain = {"name": uri_of(version), "digest": {"sha256": identity_digest(version)}}
    files: Plain = {"name": ARTIFACTS, "digest": {"sha256": artifacts.removeprefix("sha256:")}}
    return [identity, files] if artifacts else [identity]


def predicate_of(statement: Mapping[str, object], predicate_type: str) -> Mapping[str, object]:
    """Raises InvalidStatement."""
    if statement.get("_type") != STATEMENT_TYPE:
        raise InvalidStatement("is no in-toto Statement v1")
    said = statement.get("predicateType")
    if said != predicate_type:
        raise InvalidStatement(f"is of the type {str(said)[:100]}, not {predicate_type}")
    return mapping(statement, "predicate")


def digests_of(statement: Mapping[str, object]) -> Mapping[str, str]:
    """The sha256 of each subject by the subject's name. Raises InvalidStatement."""
    subjects = statement.get("subject")
    if not isinstance(subjects, list):
        raise InvalidStatement("names no subject")
    return {text(subject, "name"): text(mapping(subject, "digest"), "sha256") for subject in subjects}


def mapping(holder: object, key: str) -> Mapping[str, object]:
    found = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(found, Mapping):
        raise InvalidStatement(f'has no "{key}" in it as Countersign writes it')
    return found


def text(holder: object, key: str) -> str:
    found = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(found, str):
        raise InvalidStatement(f'has no text "{key}" in it')
    return found


def moment(holder: object, key: str) -> datetime:
    """An aware time. Raises InvalidStatement for one without a zone."""
    try:
        found = datetime.fromisoformat(text(holder, key))
    except ValueError:
        raise InvalidStatement(f'has no time in its "{key}"') from None
    if found.tzinfo is None:
        raise InvalidStatement(f'has a time without a zone in its "{key}"')
    return found


def identity(holder: object, key: str) -> VersionId:
    found = mapping(holder, key)
    number = found.get("version")
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidStatement(f'has no number in its "{key}"')
    return VersionId(text(found, "workspace"), text(found, "name"), number, moment(found, "created"))
