"""Asks a browser for a passkey's signature over a vote, and checks the answer with the library `webauthn`.

`bot.assertions` verifies the same signature again, wherever it is read later, without that library. How a passkey is made is in
`bot.passkey_enrolment`. The library, with what it needs to read certificates of devices, is loaded when a page first asks for a passkey.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from bot.assertions import SignedByPasskey, check_assertion, decoded
from bot.domain.grounds import Assertion
from bot.errors import FORBIDDEN, AssertionRefused, Refused, Rejected
from bot.language import N_, _

WAITS = 120_000  # milliseconds that the browser waits for the person
AS_BROWSERS_WRITE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
IN_ASCII = N_("letters, digits and hyphens, and other letters as xn--...")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # https://url.spec.whatwg.org/#ends-in-a-number-checker
PARTS = ("id", "clientDataJSON", "authenticatorData", "signature")

# What the library raises for bytes that no browser sends: https://github.com/duo-labs/py_webauthn checks few types of what CBOR holds.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)


@dataclass(frozen=True)
class RelyingParty:
    """The site that passkeys are made for: `id` is its host, `origin` its address without a path."""

    id: str
    origin: str


def relying_party(url: str) -> RelyingParty:
    """The site at COUNTERSIGN_URL. Raises Refused where no browser would make a passkey: it has to be https, or localhost.

    The host has to be as browsers write it, because they send it and the passkey is made for it.
    """
    parts = urlsplit(url.strip().rstrip("/"))
    host = (parts.hostname or "").lower()
    if not host or parts.scheme not in ("http", "https"):
        raise Refused(
            _("passkeys need the bot's public address. Set COUNTERSIGN_URL, such as https://countersign.example.com")
        )
    if _is_address(host):
        raise Refused(
            _(
                "a passkey is made for a name, and COUNTERSIGN_URL has the address {host}. Give the host a name",
                host=host,
            )
        )
    if not AS_BROWSERS_WRITE.fullmatch(host):
        raise Refused(
            _(
                "browsers write the host {host} of COUNTERSIGN_URL otherwise. Write it as they do, in ASCII: {example}",
                host=host,
                example=_(IN_ASCII),
            )
        )
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        site = f"{parts.scheme}://{host}"
        raise Refused(_("browsers allow passkeys only over https, and COUNTERSIGN_URL is {url}", url=site))
    return RelyingParty(host, f"{parts.scheme}://{_with_port(host, parts.scheme, parts.port)}")


def assertion_options(payload: bytes, credentials: Sequence[str], party: RelyingParty) -> dict[str, object]:
    """What the page gives to `navigator.credentials.get`, as JSON with base64url: sign the digest of `payload` with one of these."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=party.id,
        challenge=hashlib.sha256(payload).digest(),
        timeout=WAITS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=decoded(one)) for one in credentials],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    read: dict[str, object] = json.loads(options_to_json(options))
    return read


def read_assertion(sent: Mapping[str, object], payload: bytes) -> Assertion:
    """What a page has sent for this statement, not verified yet. Raises Rejected unless each part is base64url."""
    parts = [sent.get(name) for name in PARTS]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) != len(PARTS):
        raise Rejected("malformed", f"the page has to send {', '.join(PARTS)}", 400)
    try:
        for text in texts:
            decoded(text)
    except AssertionRefused as refusal:
        raise Rejected(refusal.reason, str(refusal), 400) from None
    credential, client_data, authenticator_data, signature = texts
    digest = "sha256:" + hashlib.sha256(payload).hexdigest()
    return Assertion(credential, client_data, authenticator_data, signature, digest)


def verify_assertion(assertion: Assertion, payload: bytes, public_key: str, party: RelyingParty) -> None:
    """Raises Rejected, with the sentence for the person, unless the passkey with this COSE key (base64url) signed `payload` on our page.

    Counters of devices are not compared: passkeys that are synchronised between devices have none.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        check_assertion(signed_by(assertion, public_key, party), payload)
        verify_authentication_response(
            credential=_as_sent(assertion),
            expected_challenge=hashlib.sha256(payload).digest(),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=decoded(public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except AssertionRefused as refusal:
        raise Rejected(refusal.reason, str(refusal), FORBIDDEN) from None
    except WebAuthnException as refusal:
        raise Rejected("malformed", f"the passkey's signature was refused: {refusal}", FORBIDDEN) from None
    except UNREADABLE:
        raise Rejected("malformed", "the passkey's signature cannot be read. Open the page again", FORBIDDEN) from None


def signed_by(assertion: Assertion, public_key: str, party: RelyingParty) -> SignedByPasskey:
    return SignedByPasskey(
        assertion.credential,
        public_key,
        assertion.client_data,
        assertion.authenticator_data,
        assertion.signature,
        party.id,
        party.origin,
    )


def _as_sent(assertion: Assertion) -> dict[str, object]:
    return {
        "id": assertion.credential,
        "rawId": assertion.credential,
        "type": "public-key",
        "response": {
            "clientDataJSON": assertion.client_data,
            "authenticatorData": assertion.authenticator_data,
            "signature": assertion.signature,
        },
    }


def _is_address(host: str) -> bool:
    """Also where the last part of the name is a number: browsers read that as an IPv4 address."""
    if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _with_port(host: str, scheme: str, port: int | None) -> str:
    return host if port in (None, {"https": 443, "http": 80}[scheme]) else f"{host}:{port}"
