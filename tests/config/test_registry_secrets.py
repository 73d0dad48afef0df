"""Secrets of the registries that the policy names: variables that end in the registry's name."""

from __future__ import annotations

import pytest

from bot.errors import InvalidSettings
from config.settings import read_settings


def test_variables_that_end_in_a_registry_s_name_are_its_own() -> None:
    environ = {
        "MLFLOW_TRACKING_TOKEN": "the-default-one",
        "MLFLOW_TRACKING_USERNAME_EU": "bot",
        "MLFLOW_TRACKING_PASSWORD_EU": "secret-of-eu",
        "MLFLOW_TRACKING_TOKEN_US_WEST": "token-of-us-west",
        "MLFLOW_WEBHOOK_SECRET_EU": "new-secret,old-secret",
    }

    found = read_settings(environ, frozenset()).registries

    assert sorted(found) == ["eu", "us-west"]
    assert (found["eu"].username, found["eu"].password.get_secret_value()) == ("bot", "secret-of-eu")
    assert [one.get_secret_value() for one in found["eu"].webhook_secrets] == ["new-secret", "old-secret"]
    assert found["us-west"].token.get_secret_value() == "token-of-us-west"


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
        "MLFLOW_TRACKING_TOKEN_",
        "MLFLOW_TRACKING_TOKEN_eu",
    ],
)
def test_variables_of_mlflow_itself_name_no_registry(name: str) -> None:
    assert read_settings({name: "value-of-it"}, frozenset()).registries == {}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MLFLOW_TRACKING_USERNAME_EU": "bot"}, "MLFLOW_TRACKING_PASSWORD_EU belong together"),
        ({"MLFLOW_TRACKING_PASSWORD_EU": "secret"}, "MLFLOW_TRACKING_PASSWORD_EU belong together"),
        ({"MLFLOW_TRACKING_TOKEN_EU": "a token"}, "MLFLOW_TRACKING_TOKEN_EU contains a space"),
        ({"MLFLOW_WEBHOOK_SECRET_EU": ","}, "MLFLOW_WEBHOOK_SECRET_EU holds only commas"),
    ],
)
def test_secrets_that_cannot_be_used_are_refused_by_the_name_of_the_variable(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said):
        read_settings(environ, frozenset())


def test_no_secret_of_a_registry_is_printed() -> None:
    environ = {"MLFLOW_TRACKING_TOKEN_EU": "canary-token", "MLFLOW_WEBHOOK_SECRET_EU": "canary-secret"}

    settings = read_settings(environ, frozenset())

    assert "canary" not in f"{settings!r} {settings}"
