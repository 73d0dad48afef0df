"""The Mailer on SMTP: one connection per mail, and our errors for what failed.

`smtps://` is encrypted from the first byte (port 465). `smtp://` uses STARTTLS where the server offers it (port 587). A password is never
sent unencrypted. `?from=` names the sender; the default is the user, when that is an address.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from bot import tracing
from bot.clients.plain_text import one_line
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.ports.mail import Mail

TIMEOUT = 20.0  # seconds, for each step
PORTS = {"smtp": 587, "smtps": 465}
SAID_LIMIT = 200
GO_AHEAD = 354
NO_SERVER = (
    "SMTP_URL names no mail server. Write smtp://user:password@mail.example.com:587 or smtps://mail.example.com."
)
STARTS_WITH_A_DOT = re.compile(rb"^\.", re.MULTILINE)

Reply = tuple[int, bytes]


@dataclass(frozen=True)
class MailServer:
    """What SMTP_URL says. `sender` is the address that the mail comes from."""

    host: str
    port: int
    is_encrypted: bool
    user: str
    password: str
    sender: str


class SmtpMailer:
    """Connects only to send a mail; thread-safe. Without a `url` every mail raises Permanent."""

    def __init__(self, url: str = "", *, timeout: float = TIMEOUT) -> None:
        self._server = read_server(url) if url else None
        self._timeout = timeout

    def send(self, mail: Mail) -> None:
        server = self._server
        if server is None:
            raise Permanent(
                "No mail can be sent because SMTP_URL is not set. Set it, such as smtps://user:password@mail.example.com, and replay the "
                "job; or take `email:` out of the policy's digest and drop it."
            )
        for address in mail.to:
            if not address.isascii() or one_line(address, len(address) + 1) != address:
                raise Permanent(
                    f"{address!r} is no address that a mail server takes. Correct it in the policy's digest. Then replay the job."
                )
        content = as_message(mail, server.sender)
        with tracing.call("mail", "send"), _translated(server), self._connected(server) as smtp:
            _announce(smtp, server, mail.to, len(content))
            _hand_over(smtp, server, mail, content)

    def greet(self) -> str:
        """Connects and logs in without sending; returns which server takes mail from which sender. Raises OutsideError."""
        server = self._server
        if server is None:
            raise Permanent("SMTP_URL is not set")
        with _translated(server), self._connected(server) as smtp:
            _require(smtp.noop(), "anything", server)
        return f"{server.host}:{server.port} takes mail from {server.sender}"

    @contextmanager
    def _connected(self, server: MailServer) -> Iterator[smtplib.SMTP]:
        smtp = self._open(server)
        try:
            _log_in(smtp, server)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):  # the mail is delivered already
                smtp.quit()
        finally:
            smtp.close()

    def _open(self, server: MailServer) -> smtplib.SMTP:
        """Encrypted when the server offers it; the certificate is verified."""
        if server.is_encrypted:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=context)
        smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        try:
            _encrypt(smtp, server)
        except BaseException:  # an unusable connection must not stay open
            smtp.close()
            raise
        return smtp


def read_server(url: str) -> MailServer:
    """Raises Permanent with the mistake; the text never holds the password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # an unclosed bracket, or a port that is not a number
        raise Permanent(NO_SERVER) from None
    if parts.scheme not in PORTS or not host:
        raise Permanent(NO_SERVER)
    user = unquote(parts.username or "")
    sender = parse_qs(parts.query).get("from", [user if "@" in user else f"countersign@{host}"])[0]
    if not re.fullmatch(r"[!-~]+@[!-~]+", sender):
        raise Permanent("SMTP_URL names no sender that is an address. Write it as ?from=countersign@example.com.")
    return MailServer(
        host, port or PORTS[parts.scheme], parts.scheme == "smtps", user, unquote(parts.password or ""), sender
    )


def _encrypt(smtp: smtplib.SMTP, server: MailServer) -> None:
    smtp.ehlo_or_helo_if_needed()
    if smtp.has_extn("starttls"):
        smtp.starttls(context=ssl.create_default_context())
    elif server.user:
        raise Permanent(
            f"The mail server {server.host} offers no STARTTLS, so the password would travel in the clear. "
            "Write smtps:// in SMTP_URL, or name a server that encrypts."
        )


def _log_in(smtp: smtplib.SMTP, server: MailServer) -> None:
    smtp.ehlo_or_helo_if_needed()
    if server.user:
        smtp.login(server.user, server.password)


