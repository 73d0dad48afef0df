"""Asks for addresses and secrets until MLflow, Slack and Jira answer. In a script, what is missing or refused ends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from bot.domain.names import without_accounts
from bot.errors import InvalidSettings, OutsideError, without_retries
from bot.init.questions import Questions
from bot.init.slack_app import new_app_link
from bot.init.survey import JiraSeen, RegistrySeen, SlackSeen, jira_of, see_jira, see_registry, see_slack
from config.settings import SETTINGS, Settings, read_settings

MLFLOWS_OWN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
OPTION_OF: Mapping[str, str] = {
    "MLFLOW_TRACKING_URI": "--mlflow-uri",
    "MLFLOW_TRACKING_USERNAME": "--mlflow-username",
    "MLFLOW_TRACKING_PASSWORD": "--mlflow-password-file",
    "MLFLOW_TRACKING_TOKEN": "--mlflow-token-file",
    "COUNTERSIGN_URL": "--url",
    "SLACK_BOT_TOKEN": "--slack-bot-token-file",
    "SLACK_SIGNING_SECRET": "--slack-signing-secret-file",
    "SLACK_APP_TOKEN": "--slack-app-token-file",
    "JIRA_URL": "--jira-url",
    "JIRA_EMAIL": "--jira-email",
    "JIRA_API_TOKEN": "--jira-api-token-file",
    "JIRA_TOKEN": "--jira-token-file",
}
MLFLOW, BOT_TOKEN = "Address of the MLflow server", "Bot User OAuth Token, from OAuth & Permissions, xoxb-..."
WAYS_IN: Mapping[str, str] = {
    "SLACK_APP_TOKEN": "app-level token with connections:write, from Basic Information, xapp-...",
    "SLACK_SIGNING_SECRET": "Signing Secret, from Basic Information",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
CARRIED = (*(setting.name for setting in SETTINGS), *MLFLOWS_OWN)
JIRA_CLOUD = ("JIRA_EMAIL", "JIRA_API_TOKEN")
FOR_JIRA = ("JIRA_URL", *JIRA_CLOUD, "JIRA_TOKEN")
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class World:
    """`values` are the settings by their names; `jira` is None without tickets."""

    values: Mapping[str, str]
    registry: RegistrySeen
    slack: SlackSeen
    jira: JiraSeen | None

    @property
    def settings(self) -> Settings:
        return settings_from(self.values)


def settings_from(values: Mapping[str, str]) -> Settings:
    """Raises InvalidSettings."""
    return read_settings(values, frozenset())


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """MLflow's client reads its account from the environment of the process; afterwards that is as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


