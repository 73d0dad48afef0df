"""The shortcut "Add to the record": what a person wrote in a card's thread goes into the ledger and the ticket."""

from __future__ import annotations

from bot.domain.conversation import comments
from bot.domain.conversation_state import Comment
from bot.domain.model import TransitionRequest
from bot.errors import NotFound, Refused
from bot.language import _
from bot.ports import Marked, WrittenReply
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.request.casting import Reply
from handlers.request.voters import VoterUnknown, person_of

LIST_KEY = "group:"  # the same for a list that several requests share
CARD_KEY = "card:"  # how the key of a card's message begins; the request's id follows


def record_comment(marked: Marked, s: Services) -> Reply:
    """Who marks must be a member whom Countersign knows; what was written, when and by whom is read again from Slack. Raises Refused."""
    marker = person_of(marked.account, s)
    written = s.notifier.read_reply(marked)
    if written.is_by_bot:
        raise Refused(_("a bot wrote this message, and only what people wrote goes on record"))
    if written.thread_key.startswith(LIST_KEY):
        raise Refused(
            _(
                "the replies below a list of requests do not say which request they are about, so they cannot go on record. "
                "Ask on the request's own card instead"
            )
        )
    if not written.thread_key.startswith(CARD_KEY):
        raise Refused(_("this thread is not below one of Countersign's cards. Only replies there go on record"))
    author = marker if written.author == marked.account else _author(written, s)

    now = s.clock.now()
    with s.store.transaction() as tx:
        request = _request_of(marked, written, tx)
        said = Comment(marked.message, author.id, marker.id, written.text, written.written_at, written.url, now)
        events = comments.record(request, said)
        tx.record(events)
    if not events:
        return Reply(_("This is on the record already, as it reads now."))
    return Reply(_("Added to the record of the request: the ledger and its ticket have it, with your name."))


def _author(written: WrittenReply, s: Services) -> Person:
    try:
        return person_of(written.author, s)
    except VoterUnknown:
        raise
    except Refused as refusal:
        raise Refused(
            _("who wrote this is not known for certain, so it cannot go on record: {why}", why=refusal.args[0])
        ) from None


def _request_of(marked: Marked, written: WrittenReply, tx: Transaction) -> TransitionRequest:
    """The request whose card is the thread's first message: the key says which, and our row must name that message. Raises Refused."""
    request_id = written.thread_key.removeprefix(CARD_KEY).partition(":")[0]
    try:
        request = tx.requests.get(request_id, for_update=True)
    except NotFound:
        raise Refused(_("this card belongs to another installation of Countersign")) from None
    posted = (*request.earlier_cards, *((request.card,) if request.card else ()))
    here = (marked.team, marked.channel, marked.thread)
    if not any((card.team, card.channel, card.message) == here for card in posted):
        raise Refused(_("this thread is not below the card that Countersign posted for the request"))
    return request
