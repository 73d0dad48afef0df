"""What a workload's annotations say about an approved version: commit, data, approvers. Only what a key of the gate's ring has signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.admission.objects import PREFIX
from bot.domain.attestation import in_toto
from bot.domain.attestation.gate import GateQuery, GateResult, newest_decision
from bot.errors import InvalidStatement, NoAnswer, NotVerified
from bot.gate.checks import Proof
from bot.gate.offline import approvals_in, read_approval, read_each
from bot.gate.places import asker_of
from bot.gate.registry import Registry, registry_of
from bot.gate.uris import Wanted
from bot.language import capitalised
from bot.signatures import verify

UNKNOWN = "unknown"
SEPARATOR = ", "


@dataclass(frozen=True)
class Provenance:
    """`data` is the digest of its DVC lock, or else of the data that the run names; `approved_by` names people, or the rule."""

    version: str
    commit: str
    data: str
    artifacts: str
    approved_by: str
    approved_at: str


def annotations_of(known: Sequence[Provenance]) -> dict[str, str]:
    """One annotation for each fact; of several models in the same order."""
    if not known:
        return {}
    return {
        f"{PREFIX}version": SEPARATOR.join(one.version for one in known),
        f"{PREFIX}commit": SEPARATOR.join(one.commit for one in known),
        f"{PREFIX}data": SEPARATOR.join(one.data for one in known),
        f"{PREFIX}artifacts": SEPARATOR.join(one.artifacts for one in known),
        f"{PREFIX}approved-by": SEPARATOR.join(one.approved_by for one in known),
        f"{PREFIX}approved-at": SEPARATOR.join(one.approved_at for one in known),
    }


def provenance_of(result: GateResult, proof: Proof, environ: Mapping[str, str]) -> Provenance | None:
    """From the newest signed decision in the version's tags; None without a key, or when it cannot be read now."""
    if not proof.ring:
        return None
    registry = Registry(registry_of(environ), asker_of(environ).place)
    try:
        seen = registry.find(Wanted.parse(result.uri))
        if seen is None:
            return None
        question = registry.question(seen, result.target)
    except NoAnswer:
        return None
    claims, _ = read_each(approvals_in(seen.tags), proof.ring, read_approval)
    newest = newest_decision(question, claims)
    return None if newest is None else _read(result, seen.tags, newest.where, proof, question)


def _read(
    result: GateResult, tags: Mapping[str, str], where: str, proof: Proof, question: GateQuery
) -> Provenance | None:
    envelopes = {capitalised(place): envelope for place, envelope in approvals_in(tags).items()}
    try:
        statement = verify(envelopes[where], proof.ring).statement
        predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
        claim = read_approval(statement, where)
    except (KeyError, NotVerified, InvalidStatement):
        return None
    evidence = predicate.get("evidence")
    found = evidence if isinstance(evidence, Mapping) else {}
    version = question.version
    return Provenance(
        version=f"models:/{version.model}/{version.version}",
        commit=str(found.get("commit") or UNKNOWN),
        data=_data(found),
        artifacts=result.artifacts or UNKNOWN,
        approved_by=claim.by,
        approved_at=claim.at.isoformat(),
    )


def _data(evidence: Mapping[str, object]) -> str:
    """The lock of its data, the source data as the run names it, or MLflow's own digests: the first that is known."""
    lock, md5, sets = (evidence.get(name) for name in ("lockSha256", "dataMd5", "datasets"))
    if isinstance(lock, str) and lock:
        return f"dvc.lock sha256:{lock}"
    if isinstance(md5, str) and md5:
        return " ".join(f"md5:{line}" for line in md5.split("\n"))
    named = [one for one in sets if isinstance(one, Mapping)] if isinstance(sets, list) else []
    return " ".join(f"{one.get('name')}@{one.get('digest')}" for one in named) or UNKNOWN
