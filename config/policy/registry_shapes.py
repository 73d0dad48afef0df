"""`registries:` of the policy: other MLflow servers and workspaces to watch. Their credentials are environment variables, never in here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from bot.domain.workspaces import DEFAULT, REGISTRY_NAME, WORKSPACE_NAME, Registry, same_server
from bot.locations import parts_of
from bot.mlflow_addresses import mistake_in
from config.policy.values import Shape, different

REGISTRIES_LIMIT = 50
WORKSPACES_LIMIT = 200
PLACE_PATTERN = re.compile(r"[^\s/]{1,200}")


def _name(text: str) -> str:
    if not REGISTRY_NAME.fullmatch(text):
        raise ValueError(
            f'"{text}" cannot be the name of a registry: use at most 31 lower-case letters, digits and "-", a letter first'
        )
    return text


def _workspace(text: str) -> str:
    if not WORKSPACE_NAME.fullmatch(text):
        raise ValueError(
            f'must be the name of a workspace as MLflow has it, lower-case letters, digits and "-", not "{text}"'
        )
    return text


def _address(text: str) -> str:
    mistake = mistake_in(text)
    if mistake:
        raise ValueError(mistake.rstrip("."))
    return _without_credentials(text)


def _web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError(f'must be an address such as https://mlflow.example.com, not "{text}"')
    return _without_credentials(text)


def _without_credentials(text: str) -> str:
    parts = parts_of(text)
    if parts is None or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address without a query, such as https://mlflow.example.com")
    if "@" in parts.netloc:
        raise ValueError(
            "holds credentials. Set them as variables of the bot, named for the registry, and take them out"
        )
    return text.rstrip("/")


def _place_pattern(text: str) -> str:
    if not PLACE_PATTERN.fullmatch(text):
        raise ValueError(f'must be a name, or a shell pattern such as "team-*", without spaces and "/", not "{text}"')
    return text


PlacePattern = Annotated[str, AfterValidator(_place_pattern)]
RegistryName = Annotated[str, AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
WorkspaceName = Annotated[str, AfterValidator(_workspace)]


class RegistryShape(Shape):
    """An MLflow server whose models are watched, under a name that the rules use."""

    uri: Address | None = None
    """Its address. The registry `default` has none: MLFLOW_TRACKING_URI is its address."""
    public_url: WebAddress | None = None
    """The address under which people see it, for links, when it differs from uri."""
    workspaces: Annotated[
        tuple[WorkspaceName, ...],
        Strict(False),
        Field(min_length=1, max_length=WORKSPACES_LIMIT),
        AfterValidator(different),
    ] = Field(default=(DEFAULT,), json_schema_extra={"default": [DEFAULT]})
    """The workspaces to watch, of a server that runs with `--enable-workspaces`."""

    def as_registry(self, name: str) -> Registry:
        return Registry(name, self.workspaces, self.uri or "", self.public_url or "")


def registries_can_be_told_apart(shapes: Mapping[str, RegistryShape]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Findings: the default one takes its address from the settings, every other has one of its own."""
    owners: dict[str, str] = {}
    for name, shape in shapes.items():
        path = ("registries", name)
        if name == DEFAULT:
            for key, variable in (("uri", "MLFLOW_TRACKING_URI"), ("public_url", "MLFLOW_PUBLIC_URL")):
                if getattr(shape, key) is not None:
                    yield (*path, key), f'registry "{DEFAULT}" has its {key} from {variable}. Remove it here.'
            continue
        if shape.uri is None:
            yield path, f'registry "{name}" has no uri. Add the address of its MLflow server.'
            continue
        owner = owners.setdefault(same_server(shape.uri), name)
        if owner != name:
            sentence = (
                f'registry "{name}" is at the same address as "{owner}". Keep one, and list its workspaces there.'
            )
            yield (*path, "uri"), sentence
