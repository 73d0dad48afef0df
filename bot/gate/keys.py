"""The public keys that the gate trusts, from PEM files. They come from the bot's operator, never from the registry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bot.errors import NotVerified, Refused
from bot.signatures import TrustedKey, trusted_key

PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
MEND = "Give countersign.pub, the public key that `countersign init` writes. The bot's `countersign keys list --json` has it as pem."


def read_keys(files: Iterable[Path]) -> Mapping[str, TrustedKey]:
    """The keys by id. A file may hold several, such as an old and a new one. Raises Refused."""
    return {key.id: key for file in files for key in _keys_in(file)}


def _keys_in(file: Path) -> list[TrustedKey]:
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, ValueError) as trouble:
        why = getattr(trouble, "strerror", None) or "it is no text"
        raise Refused(f"the key file {file} cannot be read: {why}. {MEND}") from None
    blocks = [found.group(0) for found in PEM.finditer(text)]
    if any("PRIVATE KEY" in block.splitlines()[0] for block in blocks):
        raise Refused(f"the key file {file} holds a private key, which belongs on the worker alone. {MEND}")
    if not blocks:
        raise Refused(f"the key file {file} holds no key. {MEND}")
    try:
        return [trusted_key(block) for block in blocks]
    except NotVerified as trouble:
        raise Refused(f"the key file {file} is of no use: {trouble}. {MEND}") from None
