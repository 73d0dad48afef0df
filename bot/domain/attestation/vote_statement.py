"""Whether a vote's statement says what is on record: the vote, and what it was cast about. Statements are composed in `decision`."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.attestation import in_toto
from bot.domain.attestation.decision import evidence_digest, meaning_of
from bot.domain.ledger.chain import as_plain
from bot.domain.model import VOTE, TransitionRequest, VersionId, Vote
from bot.domain.names import storable
from bot.errors import InvalidStatement


def is_about(predicate: object, request: TransitionRequest, vote: Vote) -> bool:
    """Whether this is the vote, on this version, target and evidence. Stand-ins may have been voided since, so it may have more groups."""
    if not isinstance(predicate, dict):
        return False
    person, groups, evidence = (predicate.get(name) for name in ("person", "groups", "evidence"))
    said = (predicate.get("about"), predicate.get("request"), predicate.get("verdict"), predicate.get("at"))
    frozen = evidence_digest(request.evidence) if request.evidence else None
    return (
        said == (VOTE, request.id, str(vote.verdict), vote.at.isoformat())
        and isinstance(person, dict)
        and person.get("id") == vote.person
        and isinstance(groups, list)
        and set(vote.groups) <= set(groups)
        and (_version_in(predicate), predicate.get("target")) == (request.version, str(request.target))
        and (evidence.get("digest") if isinstance(evidence, dict) else None) == frozen
    )


def says_all(statement: Mapping[str, object], request: TransitionRequest, vote: Vote) -> bool:
    """Whether also its reason, account, meaning, kept request and subjects are those on record: what the person signed by passkey."""
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict) or not is_about(predicate, request, vote):
        return False
    artifacts = request.evidence.artifacts if request.evidence else None
    subjects = as_plain(in_toto.subjects_of(request.version, artifacts.digest if artifacts else ""))
    kept = predicate.get("signedRequest")
    return (
        statement.get("_type"),
        statement.get("predicateType"),
        statement.get("subject"),
        predicate.get("reason"),
        predicate.get("account"),
        predicate.get("meaning"),
        kept.get("digest") if isinstance(kept, dict) else "",
    ) == (
        in_toto.STATEMENT_TYPE,
        in_toto.APPROVAL_TYPE,
        subjects,
        storable(vote.reason),
        as_plain({"team": vote.team, "id": vote.account}),
        storable(meaning_of(vote, request)),
        vote.signed_request,
    )


def rule_in(statement: Mapping[str, object]) -> str:
    """The hash of the rule that the statement names; empty when it names none."""
    predicate = statement.get("predicate")
    rule = predicate.get("rule") if isinstance(predicate, dict) else None
    found = rule.get("hash") if isinstance(rule, dict) else None
    return found if isinstance(found, str) else ""


def _version_in(predicate: dict[str, object]) -> VersionId | None:
    try:
        return in_toto.identity(predicate, "version")
    except InvalidStatement:
        return None
