"""A signed approval by passkey, as plain values: the statement, what the browser sent for it, and both together; and a new passkey."""

from __future__ import annotations

from bot.domain.attestation.decision import of_vote, payload_of, with_passkey
from bot.passkey_enrolment import creation_options
from bot.passkeys import assertion_options, read_assertion, relying_party, signed_by
from tests.builders import a_request, a_rule, a_vote
from tests.fixtures.passkey_device import Device
from tests.fixtures.passkeys import SITE, SoftPasskey, as_said_in_the_envelope

PARTY = relying_party(SITE)
CHALLENGE = "Y2hhbGxlbmdl"
MADE = Device().make(creation_options(CHALLENGE, "cy", "cy@example.com", "Cy Lindqvist", (), PARTY), SITE)
STATEMENT = of_vote(a_request(), a_vote("cy", reason="better on rainy days"), a_rule(), {"cy": "Cy Lindqvist"})
PAYLOAD = payload_of(STATEMENT)
PASSKEY = SoftPasskey()
SENT = PASSKEY.sign(assertion_options(PAYLOAD, [PASSKEY.credential], PARTY))
SIGNED = signed_by(read_assertion(SENT, PAYLOAD), PASSKEY.public_key, PARTY)
ENVELOPED = with_passkey(STATEMENT, as_said_in_the_envelope(SIGNED))
