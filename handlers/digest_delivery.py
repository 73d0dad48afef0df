"""Effects: a closed week's digest to Slack, to Jira and by e-mail, each on its own and each once, however often it is tried.

What was frozen is told, by the plan that held when the week was closed. The messages are in `bot.domain.digest_card`, the files in
`digest_files`, how a thing is created once although answers get lost in `sending`.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bot.digest_store import EMAIL, JIRA, SLACK, DigestRow
from bot.domain.cards import Card
from bot.domain.digest import Digest
from bot.domain.digest_card import digest_card, files_card, subject, thread_cards, ticket_card, witness_text
from bot.domain.digest_chart import chart_words
from bot.domain.digest_json import read_digest
from bot.domain.digest_mail import mail_html, mail_text
from bot.domain.digest_words import counted
from bot.domain.events import DigestDelivered
from bot.domain.model import Refused
from bot.domain.references import Image, PostedCard, TicketPlan
from bot.ports import Mail, OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.reports.records import file_names
from bot.services import Services
from handlers.digest_files import KEPT_AT_MOST, Parcel, files_of, parcel_of
from handlers.sending import create_once, hand_over_once, once, open_ticket_once, post_once

log = structlog.get_logger()

MEGABYTE = 1024 * 1024
ON_A_TICKET = 10 * MEGABYTE  # Data Center's own limit for a file, unless somebody has changed it
IN_A_MAIL = 7 * MEGABYTE  # for all of them; mail makes four bytes of three, and many servers take 10 MB


def post_digest(week: str, s: Services) -> None:
    """A card with the figures and the chart; in its thread the lists, the files, and last their sha256 with the ledger's checkpoint."""
    row, digest = _read(week, s)
    if row.plan.channel is None or row.posted is not None:
        return
    posted = _post_card(row, digest, row.plan.channel, s)
    key = f"digest:{week}:{posted.message}"  # should somebody delete the card, another one gets a thread of its own
    for number, card in enumerate(_lists(digest), start=1):
        _reply_once(f"{key}:{number}", posted, card, s)
    parcel = parcel_of(files_of(row, digest, s), each=KEPT_AT_MOST)
    hand_over_once(
        f"{key}:shared",
        s.notifier.post_settles,
        lambda: s.notifier.share(posted, parcel.attached, f"digest:{week}"),
        s,
    )
    _reply_once(f"{key}:files", posted, files_card(digest, parcel.told), s)
    with s.store.transaction() as tx:
        tx.digests.note_posted(week, posted)
        tx.record([DigestDelivered(s.clock.now(), week, SLACK, posted.url)])


def file_digest(week: str, s: Services) -> None:
    """A ticket with the summary and the lists, the hashes and the checkpoint as a comment, and the files."""
    row, digest = _read(week, s)
    if row.plan.ticket is None or row.ticket is not None:
        return
    project, issue_type = row.plan.ticket
    plan = TicketPlan(project, issue_type, approved="", rejected="")
    ref = open_ticket_once(f"countersign-digest-{week}", plan, ticket_card(digest), s).ref
    parcel = parcel_of(files_of(row, digest, s), each=ON_A_TICKET)
    key = f"digest:{week}"
    once(f"comment:{key}:{ref.id}", lambda: s.tickets.comment(ref, key, witness_text(digest, parcel.told)), s)
    hand_over_once(
        f"{key}:{ref.id}:attached", s.tickets.search_settles, lambda: s.tickets.attach(ref, parcel.attached), s
    )
    with s.store.transaction() as tx:
        tx.digests.note_ticket(week, ref)
        tx.record([DigestDelivered(s.clock.now(), week, JIRA, ref.url)])


