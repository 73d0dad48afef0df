"""What Countersign does: the table of contents.

`doors` receive what comes from outside: webhooks of MLflow and Jira, Slack's buttons and commands, the HTTP API, the gate, the version
pages and the clock. The command line is `bot.commands`. The other folders act on it, one for each subject:

- `registry`: sweeps, what changed in MLflow, moves by hand, renames, the baseline, and the moves and tags that the bot writes
- `custody`: the facts about a target, and whether the registry is believed
- `evidence`: whether what approvals rest on is still there
- `policy`: putting a policy in force, the fast track's kill switch, and which metrics were ever logged
- `request`: asking, evidence, votes, accounts, passkeys, absences, reminders, expiry, calling off and rollbacks
- `conversation`: questions and answers, handing a request over, comments on record
- `tickets`: decisions that people take in tickets
- `attestation`: signing decisions, verdicts (VSA), and the answers of the gate
- `break_glass`: promoting at once, and its review by somebody else
- `ledger`: checkpoints and the audit
- `notify`: cards, tickets, plots and announcements in Slack and Jira
- `reminders`: what waits for one person, as one message, and the note of the day
- `sealing`: copying approved files to the sealed store before a target moves
- `digest`: the weekly report for compliance
- `queries`: what commands and pages show
- `home`: a person's own page in Slack, the form in which they ask there, and previews of links

`ON` says which event defers which effects; `EFFECTS` in `handlers.effects` says which function runs each of them. The clock and the
commands that read load no effects.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import events as e
from bot.domain.events import Event
from bot.domain.model import TransitionRequest
from bot.domain.registry.watch_events import HolderLeft
from bot.engine.lanes import FollowUp, Lane, Urgency

freeze_evidence = FollowUp("freeze_evidence", Lane.EVIDENCE, takes_turns=True)
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
show_questions = FollowUp("show_questions", Lane.SLACK)
hand_over = FollowUp("hand_over", Lane.SLACK)
ask_again = FollowUp("ask_again", Lane.EVIDENCE)
read_origin = FollowUp("read_origin", Lane.EVIDENCE)
answer_refused_votes = FollowUp("answer_refused_votes", Lane.SLACK)
bind_accounts = FollowUp("bind_accounts", Lane.NOTES)
tell_delegate = FollowUp("tell_delegate", Lane.NOTES)
show_passkey = FollowUp("show_passkey", Lane.NOTES)
post_digest = FollowUp("post_digest", Lane.DIGEST)
file_digest = FollowUp("file_digest", Lane.DIGEST)
mail_digest = FollowUp("mail_digest", Lane.DIGEST)
sound_alarm = FollowUp("sound_alarm", Lane.NOTES)
correct_alarm = FollowUp("correct_alarm", Lane.NOTES)
remind_of_review = FollowUp("remind_of_review", Lane.NOTES)
take_back = FollowUp("take_back", Lane.EVIDENCE)
show_sign_off = FollowUp("show_sign_off", Lane.DIGEST)


def _has_a_card(request: TransitionRequest) -> bool:
    return request.card is not None


def _has_ended_its_vote(request: TransitionRequest) -> bool:
    return not request.state.is_open


def _below_the_card(*follow_ups: FollowUp) -> list[FollowUp]:
    """As long as there is no card, its posting leads there."""
    return [replace(one, when=_has_a_card) for one in follow_ups]


def _about_the_decision(*follow_ups: FollowUp) -> list[FollowUp]:
    """As long as the vote is open, the decision's signature leads there."""
    return [replace(one, when=_has_ended_its_vote) for one in follow_ups]


ON: dict[type[Event], list[FollowUp]] = {
    e.RequestOpened: [freeze_evidence],
    e.AskJoined: [sync_card],
    e.EvidenceFrozen: [sync_card, sync_ticket, *_below_the_card(show_details, show_plot)],
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
    e.VersionSealed: [sync_target, renew_verdict, sync_card, sync_ticket],
    e.SealHindered: [sync_card],
    e.ApprovalStale: [renew_verdict, sync_card, sync_ticket, tell, ask_again],
    e.ApprovalCalledOff: [sign, renew_verdict, sync_card, sync_ticket, tell, ask_again],
    e.StandInsVoided: [sync_card],
    e.QuestionAsked: [sync_card, sync_ticket, show_questions],
    e.QuestionAnswered: [sync_card, sync_ticket, show_questions],
    e.RequestReassigned: [sync_card, sync_ticket, hand_over],
    e.CommentRecorded: [sync_ticket],
    e.ReminderDue: [remind],
    e.RequestEscalated: [sync_card, remind],
    e.ApprovalHeld: [sync_card, sync_ticket, tell],
    e.FreezeEnded: [sync_target, sync_card],
    e.PlotUploaded: [show_plot],
    e.TargetMoved: [mark_failed, renew_verdict, sync_card, sync_ticket, tell],
    e.TargetPutBack: [renew_verdict, sync_card, sync_ticket],
    e.CardPosted: [sync_ticket, *_about_the_decision(witness), show_details, show_plot],
    e.TicketOpened: [sync_card, *_about_the_decision(sync_tags, witness)],
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
    e.GlassBroken: [sound_alarm, sync_card],
    e.GlassHeld: [correct_alarm, sync_card],
    e.GlassReviewDue: [remind_of_review],
    e.GlassReviewed: [take_back, renew_verdict, sync_card, sync_ticket],
    e.DigestClosed: [post_digest, file_digest, mail_digest],
    e.DigestSignedOff: [show_sign_off],
}


# Which effects run before others that are due. All others may wait. Those that take turns come later the more a person has asked for.
URGENCY: dict[str, Urgency] = {
    **dict.fromkeys(("sign", "seal", "sync_target", "restore_target"), Urgency.DECISION),
    **dict.fromkeys(("sync_group", "sync_card", "show_home", "sweep_versions", "sweep_models"), Urgency.CARD),
    **dict.fromkeys(
        ("look_at", "freeze_evidence", "ask_again", "take_back", "renew_comparison", "renew_verdict"), Urgency.LOOK
    ),
    "sign_governed": Urgency.LOOK,
    **dict.fromkeys(
        (
            "sync_ticket",
            "tell",
            "announce",
            "sound_alarm",
            "correct_alarm",
            "answer_refused_votes",
            "remind",
            "remind_of_review",
            "tell_losses",
            "tell_losses_below",
        ),
        Urgency.NOTE,
    ),
    **dict.fromkeys(("sync_tags", "mark_failed", "show_passkey", "show_questions", "hand_over"), Urgency.NOTE),
}
