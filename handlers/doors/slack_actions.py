"""Door: Slack's buttons and forms. The notifier verifies the signature, and Bolt once more; recorded first, acknowledged after."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, request
from slack_bolt import BoltRequest, BoltResponse
from slack_bolt.adapter.flask.handler import to_bolt_request, to_flask_response

from bot import metrics, tracing
from bot.domain.break_glass.offer import ACTION, OPENS_FORM
from bot.domain.break_glass.reviewing import CONFIRM as GLASS_CONFIRM
from bot.domain.break_glass.reviewing import TAKE_BACK as GLASS_BACK
from bot.domain.calm.group_card import OPEN_CARD
from bot.domain.card.passkey_card import CONFIRM, REFUSE
from bot.domain.digest.sign_off import SIGN_OFF
from bot.errors import OutsideError, Refused, Rejected
from bot.language import _, reread
from bot.ports import Click
from bot.services import Services
from handlers.break_glass import deeds, offering, reviews
from handlers.conversation import questions, reassigning
from handlers.digest import sign_off
from handlers.doors.errors import DATABASE_DOWN, as_sentence, raw_body, text_of
from handlers.notify import own_posts
from handlers.notify.readers import for_account
from handlers.request import approvals
from handlers.request.buttons import call_off, open_card, passkeys, roll_back
from handlers.request.casting import VERDICTS, Reply

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from slack_bolt import Ack, App, Respond

log = structlog.get_logger()
BODY_LIMIT = 1024 * 1024  # bytes; a click carries the whole message
FORMS = ("countersign.reason", "countersign.person")
STORIES = {
    "roll_back": roll_back.press,
    "call_off": call_off.press,
    CONFIRM: passkeys.press,
    REFUSE: passkeys.press,
    SIGN_OFF: sign_off.press,
    OPENS_FORM: offering.press,
    ACTION: deeds.send,
    GLASS_CONFIRM: reviews.press,
    GLASS_BACK: reviews.press,
    "ask": questions.ask,
    "answer": questions.answer,
    "reassign": reassigning.reassign,
    OPEN_CARD: open_card.press,
}  # every other button is a vote
TRACED = {*STORIES, *VERDICTS}  # another text comes from outside
PRESS_LATER = "Countersign's database does not answer, so your click may not be recorded. Press again in a minute: a vote counts only once."
ANY_BUTTON = re.compile("")  # an unknown one deserves a sentence too


def slack_events(s: Services, bolts: Sequence[App]) -> Blueprint:
    """All of Slack's requests use one address. `bolts` has one app for each signing secret that counts, at least one."""
    door = Blueprint("slack_events", __name__)

    @door.post("/slack/events")
    def receive() -> ResponseReturnValue:
        with metrics.webhook_duration.labels("slack").time():
            return dispatched()

    def dispatched() -> ResponseReturnValue:
        body = raw_body(BODY_LIMIT)
        s.notifier.check_request(
            dict(request.headers), body
        )  # answers 401 to a wrong signature, before Bolt reads the body
        answer = _dispatch(bolts)
        if answer.status == 401:
            raise Rejected("bad_signature", "the signature is not Slack's, or its time is more than five minutes away")
        if answer.status == 404:
            raise Rejected("unknown", "Countersign has nothing that this interaction could be for", 404)
        return to_flask_response(answer)

    return door


def _dispatch(bolts: Sequence[App]) -> BoltResponse:
    """The answer of the first app whose secret made the signature; else the last one's 401."""
    first, *others = bolts
    answer = first.dispatch(_read_request())
    for bolt in others:
        if answer.status != 401:
            break
        answer = bolt.dispatch(_read_request())
    return answer


def _read_request() -> BoltRequest:
    """A query that is not UTF-8, for example; the body's shape has been checked."""
    try:
        return to_bolt_request(request)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise Rejected("malformed", "the body is not one that Slack sends", 400) from None


def listen_to_actions(bolt: App, s: Services) -> None:
    """The same listeners serve HTTP and Socket Mode."""

    def pressed(ack: Ack, req: BoltRequest, respond: Respond) -> None:
        try:
            reply = _answer(req, s)
        except DATABASE_DOWN:  # not acknowledged, so that Slack shows that it failed, and this says what to do
            whisper(respond.response_url or "", PRESS_LATER, s)
            raise
        ack()
        if reply.text:
            whisper(respond.response_url or "", reply.text, s)

    def sent(ack: Ack, req: BoltRequest) -> None:
        reply = _answer(req, s)
        if reply.refused:
            ack(response_action="errors", errors={"reason": reply.text})
        elif reply.notice is not None:
            ack(response_action="update", view=dict(reply.notice))
        else:
            ack()  # the form closes, and the card says the rest

    bolt.action(ANY_BUTTON)(pressed)
    for form in FORMS:
        bolt.view(form)(sent)


def _answer(received: BoltRequest, s: Services) -> Reply:
    """In the person's language. What is recorded comes before, so that it is in none."""
    begun = s.clock.now()
    try:
        click = _click_in(received, s)
    except Rejected as rejection:
        metrics.webhooks_rejected.labels("slack", rejection.reason).inc()
        return Reply(as_sentence(str(rejection)), refused=True)
    with tracing.about(click.value, f"click {click.action if click.action in TRACED else 'button'}"):
        reply = _story(click, s)
    if not reply.text:
        return reply
    with for_account(click.account, s, begun=begun):
        text = as_sentence(reply.text) if reply.refused else reread(reply.text)  # which may end in a link
        notice = s.notifier.as_notice(reread(reply.title), text) if reply.waits else None
        return replace(reply, text=text, notice=notice)


def _story(click: Click, s: Services) -> Reply:
    """A refusal is an answer too: the sentence that only the person sees."""
    try:
        reply = own_posts.pressed(STORIES.get(click.action, approvals.press), click, s)
    except Refused as refusal:
        metrics.clicks.labels("refused").inc()
        return Reply(text_of(refusal), refused=True)
    except Rejected as rejection:
        metrics.webhooks_rejected.labels("slack", rejection.reason).inc()
        return Reply(text_of(rejection), refused=True)
    except OutsideError as trouble:
        metrics.clicks.labels("refused").inc()
        why = as_sentence(str(trouble))
        return Reply(_("Nothing was recorded: {why} Press again.", why=why), refused=True)
    metrics.clicks.labels("asked" if reply.asked or reply.waits else "recorded").inc()
    return reply


def _click_in(received: BoltRequest, s: Services) -> Click:
    """With the request that it came in, which is kept with a vote. Over Socket Mode there is no raw body and no signature."""
    headers: Mapping[str, str] = {name: values[0] for name, values in received.headers.items() if values}
    click = s.notifier.read_click(received.body)
    return replace(click, signed=s.notifier.as_received(received.raw_body, headers, received.body))


def whisper(reply_to: str, text: str, s: Services) -> None:
    """The vote counts whether or not this arrives, so a failure is logged and not raised."""
    try:
        s.notifier.reply_privately(reply_to, text)
    except OutsideError as trouble:
        log.warning("reply_not_delivered", why=str(trouble), text=text)
