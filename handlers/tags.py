"""Effect `sync_tags`: the decision, as tags on the version, for whoever looks there. They prove nothing and trigger nothing."""

from __future__ import annotations

from bot.domain.model import State, TransitionRequest
from bot.services import Services


def sync_tags(request_id: str, s: Services) -> None:
    """The decision, as tags on the version: for whoever looks there. They prove nothing and trigger nothing."""
    with s.store.transaction() as tx:
        request = tx.get_request(request_id)
    verdict = _verdict_of(request)
    model = s.registry.find_model(request.version.workspace, request.version.model)
    seen = model.version(request.version.version) if model else None
    if verdict is None or seen is None or seen.id != request.version:
        return
    tags = {"countersign.decision": verdict, "countersign.request_id": request.id}
    if request.ticket is not None:
        tags["countersign.ticket"] = request.ticket.key
    s.registry.tag_version(request.version.model, request.version.version, tags)


def _verdict_of(request: TransitionRequest) -> str | None:
    if request.state in (State.APPROVED, State.APPLIED, State.STALE):
        return "approved"
    return "rejected" if request.state is State.REJECTED else None
