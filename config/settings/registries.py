"""The secrets of registries that the policy names: variables that end in the registry's name, such as MLFLOW_TRACKING_TOKEN_EU.

Which registries there are is not known here, because the policy is read later; `countersign doctor` tries each of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr

from config.settings import values

UNSET = SecretStr("")
GUARD_SECRET_LENGTH = 32
NAMED = re.compile(
    r"(MLFLOW_TRACKING_USERNAME|MLFLOW_TRACKING_PASSWORD|MLFLOW_TRACKING_TOKEN|MLFLOW_WEBHOOK_SECRET"
    r"|COUNTERSIGN_GUARD_SECRET)_([A-Z][A-Z0-9_]*)"
)


@dataclass(frozen=True)
class RegistrySecrets:
    """How the bot signs in to a registry, the secrets of its webhooks, newest first, and the one for the registry's guard."""

    username: str = ""
    password: SecretStr = UNSET
    token: SecretStr = UNSET
    webhook_secrets: tuple[SecretStr, ...] = ()
    guard_secret: SecretStr = UNSET


def checked_guard_secret(text: str) -> str:
    """The guard of an MLflow server takes no shorter one either. Raises ValueError."""
    if len(text) < GUARD_SECRET_LENGTH:
        raise ValueError(f"has fewer than {GUARD_SECRET_LENGTH} characters. Make one with: openssl rand -hex 32")
    return values.secret(text)


def web_addresses(text: str) -> tuple[str, ...]:
    """Of other servers of a registry, separated by commas or white space. Raises ValueError."""
    return tuple(values.web_address(word) for word in text.replace(",", " ").split())


def read_secrets(environ: Mapping[str, str]) -> tuple[dict[str, RegistrySecrets], list[str]]:
    """By the registry's name in the policy, and sentences about what is wrong."""
    found: dict[str, RegistrySecrets] = {}
    mistakes = []
    for variable, text in environ.items():
        named = NAMED.fullmatch(variable)
        if named is None or not text.strip() or variable == "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY":
            continue  # the last is the MLflow server's own
        name = named[2].lower().replace("_", "-")
        try:
            found[name] = _with(found.get(name, RegistrySecrets()), named[1], text.strip())
        except ValueError as complaint:
            mistakes.append(f"{variable} {complaint}.")
    for name, one in found.items():
        if bool(one.username) != bool(one.password.get_secret_value()):
            suffix = name.upper().replace("-", "_")
            mistakes.append(
                f"MLFLOW_TRACKING_USERNAME_{suffix} and MLFLOW_TRACKING_PASSWORD_{suffix} belong together. Set both, or neither."
            )
    return found, mistakes


def _with(known: RegistrySecrets, kind: str, text: str) -> RegistrySecrets:
    match kind:
        case "MLFLOW_TRACKING_USERNAME":
            return replace(known, username=text)
        case "MLFLOW_TRACKING_PASSWORD":
            return replace(known, password=SecretStr(text))
        case "MLFLOW_TRACKING_TOKEN":
            return replace(known, token=SecretStr(values.secret(text)))
        case "COUNTERSIGN_GUARD_SECRET":
            return replace(known, guard_secret=SecretStr(checked_guard_secret(text)))
        case _:
            secrets = tuple(SecretStr(one) for one in values.several_secrets(text))
            return replace(known, webhook_secrets=secrets)
