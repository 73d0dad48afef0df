"""What Countersign does: the table of contents.

`doors` receive what comes from outside: webhooks of MLflow and Jira, Slack's buttons and commands, the HTTP API, the gate, the version
pages and the clock. The command line is `bot.commands`. The other folders act on it, one for each subject:

- `registry`: sweeps, what changed in MLflow, moves by hand, renames, the baseline, and the moves and tags that the bot writes
- `custody`: the facts about a target, and whether the registry is believed
- `policy`: putting a policy in force, the fast track's kill switch, and which metrics were ever logged
- `request`: asking, evidence, votes, accounts, passkeys, absences, reminders, expiry, calling off and rollbacks
- `attestation`: signing decisions, verdicts (VSA), and the answers of the gate
- `ledger`: checkpoints and the audit
- `notify`: cards, tickets, plots and announcements in Slack and Jira
- `digest`: the weekly report for compliance
- `queries`: what commands and pages show

`ON` says which event defers which effects; `EFFECTS` says which function runs each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.domain import events as e
from bot.domain.events import Event
from bot.domain.registry.watch_events import HolderLeft
from bot.engine.lanes import FollowUp, Lane, Urgency
from bot.services import Services
from handlers.attestation import governed, signing, vsa
from handlers.digest import closing, delivery
from handlers.ledger import checkpoints, outside
from handlers.notify import card_and_ticket, details, plots
from handlers.registry import apply, reconcile, renewals, sweeps, tags
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

freeze_evidence = FollowUp("freeze_evidence", Lane.EVIDENCE)
sign = FollowUp("sign", Lane.EVIDENCE)
sync_target = FollowUp("sync_target", Lane.MOVES)
sync_tags = FollowUp("sync_tags", Lane.TAGS)
mark_failed = FollowUp("mark_failed", Lane.TAGS)
sync_card = FollowUp("sync_card", Lane.SLACK)
sync_ticket = FollowUp("sync_ticket", Lane.JIRA)
witness = FollowUp("witness", Lane.JIRA)
renew_verdict = FollowUp("renew_verdict", Lane.VERDICTS)
tell = FollowUp("tell", Lane.SLACK)
announce = FollowUp("announce", Lane.NOTES)
show_details = FollowUp("show_details", Lane.SLACK)
show_plot = FollowUp("show_plot", Lane.PLOTS)
remind = FollowUp("remind", Lane.SLACK)
ask_again = FollowUp("ask_again", Lane.EVIDENCE)
read_origin = FollowUp("read_origin", Lane.EVIDENCE)
answer_refused_votes = FollowUp("answer_refused_votes", Lane.SLACK)
bind_accounts = FollowUp("bind_accounts", Lane.NOTES)
tell_delegate = FollowUp("tell_delegate", Lane.NOTES)
show_passkey = FollowUp("show_passkey", Lane.NOTES)
post_digest = FollowUp("post_digest", Lane.DIGEST)
file_digest = FollowUp("file_digest", Lane.DIGEST)
mail_digest = FollowUp("mail_digest", Lane.DIGEST)
show_sign_off = FollowUp("show_sign_off", Lane.DIGEST)

ON: dict[type[Event], list[FollowUp]] = {
    e.RequestOpened: [freeze_evidence],
    e.AskJoined: [sync_card],
    e.EvidenceFrozen: [sync_ticket, sync_card, show_details, show_plot],
    e.EvidenceUnreadable: [sync_card, sync_ticket],
    e.VoteCast: [sign, sync_card],
    e.VoteRefused: [sync_card, sync_ticket, answer_refused_votes],
    e.DecisionReopened: [sync_card, sync_ticket, renew_verdict],
    e.RequestApproved: [sign, sync_card, sync_ticket],
    e.RequestRejected: [sign, sync_card, sync_ticket, tell, ask_again, read_origin],
    e.OriginRead: [sync_card],
    e.DecisionSigned: [sync_target, sync_tags, renew_verdict, witness],
    e.RequestExpired: [sync_card, sync_ticket, tell, ask_again],
    e.RequestWithdrawn: [sync_card, sync_ticket, tell, ask_again],
    e.RequestSuperseded: [sync_card, sync_ticket, tell],
    e.ApprovalStale: [renew_verdict, sync_card, sync_ticket, tell, ask_again],
    e.ApprovalCalledOff: [sign, renew_verdict, sync_card, sync_ticket, tell, ask_again],
    e.StandInsVoided: [sync_card],
    e.ReminderDue: [remind],
    e.RequestEscalated: [sync_card, remind],
    e.ApprovalHeld: [sync_card, sync_ticket, tell],
    e.FreezeEnded: [sync_target, sync_card],
    e.PlotUploaded: [show_plot],
    e.TargetMoved: [sync_tags, mark_failed, renew_verdict, sync_card, sync_ticket, tell],
    e.TargetPutBack: [renew_verdict, sync_card, sync_ticket],
    e.CardPosted: [sync_ticket, witness, show_details, show_plot],
    e.TicketOpened: [sync_card, sync_tags, witness],
    e.BaselineTaken: [announce],
    e.MoveObserved: [announce],
    e.MoveReverted: [announce],
    HolderLeft: [announce],
    e.ModelRenamed: [announce],
    e.ModelGone: [announce],
    e.ModelUnreadable: [announce],
    e.ModelReadable: [announce],
    e.LookalikeSeen: [announce],
    e.RegistryDoubted: [announce],
    e.RegistryTrusted: [announce],
    e.DatabaseRestored: [announce],
    e.PolicyActivated: [announce, bind_accounts],
    e.PolicyRefused: [announce],
    e.FastTrackSwitched: [announce],
    e.AwayDeclared: [tell_delegate],
    e.AwayEnded: [tell_delegate],
    e.PasskeyEnrolled: [show_passkey],
    e.PasskeyConfirmed: [show_passkey],
    e.PasskeyRevoked: [show_passkey],
    e.DigestClosed: [post_digest, file_digest, mail_digest],
    e.DigestSignedOff: [show_sign_off],
}


# Every effect that a worker can run. Its argument is a request's id, a ledger entry's sequence, workspace/model, or a week.
EFFECTS: dict[str, Callable[[str, Services], None]] = {
    "freeze_evidence": evidence.freeze_evidence,
    "read_origin": evidence.read_origin,
    "ask_again": asking.ask_again,
    "renew_comparison": renewals.renew_comparison,
    "answer_refused_votes": refused_votes.answer_refused_votes,
    "bind_accounts": accounts.bind_accounts,
    "bind_person": accounts.bind_person,
    "sync_target": apply.sync_target,
    "restore_target": apply.restore_target,
    "sign": signing.sign,
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
    "look_at_ticket": card_and_ticket.look_at_ticket,
    "tell": card_and_ticket.tell,
    "announce": card_and_ticket.announce,
    "show_details": details.show_details,
    "show_plot": plots.show_plot,
    "remind": deadlines.remind,
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
}

# Which effects run before others that are due. All others may wait.
URGENCY: dict[str, Urgency] = {
    **dict.fromkeys(("sign", "sync_target", "restore_target"), Urgency.DECISION),
    **dict.fromkeys(("sync_card", "sweep_versions", "sweep_models"), Urgency.CARD),
    **dict.fromkeys(("look_at", "freeze_evidence", "ask_again", "renew_comparison", "renew_verdict"), Urgency.LOOK),
    **dict.fromkeys(("sync_ticket", "tell", "announce", "answer_refused_votes", "remind"), Urgency.NOTE),
    **dict.fromkeys(("sync_tags", "mark_failed", "show_passkey"), Urgency.NOTE),
}
