"""What is shown of links to model versions, below the messages that have them.

Only in a channel that no stranger reads, and only about targets whose newest card is there: everything that a preview says has been on a
card in it. In all other channels, and in direct messages, a link stays a link.
"""

from __future__ import annotations

import structlog

from bot.domain.home.links import LinkedRequest, LinkedVersion, Server, read_link
from bot.domain.home.preview import Preview, preview_of
from bot.domain.model import Target, TransitionRequest
from bot.domain.queries.description import decided_by
from bot.domain.request.counting import rule_of_decision
from bot.errors import Permanent, Refused
from bot.ports.home import SharedLinks
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.readers import for_everyone
from handlers.queries.describe import rolled_back_by

log = structlog.get_logger()
EVENT = "slack-link"  # of the deliveries that were seen


def show_links(shared: SharedLinks, s: Services) -> None:
    """Does nothing for what was shown before. Raises Temporary, so that the vendor sends the event again."""
    previews = previews_of(shared, s) if shared.place and not shared.with_strangers else {}
    if not previews:
        return
    try:
        with for_everyone(s):
            s.home.unfurl(shared, previews)
    except Permanent as refusal:  # the message was deleted, or the address is not registered: the link stays a link
        log.warning("link_not_shown", place=shared.place, why=str(refusal))
    with s.store.transaction() as tx:
        tx.outbox.is_new_delivery(EVENT, shared.event, s.clock.now())


def previews_of(shared: SharedLinks, s: Services) -> dict[str, Preview]:
    """By address; without those that name nothing that is known, or nothing that this channel may read."""
    with s.store.transaction() as tx:
        if tx.outbox.was_delivered(EVENT, shared.event):
            return {}
        servers = [
            Server(address, registry.name)
            for registry in tx.registries()
            for address in s.registries.addresses(registry)
        ]
        with for_everyone(s):
            found = {url: _preview(read_link(url, servers, s.links.url), shared.place, tx) for url in shared.urls}
    return {url: preview for url, preview in found.items() if preview is not None}


def _preview(link: LinkedVersion | LinkedRequest | None, channel: str, tx: Transaction) -> Preview | None:
    if isinstance(link, LinkedRequest):
        request = _request(link, tx)
        version = request.version if request else None
        link = LinkedVersion(version.workspace, version.model, version.version) if version else None
    if link is None:
        return None
    of_model = tx.requests.find(workspace=link.workspace, model=link.model)
    known = known_in(channel, of_model)
    asked = [one for one in of_model if one.version.version == link.version and one.target in known]
    placed = tx.registry.placements(link.workspace, link.model)
    held = [one for one in placed if one.version.version == link.version and one.target in known]
    if not (asked or held):
        return None
    newest = asked[-1] if asked else None
    version = newest.version if newest else held[0].version
    decider = decided_by(newest, tx.people.all_names(), rule_of_decision(newest, tx.policy())) if newest else ""
    is_back = newest is not None and rolled_back_by(newest, tx) is not None
    holds = [one.target for one in held if one.version == version]
    return preview_of(version, holds, newest, decider, is_rolled_back=is_back)


def known_in(channel: str, requests: list[TransitionRequest]) -> frozenset[Target]:
    """The targets whose newest card is in this channel: one that the policy has left since reads no more of them."""
    newest = {request.target: request.card.channel for request in requests if request.card}
    return frozenset(target for target, place in newest.items() if place == channel)


def _request(link: LinkedRequest, tx: Transaction) -> TransitionRequest | None:
    try:
        return tx.requests.get(tx.requests.full_id(link.beginning))
    except Refused:  # none begins so, or several do
        return None
