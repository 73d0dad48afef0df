"""Asks a browser to make a passkey, and checks what it made with the library `webauthn`. Signatures over votes are in `bot.passkeys`.

No attestation of the device is asked for: whose passkey it is, other approvers confirm. Importing this loads that library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webauthn import generate_registration_options, options_to_json, verify_registration_response
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from bot.assertions import public_key
from bot.errors import AssertionRefused, Rejected
from bot.passkeys import UNREADABLE, RelyingParty

NAME = "Countersign"
WAITS = 120_000  # milliseconds that the browser waits for the person
PARTS = ("id", "clientDataJSON", "attestationObject")
LONGEST = 8_192  # characters of a part; without attestation each has some hundred
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]


@dataclass(frozen=True)
class MadePasskey:
    """`credential` is its id and `public_key` its COSE key, both base64url without padding."""

    credential: str
    public_key: str


def creation_options(
    challenge: str, person: str, email: str, name: str, known: Sequence[str], party: RelyingParty
) -> dict[str, object]:
    """What the page gives to `navigator.credentials.create`, as JSON with base64url. `known` are the person's passkeys already."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=NAME,
        user_id=person.encode(),
        user_name=email,
        user_display_name=name,
        challenge=base64url_to_bytes(challenge),
        timeout=WAITS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
        supported_pub_key_algs=ALGORITHMS,
    )
    read: dict[str, object] = json.loads(options_to_json(options))
    return read


def read_made(sent: Mapping[str, object], challenge: str, party: RelyingParty) -> MadePasskey:
    """What the page has sent, verified. Raises Rejected, with the sentence for the person, unless our page made it for this challenge."""
    parts = [sent.get(name) for name in PARTS]
    texts = [part for part in parts if isinstance(part, str) and 0 < len(part) <= LONGEST]
    if len(texts) != len(PARTS):
        raise Rejected("malformed", f"the page has to send {', '.join(PARTS)}", 400)
    credential, client_data, attestation = texts
    _check_client_data(client_data, challenge, party)
    try:
        made = verify_registration_response(
            credential={
                "id": credential,
                "rawId": credential,
                "type": "public-key",
                "response": {"clientDataJSON": client_data, "attestationObject": attestation},
            },
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=False,  # checked below, for its own sentence
            supported_pub_key_algs=ALGORITHMS,
        )
    except (WebAuthnException, *UNREADABLE):
        raise Rejected(
            "malformed", "the browser's answer cannot be read. Open the newest link and try again", 400
        ) from None
    if not made.user_verified:
        raise Rejected("not_verified", NOT_VERIFIED, 403)
    found = MadePasskey(bytes_to_base64url(made.credential_id), bytes_to_base64url(made.credential_public_key))
    try:
        public_key(found.public_key)  # as every signature with it is checked later
    except AssertionRefused:
        raise Rejected(
            "malformed", "the passkey has a kind of key that cannot be used here. Use another device", 400
        ) from None
    if not found.credential:
        raise Rejected("malformed", "the passkey has no id. Use another device", 400)
    return found


NOT_VERIFIED = (
    "the device did not check that it is you, by fingerprint, face or PIN. Set up a screen lock, or use another device"
)


def _check_client_data(client_data: str, challenge: str, party: RelyingParty) -> None:
    """Before the library, which says the same in its own words."""
    try:
        said = json.loads(base64url_to_bytes(client_data))
        kind, origin, signed = (said[name] for name in ("type", "origin", "challenge"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Rejected("malformed", "the browser's answer cannot be read", 400) from None
    if kind != "webauthn.create":
        raise Rejected("malformed", "the browser's answer is not about a new passkey", 400)
    if origin != party.origin:
        raise Rejected("other_origin", f"the passkey was made on another site than {party.origin}", 403)
    if signed != challenge:
        raise Rejected("other_challenge", "the passkey was made for another page. Open the newest link", 403)
