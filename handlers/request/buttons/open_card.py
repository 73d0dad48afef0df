"""The button Open on a list of requests: leads to the request's own card, and has it posted first where it is still to come."""

from __future__ import annotations

from bot.engine.lanes import FollowUp, Lane
from bot.errors import Refused
from bot.language import _
from bot.ports import Click
from bot.services import Services
from bot.store.calm.groups import GroupRows
from handlers.notify.grouped.lists import list_not_on_record
from handlers.notify.grouped.places import note_opened
from handlers.request.casting import Reply

FOLLOWS = (
    FollowUp("sync_card", Lane.SLACK),
    FollowUp("show_details", Lane.SLACK),
    FollowUp("show_plot", Lane.PLOTS),
)


def press(click: Click, s: Services) -> Reply:
    """Decides nothing, so everyone who sees the list may do it."""
    with s.store.transaction() as tx:
        group = GroupRows(tx.connection).of(click.value)
        request = tx.requests.get(click.value)
        posted = group.posted if group else None
        pressed = (click.team, click.app, click.channel, click.message)
        if posted is None or (posted.team, posted.app, posted.channel, posted.message) != pressed:
            said = _("this button is not on the newest list that Countersign posted for the request. Use that one")
            raise list_not_on_record(said, group, s) if group else Refused(said)
        note_opened(request.id, tx, s.clock.now())
        for follow_up in FOLLOWS:
            tx.defer_for(follow_up, request)
    if request.card is None:
        return Reply(_("Its card comes into the thread below the list in a moment."))
    return Reply(_("Its card: {card}", card=request.card.url))
