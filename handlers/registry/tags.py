"""Effect `sync_tags`: writes the decision and its signatures as tags on the version, for readers of the registry and for the gate.

Tags are transport, not authority: anybody who may write to the registry can delete or copy one. The envelope in the tag names its own
subject.
"""

from __future__ import annotations

from bot.domain.attestation.decision import tag_of, verdict_of
from bot.domain.model import DECISION, State, Target, TransitionRequest, Verdict, VersionId
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.belief import check_believed
from handlers.custody.facts import as_called_now, place_of

DECIDED = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"}


def sync_tags(request_id: str, s: Services) -> None:
    """Only what is missing or differs is written, to the version and to the copies that its approvals made of it."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        tags = _tags_of(request.version, request.target, tx)
        called = as_called_now(request, tx)
        versions = (called.version, *_copies_of(request, called, tx))
    for version in versions if tags else ():
        seen = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
        if seen is None or seen.id != version:
            check_believed(version.workspace, s)  # else the tags would be missing when the registry is back
            continue  # it was deleted, or deleted and created again
        news = {name: text for name, text in tags.items() if seen.tags.get(name) != text}
        s.registry_at(version.workspace).tag_version(version.model, version.version, news)


def _tags_of(version: VersionId, target: Target, tx: Transaction) -> dict[str, str]:
    """The tags of the newest signed decision, also when an older request runs the effect again. Empty before a decision."""
    found = [request for request in tx.requests.find(version=version) if verdict_of(request) is not None]
    in_order = sorted(found, key=lambda request: request.decided_at or request.opened_at)
    signed = {request.id: tx.attestations.of(request.id) for request in in_order}
    decided = [request for request in in_order if any(one.about == DECISION for one in signed[request.id])]
    about_target = [request for request in in_order if request.target == target]
    envelopes = [one for request in about_target for one in signed[request.id]]
    tags = {tag_of(target, one.about, one.person): one.envelope for one in envelopes}
    return {**tags, **_decision_tags(decided[-1])} if decided else tags


def _decision_tags(request: TransitionRequest) -> dict[str, str]:
    """The tags about the version's newest decision, for any target."""
    verdict = verdict_of(request)
    decision = "called off" if request.state is State.CALLED_OFF else DECIDED[verdict] if verdict else ""
    tags = {"countersign.decision": decision, "countersign.request_id": request.id}
    return {**tags, "countersign.ticket": request.ticket.key} if request.ticket else tags


def _copies_of(request: TransitionRequest, called: TransitionRequest, tx: Transaction) -> tuple[VersionId, ...]:
    """The copies in the target model that approvals of the version have made, by this request or another. `called`: under present names."""
    place = place_of(called)
    held = tx.registry.placements(place.workspace, place.model)
    about_it = {other.id for other in tx.requests.find(version=request.version, target=request.target)}
    mine = (one.version for one in held if one.target == place.target and one.request_id in about_it)
    return tuple(version for version in mine if version != called.version)
