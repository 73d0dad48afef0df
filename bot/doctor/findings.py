"""What a check finds, and what it may look at. The checks are in `installation`, `keys`, `mlflow`, `guard`, `past_mlflow`, `slack`,
`passkeys`, `sealed_store`, `evidence_data`, `jira`, `ticket_decisions` and `digest`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property

from pydantic import SecretStr

from bot.assembly import build_services, credentials_of, database_url, registries_of
from bot.clients.jira.checkup import JiraCheckup
from bot.clients.mlflow.access import Access
from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.slack.checkup import SlackCheckup
from bot.database import embedded
from bot.domain.policy.rules import Policy
from bot.domain.workspaces import DEFAULT, Registry, Workspace, is_covered, watched
from bot.ports import ModelRegistry
from bot.services import Services
from config.settings import Settings
from config.settings.registries import RegistrySecrets

REGISTRY = "mlflow registry"


class Status(StrEnum):
    OK = "ok"
    SKIP = "skip"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """`what` was checked, `why` it has this status, and how to `fix` it: empty when there is nothing to fix."""

    status: Status
    what: str
    why: str
    fix: str = ""

    def as_plain(self) -> dict[str, object]:
        return {"status": str(self.status), "what": self.what, "why": self.why, "fix": self.fix}


Findings = Iterator[Finding]


def fine(what: str, why: str) -> Finding:
    return Finding(Status.OK, what, why)


def not_tried(what: str, why: str, fix: str = "") -> Finding:
    """What this machine cannot see is no fault of the installation."""
    return Finding(Status.SKIP, what, f"not tried: {why}", fix)


def warning(what: str, why: str, fix: str = "") -> Finding:
    return Finding(Status.WARN, what, why, fix)


def failure(what: str, why: str, fix: str = "") -> Finding:
    return Finding(Status.FAIL, what, why, fix)


def failure_as_told(what: str, told: str) -> Finding:
    """Of an error for people: its first sentence says what is wrong, and the others what to do."""
    why, _, fix = told.partition(". ")
    return failure(what, why.removesuffix("."), fix[:1].lower() + fix[1:].removesuffix("."))


@dataclass(frozen=True)
class World:
    """Settings and the policy file. External systems are reached through these, and only when a check needs them.

    `place` is the watched workspace that the checks of MLflow are about; `environ` has what others than the bot read there.
    """

    settings: Settings
    policy: Policy
    policy_text: str
    place: str = DEFAULT
    environ: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def database_url(self) -> str:
        return database_url(self.settings)

    @property
    def is_new(self) -> bool:
        """Nothing has run here yet: `countersign serve` makes the database on its first start."""
        return not self.settings.database_url.get_secret_value() and not embedded.is_made(self.settings.home)

    @cached_property
    def services(self) -> Services:
        return build_services(self.settings, self.database_url)

    @cached_property
    def mlflow(self) -> MlflowCheckup:
        there = Workspace.parse(self.place)
        guard_secret = self.guard_secret.get_secret_value()
        if self.place == DEFAULT:
            return MlflowCheckup(self.server_address, guard_secret=guard_secret)
        secrets = self.settings.registries.get(there.registry, RegistrySecrets())
        access = Access(there, None if there.registry == DEFAULT else credentials_of(secrets))
        return MlflowCheckup(self.server_address, access, guard_secret)

    @property
    def server_address(self) -> str:
        """Of the MLflow server."""
        is_own = Workspace.parse(self.place).registry == DEFAULT
        return self.settings.mlflow_tracking_uri if is_own else self.registry.uri

    @property
    def registry(self) -> Registry:
        """The registry that the place belongs to."""
        name = Workspace.parse(self.place).registry
        return next(one for one in watched(self.policy.registries) if one.name == name)

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        if self.registry.name == DEFAULT:
            return self.settings.mlflow_webhook_secrets
        return self.settings.registries.get(self.registry.name, RegistrySecrets()).webhook_secrets

    @property
    def guard_secret(self) -> SecretStr:
        if self.registry.name == DEFAULT:
            return self.settings.guard_secret
        return self.settings.registries.get(self.registry.name, RegistrySecrets()).guard_secret

    @property
    def mlflow_user(self) -> str:
        """Whom the bot signs in as at the registry's server; empty without basic auth."""
        if self.registry.name == DEFAULT:
            return self.environ.get("MLFLOW_TRACKING_USERNAME", "").strip()
        return self.settings.registries.get(self.registry.name, RegistrySecrets()).username

    @cached_property
    def there(self) -> ModelRegistry:
        """The place as the policy file has it, which need not be in force."""
        return registries_of(self.settings, lambda: self.policy.registries).at(self.place)

    @cached_property
    def ruled_models(self) -> tuple[str, ...]:
        """The registered models that a rule matches."""
        patterns = [rule.models for rule in self.policy.rules if is_covered(self.place, rule.workspace)]
        return tuple(name for name in self.model_names if any(fnmatchcase(name, pattern) for pattern in patterns))

    @cached_property
    def model_names(self) -> tuple[str, ...]:
        return tuple(summary.name for summary in self.there.list_models())

    @cached_property
    def slack(self) -> SlackCheckup:
        settings = self.settings
        bot_token, app_token = settings.slack_bot_token.get_secret_value(), settings.slack_app_token.get_secret_value()
        return SlackCheckup(bot_token, app_token=app_token, api_url=settings.slack_api_url)

    @cached_property
    def jira(self) -> JiraCheckup:
        settings = self.settings
        return JiraCheckup(
            settings.jira_url,
            email=settings.jira_email,
            api_token=settings.jira_api_token.get_secret_value(),
            token=settings.jira_token.get_secret_value(),
        )

    def close(self) -> None:
        if "services" in self.__dict__:
            self.services.store.engine.dispose()


@dataclass(frozen=True)
class Check:
    """`fix` says where to look when the system behind the check fails altogether."""

    what: str
    look: Callable[[World], Findings]
    fix: str = ""


@dataclass(frozen=True)
class Section:
    """When the first check fails, the others are skipped, because they would only report the same failure."""

    checks: tuple[Check, ...]
