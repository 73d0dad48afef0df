"""Signed links to the bot's pages, which expire. A link gives access to one page until it expires.

A link holds the page's path, its expiry in Unix seconds, and an HMAC-SHA256 over both. Several keys may be valid, newest first: the newest
signs and all verify, so that changing a key does not break older links. The pages themselves are in `handlers.doors.pages`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from bot.domain.workspaces import DEFAULT
from bot.errors import FORBIDDEN, Rejected
from bot.folders import make_private
from bot.language import N_, _, sentences

GOOD_FOR = timedelta(days=90)
PURPOSE = b"countersign link v1"
KEY_FILE = Path("keys") / "link.key"
ASK_ANEW = N_(
    "Sign in with Slack to read the page without a link. Or say /countersign page NAME VERSION in Slack to get a new link, or read the "
    "same with: countersign describe models:/NAME/VERSION"
)


class Links:
    """`url` is the bot's public address. Without it, or without a key, no links are made and every page is refused."""

    def __init__(self, url: str, keys: Sequence[str]) -> None:
        self._url = url.rstrip("/")
        self._keys = tuple(key.encode() for key in keys)

    @property
    def url(self) -> str:
        """The bot's public address, without a slash at its end; empty when none is set."""
        return self._url

    @property
    def are_made(self) -> bool:
        """Whether there is an address, and a key to sign links with."""
        return bool(self._url and self._keys)

    def to_version(self, model: str, version: int, now: datetime, workspace: str = DEFAULT) -> str:
        """Valid for 90 days from the end of the day, so that the link stays the same all day; empty without address or key."""
        return self._to(path_of(model, version, workspace), _ends(now))

    def to_page(self, path: str, until: datetime) -> str:
        """Valid until that moment, to the second; empty without address or key."""
        return self._to(path, str(int(until.timestamp())))

    def _to(self, path: str, expires: str) -> str:
        if not self.are_made:
            return ""
        query = urlencode({"expires": expires, "signature": _signature(self._keys[0], path, expires)})
        return f"{self._url}{path}?{query}"

    def check(self, path: str, expires: str, signature: str, now: datetime, again: str = ASK_ANEW) -> None:
        """Raises Rejected with the sentence that the reader sees; `again` says how to get a new link.

        Checks the expiry only after the signature.
        """
        if not self._keys:
            raise Rejected(
                "not_configured", sentences(_("This bot has no key to check links with."), _set_a_key()), FORBIDDEN
            )
        if not (expires and signature):
            raise Rejected("no_signature", sentences(_("This page opens only by a signed link."), _(again)), FORBIDDEN)
        if not any(_is_signed(key, path, expires, signature) for key in self._keys):
            changed = _("This link was changed, or its key is no longer in use.")
            raise Rejected("bad_signature", sentences(changed, _(again)), FORBIDDEN)
        if now.timestamp() >= int(expires):
            ended = datetime.fromtimestamp(int(expires), UTC)
            raise Rejected("expired", sentences(_("This link ended on {when}.", when=ended), _(again)), FORBIDDEN)


NO_LINKS = Links("", ())


def links_for(url: str, keys: Sequence[str], home: Path) -> Links:
    """Uses the keys that were set, else the key that `make_link_key` wrote below `home`, if any."""
    made = home / KEY_FILE
    if not keys and made.is_file():
        key = made.read_text().strip()
        return Links(url, (key,) if key else ())  # an empty key would sign for everybody
    return Links(url, keys)


def make_link_key(home: Path) -> None:
    """Creates a key for a bot on one machine, unless one exists; only its owner may read it.

    The file has its name only when it is whole: on a full disk there is none. One without a key, as earlier releases left it then, is
    replaced.
    """
    path = home / KEY_FILE
    make_private(path.parent)
    if path.exists() and path.stat().st_size:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".link.", suffix=".key") as file:  # mode 600
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):  # another process was quicker
            os.link(file.name, path)


def path_of(model: str, version: int, workspace: str = DEFAULT) -> str:
    """The page's path, with the name percent-encoded; it names the workspace, so that the signature covers it."""
    return f"{model_path(model, workspace)}/{version}"


def model_path(model: str, workspace: str = DEFAULT) -> str:
    """The page of a model with its versions."""
    place = "" if workspace == DEFAULT else f"/workspaces/{workspace}"
    return f"{place}/models/{quote(model, safe='')}"


def enrol_path(pending_enrolment: str) -> str:
    """The page where a person makes a passkey."""
    return f"/passkeys/{pending_enrolment}"


def confirm_path(pending_vote: str) -> str:
    """The page where a person signs a vote with their passkey."""
    return f"/confirm/{pending_vote}"


def _ends(now: datetime) -> str:
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return str(int((tomorrow + GOOD_FOR).timestamp()))


def _is_signed(key: bytes, path: str, expires: str, signature: str) -> bool:
    return hmac.compare_digest(_signature(key, path, expires).encode(), signature.encode("utf-8", "replace"))


def _signature(key: bytes, path: str, expires: str) -> str:
    """Line breaks separate the parts, and no part can contain one."""
    said = b"\n".join([PURPOSE, path.encode(), expires.encode("utf-8", "replace")])
    return base64.urlsafe_b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode().rstrip("=")


def _set_a_key() -> str:
    return _("Set COUNTERSIGN_LINK_KEY for the web process and the worker alike")
