"""What is to be written to a request's ticket in its current state: links, comments, and its closing. `outbox` sends what is new of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby

from bot.domain.card.break_glass.sentences import review_text
from bot.domain.card.conversation.sentences import answer_text, comment_text, handover_text, question_text
from bot.domain.card.outcomes import called_off, held_text, unreadable_text
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket import ticket_card
from bot.domain.card.ticket_comments import decision_text, evidence_text, outcome_text, rolled_back_text
from bot.domain.model import State, TransitionRequest
from bot.domain.references import Relation, TicketRef
from bot.domain.request.shown import shown_on
from bot.domain.text import version_name
from bot.language import _
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.notify.outbox import Write
from handlers.notify.render_context import plan_of
from handlers.notify.ticket_closing import closing, is_finished

TOGETHER = 10_000  # characters of comments that are sent as one


@dataclass(frozen=True)
class Comment(Write):
    """`marked` is its key on the ticket."""

    ticket: TicketRef | None = None
    marked: str = ""
    text: str = ""


def writes_for(
    request: TransitionRequest,
    context: CardContext,
    failed: TransitionRequest | None,
    s: Services,
    *,
    lacks_evidence: bool = False,
) -> list[Write]:
    """In the order in which they are to be sent. `failed` is the request that a rollback undoes.

    `lacks_evidence`: the ticket was opened before the evidence could be read, so its description does not have it.

    What goes to another ticket comes last: should it be gone by now, this one is finished all the same.
    """
    ticket, other = request.ticket, failed.ticket if failed else None
    if ticket is None:
        return []
    writes = [*_links(request, ticket, other, s)] if not request.ticket_status else []
    writes += _on_evidence(request, ticket, s, lacks_evidence=lacks_evidence)
    writes += _conversation(request, context, ticket, s)
    writes += _text(request, context, ticket, s)
    if not request.state.is_open:
        writes += [*_comments(request, context, ticket, s), *_review(request, context, ticket, s)]
        if is_finished(request) and not request.ticket_status:
            writes.append(closing(request, context, ticket, s))
        if request.state is State.APPLIED and other is not None:
            writes += _on_failed(request, ticket, other, s)
    return [*writes, *_on_named(request, ticket, context, s)]


def version_page(request: TransitionRequest, s: Services) -> str:
    """A signed link to all that is known of the version; empty when this bot has no address or no key for links."""
    version = request.version
    return s.links.to_version(version.model, version.version, s.clock.now(), version.workspace)


def _links(request: TransitionRequest, ticket: TicketRef, other: TicketRef | None, s: Services) -> Iterator[Write]:
    """The link to the page about the version expires, so that a later state may bring a fresh one."""
    if request.evidence is not None:
        yield _link(
            ticket, f"version:{request.id}", f"MLflow: {version_name(request.version)}", request.evidence.version_url, s
        )
    if request.card is not None:
        yield _link(ticket, f"card:{request.id}", _("{chat}: the card", chat=s.notifier.name), request.card.url, s)
    page = version_page(request, s)
    if page:
        yield _link(ticket, f"walk-back:{request.id}", f"Countersign: {version_name(request.version)}", page, s)
    if other is not None:
        yield _link(
            ticket, f"away-from:{request.id}", _("{ticket}: what is rolled back", ticket=other.key), other.url, s
        )


def _comments(request: TransitionRequest, context: CardContext, ticket: TicketRef, s: Services) -> Iterator[Write]:
    yield _comment(ticket, f"decision:{request.id}", decision_text(request, context), s)
    if request.state is State.APPROVED and request.frozen_until is not None:
        key = f"held:{request.id}:{request.frozen_until:%Y%m%dT%H%M}"
        yield _comment(ticket, key, held_text(request), s)
    if request.settled_at is not None or request.state is State.STALE:
        yield _comment(ticket, f"outcome:{request.id}", outcome_text(request), s)
    if request.state is State.CALLED_OFF:
        yield _comment(ticket, f"outcome:{request.id}", called_off(request, context), s)


def _review(request: TransitionRequest, context: CardContext, ticket: TicketRef, s: Services) -> Iterator[Write]:
    """Who has looked at a broken glass, once somebody has."""
    if request.glass is not None and request.glass.review is not None:
        yield _comment(ticket, f"glass-review:{request.id}", review_text(request, context), s)


def shown_key(request: TransitionRequest) -> str:
    """The row that keeps what the ticket's text is about."""
    return f"ticket-shows:{request.id}"


def _text(request: TransitionRequest, context: CardContext, ticket: TicketRef, s: Services) -> Iterator[Write]:
    """Where people decide in tickets, the text says what a vote there is on. It is written again when that changes, as with the policy."""
    plan = context.rule.ticket if context.rule else None
    if plan is not None and plan.decides and request.state is State.PENDING:
        write = partial(s.decisions.describe, ticket, ticket_card(request, context))
        yield Write(shown_key(request), write, content=shown_on(request, context.rule_hash))


