"""Door: the page on which a person makes a passkey. It opens by a short-lived link from Slack.

The browser may run our own script only, and send only to the page's own address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import structlog
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

import bot
from bot import metrics
from bot.domain.text import counted, format_utc
from bot.errors import OutsideError, Refused, Rejected
from bot.links import Links, enrol_path
from bot.services import Services
from handlers.doors.errors import as_sentence, raw_body
from handlers.doors.pages import HEADERS
from handlers.request import passkeys

log = structlog.get_logger()

PAGES = Path(bot.__file__).with_name("pages")
BODY_LIMIT = 32 * 1024  # bytes; an answer of a browser has one or two thousand
PROTECTED = {
    **HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "publickey-credentials-create=(self), publickey-credentials-get=(self)",
}
REFUSED, UNREACHED = 409, 503


def passkey_pages(s: Services, links: Links) -> Blueprint:
    door = Blueprint("passkey_pages", __name__, template_folder=str(PAGES))

    def check(path: str, again: str) -> None:
        given = (request.args.get("expires", ""), request.args.get("signature", ""))
        try:
            links.check(path, *given, s.clock.now(), again)
        except Rejected as refusal:
            metrics.passkeys_refused.labels(refusal.reason).inc()
            raise

    @door.get("/passkeys/<pending_id>")
    def enrolment_page(pending_id: str) -> ResponseReturnValue:
        check(enrol_path(pending_id), passkeys.ASK_ANEW)
        page = passkeys.page_of(pending_id, s)
        return render_template(
            "enrol.html",
            person=page.person,
            confirmations=counted(page.confirmations, "other approver"),
            is_first=page.confirmations == 1,
            until=format_utc(page.until),
            options=json.dumps(page.options),
        )

    @door.post("/passkeys/<pending_id>")
    def enrol(pending_id: str) -> ResponseReturnValue:
        check(enrol_path(pending_id), passkeys.ASK_ANEW)
        made = passkeys.enrol(pending_id, _sent(), s)
        who = counted(made.needs, "other approver")
        return {
            "said": f"Your passkey {made.short_id} is recorded. It counts once {who} confirmed it: Slack asks them now. "
            f"They will ask you for its id, {made.short_id}. You may close this page."
        }

    @door.get("/pages/passkeys.js")
    def script() -> Response:
        return Response((PAGES / "passkeys.js").read_text(), content_type="text/javascript; charset=utf-8")

    @door.errorhandler(Rejected)
    def rejected(refusal: Rejected) -> ResponseReturnValue:
        return _refusal(refusal.reason, str(refusal), refusal.status)

    @door.errorhandler(Refused)
    def refused(refusal: Refused) -> ResponseReturnValue:
        return _refusal("refused", str(refusal), REFUSED)

    @door.errorhandler(OutsideError)
    def unreached(trouble: OutsideError) -> ResponseReturnValue:
        return _refusal("outside", f"Nothing was recorded: {as_sentence(str(trouble))} Try again", UNREACHED)

    @door.after_request
    def protected(response: Response) -> Response:
        response.headers.update(PROTECTED)
        return response

    return door


def _sent() -> Mapping[str, object]:
    """The browser's answer. Only our script can send JSON: another site's form cannot."""
    if request.mimetype != "application/json":
        raise Rejected("malformed", "The page sends JSON. Reload it and try again.", 400)
    try:
        sent = json.loads(raw_body(BODY_LIMIT))
    except (ValueError, RecursionError):
        raise Rejected(
            "malformed", "The page sent something that cannot be read. Reload it and try again.", 400
        ) from None
    if not isinstance(sent, dict):
        raise Rejected("malformed", "The page sent something that cannot be read. Reload it and try again.", 400)
    return sent


def _refusal(reason: str, why: str, status: int) -> ResponseReturnValue:
    """As JSON for the script, as a page for the person who opened the link."""
    log.warning("passkey_refused", reason=reason, why=why)
    if request.method == "POST":
        return {"error": as_sentence(why)}, status
    return render_template("refused.html", title="This page does not open", why=as_sentence(why)), status
