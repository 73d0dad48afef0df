"""Creates, reads and checks private key files: PKCS8 in PEM, without a passphrase, readable by their owner only.

A worker that starts unattended would need the passphrase beside the key. For more protection use a key service (`signers`).
"""

from __future__ import annotations

import os
import stat
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

from bot.errors import InvalidKey, KeyExposed
from bot.folders import make_private
from bot.ports import PublicKey
from bot.signatures import ECDSA_P256, ED25519, trusted_key

ALGORITHMS = (ECDSA_P256, ED25519)
OWNER_ONLY = 0o600
OTHERS, OTHERS_WRITE = 0o077, 0o022
ROOT = 0  # reads every file anyway, and mounts secrets for others

PrivateKey: TypeAlias = "ec.EllipticCurvePrivateKey | Ed25519PrivateKey"


def make_key(path: Path, algorithm: str = ECDSA_P256) -> PublicKey:
    """Writes a new private key and never overwrites a file. Raises InvalidKey."""
    key = Ed25519PrivateKey.generate() if algorithm == ED25519 else ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if path.exists():
        raise InvalidKey(f"{path} is there already, and a key is never overwritten. Name another file")
    try:
        make_private(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as trouble:
        raise InvalidKey(f"{path} cannot be written ({trouble.strerror}). Name another file") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    except OSError:  # a half-written key could be neither used nor replaced
        path.unlink(missing_ok=True)
        raise
    return public_key_of(key)


def make_key_unless_there(path: Path, algorithm: str = ECDSA_P256) -> None:
    if not path.exists():
        make_key(path, algorithm)


def making(algorithm: str, path: Path | str = "FILE") -> str:
    """The command that makes a key."""
    option = "" if algorithm == ECDSA_P256 else f" --algorithm {algorithm}"
    return f"countersign keys new{option} --out {path}"


def read_key(path: Path, algorithm: str = ECDSA_P256) -> PrivateKey:
    """Raises InvalidKey with a sentence that says why the file cannot be used, and how to make a key of this algorithm."""
    try:
        pem = _only_its_owners(path)
    except FileNotFoundError:
        raise InvalidKey(f"{path} is not there. Make a key with: {making(algorithm, path)}") from None
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise InvalidKey(
            f"{path} is encrypted with a passphrase, which a worker that starts by itself does not have. "
            "Store it without one (openssl pkcs8 -topk8 -nocrypt), or use a key service"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKey(f"{path} holds no private key in PEM. Make one with `{making(algorithm)}`") from None
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


def _only_its_owners(path: Path) -> bytes:
    """The content of a file that no one else can read, change or replace; it is opened once, so that it cannot be swapped in between.

    Raises FileNotFoundError and InvalidKey.
    """
    try:
        with path.open("rb") as file:
            exposure = exposed(path, os.fstat(file.fileno())) or exposed_in_folder(path)
            if exposure:
                raise KeyExposed(exposure)
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as trouble:
        raise InvalidKey(f"{path} cannot be read ({trouble.strerror}). Give it to the worker's user") from None


def exposed(path: Path, seen: os.stat_result) -> str:
    """Why a secret in this file is not one, and what to run; empty when only its owner can use it. Windows has neither mode nor owner."""
    if not hasattr(os, "geteuid"):
        return ""
    if seen.st_uid not in (os.geteuid(), ROOT):
        return (
            f"{path} belongs to another user (uid {seen.st_uid}), who can read and replace it. "
            f"Run: chown {os.geteuid()} {path} && chmod 600 {path}"
        )
    if seen.st_mode & OTHERS:
        who = "everyone" if seen.st_mode & 0o007 else "its group"
        return f"{path} is open to {who} (mode {stat.S_IMODE(seen.st_mode):o}), and only its owner may use it. Run: chmod 600 {path}"
    return ""


def exposed_in_folder(path: Path) -> str:
    """Why others could remove or replace this file, and what to run; empty when only its owner can. Raises OSError.

    For a link this is the folder of the file that it leads to. In a folder with the sticky bit only the owner of a file can replace it.
    """
    folder = path.resolve().parent
    return replaceable_in(folder, folder.stat())


def replaceable_in(folder: Path, seen: os.stat_result) -> str:
    if not hasattr(os, "geteuid"):
        return ""
    if seen.st_uid not in (os.geteuid(), ROOT):
        why = f"{folder} belongs to another user (uid {seen.st_uid}), who can replace the key files in it"
        return f"{why}. Run: chown {os.geteuid()} {folder}"
    if seen.st_mode & OTHERS_WRITE and not seen.st_mode & stat.S_ISVTX:
        who = "everyone" if seen.st_mode & 0o002 else "its group"
        why = f"{folder} can be changed by {who} (mode {stat.S_IMODE(seen.st_mode):o}), who could replace the key files in it"
        return f"{why}. Run: chmod go-w {folder}"
    return ""