class Connecting:
    """Keeps the settings while they are found. A setting that is there is not asked for, unless its system refuses it."""

    def __init__(
        self,
        values: Mapping[str, str],
        ask: Questions,
        *,
        with_jira: bool | None,
        lacking: Sequence[str] = (),
        perhaps_lacking: Sequence[str] = (),
    ) -> None:
        """`with_jira` is None when a person may say so. `lacking` are sentences about options that a script lacks besides;
        `perhaps_lacking` about those that MLflow and Slack may make needless.
        """
        self.values = dict(values)
        self._lacking, self._perhaps_lacking = tuple(lacking), tuple(perhaps_lacking)
        self._ask = ask
        self._with_jira = with_jira
        self._refused: list[str] = []

    def connect(self) -> World:
        """Raises InvalidSettings with everything that is missing or refused. What can be judged without a question is judged first."""
        settings_from(self.values)
        check_slack_reaches(self.values)
        if not self._ask.is_terminal:
            self._check_complete()
        self._need_mlflow()
        registry = self._until_it_answers(see_registry, self._ask_mlflow_again)
        self._need_slack()
        slack = self._until_it_answers(see_slack, self._ask_slack_again)
        jira = self._until_it_answers(see_jira, self._ask_jira_again) if self._wants_jira() else None
        missing = [*self._ask.missing, *self._refused]
        if missing or registry is None or slack is None:
            raise InvalidSettings(tuple(missing))
        return World(self.values, registry, slack, jira)

    def _check_complete(self) -> None:
        """In a script, before anything is asked of MLflow, Slack or Jira. Raises InvalidSettings with all options that are missing."""
        needed = {"MLFLOW_TRACKING_URI": MLFLOW, "SLACK_BOT_TOKEN": BOT_TOKEN, self._way_in: WAYS_IN[self._way_in]}
        missing = [f"{OPTION_OF[name]} is needed: {what}." for name, what in needed.items() if name not in self.values]
        for_jira = [OPTION_OF[name] for name in self._jira_lacks]
        if for_jira:
            either = ", or --jira-token-file for Jira Data Center" if len(for_jira) == len(JIRA_CLOUD) else ""
            missing.append(f"{' and '.join(for_jira)} {'is' if len(for_jira) == 1 else 'are'} needed{either}.")
        if needed.keys() - {"MLFLOW_TRACKING_URI"} - self.values.keys():
            missing.append(f"This link creates the Slack app that has these tokens: {self._new_app_link()}")
        missing.extend(self._lacking)
        if missing:
            raise InvalidSettings((*missing, *self._perhaps_lacking))

    def _new_app_link(self) -> str:
        mlflow = self.values.get("MLFLOW_PUBLIC_URL") or self.values.get("MLFLOW_TRACKING_URI", "")
        return new_app_link(self.values.get("COUNTERSIGN_URL", ""), mlflow)

    def _until_it_answers(self, see: Callable[[Settings], Seen], ask_again: Callable[[], None]) -> Seen | None:
        if self._ask.missing:
            return None
        while True:
            try:
                with environment({name: text for name, text in self.values.items() if name in MLFLOWS_OWN}):
                    return see(settings_from(self.values))
            except OutsideError as trouble:
                said = self.without_secrets(for_a_person(str(trouble)))
            if not self._ask.is_terminal:
                self._refused.append(said)
                return None
            self._ask.say(said)
            ask_again()

    def _need_mlflow(self) -> None:
        self._need(
            "MLFLOW_TRACKING_URI",
            MLFLOW,
            "http://127.0.0.1:5000" if self._ask.is_terminal else "",
        )

    def _ask_mlflow_again(self) -> None:
        self._ask_for("MLFLOW_TRACKING_URI", MLFLOW, self.values.get("MLFLOW_TRACKING_URI", ""))
        self._ask_for("MLFLOW_TRACKING_USERNAME", "MLflow account of the bot (empty: none)", may_be_empty=True)
        if self.values.get("MLFLOW_TRACKING_USERNAME"):
            self._ask_secret("MLFLOW_TRACKING_PASSWORD", "Its password")

    def _need_slack(self) -> None:
        if "COUNTERSIGN_URL" not in self.values and "SLACK_APP_TOKEN" not in self.values:
            self._ask_for(
                "COUNTERSIGN_URL", "Public https address of the bot (empty: Slack's Socket Mode)", may_be_empty=True
            )
        if not {"SLACK_BOT_TOKEN", self._way_in} <= self.values.keys():
            self._ask.say(
                "\nCreate the Slack app with this link, install it to your workspace, and keep the page open:\n\n"
                f"{self._new_app_link()}\n"
            )
        if "SLACK_BOT_TOKEN" not in self.values:
            self._ask_secret("SLACK_BOT_TOKEN", BOT_TOKEN)
        if self._way_in not in self.values:
            self._ask_way_in()

    @property
    def _way_in(self) -> str:
        """With a token for it Socket Mode is used, also beside an address."""
        return "SLACK_APP_TOKEN" if by_socket(self.values) else "SLACK_SIGNING_SECRET"

    def _ask_way_in(self) -> None:
        self._ask_secret(self._way_in, WAYS_IN[self._way_in])

    def _ask_slack_again(self) -> None:
        self._ask_secret("SLACK_BOT_TOKEN", BOT_TOKEN)
        self._ask_way_in()

    def _wants_jira(self) -> bool:
        if self._with_jira is False:
            for name in FOR_JIRA:
                self.values.pop(name, None)
            return False
        if "JIRA_URL" not in self.values:
            self._ask_for("JIRA_URL", "Address of Jira (empty: no tickets)", may_be_empty=True)
        if not self.values.get("JIRA_URL"):
            return False
        if self._jira_lacks:
            self._ask_jira_account()
        return True

    @property
    def _jira_lacks(self) -> tuple[str, ...]:
        """The settings of an account at Jira Cloud that are missing, where Jira is wanted and no token of Data Center is there."""
        if self._with_jira is False or not self.values.get("JIRA_URL") or "JIRA_TOKEN" in self.values:
            return ()
        return tuple(name for name in JIRA_CLOUD if name not in self.values)

    def _ask_jira_account(self) -> None:
        if jira_of(settings_from(self.values)).told_deployment() == "Server":
            for name in JIRA_CLOUD:
                self.values.pop(name, None)
            self._ask_secret("JIRA_TOKEN", "personal access token of the bot's account")
            return
        if "JIRA_EMAIL" not in self.values:
            self._ask_for("JIRA_EMAIL", "E-mail address of the bot's Jira account")
        if "JIRA_API_TOKEN" not in self.values:
            self._ask_secret("JIRA_API_TOKEN", "API token of that account, from id.atlassian.com")

    def _ask_jira_again(self) -> None:
        self._ask_for("JIRA_URL", "Address of Jira", self.values.get("JIRA_URL", ""))
        for name in FOR_JIRA[1:]:
            self.values.pop(name, None)
        self._ask_jira_account()

    def _need(self, name: str, what: str, proposal: str = "") -> None:
        if name not in self.values:
            self._ask_for(name, what, proposal)

    def _ask_for(self, name: str, what: str, proposal: str = "", *, may_be_empty: bool = False) -> None:
        answer = self._ask.text(OPTION_OF[name], what, proposal, may_be_empty=may_be_empty, check=check_of(name))
        self._keep(name, answer)

    def _ask_secret(self, name: str, what: str) -> None:
        self._keep(name, self._ask.secret(OPTION_OF[name], what, check_of(name)))

    def _keep(self, name: str, answer: str) -> None:
        if answer:
            self.values[name] = answer
        else:
            self.values.pop(name, None)

    def without_secrets(self, text: str) -> str:
        """A vendor may put anything into an error, such as the token that it refuses."""
        secrets = [text for name, text in self.values.items() if is_secret(name) and len(text) >= SHORTEST_SECRET]
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return without_accounts(text)


