"""What is governed, as the bot has signed it: the rules' targets, and the versions whose files and runs must stay as they are. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from countersign_guard.names import plain
from countersign_guard.paths import Parts, address_parts, is_served, overlap, served_parts, without_workspace

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:countersign:governed:v1"
ALIAS, STAGE, MODEL = "alias", "stage", "model"
PLACEHOLDER = "{name}"


class NotValid(Exception):
    """What is no list of what is governed, with the reason."""


@dataclass(frozen=True)
class Rule:
    """A rule's target. `workspaces` and `models` are shell patterns; `name` of a model target may contain {name}."""

    workspaces: tuple[str, ...]
    models: str
    kind: str
    name: str

    def is_about(self, workspace: str, model: str) -> bool:
        return self.is_in(workspace) and fnmatchcase(model, self.models) and not self.has_copies_in(workspace, model)

    def has_copies_in(self, workspace: str, model: str) -> bool:
        """Whether a version in this model is itself the promotion."""
        if self.kind != MODEL or not self.is_in(workspace):
            return False
        before, placeholder, after = self.name.partition(PLACEHOLDER)
        if not placeholder:
            return model == self.name
        name = model[len(before) : len(model) - len(after)]
        return f"{before}{name}{after}" == model and name != "" and fnmatchcase(name, self.models)

    def is_in(self, workspace: str) -> bool:
        return any(fnmatchcase(workspace, one) for one in self.workspaces)


@dataclass(frozen=True)
class Version:
    """One that is approved or waits for its approval. `run`, `logged_model` and `source` are empty where it has none."""

    workspace: str
    model: str
    number: str
    run: str = ""
    logged_model: str = ""
    source: str = ""


@dataclass(frozen=True)
class Governed:
    """`registry` is its name in the policy; `tags` begin the names of the tags that only the bot writes; `webhook` is where MLflow
    reports changes to the bot, or empty; `by_id` has the versions by the ids of their runs and logged models.
    """

    registry: str
    issued: datetime
    expires: datetime
    rules: tuple[Rule, ...]
    versions: tuple[Version, ...]
    tags: tuple[str, ...] = ()
    webhook: str = ""
    by_id: Mapping[str, tuple[Version, ...]] = field(default_factory=dict, compare=False)
    by_folder: Mapping[Parts, Version] = field(default_factory=dict, compare=False)
    by_folder_above: Mapping[Parts, Version] = field(default_factory=dict, compare=False)
    by_stored_folder: Mapping[Parts, Version] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        ids: dict[str, tuple[Version, ...]] = {}
        folders: dict[Parts, Version] = {}
        above: dict[Parts, Version] = {}
        stored: dict[Parts, Version] = {}
        for version in self.versions:
            for one in filter(None, (version.run, version.logged_model)):
                ids[plain(one)] = (*ids.get(plain(one), ()), version)
            kept = served_parts(version.source)
            if kept:
                folders[kept] = version
                above.update((kept[:depth], version) for depth in range(len(kept)))
            elif address_parts(version.source) and not is_served(version.source):
                stored[address_parts(version.source)] = version
        object.__setattr__(self, "by_id", ids)
        object.__setattr__(self, "by_folder", folders)
        object.__setattr__(self, "by_folder_above", above)
        object.__setattr__(self, "by_stored_folder", stored)

    def at(self, path: Parts) -> Version | None:
        """One whose files, as its source names them, are at this path, around it or below it."""
        around = (self.by_folder.get(path[:depth]) for depth in range(1, len(path) + 1))
        return next(filter(None, around), None) or self.by_folder_above.get(path)

    def stored_at(self, path: Parts, kept_in: Parts) -> Version | None:
        """The same for one whose source names the store itself, such as s3://models/bike, where the server may keep what it serves."""
        for place, version in self.by_stored_folder.items():
            served = without_workspace(place[len(kept_in) :]) if place[: len(kept_in)] == kept_in else ()
            if overlap(place, path) or (served and overlap(served, path)):
                return version
        return None

    def ids_in(self, workspace: str) -> list[str]:
        """Of the runs and logged models behind the versions of this workspace."""
        mine = (version for version in self.versions if version.workspace == workspace)
        return sorted({one for version in mine for one in (version.run, version.logged_model) if one})

    def has_rule_in(self, workspace: str) -> bool:
        return any(rule.is_in(workspace) for rule in self.rules)

    def made_by(self, one: str) -> tuple[Version, ...]:
        """The versions that this run or logged model is behind."""
        return self.by_id.get(plain(one), ())

    def targets_of(self, workspace: str, model: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.is_about(workspace, model))

    def copies_of(self, workspace: str, model: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.has_copies_in(workspace, model))

    def covers(self, workspace: str, model: str) -> bool:
        return bool(self.targets_of(workspace, model) or self.copies_of(workspace, model))

    def versions_of(self, workspace: str, model: str) -> tuple[Version, ...]:
        return tuple(one for one in self.versions if (one.workspace, one.model) == (workspace, model))


def read_governed(payload: bytes) -> Governed:
    """Of a verified envelope. Raises NotValid."""
    try:
        statement = json.loads(payload)
        if statement["_type"] != STATEMENT or statement["predicateType"] != PREDICATE:
            raise NotValid(f"it is a statement of the type {str(statement['predicateType'])[:100]}, not {PREDICATE}")
        said = statement["predicate"]
        return Governed(
            registry=str(said["registry"]),
            issued=_moment(said["issued"]),
            expires=_moment(said["expires"]),
            rules=tuple(_rule(one) for one in said["rules"]),
            versions=tuple(_version(one) for one in said["versions"]),
            tags=tuple(str(one) for one in said["tags"]),
            webhook=str(said["webhook"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotValid(f"it does not have the form that this version of the guard reads ({error!r})") from None


def _rule(said: Mapping[str, object]) -> Rule:
    kind, workspaces = str(said["kind"]), said["workspaces"]
    if kind not in (ALIAS, STAGE, MODEL) or not isinstance(workspaces, list):
        raise ValueError(f"{kind} is no kind of target")
    return Rule(tuple(map(str, workspaces)), str(said["models"]), kind, str(said["name"]))


def _version(said: Mapping[str, object]) -> Version:
    optional = (str(said.get(name) or "") for name in ("run", "logged_model", "source"))
    return Version(str(said["workspace"]), str(said["model"]), str(int(str(said["number"]))), *optional)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return found
