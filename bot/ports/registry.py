"""The registries that a bot watches beside its default one, as one Protocol. What each of its places can do: `bot.ports.ModelRegistry`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.workspaces import Registry
from bot.errors import Permanent, Rejected
from bot.ports import ModelRegistry, RegistryHint


class ModelRegistries(Protocol):
    """MLflow servers with their workspaces."""

    def at(self, workspace: str) -> ModelRegistry:
        """The registry of one place, as `bot.domain.workspaces` writes it. Raises Permanent for one that is not watched."""

    def addresses(self, registry: Registry) -> tuple[str, ...]:
        """Those of its server that are known, for the bot and for people."""

    def read_webhook(self, registry: str, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        """Verifies the signature over the raw body with the secrets of that registry, then parses. Raises Rejected."""


class NoOthers:
    """Of a bot that watches the default workspace of its default registry alone."""

    def at(self, workspace: str) -> ModelRegistry:
        raise Permanent(f'The workspace "{workspace}" is not watched.')

    def addresses(self, registry: Registry) -> tuple[str, ...]:  # noqa: ARG002 - the Protocol's
        return ()

    def read_webhook(self, registry: str, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:  # noqa: ARG002
        raise Rejected("no_secret", "This registry is not watched.")


NO_OTHERS = NoOthers()
