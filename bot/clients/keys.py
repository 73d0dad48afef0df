"""Creates, reads and checks private key files: PKCS8 in PEM, without a passphrase, readable by their owner only.

A worker that starts unattended would need the passphrase beside the key. For more protection use a key service (`signers`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bot.errors import InvalidKey
from bot.ports import PublicKey
from bot.signatures import ECDSA_P256, ED25519, trusted_key

ALGORITHMS = (ECDSA_P256, ED25519)
OWNER_ONLY = 0o600
EVERYBODY, GROUP = 0o007, 0o070

PrivateKey: TypeAlias = "ec.EllipticCurvePrivateKey | Ed25519PrivateKey"


def make_key(path: Path, algorithm: str = ECDSA_P256) -> PublicKey:
    """Writes a new private key and never overwrites a file. Raises InvalidKey."""
    key = Ed25519PrivateKey.generate() if algorithm == ED25519 else ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if path.exists():
        raise InvalidKey(f"{path} is there already, and a key is never overwritten. Name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as trouble:
        raise InvalidKey(f"{path} cannot be written ({trouble.strerror}). Name another file") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return public_key_of(key)


def make_key_unless_there(path: Path, algorithm: str = ECDSA_P256) -> None:
    if not path.exists():
        make_key(path, algorithm)


def read_key(path: Path) -> PrivateKey:
    """Raises InvalidKey with a sentence that says why the file cannot be used."""
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        raise InvalidKey(f"{path} is not there. Make a key with: countersign keys new --out {path}") from None
    except OSError as trouble:
        raise InvalidKey(f"{path} cannot be read ({trouble.strerror}). Give it to the worker's user") from None
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise InvalidKey(
            f"{path} is encrypted with a passphrase, which a worker that starts by itself does not have. "
            "Store it without one (openssl pkcs8 -topk8 -nocrypt), or use a key service"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKey(f"{path} holds no private key in PEM. Make one with `countersign keys new`") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise InvalidKey(f"{path} holds a key of another kind: only ECDSA P-256 and Ed25519 sign approvals")


def public_key_of(key: PrivateKey) -> PublicKey:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return public_key(pem)


def public_key(pem: str) -> PublicKey:
    known = trusted_key(pem)
    return PublicKey(known.id, known.algorithm, known.pem)


def readable_by(path: Path) -> str:
    """Who else may read the file: "everybody", its group, or empty for no one else."""
    mode = path.stat().st_mode
    if mode & EVERYBODY:
        return "everybody"
    return "its group" if mode & GROUP else ""