def mail_digest(week: str, s: Services) -> None:
    """A mail for each address, so that one which is refused keeps the others from nothing."""
    row, digest = _read(week, s)
    if not row.plan.email or row.mailed_at is not None:
        return
    parcel = parcel_of(files_of(row, digest, s), each=KEPT_AT_MOST, together=IN_A_MAIL)
    troubles = {
        mail.key: trouble for mail in _mails(row, digest, parcel) if (trouble := _mail_once(mail, s)) is not None
    }
    if troubles:
        raise _what_next(troubles, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.digests.note_mailed(week, now)
        tx.record([DigestDelivered(now, week, EMAIL, counted(len(row.plan.email), "address"))])


def _read(week: str, s: Services) -> tuple[DigestRow, Digest]:
    with s.store.transaction() as tx:
        row = tx.digests.find(week)
    if row is None:
        raise Permanent(
            f"there is no closed digest of {week}. `countersign digest --week {week} --dry-run` tells of it"
        )
    try:
        return row, read_digest(row.figures)
    except Refused as unreadable:
        raise Permanent(str(unreadable)) from None


# Slack


def _post_card(row: DigestRow, digest: Digest, channel: str, s: Services) -> PostedCard:
    """What was posted by an earlier try is found again, and needs no second picture."""
    key = f"digest:{row.period.week}"
    with s.store.transaction() as tx:
        is_posted = tx.sendings.is_sent(key)
    chart = None if is_posted else _upload_chart(row, digest, s)
    return post_once(key, channel, digest_card(digest, chart), s)


def _upload_chart(row: DigestRow, digest: Digest, s: Services) -> Image | None:
    """The figures are more than their picture: without leave to upload, the card goes without it."""
    try:
        return s.notifier.upload_image(row.chart, file_names(row.period.week).chart, chart_words(digest))
    except Permanent as refusal:
        log.warning("chart_not_shown", week=row.period.week, why=str(refusal))
        return None


def _lists(digest: Digest) -> tuple[Card, ...]:
    names = file_names(digest.period.week)
    return thread_cards(digest, names.csv, names.html)


def _reply_once(key: str, posted: PostedCard, card: Card, s: Services) -> None:
    with s.store.transaction() as tx:
        if tx.sendings.is_sent(key):
            return
    post_once(key, posted.channel, card, s, thread=posted.message)


# E-mail


def _mails(row: DigestRow, digest: Digest, parcel: Parcel) -> Sequence[Mail]:
    text, html = mail_text(digest, parcel.told), mail_html(digest, parcel.told)
    return [
        Mail(f"digest-mail:{row.period.week}:{address}", (address,), subject(digest), text, html, parcel.attached)
        for address in row.plan.email
    ]


def _mail_once(mail: Mail, s: Services) -> OutsideError | None:
    """A mail cannot be looked up: whatever may have been handed over is not sent again by itself."""
    with s.store.transaction() as tx:
        if tx.sendings.is_sent(mail.key):
            return None
        begun = tx.sendings.begin(mail.key, s.clock.now())
    if begun is not None:
        return OutcomeUnknown(
            f"It is not known whether the mail to {mail.to[0]} of {begun:%Y-%m-%d %H:%M} UTC was delivered."
        )
    try:
        create_once(mail.key, lambda: s.mailer.send(mail), s)
    except OutsideError as trouble:
        return trouble
    with s.store.transaction() as tx:
        tx.sendings.finish(mail.key, s.clock.now())
    return None


def _what_next(troubles: dict[str, OutsideError], s: Services) -> OutsideError:
    """What passes by itself first. Once nothing does, the job is parked, and a person who replays it wants the mail sent again."""
    passing = next((trouble for trouble in troubles.values() if isinstance(trouble, Temporary)), None)
    if passing is not None:
        return passing
    unknown = [key for key, trouble in troubles.items() if isinstance(trouble, OutcomeUnknown)]
    with s.store.transaction() as tx:
        for key in unknown:
            tx.sendings.call_off(key)
    advice = (
        " Ask whether it came: drop this job if it did, and replay it to send the mail again if not." if unknown else ""
    )
    return Permanent(" ".join(map(str, troubles.values())) + advice)
