"""Effects: a closed week's digest to Slack, to Jira and by e-mail, each on its own and each once, however often it is tried.

What was frozen is sent to the receivers of the time when the week was closed. Their addresses come from the policy in force, so that a
wrong place can be corrected. The messages are in `bot.domain.digest.card`, the files in `files`, and `handlers.notify.outbox` creates
things once although answers get lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from bot.domain.card.card import Card
from bot.domain.digest.card import digest_card, files_card, subject, thread_cards, ticket_card, trend_card, witness_text
from bot.domain.digest.chart import chart_words
from bot.domain.digest.figures import Digest
from bot.domain.digest.json_form import read_digest
from bot.domain.digest.mail import mail_html, mail_text
from bot.domain.digest.overview import shows_a_trend
from bot.domain.digest.sign_off import wanted
from bot.domain.events import DigestDelivered
from bot.domain.policy.rules import DigestPlan
from bot.domain.references import PostedCard, TicketPlan
from bot.domain.text import counted
from bot.engine.lanes import Lane, Urgency
from bot.engine.rows import hold_parked
from bot.errors import MessageGone, OutcomeUnknown, OutsideError, Permanent, Refused, Temporary
from bot.language import reread
from bot.language.catalogues import in_language
from bot.ports.mail import Mail
from bot.reports.records import file_names
from bot.services import Services
from bot.store.digests import EMAIL, JIRA, SLACK, DigestRow
from bot.store.transaction import Transaction
from handlers.digest.files import Parcel, files_on_disk, parcel_of
from handlers.digest.sign_off import card_key, signed_off, signed_off_text
from handlers.notify.outbox import create_once, hand_over_once, once, open_ticket_once, post_once

log = structlog.get_logger()

MEGABYTE = 1024 * 1024
ON_A_TICKET = 10 * MEGABYTE  # Data Center's default limit for a file
IN_A_MAIL = 7 * MEGABYTE  # for all of them; mail makes four bytes of three, and many servers take 10 MB
FILES_TAKE = 8  # times as long as a message: Slack shares files after its answer, and names no bound
IN_A_THREAD = 200 * MEGABYTE  # Slack takes 1 GB: https://slack.com/help/articles/201330736-Add-files-to-Slack

ASK = " Ask whether it came: drop this job if everybody has the mail; only a replay sends it again."


def post_digest(week: str, s: Services) -> None:
    """A card with the week in a few lines; in its thread the lists, the chart, the files, and last their sha256 with the checkpoint."""
    row, digest = _read(week, s)
    with in_language(digest.language):
        channel = _where(row, s).channel
        if channel is None or row.posted is not None:
            return
        posted = _post_card(row, digest, channel, s)
        key = f"digest:{week}:{posted.message}"  # when a card was deleted, the new card gets a thread of its own
        for number, card in enumerate(_lists(digest), start=1):
            _reply_once(f"{key}:{number}", posted, card, s)
        _reply_trend(f"{key}:trend", posted, row, digest, s)
        with files_on_disk(row, digest, s, at_most=IN_A_THREAD) as files:
            _share(key, posted, digest, parcel_of(files, each=IN_A_THREAD), s)
        with s.store.transaction() as tx:
            tx.digests.note_posted(week, posted)
            _show_if_signed_off(row, tx)
            tx.record([DigestDelivered(s.clock.now(), week, SLACK, posted.url)])


def file_digest(week: str, s: Services) -> None:
    """A ticket with the summary and the lists, the hashes and the checkpoint as a comment, and the files."""
    row, digest = _read(week, s)
    with in_language(digest.language):
        where = _where(row, s)
        ticket = where.ticket
        if ticket is None or row.ticket is not None:
            return
        project, issue_type = ticket
        plan = TicketPlan(project, issue_type, approved="", rejected="", fields=where.ticket_fields)
        ref = open_ticket_once(f"countersign-digest-{week}", plan, ticket_card(digest), s).ref
        key = f"digest:{week}"
        with files_on_disk(row, digest, s, at_most=ON_A_TICKET) as files:
            parcel = parcel_of(files, each=ON_A_TICKET)
            once(f"comment:{key}:{ref.id}", lambda: s.tickets.comment(ref, key, witness_text(digest, parcel.told)), s)
            hand_over_once(
                f"{key}:{ref.id}:attached", s.tickets.search_settles, lambda: s.tickets.attach(ref, parcel.attached), s
            )
        with s.store.transaction() as tx:
            tx.digests.note_ticket(week, ref)
            _show_if_signed_off(row, tx)
            tx.record([DigestDelivered(s.clock.now(), week, JIRA, ref.url)])


def mail_digest(week: str, s: Services) -> None:
    """A mail for each address, so that one which is refused keeps the others from nothing."""
    row, digest = _read(week, s)
    with in_language(digest.language):
        addresses = _where(row, s).email
        if not addresses or row.mailed_at is not None:
            return
        with files_on_disk(row, digest, s, at_most=IN_A_MAIL) as files:
            mails = _mails(addresses, digest, parcel_of(files, each=IN_A_MAIL, together=IN_A_MAIL))
            troubles = [trouble for mail in mails if (trouble := _mail_once(mail, s)) is not None]
        if troubles:
            raise _what_next(troubles)
        now = s.clock.now()
        with s.store.transaction() as tx:
            tx.digests.note_mailed(week, now)
            tx.record([DigestDelivered(now, week, EMAIL, counted(len(addresses), "address"))])


def show_sign_off(week: str, s: Services) -> None:
    """On the card, in the place of the button, and as a comment on the ticket. What is delivered later shows it by itself."""
    row, digest = _read(week, s)
    with in_language(digest.language):
        with s.store.transaction() as tx:
            said = signed_off_text(row, tx)
        if not said:
            return
        if row.card is not None:
            try:
                s.notifier.update(row.card, digest_card(digest, signed_off=said))
            except MessageGone as gone:
                log.warning("sign_off_not_shown", week=week, why=str(gone))
        if row.ticket is not None:
            ref, key = row.ticket, f"digest:{week}:signed-off"
            once(f"comment:{key}:{ref.id}", lambda: s.tickets.comment(ref, key, f"{reread(said)}."), s)


def _show_if_signed_off(row: DigestRow, tx: Transaction) -> None:
    """A page may sign off what is still being delivered. The row is locked by now, so no sign-off is missed."""
    if signed_off(row, tx) is not None:
        tx.defer(show_sign_off.__name__, row.period.week, f"{Lane.DIGEST}:{show_sign_off.__name__}")


def before_replay(job_id: int | None, s: Services) -> None:
    """Who replays a job, or all with None, has asked whether the mail came whose answer was lost: it is to be sent again."""
    with s.store.transaction() as tx:
        for week in hold_parked(tx.connection, mail_digest.__name__, job_id):
            tx.outbox.release_unfinished(_mail_key(week, ""))


def _where(row: DigestRow, s: Services) -> DigestPlan:
    """The receivers are those of the closing. What the policy in force says of them counts, and of one that it leaves out what it was.

    Who signs it off is what the policy in force says.
    """
    then = row.plan
    with s.store.transaction() as tx:
        now = (tx.policy().digest if tx.policies.digest() else None) or then
    return replace(
        then,
        channel=then.channel and (now.channel or then.channel),
        ticket=then.ticket and (now.ticket or then.ticket),
        ticket_fields=now.ticket_fields if now.ticket else then.ticket_fields,
        email=then.email and (now.email or then.email),
        sign_off=now.sign_off,
        sign_off_within=now.sign_off_within,
    )


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
    with s.store.transaction() as tx:
        said = signed_off_text(row, tx)
    asks = wanted(_where(row, s), row.digest, row.closed_at)
    card = digest_card(digest, signed_off=said, wanted=asks)
    return post_once(
        card_key(row.period.week),
        channel,
        card,
        s,
        urgency=Urgency.LATER,
        record=lambda tx, posted: tx.digests.note_card(row.period.week, posted),
    )


def _reply_trend(key: str, posted: PostedCard, row: DigestRow, digest: Digest, s: Services) -> None:
    """The figures are more than their picture: without leave to upload, the thread goes without it."""
    if not shows_a_trend(digest.trend):
        return
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(key):
            return

    def with_the_chart() -> Card:
        try:
            return trend_card(
                s.notifier.upload_image(row.chart, file_names(row.period.week).chart, chart_words(digest))
            )
        except Permanent as refusal:
            raise _NoChart(str(refusal)) from refusal

    try:
        post_once(key, posted.channel, with_the_chart, s, thread=posted.message, urgency=Urgency.LATER)
    except _NoChart as refusal:
        log.warning("chart_not_shown", week=row.period.week, why=str(refusal))


class _NoChart(Permanent):
    """The notifier does not take the picture."""


def _lists(digest: Digest) -> tuple[Card, ...]:
    return thread_cards(digest, file_names(digest.period.week))


def _share(key: str, posted: PostedCard, digest: Digest, parcel: Parcel, s: Services) -> None:
    """The last word does not wait for files that Slack refuses: it is the ledger's witness. Once they are there it is corrected."""
    try:
        hand_over_once(
            f"{key}:shared",
            FILES_TAKE * s.notifier.post_settles,
            lambda: s.notifier.share(posted, parcel.attached, f"digest:{digest.period.week}"),
            s,
        )
    except Permanent as refusal:
        told = [replace(file, absent=file.absent or str(refusal)) for file in parcel.told]
        _say_last(f"{key}:files", posted, files_card(digest, told), s)
        raise
    _say_last(f"{key}:files", posted, files_card(digest, parcel.told), s)