def _announce(smtp: smtplib.SMTP, server: MailServer, to: Sequence[str], size: int) -> None:
    """Every address must be accepted before the mail is sent, because a partial delivery could not be repeated."""
    options = [f"size={size}"] if smtp.has_extn("size") else []
    _require(smtp.mail(server.sender, options), f"the sender {server.sender} with a mail of {size} bytes", server)
    for address in to:
        _require(smtp.rcpt(address), address, server)


def _hand_over(smtp: smtplib.SMTP, server: MailServer, mail: Mail, content: bytes) -> None:
    """The server discards a mail without its last line. Once that line is sent, only the server's answer shows the outcome."""
    smtp.putcmd("data")
    begun = smtp.getreply()
    if begun[0] != GO_AHEAD:
        raise _refusal(begun, "the mail", server)
    smtp.send(STARTS_WITH_A_DOT.sub(b"..", content))
    try:
        smtp.send(b".\r\n")
        answer = smtp.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise _lost(mail, server, type(error).__name__) from None
    if not 200 <= answer[0] < 600:
        raise _lost(mail, server, "an answer that is not SMTP")
    _require(answer, "the mail", server)


def _require(reply: Reply, what: str, server: MailServer) -> None:
    if not 200 <= reply[0] < 300:
        raise _refusal(reply, what, server)


def _refusal(reply: Reply, what: str, server: MailServer) -> OutsideError:
    """4xx is temporary, 5xx is permanent: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1"""
    code, said = reply[0], one_line(reply[1].decode(errors="replace"), SAID_LIMIT)
    if not 500 <= code < 600:
        return Temporary(
            f"The mail server {server.host} does not take {what} just now ({code} {said}). It is tried again."
        )
    return Permanent(
        f"The mail server {server.host} refused {what} ({code} {said}). Correct SMTP_URL or the addresses in the policy's digest. "
        "Then replay the job."
    )


def _lost(mail: Mail, server: MailServer, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"The mail server {server.host} was handed the mail {message_id(mail.key, server.sender)} and its answer was lost ({what}), "
        "so it may or may not have been delivered."
    )


@contextmanager
def _translated(server: MailServer) -> Iterator[None]:
    """Turns errors into ours. An error before the last line of the mail means that nothing was delivered."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise _refusal((error.smtp_code, b"try later"), "the password", server) from None
        raise Permanent(
            f"The mail server {server.host} does not accept the user and password in SMTP_URL ({error.smtp_code}). Correct them, "
            "restart, and replay the job."
        ) from None
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
        raise _refusal((error.smtp_code, said), "the connection", server) from None
    except smtplib.SMTPNotSupportedError:
        raise Permanent(
            f"The mail server {server.host} takes no user and password. Leave them out of SMTP_URL, or correct its host and port."
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise Permanent(
            f"The certificate of the mail server {server.host} is not to be trusted ({error.verify_message}). Correct the host in "
            "SMTP_URL, or name your authority's certificates in SSL_CERT_FILE."
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Temporary(
            f"The mail server {server.host}:{server.port} cannot be reached ({type(error).__name__}). It is tried again."
        ) from None


SUBJECT_LIMIT = 200
NAME_LIMIT = 100
SENDER_NAME = "Countersign"
FOR_ANY_SERVER = SMTP.clone(cte_type="7bit")  # not every server accepts 8 bits: https://www.rfc-editor.org/rfc/rfc6152


def as_message(mail: Mail, sender: str) -> bytes:
    """The mail as MIME with CRLF line ends, also after the last line."""
    message = EmailMessage(policy=FOR_ANY_SERVER)
    message["From"] = Address(SENDER_NAME, addr_spec=sender)
    message["To"] = ", ".join(mail.to)
    message["Subject"] = one_line(mail.subject, SUBJECT_LIMIT)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id(mail.key, sender)
    message["Auto-Submitted"] = "auto-generated"  # stops out-of-office replies: https://www.rfc-editor.org/rfc/rfc3834
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for file in mail.files:
        kind, _, form = file.media_type.partition("/")
        message.add_attachment(
            file.path.read_bytes(), maintype=kind, subtype=form, filename=one_line(file.name, NAME_LIMIT)
        )
    return message.as_bytes()


def message_id(key: str, sender: str) -> str:
    """The same id for the same key, so that a mail program recognises a repeat. Hashed, because the key may name a person."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
