"""Reads the environment into `Settings`, or reports all mistakes at once, each with its variable and how to fix it.

Each process names its needs, so that none requires a setting that it does not use. The caller passes the environment; nothing here reads
`os.environ`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot.errors import InvalidSettings
from bot.mlflow_addresses import looks_elsewhere, workspace_elsewhere
from config.settings import values
from config.settings.misspelt import meant_by, typos
from config.settings.registries import RegistrySecrets, checked_guard_secret, read_secrets, web_addresses
from config.settings.table import SETTINGS, Setting

__all__ = [
    "NEEDS",
    "SETTINGS",
    "InvalidSettings",
    "Need",
    "Process",
    "Setting",
    "Settings",
    "needs_of",
    "policy_path_in",
    "read_settings",
]

UNSET = SecretStr("")


class Need(StrEnum):
    """What a process needs to work."""

    REGISTRY = "registry"
    SLACK = "slack"
    SLACK_HTTP = "slack_http"
    SOCKET_MODE = "socket_mode"
    JIRA = "jira"
    MLFLOW_WEBHOOK = "mlflow_webhook"
    JIRA_WEBHOOK = "jira_webhook"
    API = "api"
    MAIL = "mail"
    PUBLIC_URL = "public_url"


class Process(StrEnum):
    WEB = "web"
    WORKER = "worker"
    CLOCK = "clock"
    SOCKET = "socket"
    MIGRATE = "migrate"


VARIABLES_OF: Mapping[Need, tuple[str, ...]] = {
    Need.REGISTRY: ("MLFLOW_TRACKING_URI",),
    Need.SLACK: ("SLACK_BOT_TOKEN",),
    Need.SLACK_HTTP: ("SLACK_SIGNING_SECRET",),
    Need.SOCKET_MODE: ("SLACK_APP_TOKEN",),
    Need.JIRA: ("JIRA_URL",),
    Need.MLFLOW_WEBHOOK: ("MLFLOW_WEBHOOK_SECRET",),
    Need.JIRA_WEBHOOK: ("JIRA_WEBHOOK_SECRET",),
    Need.API: ("COUNTERSIGN_API_TOKEN",),
    Need.MAIL: ("SMTP_URL",),
    Need.PUBLIC_URL: ("COUNTERSIGN_URL",),
}

NEEDS: Mapping[Process, frozenset[Need]] = {
    Process.WEB: frozenset({Need.REGISTRY, Need.SLACK, Need.SLACK_HTTP}),
    Process.WORKER: frozenset({Need.REGISTRY, Need.SLACK, Need.SLACK_HTTP}),
    Process.CLOCK: frozenset(),
    Process.SOCKET: frozenset({Need.REGISTRY, Need.SLACK, Need.SOCKET_MODE}),
    Process.MIGRATE: frozenset(),
}

Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(values.several_secrets)]
DatabaseUrl = Annotated[SecretStr, BeforeValidator(values.database_url)]
WebAddress = Annotated[str, AfterValidator(values.web_address)]
JiraAddress = Annotated[str, AfterValidator(values.jira_address)]


EXAMPLE_POLICY = Path(str(files("config").joinpath("policy.yaml")))
"""The policy that comes with Countersign."""
OWN_POLICIES = (Path("config/policy.yaml"), Path("policy.yaml"))


def _default_policy() -> Path:
    """A team's own, in a clone or where `countersign init` puts it, before the example, which is in a clone of Countersign too."""
    own = (path for path in OWN_POLICIES if path.is_file() and path.resolve() != EXAMPLE_POLICY.resolve())
    return next(own, EXAMPLE_POLICY)


def policy_path_in(environ: Mapping[str, str]) -> Path:
    """As in the settings, also where another setting is wrong."""
    named = environ.get("COUNTERSIGN_POLICY", "").strip()
    return Path(named) if named else _default_policy()


