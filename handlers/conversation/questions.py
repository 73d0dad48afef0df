"""Questions: asked on the card, answered below it. The events are recorded first; effect `show_questions` brings the thread to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from bot.domain.card.conversation.replies import answer_card, question_card
from bot.domain.card.sentences import CardContext
from bot.domain.conversation import questions
from bot.domain.conversation.speakers import Speaker
from bot.domain.conversation_state import Question
from bot.domain.model import State, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.references import PostedCard
from bot.domain.text import target_label, version_name
from bot.errors import MessageGone, Refused
from bot.language import _, sentences
from bot.language.catalogues import in_language
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.conversation.presses import late_presses_answered, locked_card, speaker_of
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.outbox import begin_update, post_once
from handlers.notify.own_posts import NotOnRecord
from handlers.notify.readers import for_account, for_everyone
from handlers.notify.render_context import context_for, mention_of
from handlers.request.approvals import pressed_card
from handlers.request.casting import Reply
from handlers.request.voters import person_of, voter_for

SHOWN_WITHIN = timedelta(days=30)  # later, a key that was pruned could make a second message of an old answer


def ask(click: Click, s: Services) -> Reply:
    """The button Ask on a card: the form first, then the question that was written in it."""
    request, rule = pressed_card(click, s)
    voter = voter_for(click.account, rule, request, s)
    now = s.clock.now()
    with s.store.transaction() as tx, late_presses_answered(tx):
        request, rule, _hash = locked_card(click, voter, tx, now)
        if click.is_form:
            tx.record(questions.ask(request, speaker_of(voter), click.reason, rule, now))
            return Reply()
        questions.check_may_ask(request, speaker_of(voter), rule, now)
    with for_account(click.account, s):
        s.notifier.ask_reason(click, _("Ask"), _what_to_ask(request))
    return Reply(asked=True)


def answer(click: Click, s: Services) -> Reply:
    """The button Answer below a card. Its value ends in the question's number."""
    number = int(click.shown) if click.shown.isascii() and click.shown.isdigit() and len(click.shown) < 9 else 0
    person = person_of(click.account, s)
    now = s.clock.now()
    with s.store.transaction() as tx, late_presses_answered(tx):
        request = tx.requests.get(click.value, for_update=True)
        _check_message(click, request, request.conversation.question(number))
        speaker = Speaker(person.id, also=tuple(sorted(tx.people.ids_of(person.id) - {person.id})))
        question = questions.check_may_answer(request, number, speaker, now)
        if click.is_form:
            tx.record(questions.answer(request, number, speaker, click.reason, now))
            return Reply()
    with for_account(click.account, s):
        s.notifier.ask_reason(click, _("Answer"), _what_to_answer(question))
    return Reply(asked=True)


def show_questions(request_id: str, s: Services) -> None:
    """Each question is one reply below the card, which loses its button once it is answered or its request is decided; each answer is
    one more, shown in the channel too: that brings the card back up without a second message in the channel.
    """
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
    for question in request.conversation.questions:
        _show_question(request_id, question.number, s)
        if question.answered_at is not None:
            _show_answer(request_id, question.number, s)


def _show_question(request_id: str, number: int, s: Services) -> None:
    def record(tx: Transaction, posted: PostedCard) -> None:
        _record_posted(request_id, number, tx, posted, s.clock.now())

    key = f"question-shown:{request_id}:{number}"
    with s.store.transaction() as tx:
        request, context, question = _read(request_id, number, tx, s)
        mentions = tuple(mention_of(person, tx) for person in questions.called_to_answer(request))
        with in_language(tx.policy().language):
            card = question_card(request, question, context, mentions)
        update = begin_update(key, question.posted, card, tx, s) if question.posted else None
    if update is not None:
        try:
            with for_everyone(s):
                update.send(s)
        except MessageGone:
            return  # deleted in Slack; the card, the ticket and the ledger have the question
    elif question.posted is None and (request.state is State.PENDING or question.answered_at is not None):
        place = card_in_place(request_id, s)
        if place is not None:
            with for_everyone(s):
                post_once(_key(request_id, number), place.channel, card, s, thread=place.root, record=record)


def _show_answer(request_id: str, number: int, s: Services) -> None:
    key = f"answer:{request_id}:{number}"
    with s.store.transaction() as tx:
        request, context, question = _read(request_id, number, tx, s)
        is_old = question.answered_at is None or s.clock.now() - question.answered_at > SHOWN_WITHIN
        if is_old or tx.outbox.is_sent(key):
            return
        mentions = (mention_of(question.person, tx),)
    place = card_in_place(request_id, s)
    if place is not None:
        with for_everyone(s):
            card = answer_card(request, question, context, mentions)
            post_once(key, place.channel, card, s, thread=place.root, broadcast=True)


def _read(
    request_id: str, number: int, tx: Transaction, s: Services
) -> tuple[TransitionRequest, CardContext, Question]:
    request = tx.requests.get(request_id)
    question = request.conversation.question(number)
    if question is None:
        raise LookupError(f"request {request_id} has no question {number}")
    return request, context_for(request, tx, s.clock.now()), question


def _record_posted(request_id: str, number: int, tx: Transaction, posted: PostedCard, now: datetime) -> None:
    request = tx.requests.get(request_id, for_update=True)
    tx.record(questions.posted(request, number, posted, now))


def _check_message(click: Click, request: TransitionRequest, question: Question | None) -> None:
    """The button must be on the reply that we posted for this question. Raises Refused."""
    posted = question.posted if question else None
    there = (click.team, click.app, click.channel, click.message)
    if posted is None or (posted.team, posted.app, posted.channel, posted.message) != there:
        said = _(
            "this button is not on the message that Countersign posted for the question. Use the one in the thread"
        )
        if question is None or posted is not None or request.card is None:
            raise Refused(said)
        record = partial(_record_posted, request.id, question.number)
        raise NotOnRecord(said, {_key(request.id, question.number): record}, request.card.root)


def _key(request_id: str, number: int) -> str:
    return f"question:{request_id}:{number}"


def _what_to_ask(request: TransitionRequest) -> str:
    return sentences(
        _(
            "What do you want to know about {version} for {target}?",
            version=version_name(request.version),
            target=target_label(request),
        ),
        _("The time to decide stops until the answer. Your question goes into the thread, the ticket and the ledger."),
    )


def _what_to_answer(question: Question) -> str:
    return sentences(
        _("The question: {question}", question=in_one_line(question.text)),
        _("Your answer goes into the thread, the ticket and the ledger."),
    )
