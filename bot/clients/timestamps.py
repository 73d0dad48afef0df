"""An authority that timestamps checkpoints (RFC 3161): asks it, and verifies its tokens with the certificates that we trust."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import requests
from cryptography.x509 import Certificate, ExtendedKeyUsage, ExtensionNotFound, load_pem_x509_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    decode_timestamp_response,
)
from rfc3161_client.verify import Verifier, VerifierBuilder
from urllib3.exceptions import HTTPError

from bot import tracing
from bot.domain.ledger.checkpoint import Note
from bot.errors import InvalidSettings, NotVerified, Permanent, Temporary

NAME = "tsa"  # in our rows; there is one authority at a time
TIMEOUT = 10.0  # seconds
LARGEST_TOKEN = 64 * 1024  # bytes; a token with its certificates has some 5,000
KEEP_EARLIER = "TSA_CERTIFICATES also needs the certificates of earlier authorities"
ASKS, ANSWERS = "application/timestamp-query", "application/timestamp-reply"


class TimestampAuthority:
    """Implements `ports.OutsideWitness`. Without a `url` it only verifies.

    `trusted` are certificates: roots, others that lead to them, and possibly the authority's own. With its own it is asked to send none:
    OpenSSL's `ts` does not sort those that it sends, and such a token is not read.
    """

    name = NAME

    def __init__(self, trusted: Sequence[Certificate], url: str = "") -> None:
        self._own = [one for one in trusted if _signs_timestamps(one)]
        self._roots = [one for one in trusted if one not in self._own and one.issuer == one.subject]
        self._between = [one for one in trusted if one not in self._own and one not in self._roots]
        self._url = url

    def attest(self, note: Note, before: int, proof: Callable[[int], tuple[bytes, ...]]) -> str:  # noqa: ARG002 - for others
        asking = TimestampRequestBuilder().data(str(note).encode()).hash_algorithm(HashAlgorithm.SHA256)
        request = asking.cert_request(cert_request=not self._own).build()
        token = self._post(request.as_bytes())
        try:
            self._verified(note, token, request.nonce)
        except NotVerified as trouble:
            raise Permanent(
                f"the timestamp of {self._url} does not verify: {trouble}. Name a PEM file in TSA_CERTIFICATES that holds the authority's "
                "root and its own certificate"
            ) from None
        return base64.b64encode(token).decode()

    def check(self, note: Note, evidence: str) -> datetime:
        """When the authority saw this checkpoint. Raises NotVerified."""
        try:
            return self._verified(note, base64.b64decode(evidence, validate=True))
        except NotVerified as trouble:
            raise NotVerified(f"{trouble} ({KEEP_EARLIER})") from None
        except binascii.Error:
            raise NotVerified("the timestamp was changed: it is not base64") from None

    def _verified(self, note: Note, token: bytes, nonce: int | None = None) -> datetime:
        if not self._roots:
            raise NotVerified("no root certificate is trusted")
        faults = []
        candidates: list[Certificate | None] = [
            *self._own,
            None,
        ]  # a token from before `own` was named has its certificate in it
        for own in candidates:
            builder = VerifierBuilder(None, own, list(self._between), list(self._roots), nonce)
            try:
                return _time_in(token, note, builder.build())
            except (VerificationError, ValueError) as trouble:
                faults.append(str(trouble)[:200] or "it is no timestamp")
        raise NotVerified("; ".join(faults))

    def _post(self, query: bytes) -> bytes:
        if not self._url:
            raise Permanent("there is no timestamp authority. Set TSA_URL")
        try:
            with (
                tracing.call("timestamps", "stamp") as span,
                requests.post(
                    self._url,
                    data=query,
                    headers={"Content-Type": ASKS, "Accept": ANSWERS},
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                span.set("http.response.status_code", answer.status_code)
                token: bytes = answer.raw.read(LARGEST_TOKEN + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as trouble:
            raise Temporary(f"{self._url} does not answer ({type(trouble).__name__}). It is tried again.") from None
        if answer.status_code in (400, 401, 403, 404, 405):
            raise Permanent(f"{self._url} answered {answer.status_code} and gave no timestamp. Check TSA_URL")
        if answer.status_code != 200 or len(token) > LARGEST_TOKEN:
            raise Temporary(f"{self._url} answered {answer.status_code} and gave no timestamp. It is tried again.")
        return token


def read_certificates(path: Path) -> list[Certificate]:
    """Raises InvalidSettings."""
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as trouble:
        why = trouble.strerror if isinstance(trouble, OSError) else "it holds no certificate in PEM"
        raise InvalidSettings((f"TSA_CERTIFICATES: {path} cannot be used: {why}.",)) from None


def _time_in(token: bytes, note: Note, verifier: Verifier) -> datetime:
    """Raises VerificationError and ValueError."""
    answer: TimeStampResponse = decode_timestamp_response(token)
    verifier.verify_message(answer, str(note).encode())
    return answer.tst_info.gen_time


def _signs_timestamps(certificate: Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    except ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.TIME_STAMPING in uses and certificate.issuer != certificate.subject
