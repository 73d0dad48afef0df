"""The composition root: builds services from settings and policy, and from services the Flask app, the worker, the clock and the socket.

The only module that imports all others. Nothing connects before its first use.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import certifi
import structlog
from flask import Flask
from slack_bolt import App, BoltResponse
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import handlers
from bot.clients import keys
from bot.clients.git import GitMirrors
from bot.clients.jira.tickets import JiraTickets
from bot.clients.mail import SmtpMailer
from bot.clients.mlflow.access import Credentials
from bot.clients.mlflow.registries import MlflowRegistries, Secrets
from bot.clients.signers import NEW_NOTE_KEY, NoSigner, NoteKeyFile, read_note_key, read_signer
from bot.clients.slack.notifier import SlackNotifier
from bot.clients.slack.openid import SlackSignIn
from bot.clients.witnesses import CosigningWitness
from bot.database import embedded
from bot.database.connect import create_engine
from bot.domain.workspaces import DEFAULT, Registry
from bot.engine.jobs import Jobs
from bot.engine.sweeper import Timing
from bot.errors import InvalidKey, InvalidSettings, KeyExposed, NotVerified
from bot.language.catalogues import read_catalogues
from bot.links import KEY_FILE, links_for, make_link_key
from bot.logs import write_logs
from bot.ports import OutsideWitness, PublicKey, Signer
from bot.ports.sign_in import NO_SIGN_IN, SignIn
from bot.services import Services, SystemClock
from bot.signatures import ED25519, trusted_key
from bot.store.transaction import Store
from config.policy import read_policy
from config.settings import Settings
from config.settings.registries import RegistrySecrets
from handlers.attestation import signing
from handlers.digest.closing import owed
from handlers.doors.api import api
from handlers.doors.errors import UNSTORABLE, answer_refusals
from handlers.doors.front_pages import front_pages
from handlers.doors.gate import ci_gate
from handlers.doors.pages import pages
from handlers.doors.passkey_pages import passkey_pages
from handlers.doors.readers import Readers
from handlers.doors.record_pages import record_pages
from handlers.doors.sign_in import sign_in_pages
from handlers.doors.slack_actions import listen_to_actions, slack_events
from handlers.doors.slack_commands import listen_to_commands
from handlers.doors.status import probes, status
from handlers.doors.web_frame import Frame
from handlers.doors.webhooks import jira_webhook, mlflow_webhook
from handlers.ledger import outside

log = structlog.get_logger()


def database_url(settings: Settings) -> str:
    """DATABASE_URL, or the embedded database that `countersign serve` runs. Raises embedded.NoDatabase."""
    return settings.database_url.get_secret_value() or embedded.attach(settings.home)


def build_services(settings: Settings, url: str, signer: Signer | None = None) -> Services:
    """Only the worker passes a `signer`; without one these services cannot sign."""
    clock = SystemClock()
    jobs = Jobs(url, timing=Timing(keep_done=settings.keep_jobs), urgency=handlers.URGENCY)
    store = Store(create_engine(url), jobs, clock, handlers.ON, read_policy)
    checkpoint_signer = NoteKeyFile(settings.checkpoint_key_path)
    registries = registries_of(settings, lambda: store.policy().registries)
    notifier = _notifier(settings)
    links = links_for(settings.public_url, [key.get_secret_value() for key in settings.link_keys], settings.home)
    return Services(
        store,
        registries.at(DEFAULT),
        notifier,
        _tickets(settings),
        clock,
        signer or NoSigner(),
        checkpoint_signer,
        SmtpMailer(settings.smtp_url.get_secret_value()),
        links,
        settings.templates,
        outside_witnesses(settings),
        earlier_keys(settings),
        registries,
        sign_in_of(settings, notifier.home),
    )


def outside_witnesses(settings: Settings) -> tuple[OutsideWitness, ...]:
    """Those of the settings. Raises InvalidSettings."""
    witnesses: list[OutsideWitness] = [CosigningWitness(one.key, one.url) for one in settings.witnesses]
    if settings.tsa_url:
        from bot.clients.timestamps import TimestampAuthority, read_certificates

        trusted = read_certificates(settings.tsa_certificates or Path(certifi.where()))
        witnesses.append(TimestampAuthority(trusted, settings.tsa_url))
    return tuple(witnesses)


def earlier_keys(settings: Settings) -> tuple[PublicKey, ...]:
    """The public keys in the files of COUNTERSIGN_EARLIER_KEYS. Raises InvalidSettings."""
    try:
        found = [trusted_key(path.read_text()) for path in settings.earlier_keys]
    except (OSError, ValueError, NotVerified) as mistake:
        fix = "Save there what `countersign keys list --json` shows as pem"
        raise InvalidSettings((f"COUNTERSIGN_EARLIER_KEYS: {mistake}. {fix}.",)) from None
    return tuple(PublicKey(key.id, key.algorithm, key.pem) for key in found)


def signer_of(settings: Settings) -> Signer:
    """Reads the private key. Raises InvalidSettings."""
    try:
        return read_signer(settings.signing_key_location, settings.hsm_pin.get_secret_value())
    except InvalidKey as mistake:
        raise InvalidSettings((f"COUNTERSIGN_SIGNING_KEY: {mistake}.",)) from None


def check_checkpoint_key(settings: Settings, signer: Signer) -> None:
    """Raises InvalidSettings. Without this key a worker would record decisions that no checkpoint ever covers.

    One key in two roles would sign in one what is believed in the other.
    """
    try:
        key = read_note_key(settings.checkpoint_key_path).key
    except KeyExposed as mistake:
        raise InvalidSettings((f"COUNTERSIGN_CHECKPOINT_KEY: {mistake}.",)) from None
    except InvalidKey as mistake:
        fix = f"Checkpoints want an Ed25519 key: {NEW_NOTE_KEY}"
        raise InvalidSettings((f"COUNTERSIGN_CHECKPOINT_KEY: {mistake}. {fix}",)) from None
    if key.id == signer.key.id:
        why = (
            f"COUNTERSIGN_CHECKPOINT_KEY: {settings.checkpoint_key_path} holds the key that signs approvals ({key.id[:12]}), and each "
            f"role has a separate key. Make another with: {NEW_NOTE_KEY}"
        )
        raise InvalidSettings((why,))


def check_link_key(settings: Settings) -> None:
    """Of the file that `serve` made. Raises InvalidSettings when others can read or replace it, and so open every page."""
    path = settings.home / KEY_FILE
    if not settings.link_keys and path.is_file():
        exposure = keys.exposed(path, path.stat()) or keys.exposed_in_folder(path)
        if exposure:
            raise InvalidSettings((f"COUNTERSIGN_LINK_KEY: {exposure}.",))


def make_missing_keys(settings: Settings) -> None:
    """Creates the default keys on the first start of `serve`. A key that a setting names is never created."""
    if not settings.signing_key:
        keys.make_key_unless_there(Path(settings.signing_key_location))
    if settings.checkpoint_key is None:
        keys.make_key_unless_there(settings.checkpoint_key_path, ED25519)
    if not settings.link_keys:
        make_link_key(settings.home)


def effects_of(s: Services) -> Mapping[str, Callable[[str], None]]:
    """The effect functions as the job engine calls them: by name, with only an id."""
    return {name: _with_services(effect, s) for name, effect in handlers.EFFECTS.items()}


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
    listen_to_actions(bolt, s)
    listen_to_commands(bolt, s)
    bolt.error(_say_what_broke)
    return bolt


def run_worker(s: Services) -> int:
    try:
        signing.register_key(s)
        outside.ask_new_witnesses(s)
    except (OperationalError, InterfaceError, PoolTimeout, ProgrammingError) as trouble:
        log.warning("key_not_registered", next="the first signature registers it", error=str(trouble).splitlines()[0])
    return s.store.jobs.run_worker(effects_of(s))


def run_socket(s: Services, settings: Settings) -> None:
    """Slack's Socket Mode, for bots without a public address. Blocks. Bolt's own `start` would print a line among our JSON lines."""
    socket_handler(s, settings).connect()  # type: ignore[no-untyped-call]
    log.info("socket_mode_connected")
    threading.Event().wait()


def socket_handler(s: Services, settings: Settings) -> SocketModeHandler:
    """Connects when it starts."""
    token = settings.slack_app_token.get_secret_value()
    client = WebClient(_bot_token(settings), base_url=settings.slack_api_url, timeout=10, retry_handlers=[])
    return SocketModeHandler(bolt_app(s, settings), token, web_client=client)


def quieten_vendors() -> None:
    """Raises the log level of libraries that log at INFO what our own log lines already say."""
    for name in ("mlflow", "alembic", "apscheduler", "procrastinate"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("slack_bolt").setLevel(
        logging.ERROR
    )  # at lower levels it logs the whole body of a refused request


def _with_services(effect: Callable[[str, Services], None], s: Services) -> Callable[[str], None]:
    return lambda subject: effect(subject, s)


def registries_of(settings: Settings, named: Callable[[], Sequence[Registry]]) -> MlflowRegistries:
    """`named` gives the registries of a policy."""
    secrets = [secret.get_secret_value() for secret in settings.mlflow_webhook_secrets]
    return MlflowRegistries(
        settings.mlflow_tracking_uri,
        webhook_secrets=secrets,
        named=named,
        secrets={name: _secrets_of(one) for name, one in settings.registries.items()},
        mirror=GitMirrors(settings.home / "mirrors"),
        public_url=settings.mlflow_public_url,
        guard_secret=settings.guard_secret.get_secret_value(),
    )


def credentials_of(one: RegistrySecrets) -> Credentials:
    return Credentials(one.username, one.password.get_secret_value(), one.token.get_secret_value())


def _secrets_of(one: RegistrySecrets) -> Secrets:
    webhook_secrets = tuple(secret.get_secret_value() for secret in one.webhook_secrets)
    return Secrets(credentials_of(one), webhook_secrets, one.guard_secret.get_secret_value())


def _notifier(settings: Settings) -> SlackNotifier:
    return SlackNotifier(
        settings.slack_bot_token.get_secret_value(),
        api_url=settings.slack_api_url,
        signing_secrets=[secret.get_secret_value() for secret in settings.slack_signing_secrets],
        socket_mode=bool(settings.slack_app_token.get_secret_value()),
        earlier_tokens=[token.get_secret_value() for token in settings.slack_bot_tokens[1:]],
    )


def sign_in_of(settings: Settings, home: Callable[[], str]) -> SignIn:
    """`home` is the workspace or organisation whose people may sign in."""
    if not (settings.slack_client_id and settings.public_url):
        return NO_SIGN_IN
    secret = settings.slack_client_secret.get_secret_value()
    return SlackSignIn(settings.slack_client_id, secret, settings.slack_api_url, home)


def _tickets(settings: Settings) -> JiraTickets:
    return JiraTickets(
        settings.jira_url,
        email=settings.jira_email,
        api_token=settings.jira_api_token.get_secret_value(),
        token=settings.jira_token.get_secret_value(),
        webhook_secrets=[secret.get_secret_value() for secret in settings.jira_webhook_secrets],
    )


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
