"""What all pages share: their frame with the menu, what the browser may do with them, and refusals as pages.

Every text may come from outside, so all of it is escaped, and the browser may run no script and fetch nothing but our own style sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import structlog
from flask import Blueprint, Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

import bot
from bot.domain.card.card import Link
from bot.errors import NotFound as NotThere
from bot.errors import OutsideError, Refused, Rejected
from bot.language import N_, _, sentences
from bot.language.catalogues import in_language
from bot.services import Services
from handlers.doors.errors import answer_for_people, as_sentence, in_english, text_of
from handlers.doors.page_language import VARY, asked_language, speak_to_people, when
from handlers.doors.readers import Reader, Readers

log = structlog.get_logger()

PAGES = Path(bot.__file__).with_name("pages")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may be the key to the page
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
}
BAD_INPUT, NOT_FOUND, UNREACHED = 400, 404, 503
FORM_LIMIT = 16 * 1024  # bytes; a remark of 1,000 letters, with four bytes each, is sent in 12,000
MENU = (
    ("/", N_("Start")),
    ("/search", N_("Search")),
    ("/models", N_("Models")),
    ("/ledger", N_("Ledger")),
    ("/digests", N_("Digests")),
)


class Frame:
    """Shows templates of `bot/pages` with the menu, for a reader or for the holder of a signed link."""

    def __init__(self, s: Services, readers: Readers) -> None:
        self._s = s
        self._readers = readers

    def show(self, template: str, reader: Reader | None, status: int = 200, **values: object) -> ResponseReturnValue:
        """`reader` is None for someone without a session, who gets no menu."""
        shared = {"me": reader, "menu": MENU if reader else (), "here": request.path, "web": web, "moment": when}
        return render_template(template, **shared, **values), status

    def protect(self, door: Blueprint) -> None:
        """Turns refusals into pages, and adds the headers to each answer."""
        speak_to_people(door, self._s)

        @door.before_request
        def small_forms_only() -> None:
            request.max_content_length = FORM_LIMIT

        @door.errorhandler(Rejected)
        def rejected(refusal: Rejected) -> ResponseReturnValue:
            log.warning("page_refused", reason=refusal.reason)
            return self.refuse(_(TITLES.get(refusal.reason, NO_PAGE)), text_of(refusal), refusal.status, refusal.reason)

        @door.errorhandler(Refused)
        def unknown(refusal: Refused) -> ResponseReturnValue:
            status = NOT_FOUND if isinstance(refusal, NotThere) else BAD_INPUT
            return self.refuse(_("Nothing to show"), text_of(refusal), status, reader=self._readers.if_any())

        @door.errorhandler(OutsideError)
        def unreached(trouble: OutsideError) -> ResponseReturnValue:
            return self._trouble(sentences(as_sentence(text_of(trouble)), _("Try again in a few minutes.")), UNREACHED)

        answer_for_people(door, self._trouble)

        door.after_request(protected)

    def show_unknown(self, app: Flask) -> None:
        """An address that leads to no page says so on a page of ours, and nothing else; it asks for no session."""

        @app.errorhandler(NotFound)
        def unknown(_error: NotFound) -> ResponseReturnValue:
            with in_language(asked_language(self._s)):
                why = _("There is no page at this address. Check it, or begin at the start page")
                said = self.refuse(_("No such page"), why, NOT_FOUND, back="/")
            response = protected(app.make_response(said))
            response.headers["Vary"] = VARY
            return response

    def refuse(
        self, title: str, why: str, status: int, reason: str = "", reader: Reader | None = None, back: str = ""
    ) -> ResponseReturnValue:
        """Says why, and what the person can do next: sign in, where that helps, or go `back` to a page of ours."""
        from handlers.doors.sign_in import sign_in_address

        off = self._s.sign_in.why_off
        helps = reason in HELPED_BY_SIGNING_IN and not off
        address = sign_in_address(_wanted()) if helps else ""
        hint = off if reason in HELPED_BY_SIGNING_IN and off else ""
        said = {"title": title, "why": as_sentence(why), "sign_in": address, "hint": hint, "reason": reason}
        return self.show("refused.html", reader, status, back=back, **said)

    def _trouble(self, why: str, status: int) -> ResponseReturnValue:
        log.warning("page_not_shown", why=in_english(why))
        reader = self._readers.if_any() if status == BAD_INPUT else None  # else there may be nobody to ask who it is
        return self.refuse(_("This page cannot be shown now"), why, status, reader=reader)


def protected(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


NO_PAGE = N_("This page does not open")
OF_LINKS = ("no_signature", "bad_signature", "expired", "not_configured")
TITLES = {
    **dict.fromkeys(OF_LINKS, N_("No page without its link")),
    "not_signed_in": N_("Sign in to read this page"),
    "session_over": N_("Your session is over"),
    "no_reader": N_("You may not read these pages"),
    "no_member": N_("You may not read these pages"),
    "other_team": N_("That is another Slack workspace"),
    "sign_in_off": N_("Signing in is not set up"),
    "form": N_("This form was not sent"),
    **dict.fromkeys(
        ("state", "nonce", "too_late", "replayed", "code", "id_token", "slack_refused", "no_account"),
        N_("You are not signed in"),
    ),
}
HELPED_BY_SIGNING_IN = frozenset(
    {
        *OF_LINKS,
        "not_signed_in",
        "session_over",
        "other_team",
        "state",
        "nonce",
        "too_late",
        "replayed",
        "code",
        "slack_refused",
    }
)


def _wanted() -> str:
    """The page that was asked for, as an address; a form is not sent again."""
    query = request.query_string.decode("ascii", "replace")
    return f"{quote(request.path)}{'?' if query else ''}{query}" if request.method == "GET" else "/"


def web(text: str, url: str | None) -> Link | None:
    """What came from outside becomes a link only when it leads to the web."""
    return Link(text, url) if url and url.startswith(("https://", "http://")) else None


Page = Callable[..., ResponseReturnValue]