SHORTEST_SECRET = 4
ADVICE_TO_THE_WORKER = (" Then replay the job.", ", and replay the job", " and restart")


def is_secret(name: str) -> bool:
    return name.endswith(("_TOKEN", "_SECRET", "_PASSWORD", "_KEY", "_PIN")) or name in ("DATABASE_URL", "SMTP_URL")


def for_a_person(sentence: str) -> str:
    """Without the advice that only holds for a running bot."""
    sentence = without_retries(sentence)
    for said in ADVICE_TO_THE_WORKER:
        sentence = sentence.replace(said, "")
    return sentence


def by_socket(values: Mapping[str, str]) -> bool:
    return "SLACK_APP_TOKEN" in values or not values.get("COUNTERSIGN_URL")


def check_slack_reaches(values: Mapping[str, str]) -> None:
    """Raises InvalidSettings for an address at which Slack delivers nothing."""
    url = values.get("COUNTERSIGN_URL", "")
    if by_socket(values) or url.startswith("https://") or urlsplit(url).hostname in LOCAL:
        return
    raise InvalidSettings(
        (
            f"--url: {url} is not https, and Slack sends to https alone. Give the https address of the proxy before the bot, or leave "
            "--url out and give --slack-app-token-file: Socket Mode needs no address.",
        )
    )


def check_of(name: str) -> Callable[[str], object]:
    """Raises InvalidSettings for a text that this setting cannot have. MLflow's own account is MLflow's to judge."""
    if name in MLFLOWS_OWN:
        return str

    def check(text: str) -> None:
        settings_from({name: text})
        check_slack_reaches({name: text})

    return check
