"""The Mailer against a real SMTP server, with what mail servers refuse and how their answers get lost."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.clients.mail import SmtpMailer, read_server
from bot.errors import OutcomeUnknown, Permanent, Temporary
from bot.ports.mail import Mail
from tests.fixtures.attachments import an_attachment
from tests.fixtures.post_office import PostOffice, free_port, serving_mail

ANA, BEN = "ana@example.com", "ben@example.com"
REPORT = an_attachment("countersign-2026-W47.pdf", "application/pdf", b"%PDF-1.7 \x00\xff and so on")
TABLE = an_attachment("countersign-2026-W47.csv", "text/csv", "seq,at\r\n1,Zürich\n".encode())
MAIL = Mail(
    key="digest-mail:2026-W47:ana@example.com",
    to=(ANA,),
    subject="Model approvals, week 2026-W47: nothing needs attention",
    text="Nothing happened.\n.\n..a line that begins with dots\nגרסה 🚲\n",
    html="<!doctype html><p>Nothing happened.</p>",
    files=(REPORT, TABLE),
)


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def mailer(office: PostOffice) -> Iterator[SmtpMailer]:
    with serving_mail(office) as port:
        yield SmtpMailer(f"smtp://127.0.0.1:{port}?from=countersign@example.com", timeout=5)


class TestForm:
    def test_a_mail_has_text_html_and_the_very_files(self, office: PostOffice, mailer: SmtpMailer) -> None:
        mailer.send(MAIL)

        (mail,) = office.received
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        assert text.get_content().replace("\r\n", "\n") == MAIL.text
        assert html.get_content().strip() == MAIL.html
        files = [
            (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
            for part in mail.iter_attachments()
        ]
        assert files == [(file.name, file.media_type, file.path.read_bytes()) for file in MAIL.files]

    def test_it_says_from_whom_to_whom_and_that_a_machine_wrote_it(
        self, office: PostOffice, mailer: SmtpMailer
    ) -> None:
        mailer.send(MAIL)

        (mail,) = office.received
        assert (str(mail["From"]), str(mail["To"])) == ("Countersign <countersign@example.com>", ANA)
        assert (str(mail["Subject"]), str(mail["Auto-Submitted"])) == (MAIL.subject, "auto-generated")

    def test_a_server_that_takes_only_seven_bits_loses_none(self, office: PostOffice, mailer: SmtpMailer) -> None:
        mailer.send(replace(MAIL, text="Zürich\n", html="<p>Zürich</p>"))

        (sent,), (mail,) = office.mails, office.received
        text = mail.get_body(("plain",))
        assert text is not None
        assert sent.isascii()
        assert b"8bit" not in sent
        assert text.get_content().strip() == "Zürich"

    def test_the_same_key_makes_the_same_message_id_and_tells_no_address(
        self, office: PostOffice, mailer: SmtpMailer
    ) -> None:
        mailer.send(MAIL)
        mailer.send(MAIL)

        first, second = (str(mail["Message-ID"]) for mail in office.received)
        assert first == second
        assert first.endswith("@example.com>")
        assert "ana" not in first

    def test_a_subject_cannot_bring_a_header_of_its_own(self, office: PostOffice, mailer: SmtpMailer) -> None:
        mailer.send(Mail("k", (ANA,), "week 47\r\nBcc: eve@example.com", "t", "<p>t</p>", ()))

        (mail,) = office.received
        assert mail["Bcc"] is None
        assert str(mail["Subject"]) == "week 47 Bcc: eve@example.com"


class TestRefusals:
    def test_without_an_address_of_a_server_the_mend_is_said(self) -> None:
        with pytest.raises(Permanent, match="Set it, such as smtps://"):
            SmtpMailer("").send(MAIL)

    def test_nobody_gets_a_mail_that_one_of_them_cannot_get(self, office: PostOffice, mailer: SmtpMailer) -> None:
        office.answers[BEN] = "550 5.1.1 nobody of that name"

        with pytest.raises(Permanent, match=r"refused ben@example.com \(550 5.1.1 nobody of that name\)"):
            mailer.send(Mail("k", (ANA, BEN), "s", "t", "h", ()))

        assert office.mails == []

    @pytest.mark.parametrize("step", ["MAIL", ANA, "DATA"])
    def test_a_server_that_asks_for_patience_is_tried_again(
        self, office: PostOffice, mailer: SmtpMailer, step: str
    ) -> None:
        office.answers[step] = "451 4.7.1 greylisted, come back later"

        with pytest.raises(Temporary, match=r"451 4\.7\.1 greylisted"):
            mailer.send(MAIL)
        mailer.send(MAIL)

        assert len(office.mails) == 1

    def test_a_mail_that_is_refused_after_it_was_handed_over_is_not_sent_again(
        self, office: PostOffice, mailer: SmtpMailer
    ) -> None:
        office.answers["DATA"] = "554 5.7.1 looks like spam"

        with pytest.raises(Permanent, match=r"refused the mail \(554"):
            mailer.send(MAIL)

    def test_a_mail_that_is_larger_than_the_server_takes_is_not_even_begun(self, office: PostOffice) -> None:
        with serving_mail(office, data_size_limit=1_000) as port, pytest.raises(Permanent, match=r"552"):
            SmtpMailer(f"smtp://127.0.0.1:{port}").send(MAIL)

        assert office.mails == []

    @pytest.mark.parametrize(
        "address", ["zoë@example.com", "a@example.com\r\nRCPT TO:<b@example.com>", "a b@example.com\n"]
    )
    def test_what_no_server_takes_as_an_address_is_refused_here(self, mailer: SmtpMailer, address: str) -> None:
        with pytest.raises(Permanent, match="no address"):
            mailer.send(Mail("k", (address,), "s", "t", "h", ()))


class TestLostAnswers:
    def test_a_server_that_is_not_there_is_tried_again(self) -> None:
        with pytest.raises(Temporary, match="cannot be reached"):
            SmtpMailer(f"smtp://127.0.0.1:{free_port()}").send(MAIL)

    def test_a_server_that_never_says_a_word_is_given_up_in_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Temporary, match="cannot be reached"):
            SmtpMailer(f"smtp://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2).send(MAIL)

    def test_an_answer_that_is_lost_after_the_mail_is_unknown_and_names_the_mail(
        self, office: PostOffice, mailer: SmtpMailer
    ) -> None:
        office.cuts.append("once")

        with pytest.raises(OutcomeUnknown, match=r"<[0-9a-f]{32}@example.com>.*may or may not") as lost:
            mailer.send(MAIL)

        assert str(office.received[0]["Message-ID"]) in str(lost.value)


class TestEncryption:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return certificate_for("127.0.0.1", tmp_path)

    def test_a_password_travels_after_starttls(
        self, office: PostOffice, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        settings = {
            "tls_context": context_of(certificate),
            "authenticator": office.authenticator,
            "auth_required": True,
        }

        with serving_mail(office, **settings) as port:
            SmtpMailer(f"smtp://bot:pa%3Ass%2Fword@127.0.0.1:{port}").send(MAIL)

        assert (len(office.mails), office.logins) == (1, ["bot"])

    def test_smtps_is_encrypted_from_the_first_byte(
        self, office: PostOffice, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

        with serving_mail(office, ssl_context=context_of(certificate)) as port:
            SmtpMailer(f"smtps://127.0.0.1:{port}").send(MAIL)

        assert len(office.mails) == 1

    def test_a_certificate_that_nobody_vouches_for_is_not_trusted(self, office: PostOffice, certificate: Path) -> None:
        untrusted = pytest.raises(Permanent, match=r"certificate.*not to be trusted.*SSL_CERT_FILE")

        with serving_mail(office, tls_context=context_of(certificate)) as port, untrusted:
            SmtpMailer(f"smtp://127.0.0.1:{port}").send(MAIL)

        assert office.mails == []

    def test_a_password_never_travels_in_the_clear(self, office: PostOffice) -> None:
        with serving_mail(office) as port, pytest.raises(Permanent, match="in the clear") as refused:
            SmtpMailer(f"smtp://bot:secret-word@127.0.0.1:{port}").send(MAIL)

        assert "secret-word" not in str(refused.value)
        assert office.logins == []

    def test_a_wrong_password_says_where_it_is_to_be_corrected(
        self, office: PostOffice, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        settings = {"tls_context": context_of(certificate), "authenticator": office.authenticator}

        with serving_mail(office, **settings) as port, pytest.raises(Permanent, match="user and password in SMTP_URL"):
            SmtpMailer(f"smtp://bot:wrong@127.0.0.1:{port}").send(MAIL)


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "port", "sender"),
        [
            ("smtp://mail.example.com", 587, "countersign@mail.example.com"),
            ("smtps://mail.example.com", 465, "countersign@mail.example.com"),
            ("smtp://bot%40example.com:x@mail.example.com:25", 25, "bot@example.com"),
            ("smtps://bot:x@mail.example.com?from=audit@example.com", 465, "audit@example.com"),
        ],
    )
    def test_ports_and_senders_have_sensible_defaults(self, url: str, port: int, sender: str) -> None:
        server = read_server(url)

        assert (server.host, server.port, server.sender) == ("mail.example.com", port, sender)

    @pytest.mark.parametrize("url", ["http://mail.example.com", "smtp://", "smtp://mail:many", "smtp://[", "mail"])
    def test_what_names_no_server_is_refused(self, url: str) -> None:
        with pytest.raises(Permanent, match="names no mail server"):
            read_server(url)


def certificate_for(host: str, directory: Path) -> Path:
    """One that vouches for itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "server.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
