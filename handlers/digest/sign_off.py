"""Story: a member of the policy's group signs a closed digest off, with the button on its card or on a page. Recorded once.

`sign_off` is for every door that knows the person; `press` is Slack's button and form. What may be signed off is decided in
`bot.domain.digest.sign_off`; the card and the ticket that then say so are in `delivery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.digest.json_form import read_digest
from bot.domain.digest.sign_off import (
    ClosedWeek,
    Signer,
    SignOff,
    Wanted,
    checked_remark,
    sign_off_text,
    signed,
    wanted,
)
from bot.domain.events import DigestSignedOff
from bot.domain.grounds import SignedRequest
from bot.domain.policy.rules import Group, Policy
from bot.errors import Refused
from bot.language import N_, _
from bot.ports import Click
from bot.services import Services
from bot.store.digests import DigestRow
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.digest.ledger import closing_of
from handlers.notify.own_posts import NotOnRecord
from handlers.request.casting import Reply
from handlers.request.voters import POLICY_CHANGED, is_member, person_of

NO_GROUP = N_(
    "the policy asks for no sign-off of the weekly digest, so there is nothing to sign. Add digest: {sign_off: GROUP} to it"
)
NOT_OURS = N_("this button is not on the message that Countersign posted for the digest. Use that message")


def sign_off(week: str, digest: str, person: Person, remark: str, s: Services) -> SignOff:
    """Signs a closed week off, for a door that has authenticated the person, such as a page.

    `digest` is the sha256 of the figures that the person saw, `DigestRow.digest`. `remark` may be empty. Returns the sign-off on record,
    also when the same person has signed the same figures off before, so a form may be sent twice. Raises Refused, with a sentence for the
    person: not a member of the group, not closed, other figures, or signed off by another person.
    """
    return _sign_off(week, digest, person, remark, s)


def press(click: Click, s: Services) -> Reply:
    """The button on the digest's card opens a form for a remark, and the form signs off. Raises Refused."""
    person = person_of(click.account, s)
    week, digest = click.value, click.shown
    with s.store.transaction() as tx:
        row = tx.digests.find(week)
        _check_place(click, row)
    if click.is_form:
        _sign_off(week, digest, person, click.reason, s, click)
        return Reply()  # the card says it
    _check_may(week, digest, person, s)
    s.notifier.ask_reason(click, _("Sign off"), _question(week), optional=True)
    return Reply(asked=True)


def signed_off(row: DigestRow, tx: Transaction) -> SignOff | None:
    """The sign-off of exactly these figures."""
    return tx.digests.sign_off_of(row.period.week, row.digest)


def signed_off_text(row: DigestRow, tx: Transaction) -> str:
    """The sentence about it, with the person's present name; empty before the sign-off."""
    one = signed_off(row, tx)
    return sign_off_text(one, row.period, _names(one, tx)) if one else ""


def still_wanted(row: DigestRow, tx: Transaction) -> tuple[Wanted, Group] | None:
    """What the policy in force asks for, and the group; None without a group, and once these figures are signed off."""
    policy = tx.policy()
    if policy.digest is None or signed_off(row, tx) is not None:
        return None
    one = wanted(policy.digest, row.digest, row.closed_at)
    return (one, policy.group(one.group)) if one else None


def _sign_off(week: str, digest: str, person: Person, remark: str, s: Services, click: Click | None = None) -> SignOff:
    why = checked_remark(remark)
    group = _group(s.store.policy())
    belongs = is_member(person, group, s)
    with s.store.transaction() as tx:
        if _group(tx.policy()) != group:
            raise Refused(_(POLICY_CHANGED))
        if click is not None and tx.people.get(person.id).account != click.account:
            raise Refused(_("whose account this is has changed just now. Nothing was recorded: press again"))
        row = tx.digests.find(week, for_update=True)
        one, is_new = _judged(week, digest, why, _Member(person.id, belongs), row, tx, s)
        if is_new:
            kept = _keep(click.signed, tx) if click is not None else ""
            tx.record([DigestSignedOff(one.at, week, one.digest, one.entries, one.person, one.remark, kept)])
    return one


def _check_may(week: str, digest: str, person: Person, s: Services) -> None:
    """Before the form is opened, so that no one writes a remark that is then refused."""
    belongs = is_member(person, _group(s.store.policy()), s)
    with s.store.transaction() as tx:
        _one, is_new = _judged(week, digest, "", _Member(person.id, belongs), tx.digests.find(week), tx, s)
    if not is_new:
        raise Refused(_("you have signed {week} off already. Nothing was recorded", week=week))


@dataclass(frozen=True)
class _Member:
    person: str
    belongs: bool


def _judged(
    week: str, digest: str, remark: str, who: _Member, row: DigestRow | None, tx: Transaction, s: Services
) -> tuple[SignOff, bool]:
    """The sign-off, and whether it is to be recorded. Raises Refused."""
    earlier = signed_off(row, tx) if row else None
    signer = Signer(who.person, tx.people.ids_of(who.person), who.belongs)
    closed = _closed(row, tx) if row else None
    one = signed(week, digest, remark, signer, closed, earlier, s.clock.now(), _names(earlier, tx))
    return one, one is not earlier


def _names(earlier: SignOff | None, tx: Transaction) -> Mapping[str, str]:
    return tx.people.names([earlier.person] if earlier else [])


def _group(policy: Policy) -> Group:
    name = policy.digest.sign_off if policy.digest else None
    if name is None:
        raise Refused(_(NO_GROUP))
    return policy.group(name)


def _closed(row: DigestRow, tx: Transaction) -> ClosedWeek:
    recorded = str(closing_of(row, tx).get("digest", ""))
    return ClosedWeek(row.period, row.figures_digest, recorded, read_digest(row.figures).ledger.count)


def card_key(week: str) -> str:
    return f"digest:{week}"


def _check_place(click: Click, row: DigestRow | None) -> None:
    posted = row.card if row else None
    if posted is None or (click.team, click.app, click.channel, click.message) != (
        posted.team,
        posted.app,
        posted.channel,
        posted.message,
    ):
        raise _not_on_record(row) if row else Refused(_(NOT_OURS))


def _not_on_record(row: DigestRow) -> NotOnRecord:
    week = row.period.week
    return NotOnRecord(_(NOT_OURS), {card_key(week): lambda tx, posted, _now: tx.digests.note_card(week, posted)})


def _keep(request: SignedRequest | None, tx: Transaction) -> str:
    """The digest of the request that it came in, which is kept: without one, nothing shows who pressed."""
    if request is None:
        raise Refused(
            _("this click came without the request that Slack signed, so it proves nothing. Press again on the card")
        )
    if not tx.digests.keep_request(request):
        raise Refused(_("Slack has sent this form before, and it was recorded then"))
    return request.digest


def _question(week: str) -> str:
    return _(
        "You confirm that you have read the digest of {week}. A remark, if you have one, goes on the card, into the report and into the "
        "ledger, with your name and the time. It cannot be taken back.",
        week=week,
    )
