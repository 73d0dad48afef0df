"""Effect `answer_refused_votes`: says under the card which votes nothing proves, and opens a fresh request for an approval that fell."""

from __future__ import annotations

from bot.domain.card.request_card import refused_vote_card
from bot.domain.model import Kind, State
from bot.domain.request import lifecycle
from bot.services import Services
from bot.store.requests import LIVE
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.outbox import post_once, unsent_keys
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import context_for
from handlers.request.asking import open_new
from handlers.request.calling_off import judge_anew


def answer_refused_votes(request_id: str, s: Services) -> None:
    """Once for each vote. The person who is named as the voter can say there whether they pressed."""
    _open_again(request_id, s)
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        keys = {f"refused-vote:{request_id}:{number}": one for number, one in enumerate(request.refused_votes)}
        waiting = unsent_keys(keys, tx)
    card = card_in_place(request_id, s) if waiting else None
    if card is None:
        return
    for key in waiting:
        with for_everyone(s):
            post_once(key, card.channel, refused_vote_card(request, keys[key], context), s, thread=card.root)


def _open_again(request_id: str, s: Services) -> None:
    """Unless something else asks for the same by now, or the policy has no rule for it any more."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        version, target = request.version, request.target
        tx.requests.lock_model(version.workspace, version.model)
        fell = request.state is State.CALLED_OFF and request.refused_votes and request.kind is not Kind.OBSERVED
        rule = tx.policy().rule_for(version.workspace, version.model, target)
        later = tx.requests.find(version=version, target=target)
        if fell:
            tx.registry.close_intent(request.id, s.clock.now())
            judge_anew(request, tx, s.clock.now())
        if not fell or rule is None or any(one.follows == request.id or one.state in LIVE for one in later):
            return
        fresh = open_new(lifecycle.reopened(request), tx, s.clock.now())
        tx.registry.hand_over_asks(request.id, fresh.id)