def unreadable_key(request: TransitionRequest) -> str:
    return f"unreadable:{request.id}"


def _on_evidence(
    request: TransitionRequest, ticket: TicketRef, s: Services, *, lacks_evidence: bool
) -> Iterator[Write]:
    """Why it cannot be read, each reason once; and, when it can be read at last, what the ticket's description lacks."""
    waits = request.state in (State.COLLECTING, State.APPROVED)
    for number in range(len(request.unreadable) if waits else 0):
        said = unreadable_text(request, request.unreadable[number])
        yield _comment(ticket, f"{unreadable_key(request)}:{number}", said, s)
    if request.state is not State.COLLECTING and request.evidence is not None and lacks_evidence:
        yield _comment(ticket, f"evidence:{request.id}", evidence_text(request), s)


def _conversation(request: TransitionRequest, context: CardContext, ticket: TicketRef, s: Services) -> Iterator[Write]:
    """Each question, answer, hand-over and comment on record, once."""
    said = request.conversation
    for question in said.questions:
        yield _comment(ticket, f"question:{request.id}:{question.number}", question_text(question, context), s)
        if question.answered_at is not None:
            yield _comment(ticket, f"answer:{request.id}:{question.number}", answer_text(question, context), s)
    for number, handover in enumerate(said.handovers):
        yield _comment(ticket, f"handed-over:{request.id}:{number}", handover_text(handover, context), s)
    for number, comment in enumerate(said.comments):
        yield _comment(ticket, f"recorded:{request.id}:{number}", comment_text(comment, context), s)


def _on_failed(request: TransitionRequest, ticket: TicketRef, failed: TicketRef, s: Services) -> Iterator[Write]:
    yield _link(failed, f"rollback:{request.id}", _("{ticket}: the rollback", ticket=ticket.key), ticket.url, s)
    yield _comment(failed, f"rolled-back:{request.id}", rolled_back_text(request), s)


def _on_named(request: TransitionRequest, ticket: TicketRef, context: CardContext, s: Services) -> Iterator[Write]:
    if request.named is not None and request.named.relation is Relation.LINK:
        named = request.named.key
        yield Write(
            f"related:{request.id}", lambda: s.tickets.relate(ticket, named, plan_of(request, context).relation_type)
        )


def reserve_comments(
    writes: Sequence[Write], request: TransitionRequest, tx: Transaction, now: datetime
) -> frozenset[str]:
    """The keys of the comments that the ticket certainly lacks. To be committed before they are sent: a later try then looks for them.

    What a request from a backup has on its ticket is not known: people went on after the backup was made.
    """
    new = tx.outbox.reserve_new([write.key for write in writes if isinstance(write, Comment)], now)
    return frozenset() if new and is_from_backup(request, tx) else new


def is_from_backup(request: TransitionRequest, tx: Transaction) -> bool:
    """Our database was restored, and the request was in the backup."""
    row = tx.trust.find(request.version.workspace)
    made_at = row.backup_of or row.accepted_backup
    return made_at is not None and request.opened_at <= made_at


def in_few_calls(writes: Sequence[Write], new: Collection[str], s: Services) -> list[Write]:
    """Comments that follow one another on a ticket are sent as one. `new` as `reserve_comments` returns it."""
    sent: list[Write] = []
    for ticket, group in groupby(writes, lambda write: write.ticket if isinstance(write, Comment) else None):
        if ticket is None:
            sent += group
        else:
            sent += (_as_one(some, ticket, new, s) for some in _short_enough([*group]))  # type: ignore[list-item]
    return sent


def _short_enough(comments: Sequence[Comment]) -> Iterator[list[Comment]]:
    """A comment that is too long for Jira is cut off, so a long one is sent alone."""
    together: list[Comment] = []
    for one in comments:
        if together and sum(len(some.text) for some in (*together, one)) > TOGETHER:
            yield together
            together = []
        together.append(one)
    yield together


def _as_one(comments: Sequence[Comment], ticket: TicketRef, new: Collection[str], s: Services) -> Write:
    first, *others = comments
    also = {other.marked: other.text for other in others}
    is_new = all(one.key in new for one in comments)

    def record(tx: Transaction) -> None:
        for other in others:
            SentRows(tx.connection).put(other.key, other.digest, s.clock.now())

    act = partial(s.tickets.comment, ticket, first.marked, first.text, also=also, is_new=is_new)
    return Write(first.key, act, record=record)


def _link(ticket: TicketRef, key: str, title: str, url: str, s: Services) -> Write:
    return Write(f"link:{key}", partial(s.tickets.link, ticket, key, title, url), content=f"{title}\n{url}")


def _comment(ticket: TicketRef, key: str, text: str, s: Services) -> Write:
    act = partial(s.tickets.comment, ticket, key, text)
    return Comment(f"comment:{key}", act, ticket=ticket, marked=key, text=text)
