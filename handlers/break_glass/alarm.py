"""Effects that make a broken glass loud: a message of its own in the channel, and reminders of the review until somebody has done it."""

from __future__ import annotations

from bot.domain.break_glass.reviewing import next_reminder, remind, wants_review
from bot.domain.card.break_glass.messages import alarm_card, held_card, review_reminder_card
from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Group
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.outbox import post_once, unsent_keys
from handlers.notify.readers import for_account, for_everyone
from handlers.notify.render_context import context_for, needed_rule

REMINDED_DIRECTLY = 50  # people


def sound_alarm(request_id: str, s: Services) -> None:
    """Effect: says in the rule's channel who broke the glass, for what and why; once."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        group = _reviewers(request, tx)
    if request.glass is None:
        return
    channel = needed_rule(request, context.rule).channel
    with for_everyone(s):
        post_once(f"glass:{request.id}", channel, alarm_card(request, context, group), s)


def correct_alarm(request_id: str, s: Services) -> None:
    """Effect: replies to the alarm, and writes to who broke the glass, that it decided nothing, and why; once."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        group = _reviewers(request, tx)
    glass = request.glass
    if glass is None or not glass.held_by:
        return
    channel, key = needed_rule(request, context.rule).channel, f"glass-held:{request.id}"
    with for_everyone(s):
        alarm = post_once(f"glass:{request.id}", channel, alarm_card(request, context, group), s)
        post_once(key, alarm.channel, held_card(request, context), s, thread=alarm.root)
    if glass.account:
        with for_account(glass.account, s):
            post_once(f"{key}:{glass.account}", glass.account, held_card(request, context), s)


def nag_reviewers(_: str, s: Services) -> None:
    """Effect of the clock: records which reviews are to be reminded of now."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        due = [one.id for one in tx.requests.to_review() if (at := next_reminder(one)) is not None and at <= now]
    for request_id in due:
        with s.store.transaction() as tx:
            tx.record(remind(tx.requests.get(request_id, for_update=True), now))


def remind_of_review(request_id: str, s: Services) -> None:
    """Effect: replies under the card and, once the review is overdue, writes to each who may do it. Once for each reminder."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        group = _reviewers(request, tx)
        key = f"glass-review:{request.id}:{request.glass.reminders if request.glass else 0}"
        is_new = bool(unsent_keys([key], tx))
    glass = request.glass
    if glass is None or not wants_review(request):
        return
    is_overdue = glass.reminded_at is not None and glass.is_overdue(glass.reminded_at)
    card = card_in_place(request_id, s) if is_new else None
    if card is not None:
        with for_everyone(s):
            post_once(key, card.channel, review_reminder_card(request, context, group), s, thread=card.root)
    for account in sorted(_accounts_of(group, request, s))[:REMINDED_DIRECTLY] if is_overdue and group else ():
        with for_account(account, s):
            post_once(f"{key}:{account}", account, review_reminder_card(request, context, None), s)


def _reviewers(request: TransitionRequest, tx: Transaction) -> Group | None:
    """None when the policy has the group no more: the digest still lists the review."""
    glass = request.glass
    return next((one for one in tx.policy().groups if glass is not None and one.name == glass.reviewers), None)


def _accounts_of(group: Group, request: TransitionRequest, s: Services) -> set[str]:
    """The accounts of those who may review it, without who broke the glass."""
    glass = request.glass
    own = {glass.account} if glass else set[str]()
    if group.slack_group is not None:
        return set(s.notifier.members_of(group.slack_group)) - own
    found = (s.notifier.find_account(email) for email in group.people)
    return {account.id for account in found if account is not None} - own
