"""Finds what MLflow, Slack and Jira know, through the same clients as the bot. Raises OutsideError, whose text says what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bot.clients.jira.checkup import PERMISSIONS, JiraCheckup, ProjectName
from bot.clients.mlflow.checkup import MlflowCheckup, Training
from bot.clients.mlflow.registry import MlflowRegistry
from bot.clients.slack.calls import SlackError
from bot.clients.slack.checkup import ChannelSeen, MemberSeen, SlackCheckup, UserGroupSeen
from bot.domain.model import Metric
from bot.domain.workspaces import DEFAULT
from bot.errors import Permanent
from bot.ports import ModelSummary
from config.settings import Settings


@dataclass(frozen=True)
class RegistrySeen:
    version: str
    models: tuple[ModelSummary, ...]
    training: Training

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(model.name for model in self.models)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Each as often as models have it."""
        return tuple(alias for model in self.models for alias in model.aliases)


@dataclass(frozen=True)
class SlackSeen:
    """`groups` is None on a plan without user groups."""

    workspace: str
    channels: tuple[ChannelSeen, ...]
    groups: tuple[UserGroupSeen, ...] | None
    members: tuple[MemberSeen, ...]


@dataclass(frozen=True)
class JiraSeen:
    account: str
    projects: tuple[ProjectName, ...]


@dataclass(frozen=True)
class ProjectDetails:
    """`final` are the statuses in which a ticket of this type is done; `lacks` are permissions with what each is for."""

    types: tuple[str, ...]
    lacks: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """The metrics of the version that holds the target, or else of the newest one."""

    version: str
    metrics: tuple[Metric, ...]


NOT_MEASURED = Measured("", ())
LOOKED_AT = 5  # models; each takes a few calls


def see_registry(settings: Settings) -> RegistrySeen:
    checkup = MlflowCheckup(settings.mlflow_tracking_uri)
    version = checkup.server_version()
    models = tuple(_registry(settings).list_models())
    return RegistrySeen(version, models, checkup.training())


def measured(settings: Settings, models: Iterable[ModelSummary], target: str) -> Measured:
    """Of the first model that has a champion with metrics, or else of the first with a version that has some."""
    registry = _registry(settings)
    for model in sorted(models, key=lambda one: target not in one.aliases)[:LOOKED_AT]:
        number = model.aliases.get(target) or model.newest
        version = registry.find_version(DEFAULT, model.name, number) if number else None
        metrics = registry.read_metrics(version.id) if version else ()
        if version and metrics:
            return Measured(f"{model.name} v{number}", metrics)
    return NOT_MEASURED


def matching(models: Sequence[ModelSummary], patterns: Iterable[str]) -> tuple[ModelSummary, ...]:
    wanted = tuple(patterns)
    return tuple(model for model in models if any(fnmatchcase(model.name, pattern) for pattern in wanted))


def see_slack(settings: Settings) -> SlackSeen:
    """Raises OutsideError; Permanent also for a person's token."""
    checkup = _slack(settings)
    installed = checkup.installation()
    if not installed.is_bot:
        raise Permanent(
            f"SLACK_BOT_TOKEN is a token of the person {installed.user}. Use the bot's, which starts with xoxb-."
        )
    if settings.slack_app_token.get_secret_value():
        checkup.open_socket()
    return SlackSeen(installed.workspace, _channels(checkup, installed.scopes), _groups(checkup), checkup.members())


def channels_in(settings: Settings) -> tuple[ChannelSeen, ...]:
    """As they are now: people create and invite while they are asked."""
    checkup = _slack(settings)
    return _channels(checkup, checkup.installation().scopes)


def _channels(checkup: SlackCheckup, scopes: Collection[str]) -> tuple[ChannelSeen, ...]:
    private = not scopes or "groups:read" in scopes
    return tuple(one for one in checkup.channels(private=private) if not one.archived)


def see_jira(settings: Settings) -> JiraSeen:
    checkup = jira_of(settings)
    return JiraSeen(checkup.account(), checkup.projects())


def see_project(jira: JiraCheckup, key: str) -> ProjectDetails:
    project = jira.project(key)
    types = tuple(name for name in project.issue_types if name not in project.subtasks)
    return ProjectDetails(types, {name: PERMISSIONS[name] for name in jira.missing_permissions(key, PERMISSIONS)})


def jira_of(settings: Settings) -> JiraCheckup:
    return JiraCheckup(
        settings.jira_url,
        email=settings.jira_email,
        api_token=settings.jira_api_token.get_secret_value(),
        token=settings.jira_token.get_secret_value(),
    )


def people_in(slack: SlackSeen, emails: Iterable[str]) -> dict[str, MemberSeen | None]:
    """The member behind each address."""
    known = {member.email.casefold(): member for member in slack.members if member.email}
    return {email: known.get(email.casefold()) for email in emails}


def _groups(checkup: SlackCheckup) -> tuple[UserGroupSeen, ...] | None:
    try:
        return checkup.user_groups()
    except SlackError as refusal:
        if refusal.code not in WITHOUT_GROUPS:
            raise
        return None


WITHOUT_GROUPS = ("plan_upgrade_required", "paid_teams_only", "missing_scope")


def _registry(settings: Settings) -> MlflowRegistry:
    return MlflowRegistry(settings.mlflow_tracking_uri, webhook_secrets=())


def _slack(settings: Settings) -> SlackCheckup:
    bot_token, app_token = settings.slack_bot_token.get_secret_value(), settings.slack_app_token.get_secret_value()
    return SlackCheckup(bot_token, app_token=app_token, api_url=settings.slack_api_url)
