"""Effect `sync_tags`: the decision and its signatures, as tags on the version, for whoever looks there and for the gate.

Tags are transport, not authority: anybody who may write to the registry may take one away or copy it, and the envelope in it says of itself
whom it speaks of.
"""

from __future__ import annotations

from bot.domain.attestation import tag_of, verdict_of
from bot.domain.model import TransitionRequest, Verdict, VersionId
from bot.services import Services
from bot.store import Transaction, target_model

DECIDED = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"}


def sync_tags(request_id: str, s: Services) -> None:
    """Only what is missing or differs is written, to the version and to the copy that the approval made of it."""
    with s.store.transaction() as tx:
        request = tx.get_request(request_id)
        tags = _tags_of(request, tx)
        versions = (request.version, *_copies_of(request, tx))
    for version in versions if tags else ():
        model = s.registry.find_model(version.workspace, version.model)
        seen = model.version(version.version) if model else None
        if seen is None or seen.id != version:
            continue  # it was deleted, or deleted and created again
        news = {name: text for name, text in tags.items() if seen.tags.get(name) != text}
        s.registry.tag_version(version.model, version.version, news)


def _tags_of(request: TransitionRequest, tx: Transaction) -> dict[str, str]:
    """Nothing before there is a decision."""
    verdict = verdict_of(request)
    if verdict is None:
        return {}
    tags = {tag_of(request.target, one.about, one.person): one.envelope for one in tx.attestations.of(request.id)}
    if not _was_decided_since(request, tx):
        tags |= {"countersign.decision": DECIDED[verdict], "countersign.request_id": request.id}
        if request.ticket is not None:
            tags["countersign.ticket"] = request.ticket.key
    return tags


def _was_decided_since(request: TransitionRequest, tx: Transaction) -> bool:
    """Three of the tags speak of the version's newest decision, whatever its target."""
    others = tx.find_requests(version=request.version)
    decided = [other.decided_at for other in others if other.decided_at is not None and verdict_of(other) is not None]
    return request.decided_at is not None and any(at > request.decided_at for at in decided)


def _copies_of(request: TransitionRequest, tx: Transaction) -> tuple[VersionId, ...]:
    """What the approval has put into a target model."""
    held = tx.registry.placements(request.version.workspace, target_model(request))
    mine = (place.version for place in held if (place.request_id, place.target) == (request.id, request.target))
    return tuple(version for version in mine if version != request.version)
