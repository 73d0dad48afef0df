"""All watched registries: which client reads and writes which place. The policy in force names them, the settings have their secrets.

The default workspace of the default registry needs no policy, so that a bot with one registry asks the database nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from bot.clients.mlflow import webhook
from bot.clients.mlflow.access import Credentials, of_registry_named
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.workspaces import DEFAULT, Registry, Workspace, same_server, watched
from bot.errors import Permanent, Refused
from bot.ports import RegistryHint
from bot.ports.data_stores import GitMirror

NO_SECRETS = Credentials()
NOT_WATCHED = "Add it to registries in the policy, or call the request off."


@dataclass(frozen=True)
class Secrets:
    """Of a registry that the policy names."""

    credentials: Credentials = NO_SECRETS
    webhook_secrets: tuple[str, ...] = ()
    guard_secret: str = ""


class MlflowRegistries:
    """`bot.ports.registry.ModelRegistries`. `named` gives the registries of the policy in force, and is asked for other places only."""

    def __init__(
        self,
        tracking_uri: str,
        *,
        webhook_secrets: Sequence[str],
        named: Callable[[], Sequence[Registry]] = tuple,
        secrets: Mapping[str, Secrets] | None = None,
        mirror: GitMirror | None = None,
        public_url: str = "",
        guard_secret: str = "",
    ) -> None:
        self._own = Registry(DEFAULT, uri=tracking_uri, public_url=public_url)
        self._webhook_secrets = tuple(webhook_secrets)
        self._named = named
        self._secrets = secrets or {}
        self._mirror = mirror
        self._guard_secret = guard_secret
        self._default = self._client(self._own, Workspace())
        self._clients: dict[tuple[str, str, Workspace], MlflowRegistry] = {}
        self._lock = Lock()

    def at(self, workspace: str) -> MlflowRegistry:
        """Raises Permanent for a place that the policy in force does not watch."""
        if workspace == DEFAULT:
            return self._default
        place = _parsed(workspace)
        registry = next((one for one in watched(self._named()) if one.name == place.registry), None)
        if registry is None or place.name not in registry.workspaces:
            raise Permanent(f'The workspace "{workspace}" is not watched any more. {NOT_WATCHED}')
        there = self._own if registry.name == DEFAULT else registry
        self._refuse_the_default_server(there)
        key = (there.uri, there.public_url, place)
        with self._lock:
            return self._clients.setdefault(key, self._client(there, place))

    def _refuse_the_default_server(self, registry: Registry) -> None:
        """Each model would be there twice, and an approval for one would be a move by hand of the other."""
        own = {same_server(one) for one in (self._own.uri, self._own.public_url) if one}
        if registry is not self._own and same_server(registry.uri) in own:
            raise Permanent(
                f'The registry "{registry.name}" of the policy is the server of MLFLOW_TRACKING_URI. Add its workspaces to the registry '
                f'"{DEFAULT}", and remove "{registry.name}".'
            )

    def addresses(self, registry: Registry) -> tuple[str, ...]:
        there = self._own if registry.name == DEFAULT else registry
        return tuple(one for one in (there.uri, there.public_url) if one)

    def read_webhook(self, registry: str, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        if registry == DEFAULT:
            return webhook.read_webhook(headers, body, now, self._webhook_secrets)
        of_registry = self._secrets.get(registry, Secrets())
        return webhook.read_webhook(headers, body, now, of_registry.webhook_secrets, of_registry_named(registry))

    def _client(self, registry: Registry, place: Workspace) -> MlflowRegistry:
        is_own = registry.name == DEFAULT
        secrets = self._secrets.get(registry.name, Secrets())
        return MlflowRegistry(
            registry.uri,
            webhook_secrets=self._webhook_secrets if is_own else (),
            mirror=self._mirror,
            public_url=registry.public_url,
            workspace=str(place),
            credentials=None if is_own else secrets.credentials,
            guard_secret=self._guard_secret if is_own else secrets.guard_secret,
        )


def _parsed(workspace: str) -> Workspace:
    try:
        return Workspace.parse(workspace)
    except Refused as refusal:
        raise Permanent(f"{refusal}.") from None
