"""The third answer to a request: a question instead of a vote. It decides nothing, and votes still count while it is open.

While one is open, the clock of the request is stopped; `conversation_state` says how. A question ends with its answer, or with its
request.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.conversation.speakers import Speaker, check_is_open, has_a_say
from bot.domain.conversation_state import Question
from bot.domain.events import Event, QuestionAnswered, QuestionAsked, QuestionPosted
from bot.domain.model import TransitionRequest
from bot.domain.names import storable
from bot.domain.policy.rules import Rule
from bot.domain.references import PostedCard
from bot.domain.request.quorum import groups_with_a_say
from bot.errors import Refused
from bot.language import _

MOST_OPEN = 5
MOST = 25  # of one request, with those answered: its row and its card hold them all
TEXT_LIMIT = 1_000  # characters, as in the form


def check_may_ask(request: TransitionRequest, asker: Speaker, rule: Rule, at: datetime) -> None:
    """Who may vote on it, or has voted, may ask. Raises Refused, also before the form is opened."""
    check_is_open(request, at)
    if asker.ids & request.parties:
        raise Refused(
            _(
                "you asked for this transition or trained the version, so questions about it are for you to answer. "
                "Write in the thread what others should know"
            )
        )
    if not has_a_say(request, asker, rule):
        raise Refused(
            _(
                "only people who may vote on this ask here: members of {groups}. Write your question in the thread",
                groups=", ".join(groups_with_a_say(request, rule)),
            )
        )
    if len(request.conversation.unanswered) >= MOST_OPEN:
        raise Refused(
            _("{count} questions are open already. Wait for an answer, or write in the thread", count=MOST_OPEN)
        )
    if len(request.conversation.questions) >= MOST:
        raise Refused(_("{count} questions were asked already, and no more are kept. Write in the thread", count=MOST))


def ask(request: TransitionRequest, asker: Speaker, text: str, rule: Rule, at: datetime) -> list[Event]:
    check_may_ask(request, asker, rule, at)
    asked = _checked(text)
    said = request.conversation
    if any(one.person in asker.ids and one.text == asked for one in said.unanswered):
        raise Refused(_("you have asked just this already, and it waits for its answer in the thread"))
    number = len(said.questions) + 1
    return [QuestionAsked(at, request.id, number, asker.person, asked, said.resumes_at(at, rule.expire_after))]


def answerers(request: TransitionRequest) -> frozenset[str]:
    """Who asked for it, joined the ask or trained the version; empty when no such person is known, and then anybody may answer."""
    people = (request.requester, request.author, request.commit_author, *request.joined, *request.latecomers)
    return frozenset(filter(None, people))


def called_to_answer(request: TransitionRequest) -> tuple[str, ...]:
    """Who is mentioned: those who asked for it or joined the ask; else who trained it."""
    asked = tuple(filter(None, (request.requester, *request.joined)))
    return tuple(dict.fromkeys(asked)) or tuple(sorted(answerers(request)))


def check_may_answer(request: TransitionRequest, number: int, speaker: Speaker, at: datetime) -> Question:
    check_is_open(request, at)
    question = request.conversation.question(number)
    if question is None:
        raise Refused(_("this question is not on record. Use the newest message in the thread"))
    if question.answered_at is not None:
        raise Refused(
            _(
                "this question was answered on {when}. Write in the thread what is to be added",
                when=question.answered_at,
            )
        )
    known = answerers(request)
    if known and not speaker.ids & known:
        raise Refused(
            _(
                "only those who asked for this transition, joined it or trained the version answer its questions. "
                "Write in the thread what you know"
            )
        )
    if speaker.ids & {question.person}:
        raise Refused(_("this is your own question, so somebody else must answer it"))
    return question


def answer(request: TransitionRequest, number: int, speaker: Speaker, text: str, at: datetime) -> list[Event]:
    check_may_answer(request, number, speaker, at)
    return [QuestionAnswered(at, request.id, number, speaker.person, _checked(text))]


def posted(request: TransitionRequest, number: int, message: PostedCard, at: datetime) -> list[Event]:
    question = request.conversation.question(number)
    return [QuestionPosted(at, request.id, number, message)] if question and question.posted is None else []


def _checked(text: str) -> str:
    said = storable(text).strip()
    if not said:
        raise Refused(_("there is nothing in it. Write a sentence"))
    if len(said) > TEXT_LIMIT:
        raise Refused(_("it has more than {count} characters. Say it more briefly", count=TEXT_LIMIT))
    return said