def _say_last(key: str, posted: PostedCard, card: Card, s: Services) -> None:
    with s.store.transaction() as tx:
        is_said = tx.outbox.is_sent(key)
    said = post_once(key, posted.channel, card, s, thread=posted.message, urgency=Urgency.LATER)
    if is_said:
        s.notifier.update(said, card)


def _reply_once(key: str, posted: PostedCard, card: Card, s: Services) -> None:
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(key):
            return
    post_once(key, posted.channel, card, s, thread=posted.message, urgency=Urgency.LATER)


# E-mail


def _mails(addresses: Sequence[str], digest: Digest, parcel: Parcel) -> Sequence[Mail]:
    text, html = mail_text(digest, parcel.told), mail_html(digest, parcel.told)
    return [
        Mail(_mail_key(digest.period.week, address), (address,), subject(digest), text, html, parcel.attached)
        for address in addresses
    ]


def _mail_key(week: str, address: str) -> str:
    return f"digest-mail:{week}:{address}"


def _mail_once(mail: Mail, s: Services) -> OutsideError | None:
    """A mail cannot be looked up: one that may have been handed over is not sent again without a person."""
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(mail.key):
            return None
        begun = tx.outbox.reserve(mail.key, s.clock.now())
    if begun is not None:
        return OutcomeUnknown(
            f"It is not known whether the mail to {mail.to[0]} of {begun:%Y-%m-%d %H:%M} UTC was delivered."
        )
    try:
        create_once(mail.key, lambda: s.mailer.send(mail), s)
    except OutsideError as trouble:
        return trouble
    with s.store.transaction() as tx:
        tx.outbox.complete(mail.key, s.clock.now())
    return None


def _what_next(troubles: Sequence[OutsideError]) -> OutsideError:
    """What passes by itself is tried again. Once nothing does, the job is parked; what is unknown stays so until a person replays it."""
    said = " ".join(map(str, troubles))
    if any(isinstance(trouble, OutcomeUnknown) for trouble in troubles):
        said += ASK
    passing = [trouble.retry_after for trouble in troubles if isinstance(trouble, Temporary)]
    return Temporary(said, max(passing)) if passing else Permanent(said)
