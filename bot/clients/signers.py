"""What signs approvals, through securesystemslib's signers: a key file, or a key service named by URI; and what never signs.

A key service keeps the private key to itself. Each wants its own packages, which come with an extra of securesystemslib.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnsupportedLibraryError, VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # its own public names, without the mark that mypy looks for
    KEY_TYPE_ED25519,
    AWSSigner,
    CryptoSigner,
    GCPSigner,
    Signer,
    SSlibKey,
    VaultSigner,
)

from bot.clients.keys import PrivateKey, public_key, public_key_of, read_key
from bot.domain.ledger.checkpoint import Checkpoint, Note, key_hint
from bot.errors import InvalidKey, NotVerified, Permanent, Temporary
from bot.ports import PublicKey

Importer = Callable[[str], tuple[str, SSlibKey]]

REFUSALS = frozenset(
    {
        "ClientAuthenticationError",
        "DisabledException",
        "Forbidden",
        "InvalidPath",
        "KMSInvalidStateException",
        "NotFound",
    }
    | {"NotFoundException", "PermissionDenied", "ResourceNotFoundError", "Unauthorized"}
)
"""What the services call it when they will not, however often one asks."""


@dataclass(frozen=True)
class KeyService:
    """`extra` is securesystemslib's; `errors` are the base classes, module and name, of what its packages raise."""

    name: str
    extra: str
    read_public: Importer
    errors: tuple[tuple[str, str], ...]

    def raised(self) -> tuple[type[BaseException], ...]:
        """Only what is installed can have raised anything."""
        return (OSError, *(getattr(import_module(module), error) for module, error in self.errors))


SERVICES: Mapping[str, KeyService] = {
    "awskms": KeyService(
        "AWS KMS",
        "awskms",
        lambda rest: AWSSigner.import_(rest),
        (("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError")),
    ),
    "gcpkms": KeyService(
        "Google Cloud KMS",
        "gcpkms",
        lambda rest: GCPSigner.import_(rest),
        (("google.api_core.exceptions", "GoogleAPIError"), ("google.auth.exceptions", "GoogleAuthError")),
    ),
    "hv": KeyService(
        "HashiCorp Vault",
        "vault",
        lambda rest: VaultSigner.import_(rest.partition("/")[0]),
        (("hvac.exceptions", "VaultError"),),
    ),
}


class DsseSigner:
    """Signs with one key, and looks at each signature before it lets it go. Implements `ports.Signer`."""

    def __init__(self, signer: Signer, key: PublicKey, service: KeyService | None = None) -> None:
        self._signer = signer
        self._service = service
        self.key = key

    def sign(self, payload: bytes, payload_type: str) -> str:
        envelope = Envelope(payload, payload_type, {})
        if self._service is None:
            envelope.sign(self._signer)
        else:
            with _asking(self._service):
                envelope.sign(self._signer)
        try:
            envelope.verify([self._signer.public_key], 1)
        except VerificationError:
            raise Permanent(
                f"what was signed does not verify with key {self.key.id[:12]}: the key service may hold another one by now. "
                "Restart the worker, which reads its public key anew, then replay this job"
            ) from None
        return json.dumps(envelope.to_dict(), separators=(",", ":"))


class NoSigner:
    """Stands in every process but the worker: it has read no private key, so it can sign nothing."""

    @property
    def key(self) -> PublicKey:
        raise Permanent("only the worker has a signing key. Let the worker run this job: `countersign worker`")

    def sign(self, payload: bytes, payload_type: str) -> str:  # noqa: ARG002 - as the Protocol has it
        raise Permanent("only the worker signs approvals. Let the worker run this job: `countersign worker`")


def read_signer(location: str) -> DsseSigner:
    """`location` is the path of a key file, or the URI of a key in a key service. Raises InvalidKey."""
    scheme, separator, rest = location.partition(":")
    if separator and scheme in SERVICES:
        return _service_signer(location, rest, SERVICES[scheme])
    return signer_with(read_key(Path(location)))


def signer_with(private: PrivateKey) -> DsseSigner:
    key = public_key_of(private)
    return DsseSigner(CryptoSigner(private, _named(key)), key)


def _service_signer(location: str, rest: str, service: KeyService) -> DsseSigner:
    """The service is asked for the public key once; whatever it signs is checked against that one."""
    try:
        uri, found = service.read_public(rest)
    except UnsupportedLibraryError:
        raise InvalidKey(
            f'names a key of {service.name}, whose packages are not installed: pip install "securesystemslib[{service.extra}]"'
        ) from None
    except service.raised() as trouble:
        raise InvalidKey(f"names a key that {service.name} does not give out: {trouble}") from None
    if not uri.startswith(location):
        raise InvalidKey(f"names {location}, but the newest version of that key is {uri}. Name that one")
    try:
        key = public_key(_pem_of(found))
    except NotVerified as other:
        raise InvalidKey(f"names a key that cannot sign approvals: {other}") from None
    return DsseSigner(Signer.from_priv_key_uri(uri, _named(key)), key, service)


def _named(key: PublicKey) -> SSlibKey:
    """As securesystemslib holds it, under the name that we give it."""
    return SSlibKey.from_crypto(load_pem_public_key(key.pem.encode()), key.id)


def _pem_of(key: SSlibKey) -> str:
    """securesystemslib keeps Ed25519 as hex, and the others as PEM."""
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


class NoteKey:
    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def key(self) -> PublicKey:
        return public_key_of(self._private)

    def sign(self, checkpoint: Checkpoint) -> Note:
        public = self._private.public_key().public_bytes_raw()
        return Note(checkpoint, key_hint(checkpoint.origin, public), self._private.sign(checkpoint.text.encode()))


class NoteKeyFile:
    """Reads the file when it is first used, for only the worker and `audit checkpoint` have it. Raises Permanent without a good key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def key(self) -> PublicKey:
        return self._opened.key

    def sign(self, checkpoint: Checkpoint) -> Note:
        return self._opened.sign(checkpoint)

    @cached_property
    def _opened(self) -> NoteKey:
        try:
            return read_note_key(self.path)
        except InvalidKey as mistake:
            raise Permanent(
                f"no checkpoint of the ledger can be signed, because {mistake}. Checkpoints want a key made with "
                "`countersign keys new --algorithm ed25519 --out FILE` and named in COUNTERSIGN_CHECKPOINT_KEY"
            ) from None


def read_note_key(path: Path) -> NoteKey:
    """Raises InvalidKey for what is no key that signs checkpoints."""
    key = read_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidKey(f"{path} holds a key that is not Ed25519")
    return NoteKey(key)
