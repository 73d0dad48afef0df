"""Builds the services from settings and policy, for the processes and the commands. Nothing connects before its first use.

Flask, Bolt and the effects are `bot.app`'s: a command that reads loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import certifi
from sqlalchemy.exc import SQLAlchemyError

from bot.clients import keys
from bot.clients.dvc import DvcData
from bot.clients.git import GitMirrors
from bot.clients.jira.tickets import JiraTickets
from bot.clients.mail import SmtpMailer
from bot.clients.mlflow.access import Credentials
from bot.clients.mlflow.registries import MlflowRegistries, Secrets
from bot.clients.note_keys import NEW_NOTE_KEY, NoSigner, NoteKeyFile, read_note_key
from bot.clients.s3.sealed_store import S3SealedStore
from bot.clients.slack.home.surface import SlackHome
from bot.clients.slack.notifier import SlackNotifier
from bot.clients.witnesses import CosigningWitness
from bot.domain.workspaces import DEFAULT, Registry
from bot.errors import InvalidKey, InvalidSettings, NotVerified
from bot.links import KEY_FILE, links_for, make_link_key
from bot.logs import quieten_vendors as quieten_vendors
from bot.ports import OutsideWitness, PublicKey, Signer
from bot.ports.sign_in import NoSignIn, SignIn
from bot.services import Services
from bot.signatures import APPROVALS, ECDSA_P256, ED25519, LEDGER, trusted_key
from bot.store.attestations import KnownKey
from bot.stores import StoreServices, store_services
from bot.stores import database_url as database_url
from config.settings import Settings
from config.settings.registries import RegistrySecrets

ALGORITHM_OF = {APPROVALS: ECDSA_P256, LEDGER: ED25519}
ROLE_OF = {
    APPROVALS: ("COUNTERSIGN_SIGNING_KEY", "approvals"),
    LEDGER: ("COUNTERSIGN_CHECKPOINT_KEY", "checkpoints"),
}
HOW_TO_SIGN_IN = "Set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and COUNTERSIGN_URL for the web process"


def build_services(settings: Settings, url: str, signer: Signer | None = None) -> Services:
    """Only the worker passes a `signer`; without one these services cannot sign."""
    base = store_services(settings, url)
    store, clock = base.store, base.clock
    checkpoint_signer = NoteKeyFile(settings.checkpoint_key_path)
    registries = registries_of(settings, lambda: store.policy().registries)
    notifier, tickets = _notifier(settings), _tickets(settings)
    links = links_for(settings.public_url, [key.get_secret_value() for key in settings.link_keys], settings.home)
    return Services(
        store,
        registries.at(DEFAULT),
        notifier,
        tickets,
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
        tickets.decisions,
        S3SealedStore(),
        GitMirrors(settings.home / "mirrors"),
        DvcData(),
        home=SlackHome(settings.slack_bot_token.get_secret_value(), api_url=settings.slack_api_url),
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
    from bot.clients.signers import read_signer  # here, for it loads the packages of all key services

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
    except InvalidKey as mistake:
        raise InvalidSettings((f"COUNTERSIGN_CHECKPOINT_KEY: {mistake}.",)) from None
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


def missing_keys(settings: Settings) -> Mapping[str, Path]:
    """The files of approvals and checkpoints that `make_missing_keys` would make, by what their keys are for."""
    approvals, checkpoints = Path(settings.signing_key_location), settings.checkpoint_key_path
    made = {} if settings.signing_key else {APPROVALS: approvals}
    made |= {} if settings.checkpoint_key else {LEDGER: checkpoints}
    return {purpose: path for purpose, path in made.items() if _is_absent(path)}


def absent_keys(settings: Settings) -> Mapping[str, Path]:
    """The files of approvals and checkpoints that are not there, by what their keys are for, also those that a setting names."""
    from bot.clients.signers import names_a_service  # here, for it loads the packages of all key services

    location = settings.signing_key_location
    files = {} if names_a_service(location) else {APPROVALS: Path(location)}
    files[LEDGER] = settings.checkpoint_key_path
    return {purpose: path for purpose, path in files.items() if _is_absent(path)}


def _is_absent(path: Path) -> bool:
    """Of one in a folder that may not be looked into nobody can say it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def check_keys_are_here(settings: Settings, url: str, *purposes: str) -> None:
    """Before a key is asked for that the ledger may know. Raises InvalidSettings, which says where to bring it back to. Says nothing while
    the database does not answer.
    """
    absent = {purpose: path for purpose, path in absent_keys(settings).items() if purpose in purposes}
    if not absent:
        return
    services = store_services(settings, url)
    try:
        with suppress(SQLAlchemyError):
            check_keys_not_lost(absent, services)
    finally:
        services.store.engine.dispose()


def check_keys_not_lost(missing: Mapping[str, Path], services: StoreServices) -> None:
    """Raises InvalidSettings before a new key would silently take the place of one that the ledger knows, as after a restore."""
    with services.store.transaction() as tx:
        known = {purpose: tx.keys.counting(purpose) for purpose in missing}
    mistakes = tuple(lost_key(missing[purpose], known[purpose][-1]) for purpose in missing if known[purpose])
    if mistakes:
        raise InvalidSettings(mistakes)


def lost_key(path: Path, known: KnownKey) -> str:
    name, what = ROLE_OF[known.purpose]
    making = keys.making(ALGORITHM_OF[known.purpose], path)
    return (
        f"{name}: {path} is not there, and the ledger knows the key that signs {what} ({known.id[:12]}). Put the saved key back there. "
        f"If it is lost: `{making}`, start again, give the new public key to whoever has the old "
        f"one, and `countersign keys retire {known.id[:12]} --reason lost`."
    )


def make_missing_keys(settings: Settings) -> None:
    """Creates the default keys on the first start of `serve`. A key that a setting names is never created."""
    for purpose, path in missing_keys(settings).items():
        keys.make_key_unless_there(path, ALGORITHM_OF[purpose])
    if not settings.link_keys:
        make_link_key(settings.home)


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


def guard_secrets_of(settings: Settings) -> dict[str, str]:
    """By the registry's name; only of those that have a guard."""
    named = {name: one.guard_secret.get_secret_value() for name, one in settings.registries.items()}
    everyone = {DEFAULT: settings.guard_secret.get_secret_value(), **named}
    return {name: secret for name, secret in everyone.items() if secret}


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
        return NoSignIn(HOW_TO_SIGN_IN)
    from bot.clients.slack.openid import SlackSignIn  # here, for it loads jwt, which only those who sign in need

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
