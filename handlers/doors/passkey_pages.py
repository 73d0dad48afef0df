"""Door: the pages on which a person makes a passkey, or signs a vote with one. Each opens by a short-lived link from Slack.

The page shows the statement that is signed, and nothing else: what a person reads there is what their passkey signs. The browser may run
our own script only, and send only to the page's own address.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

import bot
from bot import metrics
from bot.domain.card.metrics_table import figure
from bot.domain.text import counted, format_utc
from bot.errors import OutsideError, Refused, Rejected
from bot.links import Links, confirm_path, enrol_path
from bot.services import Services
from handlers.doors.errors import answer_for_people, as_sentence, raw_body
from handlers.doors.web_frame import HEADERS, show_names
from handlers.request import confirming, passkeys

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
PRESS_AGAIN = "Press Approve in Slack again to get another."
METRICS_SHOWN = 12
REFUSED, UNREACHED = 409, 503


def passkey_pages(s: Services, links: Links) -> Blueprint:
    door = Blueprint("passkey_pages", __name__, template_folder=str(PAGES))
    show_names(door)

    def check(path: str, again: str) -> None:
        given = (request.args.get("expires", ""), request.args.get("signature", ""))
        try:
            links.check(path, *given, s.clock.now(), again)
        except Rejected as refusal:
            metrics.passkeys_refused.labels(refusal.reason).inc()
            raise

    @door.get("/confirm/<pending_id>")
    def confirm_page(pending_id: str) -> ResponseReturnValue:
        check(confirm_path(pending_id), PRESS_AGAIN)
        pending = confirming.pending_vote(pending_id, s)
        return render_template(
            "confirm.html",
            vote=shown_in(pending.statement),
            digest=_digest_of(pending.statement),
            until=format_utc(pending.expires_at),
            options=json.dumps(confirming.options_for(pending, s)),
            figure=figure,
        )

    @door.post("/confirm/<pending_id>")
    def confirm(pending_id: str) -> ResponseReturnValue:
        check(confirm_path(pending_id), PRESS_AGAIN)
        reply = confirming.confirm(pending_id, _sent(), s)
        return {
            "said": reply.text or "Signed and recorded. The card in Slack shows what follows. You may close this page."
        }

    @door.get("/passkeys/<pending_id>")
    def enrolment_page(pending_id: str) -> ResponseReturnValue:
        check(enrol_path(pending_id), passkeys.ASK_ANEW)
        page = passkeys.open_page(pending_id, s)
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

    answer_for_people(door, partial(_refusal, "outside"))

    @door.after_request
    def protected(response: Response) -> Response:
        response.headers.update(PROTECTED)
        return response

    return door


def shown_in(statement: str) -> Mapping[str, object]:
    """The parts of the statement that the page prints; the text was made by us and is signed as it is."""
    said = json.loads(statement)["predicate"]
    evidence = said.get("evidence") or {}
    measured = evidence.get("metrics") or []
    champion = evidence.get("champion") or {}
    before = {one["name"]: one["value"] for one in champion.get("metrics") or []}
    return {
        "model": said["version"]["name"],
        "version": said["version"]["version"],
        "target": said["target"],
        "request": said["request"],
        "evidence": evidence.get("digest", ""),
        "run": evidence.get("run") or "",
        "commit": evidence.get("commit") or "",
        "metrics": [(one["name"], one["value"], before.get(one["name"])) for one in measured[:METRICS_SHOWN]],
        "more": max(len(measured) - METRICS_SHOWN, 0),
        "champion": (champion.get("version") or {}).get("version"),
        "meaning": said["meaning"],
        "person": said["person"],
        "groups": said["groups"],
        "absent": [one["name"] for one in said.get("standingInFor", [])],
        "reason": said["reason"],
        "rule": said["rule"]["label"],
    }


def _digest_of(statement: str) -> str:
    return "sha256:" + hashlib.sha256(statement.encode()).hexdigest()


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
