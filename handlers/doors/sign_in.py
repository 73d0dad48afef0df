"""Door: signing in to the pages with Slack, and out again. https://docs.slack.dev/authentication/sign-in-with-slack

The browser keeps a random text in a cookie for a few minutes. `state` and `nonce` are hashes of it, so that only
the browser that asked can bring the answer, and only the answer to its own question. Nothing is stored before Slack has said who it is.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlencode, urlsplit

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from bot.errors import FORBIDDEN, Rejected
from bot.language import N_, _, sentences
from bot.services import Services
from handlers.doors.readers import SKEW, Readers, hash_of
from handlers.doors.web_frame import Frame

COOKIE = "countersign-sign-in"
TIME_TO_SIGN_IN = timedelta(minutes=10)
MADE = re.compile(r"[\w-]{43}\.[0-9]{1,10}\.(?:[\w-]{4})*(?:[\w-]{2}==|[\w-]{3}=)?", re.ASCII)
LONGEST_ADDRESS = 1_500  # characters of the page to come back to
BACK = "/sign-in/slack"
BEGIN_AGAIN = N_("Sign in again from the start page")
REFUSALS = {"access_denied": N_("You did not allow Countersign to see who you are, so nothing was signed in")}


@dataclass(frozen=True)
class Attempt:
    """What the cookie holds: a random text, when it was made (Unix seconds), and the page that the person wanted."""

    text: str

    @classmethod
    def new(cls, wanted: str, now: datetime) -> Attempt:
        page = urlsafe_b64encode(wanted.encode()).decode()
        return cls(f"{secrets.token_urlsafe(32)}.{int(now.timestamp())}.{page}")

    @property
    def state(self) -> str:
        return hash_of(f"state {self.text}")

    @property
    def nonce(self) -> str:
        return hash_of(f"nonce {self.text}")

    @property
    def is_whole(self) -> bool:
        """False for a text that `new` did not make: someone else may have set the cookie."""
        return bool(MADE.fullmatch(self.text))

    @property
    def made_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.text.split(".")[1]), UTC)

    @property
    def wanted(self) -> str:
        return own_page(urlsafe_b64decode(self.text.split(".")[2]).decode("ascii", "replace"))


def sign_in_pages(s: Services, readers: Readers, frame: Frame) -> Blueprint:
    door = Blueprint("sign_in", __name__)
    back_to = f"{s.links.url}{BACK}"

    @door.get("/sign-in")
    def begin() -> ResponseReturnValue:
        if s.sign_in.why_off:
            raise Rejected(
                "sign_in_off",
                _("Nobody can sign in here yet. {why}, as docs/pages.md says", why=s.sign_in.why_off),
                503,
            )
        attempt = Attempt.new(own_page(request.args.get("to", "/")), s.clock.now())
        response = redirect(s.sign_in.address(attempt.state, attempt.nonce, back_to), 303)
        readers.keep(response, readers.cookie_named(COOKIE), attempt.text, TIME_TO_SIGN_IN)
        return response

    @door.get(BACK)
    def come_back() -> ResponseReturnValue:
        attempt = _attempt(request.cookies.get(readers.cookie_named(COOKIE), ""), s.clock.now())
        refusal = request.args.get("error", "")
        if refusal:
            why = _("Slack refused the sign-in ({error})", error=refusal[:60])
            why = _(REFUSALS[refusal]) if refusal in REFUSALS else why
            raise Rejected("slack_refused", sentences(why, _(BEGIN_AGAIN), between=". "), FORBIDDEN)
        account = s.sign_in.account(request.args.get("code", ""), attempt.nonce, back_to)
        response = redirect(attempt.wanted, 303)
        readers.begin(account, attempt.state, response)
        readers.keep(response, readers.cookie_named(COOKIE), "", timedelta(0))
        return response

    @door.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        readers.check_form_of_session()
        response = redirect("/", 303)
        readers.end(response)
        return response

    frame.protect(door)
    return door


def own_page(address: str) -> str:
    """The address if it is the path of one of our pages, else the start page: nobody is led to another site."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    parts = _parts(address) if plain and len(address) <= LONGEST_ADDRESS else None
    if parts is None or parts.scheme or parts.netloc or not address.startswith("/") or address.startswith("//"):
        return "/"
    return "/" if parts.path.startswith(("/sign-in", "/sign-out")) else address


def _parts(address: str) -> SplitResult | None:
    """None for what is no address, such as one with half a pair of brackets."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def sign_in_address(wanted: str) -> str:
    """Where to sign in and come back to this page."""
    return f"/sign-in?{urlencode({'to': own_page(wanted)})}"


def _attempt(kept: str, now: datetime) -> Attempt:
    """Raises Rejected unless this browser began the sign-in that comes back, a few minutes ago."""
    attempt, state = Attempt(kept), request.args.get("state", "")
    if not kept or not hmac.compare_digest(attempt.state.encode(), state.encode("utf-8", "replace")):
        why = _("This is not the answer to a sign-in that this browser began.")
        raise Rejected("state", sentences(why, _(BEGIN_AGAIN)), FORBIDDEN)
    if not attempt.is_whole or not -SKEW <= now - attempt.made_at <= TIME_TO_SIGN_IN:
        raise Rejected("too_late", sentences(_("This sign-in took longer than ten minutes."), _(BEGIN_AGAIN)), 400)
    return attempt
