"""Validates a git remote in the policy: an https or ssh address, or a path. Pure.

Git accepts more, some of which runs programs (`ext::`), and a password in an address would be readable in the policy.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

SCHEMES = ("https", "ssh", "file")
SCP_LIKE = re.compile(r"([\w.-]+@)?[\w.-]+:(?!/?/)[\w./~-]+")
LONGEST = 500
EXAMPLES = "https://git.example.com/team/bikes.git, git@git.example.com:team/bikes.git or /srv/git/bikes.git"


def why_no_remote(text: str) -> str:
    """Completes "the git remote ..."; empty when it is valid."""
    if not text.isprintable() or " " in text or text.startswith("-") or len(text) > LONGEST:
        return f"cannot be read. Write it like {EXAMPLES}"
    if text.startswith("/") or ("://" not in text and SCP_LIKE.fullmatch(text)):
        return ""
    parts = _parts(text)
    if parts is None or parts.scheme not in SCHEMES or "::" in text:
        return f"must be an https or ssh address or a path from the root. Write it like {EXAMPLES}"
    if parts.password is not None or (parts.scheme == "https" and parts.username is not None):
        return "has a password or a user name in it. Leave them out, and give git a credential helper or ssh a key"
    if parts.scheme != "file" and (not parts.hostname or parts.hostname.startswith("-")):
        return f"names no host. Write it like {EXAMPLES}"
    return ""


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises when it is not a number
    except ValueError:
        return None
    return parts
