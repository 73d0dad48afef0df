"""Whether a vote's statement says what is on record: the vote, and what it was cast about. Statements are composed in `decision`."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.attestation import in_toto
from bot.domain.attestation.decision import evidence_digest, of_vote, payload_of, pressed_with
from bot.domain.ledger.chain import as_plain
from bot.domain.model import VOTE, TransitionRequest, VersionId, Vote
from bot.domain.names import storable
from bot.domain.policy.rules import Rule
from bot.errors import InvalidStatement

NAMED = ("person", "requester", "author")  # whose names and addresses a statement has
PARTS = ("credential", "clientDataJSON", "authenticatorData", "signature")


def is_about(predicate: object, request: TransitionRequest, vote: Vote) -> bool:
    """Whether this is the vote, as it was cast, on this version, target and evidence. Only its rule and passkey are compared elsewhere.

    Stand-ins may have been voided since, so it may have more groups.
    """
    if not isinstance(predicate, dict):
        return False
    person, groups, evidence = (predicate.get(name) for name in ("person", "groups", "evidence"))
    said = (predicate.get("about"), predicate.get("request"), predicate.get("verdict"), predicate.get("at"))
    cast = (predicate.get("reason"), predicate.get("account"), predicate.get("signedRequest"))
    frozen = evidence_digest(request.evidence) if request.evidence else None
    return (
        said == (VOTE, request.id, str(vote.verdict), vote.at.isoformat())
        and cast == (storable(vote.reason), *pressed_with(vote))
        and isinstance(person, dict)
        and person.get("id") == vote.person
        and isinstance(groups, list)
        and set(vote.groups) <= set(groups)
        and (_version_in(predicate), predicate.get("target")) == (request.version, str(request.target))
        and (evidence.get("digest") if isinstance(evidence, dict) else None) == frozen
    )


def says_all(statement: Mapping[str, object], request: TransitionRequest, vote: Vote, rule: Rule) -> bool:
    """Whether it is, byte for byte, the statement of this vote under this rule: what the person signed by passkey.

    `request` and `vote` are as they were when it was cast. Only printed names and addresses are taken as the statement has them.
    """
    people = [one for one in _people_in(statement) if isinstance(one.get("id"), str)]
    names, emails = ({str(one["id"]): str(one.get(what, "")) for one in people} for what in ("name", "email"))
    return payload_of(of_vote(request, vote, rule, names, emails)) == payload_of(as_plain(statement))


def passkey_parts(statement: Mapping[str, object]) -> tuple[object, ...] | None:
    """The passkey and its signature that a signed vote carries, to compare with `parts_of`; None for a vote without them."""
    predicate = statement.get("predicate")
    said = predicate.get("passkey") if isinstance(predicate, dict) else None
    return tuple(said.get(name) for name in PARTS) if isinstance(said, dict) else None


def parts_of(vote: Vote) -> tuple[object, ...] | None:
    one = vote.passkey
    return (one.credential, one.client_data, one.authenticator_data, one.signature) if one else None


def rule_in(statement: Mapping[str, object]) -> str:
    """The hash of the rule that the statement names; empty when it names none."""
    predicate = statement.get("predicate")
    rule = predicate.get("rule") if isinstance(predicate, dict) else None
    found = rule.get("hash") if isinstance(rule, dict) else None
    return found if isinstance(found, str) else ""


def _people_in(statement: Mapping[str, object]) -> list[dict[str, object]]:
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        return []
    absent = predicate.get("standingInFor")
    found = [*(predicate.get(name) for name in NAMED), *(absent if isinstance(absent, list) else [])]
    return [one for one in found if isinstance(one, dict)]


def _version_in(predicate: dict[str, object]) -> VersionId | None:
    try:
        return in_toto.identity(predicate, "version")
    except InvalidStatement:
        return None
