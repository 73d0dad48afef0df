"""Where a registered model lives: a workspace of a registry, written as one text.

The text is `registry/workspace`, such as `eu/team-a`. `default` alone is the default workspace of the default registry, as in all records
from before there were others. Only this module writes and parses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from bot.errors import Refused

DEFAULT = "default"
"""The name of MLflow's default workspace, and of the registry that the settings name."""
DEFAULT_WORKSPACE = DEFAULT

REGISTRY_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
WORKSPACE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # mlflow/store/workspace/abstract_store.py
AFTER_HOST = re.compile(r"[/?#\\]")  # an "@" after it names no host


@dataclass(frozen=True, order=True)
class Workspace:
    """A workspace `name` of a `registry`; a server without workspaces has only the default one."""

    registry: str = DEFAULT
    name: str = DEFAULT

    def __str__(self) -> str:
        return DEFAULT if self == Workspace() else f"{self.registry}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Also `team-a` alone, which is a workspace of the default registry. Raises Refused."""
        registry, slash, name = text.strip().partition("/")
        found = cls(registry, name) if slash else cls(DEFAULT, registry)
        if not REGISTRY_NAME.fullmatch(found.registry) or not WORKSPACE_NAME.fullmatch(found.name):
            raise Refused(
                f'"{text[:100]}" is not a workspace. Write REGISTRY/WORKSPACE, such as eu/team-a, or the name of a workspace of the '
                "default registry"
            )
        return found


@dataclass(frozen=True)
class Registry:
    """A watched registry: an MLflow server with these of its workspaces. The settings have the address of the default one."""

    name: str
    workspaces: tuple[str, ...] = (DEFAULT,)
    uri: str = ""
    public_url: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(str(Workspace(self.name, one)) for one in self.workspaces)


def watched(registries: Iterable[Registry]) -> tuple[Registry, ...]:
    """Those that a policy names, after the default registry, which is watched without being named."""
    named = {one.name: one for one in registries}
    default = named.pop(DEFAULT, Registry(DEFAULT))
    return default, *named.values()


def pattern_of(registry: str, workspaces: Iterable[str]) -> str:
    """The shell patterns of a rule for `is_covered`, as one text; as short as a place's, so that old rules keep their hashes."""
    return " ".join(one if registry == DEFAULT else f"{registry}/{one}" for one in workspaces)


def patterns_in(pattern: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a pattern for the registry's name and one for the workspace's, of a text that `pattern_of` wrote."""
    return tuple(_pair(one) for one in pattern.split(" "))


def pattern_text(pattern: str) -> str:
    """For people: several with commas."""
    return ", ".join(pattern.split(" "))


def is_covered(workspace: str, pattern: str) -> bool:
    """Whether a place is among those that a rule is for."""
    if workspace == pattern:
        return True
    registry, name = _pair(workspace)
    return any(fnmatchcase(registry, one) and fnmatchcase(name, other) for one, other in patterns_in(pattern))


def in_workspace(workspace: str) -> str:
    """Completes a model's name for people, such as ` in eu/team-a`; empty for the default workspace of the default registry."""
    return "" if workspace == DEFAULT else f" in {workspace}"


def option_for(workspace: str) -> str:
    """Completes a command that is printed for people, such as ` --workspace eu/team-a`; empty as for `in_workspace`."""
    return "" if workspace == DEFAULT else f" --workspace {workspace}"


def subject_of(workspace: str, model: str) -> str:
    """What a job about a registered model is about, as one text."""
    return f"{workspace}/{model}" if workspace == DEFAULT else f"@{workspace}/{model}"


def of_subject(subject: str) -> tuple[str, str]:
    """The workspace and the model in what `subject_of` wrote."""
    if not subject.startswith("@"):
        workspace, _, model = subject.partition("/")
        return workspace, model
    registry, name, model = subject[1:].split("/", 2)
    return f"{registry}/{name}", model


def same_server(address: str) -> str:
    """An address in the form in which two of one server are equal: without a password, a default port or a slash at its end."""
    if not address.strip():
        return ""
    scheme, _, rest = address.strip().partition("://")
    end = AFTER_HOST.search(rest)
    host, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    port = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    plain = host.rpartition("@")[2].lower().removesuffix(port)
    return f"{scheme.lower()}://{plain}{path}".rstrip("/")


def _pair(text: str) -> tuple[str, str]:
    registry, slash, name = text.partition("/")
    return (registry, name) if slash else (DEFAULT, registry)