class Settings(BaseModel):
    """The values. Unset texts are empty, and secrets print as stars. `config.settings.table` explains each setting."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: DatabaseUrl = Field(UNSET, alias="DATABASE_URL")
    database_owner_url: DatabaseUrl = Field(UNSET, alias="DATABASE_OWNER_URL")
    home: Path = Field(Path("var"), alias="COUNTERSIGN_HOME")
    policy_path: Path = Field(default_factory=_default_policy, alias="COUNTERSIGN_POLICY")
    public_url: WebAddress = Field("", alias="COUNTERSIGN_URL")
    api_token: Annotated[SecretStr, BeforeValidator(values.api_token)] = Field(UNSET, alias="COUNTERSIGN_API_TOKEN")
    signing_key: Annotated[str, AfterValidator(values.signing_key)] = Field("", alias="COUNTERSIGN_SIGNING_KEY")
    earlier_keys: Annotated[tuple[Path, ...], BeforeValidator(values.key_files)] = Field(
        (), alias="COUNTERSIGN_EARLIER_KEYS"
    )
    hsm_pin: SecretStr = Field(UNSET, alias="COUNTERSIGN_HSM_PIN")
    checkpoint_key: Annotated[Path | None, BeforeValidator(values.key_file)] = Field(
        None, alias="COUNTERSIGN_CHECKPOINT_KEY"
    )
    link_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(values.link_keys)] = Field(
        (), alias="COUNTERSIGN_LINK_KEY"
    )
    templates: Annotated[Path | None, BeforeValidator(values.directory)] = Field(None, alias="COUNTERSIGN_TEMPLATES")
    witnesses: Annotated[tuple[values.WitnessAddress, ...], BeforeValidator(values.witnesses)] = Field(
        (), alias="COUNTERSIGN_WITNESSES"
    )
    tsa_url: WebAddress = Field("", alias="TSA_URL")
    tsa_certificates: Annotated[Path | None, BeforeValidator(values.key_file)] = Field(None, alias="TSA_CERTIFICATES")
    smtp_url: Annotated[SecretStr, BeforeValidator(values.smtp_url)] = Field(UNSET, alias="SMTP_URL")
    host: Annotated[str, BeforeValidator(values.host)] = Field("", alias="COUNTERSIGN_HOST")
    log_format: Annotated[str, AfterValidator(values.log_format)] = Field("", alias="COUNTERSIGN_LOG_FORMAT")
    keep_jobs: Annotated[timedelta, BeforeValidator(values.days)] = Field(
        timedelta(days=7), alias="COUNTERSIGN_KEEP_JOBS"
    )
    proxies: Annotated[tuple[values.Network, ...], BeforeValidator(values.networks)] = Field(
        (), alias="COUNTERSIGN_PROXIES"
    )
    port: Annotated[int, BeforeValidator(values.port)] = Field(8080, alias="PORT")
    metrics_address: Annotated[tuple[str, int] | None, BeforeValidator(values.host_and_port)] = Field(
        None, alias="METRICS_PORT"
    )
    mlflow_tracking_uri: Annotated[str, AfterValidator(values.mlflow_address)] = Field("", alias="MLFLOW_TRACKING_URI")
    mlflow_public_url: WebAddress = Field("", alias="MLFLOW_PUBLIC_URL")
    job_registry: Annotated[str, AfterValidator(values.registry_name)] = Field("", alias="COUNTERSIGN_REGISTRY")
    guard_secret: Annotated[SecretStr, BeforeValidator(checked_guard_secret)] = Field(
        UNSET, alias="COUNTERSIGN_GUARD_SECRET"
    )
    guard_try_urls: Annotated[tuple[str, ...], BeforeValidator(web_addresses)] = Field(
        (), alias="COUNTERSIGN_GUARD_TRY_URLS"
    )
    mlflow_webhook_secrets: Secrets = Field((), alias="MLFLOW_WEBHOOK_SECRET")
    slack_bot_tokens: Annotated[tuple[SecretStr, ...], BeforeValidator(values.slack_bot_tokens)] = Field(
        (), alias="SLACK_BOT_TOKEN"
    )
    slack_signing_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(values.slack_signing_secrets)] = Field(
        (), alias="SLACK_SIGNING_SECRET"
    )
    slack_app_token: Annotated[SecretStr, BeforeValidator(values.slack_app_token)] = Field(
        UNSET, alias="SLACK_APP_TOKEN"
    )
    slack_client_id: Annotated[str, AfterValidator(values.slack_client_id)] = Field("", alias="SLACK_CLIENT_ID")
    slack_client_secret: Annotated[SecretStr, BeforeValidator(values.slack_client_secret)] = Field(
        UNSET, alias="SLACK_CLIENT_SECRET"
    )
    slack_api_url: Annotated[str, AfterValidator(values.slack_api_url)] = Field(
        "https://slack.com/api/", alias="SLACK_API_URL"
    )
    jira_url: JiraAddress = Field("", alias="JIRA_URL")
    jira_email: Annotated[str, AfterValidator(values.email)] = Field("", alias="JIRA_EMAIL")
    jira_api_token: Annotated[SecretStr, BeforeValidator(values.jira_secret)] = Field(UNSET, alias="JIRA_API_TOKEN")
    jira_token: Annotated[SecretStr, BeforeValidator(values.jira_secret)] = Field(UNSET, alias="JIRA_TOKEN")
    jira_webhook_secrets: Secrets = Field((), alias="JIRA_WEBHOOK_SECRET")
    registries: Mapping[str, RegistrySecrets] = Field(default_factory=dict)
    """By the names of the policy's registries; from variables that end in such a name."""

    @property
    def has_example_policy(self) -> bool:
        """Nobody has named a file."""
        return "policy_path" not in self.model_fields_set and self.policy_path == EXAMPLE_POLICY

    @property
    def slack_bot_token(self) -> SecretStr:
        """The newest, which is used for calls."""
        return self.slack_bot_tokens[0] if self.slack_bot_tokens else UNSET

    @property
    def signing_key_location(self) -> str:
        """The path of the file, or the URI of a key in a key service."""
        return self.signing_key or str(self.home / "keys" / "approvals.pem")

    @property
    def checkpoint_key_path(self) -> Path:
        return self.checkpoint_key or self.home / "keys" / "checkpoints.pem"


