"""Signers of approvals, through securesystemslib: a key file, a key service named by URI, or none. Also the ledger's Ed25519 key.

A key service never hands out the private key. Each needs its own packages, which come with an extra of securesystemslib. The ledger's key
signs checkpoints only. Key files are read in `bot.clients.keys`; signatures are verified in `bot.signatures`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnsupportedLibraryError, VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public names that the package does not re-export for mypy
    KEY_TYPE_ED25519,
    AWSSigner,
    CryptoSigner,
    GCPSigner,
    HSMSigner,
    Signer,
    SSlibKey,
    VaultSigner,
)

from bot.clients.keys import PrivateKey, public_key, public_key_of, read_key
from bot.errors import InvalidKey, NotVerified, Permanent, Temporary
from bot.ports import PublicKey

Importer = Callable[[str, str], tuple[str, SSlibKey]]

REFUSALS = frozenset(
    {
        "PinExpired",
        "PinIncorrect",  # a few more tries would lock the token
        "PinInvalid",
        "PinLocked",
        "ClientAuthenticationError",
        "DisabledException",
        "Forbidden",
        "InvalidPath",
        "KMSInvalidStateException",
        "NotFound",
    }
    | {"NotFoundException", "PermissionDenied", "ResourceNotFoundError", "Unauthorized"}
)
"""Error names with which the services refuse for good: a retry cannot help."""


@dataclass(frozen=True)
class KeyService:
    """`extra` is securesystemslib's; `errors` are module and name of the base classes that its packages raise.

    `read_public` gets what follows the scheme, and the PIN, which only an HSM needs.
    """

    name: str
    extra: str
    read_public: Importer
    errors: tuple[tuple[str, str], ...]

    def raised(self) -> tuple[type[BaseException], ...]:
        """The error classes of the installed packages."""
        return (OSError, *(getattr(import_module(module), error) for module, error in self.errors))


SERVICES: Mapping[str, KeyService] = {
    "awskms": KeyService(
        "AWS KMS",
        "awskms",
        lambda rest, _: AWSSigner.import_(rest),
        (("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError")),
    ),
    "gcpkms": KeyService(
        "Google Cloud KMS",
        "gcpkms",
        lambda rest, _: GCPSigner.import_(rest),
        (("google.api_core.exceptions", "GoogleAPIError"), ("google.auth.exceptions", "GoogleAuthError")),
    ),
    "hv": KeyService(
        "HashiCorp Vault",
        "vault",
        lambda rest, _: VaultSigner.import_(rest.partition("/")[0]),
        (("hvac.exceptions", "VaultError"),),
    ),
    "hsm": KeyService(
        "the HSM",
        "hsm",
        lambda rest, pin: _read_hsm(rest, pin),
        (("pkcs11.exceptions", "PKCS11Error"), ("builtins", "ValueError"), ("builtins", "RuntimeError")),
    ),
}


def _read_hsm(rest: str, pin: str) -> tuple[str, SSlibKey]:
    """`rest` is KEYID?label=TOKEN. The public key is read before anyone logs in, where the token allows that."""
    number, _, query = rest.partition("?")
    if not (number.isascii() and number.isdigit()):
        raise InvalidKey(
            f"names no key of the HSM: {number!r} is no number. Write hsm:KEYID?label=TOKEN, such as hsm:2?label=bot"
        )
    return HSMSigner.import_(int(number), dict(parse_qsl(query)).get("label"), lambda _: pin)


class DsseSigner:
    """Signs with one key and verifies each signature before returning it. Implements `ports.Signer`."""

    def __init__(self, signer: Signer, key: PublicKey, service: KeyService | None = None) -> None:
        self._signer = signer
        self._service = service
        self._one_at_a_time = Lock()  # a program logs in to an HSM once, whatever its threads do
        self.key = key

    def sign(self, payload: bytes, payload_type: str) -> str:
        envelope = Envelope(payload, payload_type, {})
        if self._service is None:
            envelope.sign(self._signer)
        else:
            with self._one_at_a_time, _asking(self._service):
                envelope.sign(self._signer)
        try:
            envelope.verify([self._signer.public_key], 1)
        except VerificationError:
            raise Permanent(
                f"what was signed does not verify with key {self.key.id[:12]}: the key service may hold another one by now. "
                "Restart the worker, which reads its public key anew, then replay this job"
            ) from None
        return json.dumps(envelope.to_dict(), separators=(",", ":"))


def read_signer(location: str, pin: str = "") -> DsseSigner:
    """`location` is the path of a key file, or the URI of a key in a key service; `pin` is an HSM's. Raises InvalidKey."""
    if names_a_service(location):
        scheme, _, rest = location.partition(":")
        return _service_signer(location, rest, pin, SERVICES[scheme])
    return signer_with(read_key(Path(location)))


def names_a_service(location: str) -> bool:
    """Whether it is the URI of a key in a key service, and not the path of a file."""
    scheme, separator, _ = location.partition(":")
    return bool(separator) and scheme in SERVICES


def signer_with(private: PrivateKey) -> DsseSigner:
    key = public_key_of(private)
    return DsseSigner(CryptoSigner(private, _named(key)), key)


def _service_signer(location: str, rest: str, pin: str, service: KeyService) -> DsseSigner:
    """Asks the service for the public key once, and checks every signature against it."""
    try:
        uri, found = service.read_public(rest, pin)
    except UnsupportedLibraryError:
        raise InvalidKey(
            f'names a key of {service.name}, whose packages are not installed: pip install "securesystemslib[{service.extra}]"'
        ) from None
    except service.raised() as trouble:
        said = str(trouble) or type(trouble).__name__
        raise InvalidKey(f"names a key that {service.name} does not give out: {said}") from None
    if not uri.startswith(location):
        raise InvalidKey(f"names {location}, but the newest version of that key is {uri}. Name that one")
    try:
        key = public_key(_pem_of(found))
    except NotVerified as other:
        raise InvalidKey(f"names a key that cannot sign approvals: {other}") from None
    return DsseSigner(Signer.from_priv_key_uri(uri, _named(key), lambda _: pin), key, service)


def _named(key: PublicKey) -> SSlibKey:
    """The key as securesystemslib holds it, under our id."""
    return SSlibKey.from_crypto(load_pem_public_key(key.pem.encode()), key.id)


def _pem_of(key: SSlibKey) -> str:
    """securesystemslib keeps Ed25519 keys as hex, and the others as PEM."""
    public = str(key.keyval["public"])
    if key.keytype != KEY_TYPE_ED25519:
        return public
    raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@contextmanager
def _asking(service: KeyService) -> Iterator[None]:
    try:
        yield
    except service.raised() as trouble:
        said = f"{service.name} did not sign: {type(trouble).__name__}: {trouble}."
        if type(trouble).__name__ in REFUSALS:
            raise Permanent(f"{said} Let the worker's account sign with that key, then replay this job") from trouble
        raise Temporary(f"{said} It is tried again.") from trouble
