"""What is sent by mail, as a Protocol. See also `bot.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.ports import Attachment


@dataclass(frozen=True)
class Mail:
    """`key` becomes the Message-ID, so that mail servers and programs recognise a repeat."""

    key: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    files: tuple[Attachment, ...]


class Mailer(Protocol):
    """An SMTP server, where SMTP_URL names one."""

    def send(self, mail: Mail) -> None:
        """Raises Permanent when there is no server or it refuses, Temporary, or OutcomeUnknown once the mail was handed over."""
