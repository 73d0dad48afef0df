"""An approval that takes a passkey: the press keeps a vote that waits, and the bot's page signs it. Only then is it cast.

What the person signs is the digest of the vote's statement: model, version, target, evidence, rule and meaning. The pages are in
`handlers.doors`; how a passkey is enrolled is in `handlers.request.passkeys`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot import metrics
from bot.domain.attestation.decision import ids_named_in, of_vote, payload_of
from bot.domain.model import Assertion, Vote
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import AlreadyDecided
from bot.domain.request.passkeys import Passkey
from bot.errors import FORBIDDEN, GONE, Refused, Rejected
from bot.ids import new_id
from bot.language import N_, _, ngettext, sentences
from bot.links import confirm_path
from bot.passkeys import RelyingParty, assertion_options, read_assertion, relying_party, verify_assertion
from bot.ports import Click
from bot.services import Services
from bot.store.passkeys import PendingVote
from bot.store.transaction import Transaction
from handlers.request.casting import Ballot, Reply, open_ballot, record_vote, reply_for, rule_of, who_decided
from handlers.request.voters import Voter, voter_for

WAITS_FOR = timedelta(minutes=5)
MOST_WAITING = 20  # votes of one person: each keeps a statement of up to 60,000 bytes
HOW_TO_ENROL = N_("Enrol one with /countersign passkey, and have another approver confirm it")
NOT_HERE = N_("Ask your administrators: until then no one can approve under this rule. Rejecting takes no passkey")
PRESS_AGAIN = N_("Nothing was recorded. Press Approve on the card again")
SIGN_FIRST = N_("Sign one of them, or press again when they have ended, after {minutes} minutes")
MINUTES = WAITS_FOR // timedelta(minutes=1)
CHANGED = N_("what you would approve has changed since you pressed Approve.")


def ask_for_passkey(ballot: Ballot, vote: Vote, click: Click, tx: Transaction, s: Services) -> Reply:
    """Keeps the vote until its person signs it, and links to the page. Raises Refused for a person who could not sign or may not vote."""
    try:
        lifecycle.check_may_cast(ballot.request, vote, ballot.rule)
    except AlreadyDecided as late:
        raise Refused(who_decided(late.request, tx)) from None
    party = _party(s)
    if not _usable(tx.passkeys.of(vote.person), party):
        raise Refused(_why_no_passkey(tx.passkeys.of(vote.person), party))
    if tx.passkeys.waiting(vote.person, vote.at) >= MOST_WAITING:
        waiting = _("{count} of your approvals wait for your passkey already.", count=MOST_WAITING)
        raise Refused(sentences(waiting, _(SIGN_FIRST, minutes=MINUTES)))
    pending = _pending(ballot, vote, click, tx)
    tx.passkeys.keep_pending(pending)
    link = s.links.to_page(confirm_path(pending.id), pending.expires_at)
    said = _(
        "This approval needs your passkey, and does not count before that. Sign it within {minutes} minutes: {link}",
        minutes=MINUTES,
        link=link,
    )
    return Reply(said, _("One step more"), waits=True)


def pending_vote(pending_id: str, s: Services) -> PendingVote:
    """The vote that the page is about. Raises Rejected when it was signed before, or waited too long."""
    with s.store.transaction() as tx:
        return _still_waiting(tx.passkeys.pending(pending_id), s.clock.now())


def options_for(pending: PendingVote, s: Services) -> dict[str, object]:
    """What the page gives to `navigator.credentials.get`, as JSON. Raises Refused when the person has no passkey that counts."""
    party = _party(s)
    with s.store.transaction() as tx:
        mine = tx.passkeys.of(pending.vote.person)
    usable = _usable(mine, party)
    if not usable:
        raise Refused(_why_no_passkey(mine, party))
    return assertion_options(pending.statement.encode(), [key.credential for key in usable], party)


def confirm(pending_id: str, assertion: Mapping[str, object], s: Services) -> Reply:
    """Casts the vote that waits, if its person's passkey signed it: everything that the press was checked for is checked again.

    `assertion` has id, clientDataJSON, authenticatorData and signature in base64url. Raises Rejected, which is counted, and Refused.
    """
    try:
        return _confirm(pending_id, assertion, s)
    except Rejected as refusal:
        metrics.passkeys_refused.labels(refusal.reason).inc()
        raise


def _confirm(pending_id: str, sent: Mapping[str, object], s: Services) -> Reply:
    pending, party = pending_vote(pending_id, s), _party(s)
    payload = pending.statement.encode()
    assertion = read_assertion(sent, payload)
    with s.store.transaction() as tx:
        verify_assertion(assertion, payload, _passkey_of(assertion, pending, party, tx).public_key, party)
        request = tx.requests.get(pending.request_id)
        rule = rule_of(request, tx)
    voter = voter_for(pending.click.account, rule, request, s)

    now = s.clock.now()
    with s.store.transaction() as tx:
        ballot = open_ballot(pending.click, voter, tx, now)
        _still_waiting(tx.passkeys.pending(pending_id, for_update=True), now)
        tx.passkeys.lock()
        _passkey_of(assertion, pending, party, tx)  # it may have been revoked just now
        _check_is_the_same(pending, ballot, voter, tx)
        events = record_vote(ballot, replace(pending.vote, passkey=assertion), pending.click, tx, now)
        tx.passkeys.use(pending_id, now)
    return reply_for(events)


def _pending(ballot: Ballot, vote: Vote, click: Click, tx: Transaction) -> PendingVote:
    text = _statement_of(ballot, vote, tx)
    return PendingVote(new_id(), ballot.request.id, vote, click, text, vote.at, vote.at + WAITS_FOR)


def _statement_of(ballot: Ballot, vote: Vote, tx: Transaction) -> str:
    ids = ids_named_in(ballot.request) | {vote.person, *vote.standing_in_for}
    return payload_of(of_vote(ballot.request, vote, ballot.rule, tx.people.names(ids), tx.people.emails(ids))).decode()


def _party(s: Services) -> RelyingParty:
    """Raises Refused where this bot has no page on which a passkey could be used."""
    try:
        party = relying_party(s.links.url)
    except Refused as refusal:
        why = refusal.args[0]
        raise Refused(sentences(_("this approval needs a passkey: {why}.", why=why), _(NOT_HERE))) from None
    if not s.links.are_made:
        raise Refused(
            sentences(
                _("this approval needs a passkey, and the bot has no key for its links: COUNTERSIGN_LINK_KEY."),
                _(NOT_HERE),
            )
        )
    return party


def _usable(keys: Sequence[Passkey], party: RelyingParty) -> list[Passkey]:
    return [key for key in keys if key.counts and key.rp_id == party.id]


def _why_no_passkey(keys: Sequence[Passkey], party: RelyingParty) -> str:
    waiting = [key for key in keys if key.is_waiting and key.rp_id == party.id]
    if waiting:
        lacking = waiting[-1].needs - len(waiting[-1].confirmed_by)
        return ngettext(
            "this approval needs your passkey, and another approver has to confirm yours first",
            "this approval needs your passkey, and {count} other approvers have to confirm yours first",
            lacking,
        )
    return sentences(_("this approval needs your passkey, and you have none that counts."), _(HOW_TO_ENROL))


def _still_waiting(pending: PendingVote | None, now: datetime) -> PendingVote:
    if pending is None:
        raise Rejected("unknown", sentences(_("no vote waits for a passkey here."), _(PRESS_AGAIN)), 404)
    if pending.used_at is not None:
        raise Rejected("used", _("this vote was signed before, and is cast once. The card shows it"), GONE)
    if now >= pending.expires_at:
        late = _("this vote has waited for its passkey longer than {minutes} minutes.", minutes=MINUTES)
        raise Rejected("expired", sentences(late, _(PRESS_AGAIN)), GONE)
    return pending


def _passkey_of(assertion: Assertion, pending: PendingVote, party: RelyingParty, tx: Transaction) -> Passkey:
    """The passkey that signed, if it counts and is the voter's. Raises Rejected."""
    key, voter = tx.passkeys.find(assertion.credential), pending.vote.person
    if key is None or key.rp_id != party.id:
        why = sentences(_("this passkey is not enrolled here."), _(HOW_TO_ENROL))
        raise Rejected("unknown_passkey", why, FORBIDDEN)
    if key.person != voter:
        names = tx.people.names([key.person, voter])
        why = _(
            "this passkey is {owner}'s, and the vote is {voter}'s. Sign with your own",
            owner=names.get(key.person) or _("another person"),
            voter=names.get(voter) or _("another person"),
        )
        raise Rejected("other_person", why, FORBIDDEN)
    if key.is_revoked:
        revoked = _("this passkey was revoked: {why}.", why=key.revoked_because)
        raise Rejected("revoked", sentences(revoked, _(HOW_TO_ENROL)), FORBIDDEN)
    if not key.is_confirmed:
        raise Rejected("not_confirmed", _why_no_passkey([key], party), FORBIDDEN)
    return key


def _check_is_the_same(pending: PendingVote, ballot: Ballot, voter: Voter, tx: Transaction) -> None:
    """What was signed must be what would be cast now: the statement, composed again, is compared byte for byte."""
    vote = pending.vote
    same_say = (voter.person.id, voter.groups, voter.standing_in_for, voter.also) == (
        *(vote.person, vote.groups, vote.standing_in_for, vote.also),
    )
    same_rule = ballot.rule_hash == vote.rule_hash
    if not same_say or not same_rule or _statement_of(ballot, vote, tx) != pending.statement:
        raise Rejected("changed", sentences(_(CHANGED), _(PRESS_AGAIN)), 409)
