"""The composition root: makes the Flask app and the socket of the services that `bot.assembly` builds.

The only module that imports all doors. The worker has none, and is in `handlers.effects`. Nothing connects before its first use.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping

import structlog
from flask import Flask
from slack_bolt import App, BoltResponse
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.assembly import build_services, check_link_key, database_url, guard_secrets_of, quieten_vendors
from bot.language.catalogues import read_catalogues
from bot.logs import write_logs
from bot.services import Services
from config.settings import Settings
from handlers.digest.closing import owed
from handlers.doors.api import api
from handlers.doors.errors import UNSTORABLE, answer_refusals
from handlers.doors.front_pages import front_pages
from handlers.doors.gate import ci_gate
from handlers.doors.guard import guard_doors
from handlers.doors.pages import pages
from handlers.doors.passkey_pages import passkey_pages
from handlers.doors.readers import Readers
from handlers.doors.record_pages import record_pages
from handlers.doors.sign_in import sign_in_pages
from handlers.doors.slack_actions import listen_to_actions, slack_events
from handlers.doors.slack_commands import listen_to_commands
from handlers.doors.slack_home import listen_to_home
from handlers.doors.slack_shortcuts import listen_to_shortcuts
from handlers.doors.status import probes, status
from handlers.doors.web_frame import Frame
from handlers.doors.webhooks import jira_webhook, mlflow_webhook

log = structlog.get_logger()


def create_apps(settings: Settings) -> tuple[Flask, Flask]:
    """The doors, and what monitoring reads on METRICS_PORT."""
    write_logs()
    quieten_vendors()
    check_link_key(settings)
    url = database_url(settings)
    services = build_services(settings, url)
    return flask_app(services, settings, url), status_app(services, url)


def flask_app(s: Services, settings: Settings, url: str) -> Flask:
    app = Flask("countersign", static_folder=None)
    app.url_map.merge_slashes = False  # no redirect to an address that somebody else has chosen
    app.register_blueprint(mlflow_webhook(s))
    app.register_blueprint(jira_webhook(s))
    app.register_blueprint(api(s, settings.api_token.get_secret_value()))
    app.register_blueprint(ci_gate(s, settings.api_token.get_secret_value()))
    app.register_blueprint(guard_doors(s, settings.api_token.get_secret_value(), guard_secrets_of(settings)))
    if settings.slack_signing_secrets:  # with Socket Mode there is none, and Slack then sends nothing over HTTP
        bolts = [bolt_app(s, settings, secret.get_secret_value()) for secret in settings.slack_signing_secrets]
        app.register_blueprint(slack_events(s, bolts))
    app.register_blueprint(pages(s, s.links))
    app.register_blueprint(passkey_pages(s, s.links))
    readers = Readers(s)
    frame = Frame(s, readers)
    app.register_blueprint(sign_in_pages(s, readers, frame))
    app.register_blueprint(front_pages(s, readers, frame))
    app.register_blueprint(record_pages(s, readers, frame))
    app.register_blueprint(probes(s, url))
    frame.show_unknown(app)
    answer_refusals(app)
    return app


def status_app(s: Services, url: str) -> Flask:
    app = Flask("countersign-status", static_folder=None)
    app.register_blueprint(status(s, url, lambda tx: owed(tx, s)))
    answer_refusals(app)
    return app


def bolt_app(s: Services, settings: Settings, signing_secret: str = "") -> App:
    """One for each signing secret, because Bolt knows only one; over Socket Mode there is none.

    We record before we acknowledge, so Bolt must wait for our listeners (`process_before_response`). By default Bolt asks Slack who the
    bot is before our first listener runs. When Slack does not answer, Bolt drops the click and still returns 200. `authorize` avoids that
    call; the click's origin is checked against the card instead.

    Bolt verifies signatures too. Over HTTP the door has done so before (`check_signature`), so a test that posts to the door cannot see
    whether Bolt does: it has to hand the request to this app.
    """
    quieten_vendors()
    bolt = App(
        name="countersign",  # without a name, Bolt reads the source of every frame on the stack to find one
        logger=logging.getLogger("slack_bolt"),  # Bolt's loggers copy the level of this one, not of their parent
        client=WebClient(base_url=settings.slack_api_url, timeout=10, retry_handlers=[]),
        authorize=lambda: AuthorizeResult(enterprise_id=None, team_id=None, bot_token=_bot_token(settings)),
        signing_secret=signing_secret or secrets.token_hex(32),
        process_before_response=True,
        token_verification_enabled=False,
        ssl_check_enabled=False,  # it would answer before the signature is verified
    )
    read_catalogues()
    listen_to_home(bolt, s)
    listen_to_actions(bolt, s)
    listen_to_commands(bolt, s)
    listen_to_shortcuts(bolt, s)
    bolt.error(_say_what_broke)
    return bolt


def run_socket(s: Services, settings: Settings) -> None:
    """Slack's Socket Mode, for bots without a public address. Blocks. Bolt's own `start` would print a line among our JSON lines."""
    socket_handler(s, settings).connect()  # type: ignore[no-untyped-call]  # Bolt's has no types
    log.info("socket_mode_connected")
    threading.Event().wait()


def socket_handler(s: Services, settings: Settings) -> SocketModeHandler:
    """Connects when it starts."""
    token = settings.slack_app_token.get_secret_value()
    client = WebClient(_bot_token(settings), base_url=settings.slack_api_url, timeout=10, retry_handlers=[])
    return SocketModeHandler(bolt_app(s, settings), token, web_client=client)


def _bot_token(settings: Settings) -> str:
    return settings.slack_bot_token.get_secret_value()


def _say_what_broke(error: Exception, body: Mapping[str, object]) -> BoltResponse:
    """Handles any exception in a listener. The click is not acknowledged, so the person sees that it failed."""
    trigger = str(body.get("trigger_id", "none"))
    if isinstance(error, DataError | UnicodeEncodeError):  # a NUL, for example, which Slack sends nowhere
        log.warning("click_unstorable", id=trigger, kind=type(error).__name__)
        return BoltResponse(status=400, body=UNSTORABLE)
    down = isinstance(error, OperationalError | InterfaceError | PoolTimeout)
    log.error("click_failed", id=trigger, kind=type(error).__name__, exc_info=None if down else error)
    return BoltResponse(status=503 if down else 500, body=f"Nothing was recorded. Press again. (id {trigger})")
