"""What a check finds, and what it may look at. The checks are in `installation`, `mlflow`, `slack`, `passkeys`, `jira` and `digest`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property

from bot.app import build_services, database_url
from bot.clients.jira.checkup import JiraCheckup
from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.slack.checkup import SlackCheckup
from bot.domain.policy.rules import Policy
from bot.services import Services
from config.settings import Settings


class Status(StrEnum):
    OK = "ok"
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
        return {"status": str(self.status), "what": self.what, "why": self.why, "mend": self.fix}


Findings = Iterator[Finding]


def fine(what: str, why: str) -> Finding:
    return Finding(Status.OK, what, why)


def warning(what: str, why: str, fix: str = "") -> Finding:
    return Finding(Status.WARN, what, why, fix)


def failure(what: str, why: str, fix: str = "") -> Finding:
    return Finding(Status.FAIL, what, why, fix)


@dataclass(frozen=True)
class World:
    """Settings and the policy file. External systems are reached through these, and only when a check needs them."""

    settings: Settings
    policy: Policy
    policy_text: str

    @cached_property
    def database_url(self) -> str:
        return database_url(self.settings)

    @cached_property
    def services(self) -> Services:
        return build_services(self.settings, self.database_url)

    @cached_property
    def mlflow(self) -> MlflowCheckup:
        return MlflowCheckup(self.settings.mlflow_tracking_uri)

    @cached_property
    def ruled_models(self) -> tuple[str, ...]:
        """The registered models that a rule matches."""
        patterns = [rule.models for rule in self.policy.rules]
        return tuple(name for name in self.model_names if any(fnmatchcase(name, pattern) for pattern in patterns))

    @cached_property
    def model_names(self) -> tuple[str, ...]:
        return tuple(summary.name for summary in self.services.registry.list_models())

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