def needs_of(process: Process, *, tickets: bool, mail: bool = False) -> frozenset[Need]:
    """`tickets`: the policy opens tickets. `mail`: its digest is mailed. Only the worker connects to Jira and mail servers."""
    asked = {need for need, wanted in ((Need.JIRA, tickets), (Need.MAIL, mail)) if wanted}
    return NEEDS[process] | (asked if process is Process.WORKER else set())


def read_settings(environ: Mapping[str, str], needs: frozenset[Need]) -> Settings:
    """An empty variable counts as not set. Raises InvalidSettings."""
    given = {
        setting.name: environ[setting.name].strip() for setting in SETTINGS if environ.get(setting.name, "").strip()
    }
    mistakes = [
        *typos(environ),
        *_missing(given, needs, environ),
        *looks_elsewhere(environ),
        *_led_away(environ, needs),
    ]
    mistakes += [*_jira_mistakes(given, needs), *_half_a_sign_in(given)]
    unreadable = [name for name, text in given.items() if not _is_utf_8(text)]
    mistakes += [f"{name} has bytes that are not UTF-8. Write it anew." for name in unreadable]
    given = {name: text for name, text in given.items() if name not in unreadable}
    of_registries, wrong = read_secrets(environ)
    mistakes += wrong
    try:
        settings = Settings.model_validate({**given, "registries": of_registries})
    except ValidationError as error:
        mistakes += [_sentence(str(details["loc"][0]), str(details["ctx"]["error"])) for details in error.errors()]
        settings = None
    if settings is None or mistakes:
        raise InvalidSettings(tuple(sorted(mistakes, key=_place_in_table)))
    return settings


def _is_utf_8(text: str) -> bool:
    """Python keeps other bytes of the environment as lone surrogates, which nothing encodes again."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _sentence(name: str, complaint: str) -> str:
    return f"{name} {complaint}" if complaint.endswith("'") else f"{name} {complaint}."


def _place_in_table(mistake: str) -> int:
    return next((place for place, setting in enumerate(SETTINGS) if mistake.split()[0] == setting.name), len(SETTINGS))


def _missing(given: Mapping[str, str], needs: frozenset[Need], environ: Mapping[str, str]) -> Iterator[str]:
    for setting in SETTINGS:
        wanted = any(setting.name in VARIABLES_OF[need] for need in needs)
        spared = setting.name == "SLACK_SIGNING_SECRET" and "SLACK_APP_TOKEN" in given  # Socket Mode takes over
        if wanted and setting.name not in given and not spared:
            found = meant_by(setting.name, environ)
            unread = f", but {found} is, which is not a setting. Did you mean {setting.name}?" if found else "."
            yield f"{setting.name} is not set{unread} {setting.fix}"


def _led_away(environ: Mapping[str, str], needs: frozenset[Need]) -> Iterator[str]:
    """A process of the bot must reach the default workspace where it means that. Jobs beside it may be at home in another."""
    elsewhere = workspace_elsewhere(environ.get("MLFLOW_WORKSPACE", ""))
    if Need.REGISTRY in needs and elsewhere:
        yield f"MLFLOW_WORKSPACE {elsewhere}"


def _half_a_sign_in(given: Mapping[str, str]) -> Iterator[str]:
    """Either alone would leave signing in off, and the reason unseen."""
    pair = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET")
    for name, other in (pair, pair[::-1]):
        if name not in given and other in given:
            fix = next(setting.fix for setting in SETTINGS if setting.name == name)
            yield f"{name} is not set, but {other} is. {fix}"


def _jira_mistakes(given: Mapping[str, str], needs: frozenset[Need]) -> Iterator[str]:
    """Jira Cloud needs an e-mail address and an API token, Data Center only a token."""
    cloud = [name for name in ("JIRA_EMAIL", "JIRA_API_TOKEN") if name in given]
    if cloud and "JIRA_TOKEN" in given:
        yield (
            f"JIRA_TOKEN and {' and '.join(cloud)} are both set. Keep JIRA_EMAIL with JIRA_API_TOKEN for Jira Cloud, "
            "or JIRA_TOKEN alone for Jira Data Center."
        )
    elif Need.JIRA in needs and cloud == ["JIRA_EMAIL"]:
        yield (
            "JIRA_API_TOKEN is not set, but JIRA_EMAIL is. Make an API token for that account at "
            "https://id.atlassian.com/manage-profile/security/api-tokens."
        )
    elif Need.JIRA in needs and cloud == ["JIRA_API_TOKEN"]:
        yield "JIRA_EMAIL is not set, but JIRA_API_TOKEN is. Set it to the e-mail address of the account that the token belongs to."
    elif Need.JIRA in needs and not cloud and "JIRA_TOKEN" not in given:
        yield (
            "JIRA_API_TOKEN is not set. For Jira Cloud set it and JIRA_EMAIL; "
            "for Jira Data Center set JIRA_TOKEN to a personal access token."
        )
