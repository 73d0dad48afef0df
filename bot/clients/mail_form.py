"""A mail as it travels: headers, text, HTML and files as MIME. Pure but for the date. Sending is in `mail`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from bot.clients.plain_text import one_line
from bot.ports import Mail

SUBJECT_LIMIT = 200
NAME_LIMIT = 100
SENDER_NAME = "Countersign"
FOR_ANY_SERVER = SMTP.clone(cte_type="7bit")  # not each takes more: https://www.rfc-editor.org/rfc/rfc6152


def as_message(mail: Mail, sender: str) -> bytes:
    """With CRLF line ends, the last one included."""
    message = EmailMessage(policy=FOR_ANY_SERVER)
    message["From"] = Address(SENDER_NAME, addr_spec=sender)
    message["To"] = ", ".join(mail.to)
    message["Subject"] = one_line(mail.subject, SUBJECT_LIMIT)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id(mail.key, sender)
    message["Auto-Submitted"] = (
        "auto-generated"  # so that no absence note answers: https://www.rfc-editor.org/rfc/rfc3834
    )
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for file in mail.files:
        kind, _, form = file.media_type.partition("/")
        message.add_attachment(
            file.path.read_bytes(), maintype=kind, subtype=form, filename=one_line(file.name, NAME_LIMIT)
        )
    return message.as_bytes()


def message_id(key: str, sender: str) -> str:
    """The same for the same key, so that a reader's program knows a repeat. The key itself may name a person and stays with us."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
