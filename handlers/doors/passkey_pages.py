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
from bot.errors import OutsideError, Refused, Rejected
from bot.language import N_, _, ngettext, sentences
from bot.links import Links, confirm_path, enrol_path
from bot.services import Services
from handlers.doors.errors import answer_for_people, as_sentence, in_english, raw_body, text_of
from handlers.doors.page_language import speak_to_people
from handlers.doors.web_frame import HEADERS, NO_PAGE
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
PRESS_AGAIN = N_("Press Approve in Slack again to get another.")
METRICS_SHOWN = 12
REFUSED, UNREACHED = 409, 503


def passkey_pages(s: Services, links: Links) -> Blueprint:
    door = Blueprint("passkey_pages", __name__, template_folder=str(PAGES))
    speak_to_people(door, s)
    door.add_app_template_global(script_words)

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
            until=pending.expires_at,
            options=json.dumps(confirming.options_for(pending, s)),
            figure=figure,
        )

    @door.post("/confirm/<pending_id>")
    def confirm(pending_id: str) -> ResponseReturnValue:
        check(confirm_path(pending_id), PRESS_AGAIN)
        reply = confirming.confirm(pending_id, _sent(), s)
        return {
            "said": reply.text
            or _("Signed and recorded. The card in Slack shows what follows. You may close this page.")
        }

    @door.get("/passkeys/<pending_id>")
    def enrolment_page(pending_id: str) -> ResponseReturnValue:
        check(enrol_path(pending_id), passkeys.ASK_ANEW)
        page = passkeys.open_page(pending_id, s)
        return render_template(
            "enrol.html",
            person=page.person,
            confirmations=_confirmations(page.confirmations),
            until=page.until,
            options=json.dumps(page.options),
        )

    @door.post("/passkeys/<pending_id>")
    def enrol(pending_id: str) -> ResponseReturnValue:
        check(enrol_path(pending_id), passkeys.ASK_ANEW)
        made = passkeys.enrol(pending_id, _sent(), s)
        return {
            "said": ngettext(
                "Your passkey {passkey} is recorded. It counts once {count} other approver confirmed it: Slack asks them now. "
                "They will ask you for its id, {passkey}. You may close this page.",
                "Your passkey {passkey} is recorded. It counts once {count} other approvers confirmed it: Slack asks them now. "
                "They will ask you for its id, {passkey}. You may close this page.",
                made.needs,
                passkey=made.short_id,
            )
        }

    @door.get("/pages/passkeys.js")
    def script() -> Response:
        return Response((PAGES / "passkeys.js").read_text(), content_type="text/javascript; charset=utf-8")

    @door.errorhandler(Rejected)
    def rejected(refusal: Rejected) -> ResponseReturnValue:
        return _refusal(refusal.reason, text_of(refusal), refusal.status)

    @door.errorhandler(Refused)
    def refused(refusal: Refused) -> ResponseReturnValue:
        return _refusal("refused", text_of(refusal), REFUSED)

    @door.errorhandler(OutsideError)
    def unreached(trouble: OutsideError) -> ResponseReturnValue:
        why = as_sentence(text_of(trouble))
        return _refusal("outside", sentences(_("Nothing was recorded: {why}", why=why), _("Try again")), UNREACHED)

    answer_for_people(door, partial(_refusal, "outside"))

    @door.after_request
    def protected(response: Response) -> Response:
        response.headers.update(PROTECTED)
        return response

    return door


SCRIPT = {
    "get:NotAllowedError": N_(
        "No passkey was used: it was cancelled, took too long, or this device has none of your confirmed passkeys. Nothing is recorded. "
        "Try again, or use the device that keeps your passkey."
    ),
    "create:NotAllowedError": N_(
        "No passkey was made: it was cancelled or took too long. Nothing is recorded. Try again."
    ),
    "InvalidStateError": N_("This device has a passkey of yours already. Use it, or make one on another device."),
    "SecurityError": N_(
        "The browser allows no passkeys at this address. Tell your administrators: countersign doctor says why."
    ),
    "status": N_("The bot answered {status}. Nothing may be recorded: look at the card in Slack."),
}


def script_words() -> Mapping[str, str]:
    """What passkeys.js says; it fills in {status} itself."""
    return {name: str(_(said)) for name, said in SCRIPT.items()}


def _confirmations(needed: int) -> str:
    """Someone who had a passkey before needs more than one."""
    if needed == 1:
        return _("1 other approver.")
    return _("{count} other approvers, because you have had a passkey before.", count=needed)


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
        raise Rejected("malformed", _("The page sends JSON. Reload it and try again."), 400)
    try:
        sent = json.loads(raw_body(BODY_LIMIT))
    except (ValueError, RecursionError):
        raise Rejected(
            "malformed", _("The page sent something that cannot be read. Reload it and try again."), 400
        ) from None
    if not isinstance(sent, dict):
        raise Rejected("malformed", _("The page sent something that cannot be read. Reload it and try again."), 400)
    return sent


def _refusal(reason: str, why: str, status: int) -> ResponseReturnValue:
    """As JSON for the script, as a page for the person who opened the link."""
    log.warning("passkey_refused", reason=reason, why=in_english(why))
    if request.method == "POST":
        return {"error": as_sentence(why)}, status
    return render_template("refused.html", title=_(NO_PAGE), why=as_sentence(why)), status
