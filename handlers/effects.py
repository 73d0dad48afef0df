"""Which function runs each effect, and the worker that calls them. Only what runs effects imports this, for it imports nearly all handlers.

A worker has no doors, so it loads no web server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.services import Services
from handlers.attestation import governed, signing, vsa
from handlers.break_glass import alarm, reviews
from handlers.conversation import questions, reassigning
from handlers.digest import closing, delivery
from handlers.evidence import telling, watching
from handlers.home import opening
from handlers.ledger import checkpoints, outside
from handlers.notify import card_and_ticket, details, outcomes, plots
from handlers.notify.grouped import lists
from handlers.registry import apply, reconcile, renewals, sweeps, tags
from handlers.reminders import daily
from handlers.reminders import people as reminders
from handlers.request import (
    absences,
    accounts,
    asking,
    deadlines,
    evidence,
    refused_votes,
    rollbacks,
    waiting,
)
from handlers.request.buttons import passkeys as passkey_cards
from handlers.sealing import seal
from handlers.tickets import binding, grounds, looking, polling

log = structlog.get_logger()

# Every effect that a worker can run. Its argument is a request's id, a ledger entry's sequence, workspace/model, or a week.
EFFECTS: Mapping[str, Callable[[str, Services], None]] = {
    "freeze_evidence": evidence.freeze_evidence,
    "read_origin": evidence.read_origin,
    "ask_again": asking.ask_again,
    "renew_comparison": renewals.renew_comparison,
    "answer_refused_votes": refused_votes.answer_refused_votes,
    "bind_accounts": binding.bind_accounts,
    "bind_person": accounts.bind_person,
    "sync_target": apply.sync_target,
    "restore_target": apply.restore_target,
    "sign": grounds.sign,
    "seal": seal.seal,
    "seal_holder": seal.seal_holder,
    "seal_holders": seal.seal_holders,
    "sync_tags": tags.sync_tags,
    "mark_failed": rollbacks.mark_failed,
    "sync_card": card_and_ticket.sync_card,
    "sync_ticket": card_and_ticket.sync_ticket,
    "witness": checkpoints.witness,
    "send_to_witness": outside.send_to_witness,
    "renew_verdict": vsa.renew_verdict,
    "renew_verdicts": vsa.renew_verdicts,
    "sign_governed": governed.sign_governed,
    "look_at_card": card_and_ticket.look_at_card,
    "look_at_cards": card_and_ticket.look_at_cards,
    "look_at_ticket": looking.look_at_ticket,
    "look_at_tickets": polling.look_at_tickets,
    "tell": outcomes.tell,
    "tell_together": outcomes.tell_together,
    "announce": card_and_ticket.announce,
    "show_details": details.show_details,
    "show_plot": plots.show_plot,
    "remind": reminders.remind,
    "remind_person": reminders.remind_person,
    "send_dailies": daily.send_dailies,
    "send_daily": daily.send_daily,
    "sync_group": lists.sync_group,
    "look_at_group": lists.look_at_group,
    "sound_alarm": alarm.sound_alarm,
    "correct_alarm": alarm.correct_alarm,
    "nag_reviewers": alarm.nag_reviewers,
    "remind_of_review": alarm.remind_of_review,
    "take_back": reviews.take_back,
    "show_questions": questions.show_questions,
    "hand_over": reassigning.hand_over,
    "tell_delegate": absences.tell_delegate,
    "show_passkey": passkey_cards.show_passkey,
    "look_at_passkey": passkey_cards.look_at_passkey,
    "look_at": reconcile.reconcile_model,
    "sweep_versions": sweeps.sweep_versions,
    "sweep_models": sweeps.sweep_models,
    "remind_people": deadlines.remind_people,
    "thaw_approvals": deadlines.resume_after_freeze,
    "expire_requests": deadlines.expire_requests,
    "tell_waiting": waiting.tell_waiting,
    "look_at_evidence": waiting.look_at_evidence,
    "forget_old": deadlines.prune,
    "close_digests": closing.close_digests,
    "close_week": closing.close_week,
    "post_digest": delivery.post_digest,
    "file_digest": delivery.file_digest,
    "mail_digest": delivery.mail_digest,
    "show_sign_off": delivery.show_sign_off,
    "show_home": opening.show_home,
    "refresh_homes": opening.refresh_homes,
    "refresh_home": opening.refresh_home,
    "look_after_evidence": watching.look_after_evidence,
    "tell_losses": telling.tell_losses,
    "tell_losses_below": telling.tell_losses_below,
}


def effects_of(s: Services) -> Mapping[str, Callable[[str], None]]:
    """The effect functions as the job engine calls them: by name, with only an id."""
    return {name: _with_services(effect, s) for name, effect in EFFECTS.items()}


def run_worker(s: Services) -> int:
    """Until it is told to end. Returns the process's exit code."""
    try:
        signing.register_key(s)
        outside.ask_new_witnesses(s)
    except (OperationalError, InterfaceError, PoolTimeout, ProgrammingError) as trouble:
        log.warning("key_not_registered", next="the first signature registers it", error=str(trouble).splitlines()[0])
    return s.store.jobs.run_worker(effects_of(s))


def _with_services(effect: Callable[[str, Services], None], s: Services) -> Callable[[str], None]:
    return lambda subject: effect(subject, s)
