"""MLflow's Model Registry, through MLflow's own client. Failures and retries: `http`. Evidence: `evidence`. Webhooks:
`webhook`.

mlflow is imported at the first call, not with this module: the import takes a second, and the web process only verifies webhooks.
Credentials are MLflow's own environment variables (MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_TOKEN and so on).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

from bot.clients.mlflow import evidence, presence, prompts, webhook
from bot.clients.mlflow.access import Access, Credentials
from bot.clients.mlflow.files.artifacts import opened_files
from bot.clients.mlflow.http import (
    AlreadyThere,
    Grant,
    NotThere,
    has_workspaces,
    open_client,
    plainly,
    reading,
    writing,
)
from bot.clients.mlflow.lineage import get_version
from bot.clients.mlflow.provenance import Sources
from bot.clients.mlflow.versions import as_summary, as_time, as_version_seen
from bot.domain.evidence.caps import capped
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import DEFAULT_WORKSPACE, Evidence, Metric, VersionId
from bot.domain.names import all_storable, storable
from bot.domain.policy.rules import LineageDemand
from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot
from bot.domain.workspaces import Workspace, in_workspace
from bot.errors import Permanent
from bot.ports import ModelSummary, ProgressListener, RegistryHint
from bot.ports.data_stores import GitMirror
from bot.ports.evidence_watch import RunState
from bot.ports.sealed_store import VersionFiles

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel
    from mlflow.store.entities import PagedList

MODELS_A_PAGE = 1000  # the most that MLflow gives: mlflow/store/model_registry/__init__.py
VERSIONS_A_PAGE = 1000
NEWEST_A_PAGE = 100
ALL_A_PAGE = 5000  # MLflow gives 10,000, but took 8 s for them on a busy machine, and a call has 10 s
OUR_TAGS = "countersign."
FIRST_EXPERIMENT = "0"

Found = TypeVar("Found")


class MlflowRegistry:
    """A `bot.ports.ModelRegistry`. `timeout` is in seconds and holds for each call; nothing is tried twice in here.

    `public_url` is where people see MLflow, when that is not `tracking_uri`. `workspace` is the place that is read and written, and
    `credentials` are those of a registry that the policy names; without them MLflow's own variables say how to sign in.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        webhook_secrets: Sequence[str],
        timeout: float = 10,
        mirror: GitMirror | None = None,
        public_url: str = "",
        workspace: str = DEFAULT_WORKSPACE,
        credentials: Credentials | None = None,
        guard_secret: str = "",
    ) -> None:
        self._tracking_uri = tracking_uri.rstrip("/")
        self._webhook_secrets = tuple(webhook_secrets)
        self._timeout = timeout
        self._mirror = mirror
        self._public_url = public_url.rstrip("/")
        self._workspace, self._where = workspace, in_workspace(workspace)
        self._place = Workspace.parse(workspace)
        self._credentials = credentials
        self._guard_secret = guard_secret
        self._access = None if self._place == Workspace() else Access(self._place, credentials)

    def at(self, workspace: str) -> MlflowRegistry:
        """Itself. Raises Permanent for a place that it is not."""
        if workspace != self._workspace:
            raise Permanent(f'The workspace "{workspace}" is not watched, only "{self._workspace}" is.')
        return self

    @cached_property
    def _client(self) -> MlflowClient:
        client = open_client(self._tracking_uri, self._timeout, self._access, self._guard_secret)
        if self._place.name != DEFAULT_WORKSPACE:
            self._check_that_there_are_workspaces(client)
        return client

    @cached_property
    def _server(self) -> MlflowClient:
        """Its default workspace, which every server has: the identity is the server's."""
        if self._place.name == DEFAULT_WORKSPACE:
            return self._client
        there = Workspace(self._place.registry)
        access = None if there == Workspace() else Access(there, self._credentials)
        return open_client(self._tracking_uri, self._timeout, access, self._guard_secret)

    def _check_that_there_are_workspaces(self, client: MlflowClient) -> None:
        """A server before 3.10 would take the call to be about its only registry, whose models may have the same names."""
        if not has_workspaces(client.tracking_uri):
            raise Permanent(
                f'The server of "{self._workspace}" has no workspaces. Run it with `mlflow server --enable-workspaces` (MLflow 3.10 or '
                "newer), or take the workspace out of registries in the policy."
            )

    @property
    def _ui(self) -> str:
        """The address for people, without a password in it: it goes into cards and tickets."""
        parts = urlsplit(self._public_url or self._tracking_uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        return webhook.read_webhook(headers, body, now, self._webhook_secrets)

    # Reading

    def identity(self) -> str | None:
        """MLflow has no identity. Experiment 0 is made with the database, and its creation time never changes and is in backups too."""
        try:
            with reading(f"asking which registry it is{self._where}"):
                first = self._server.get_experiment(FIRST_EXPERIMENT)
        except Permanent:
            return None  # it may not be shown to us, or somebody has removed it for good
        born = as_time(first.creation_time) if first.creation_time else None
        return storable(f"born {born:%Y-%m-%d %H:%M:%S.%f} at {first.artifact_location}") if born else None

    def list_models(self) -> Iterator[ModelSummary]:
        """Without prompts, but with the models that somebody has given their tag."""
        return (as_summary(one, self._workspace) for one in chain(self._listed(None), self._hidden_models()))

    def _hidden_models(self) -> list[RegisteredModel]:
        tagged = [*self._listed(prompts.TAGGED)]
        is_needed, what = any(map(prompts.elsewhere, tagged)), f"listing the versions of prompts{self._where}"
        seen = self._search_versions(prompts.TAGGED, "name ASC", ALL_A_PAGE, what) if is_needed else ()
        return prompts.models_among(tagged, seen)

    def _listed(self, condition: str | None) -> Iterator[RegisteredModel]:
        search, what = self._client.search_registered_models, f"listing the registered models{self._where}"
        return chain.from_iterable(_pages(lambda token: search(condition, MODELS_A_PAGE, page_token=token), what))

    def versions_newest_first(self) -> Iterator[VersionSnapshot]:
        what = f"listing the newest versions{self._where}"
        return self._search_versions(None, "last_updated_timestamp DESC", NEWEST_A_PAGE, what)

    def version_pages(self, mark: str = "") -> Iterator[VersionPage]:
        """By name, which MLflow has an index for. Its tokens count versions: what is deleted meanwhile shifts the pages."""
        token, what = mark or None, f"listing all versions{self._where}"
        while True:
            with reading(what):
                page = self._client.search_model_versions(
                    max_results=ALL_A_PAGE, order_by=["name ASC", "version_number DESC"], page_token=token
                )
            yield VersionPage(token or "", [as_version_seen(found, self._workspace) for found in page])
            if not page.token:
                return
            token = page.token

    def versions_tagged(self, tag: str) -> Iterator[VersionSnapshot]:
        if "`" in tag:
            raise Permanent(
                f"MLflow cannot search for a tag with a backtick in its name, {tag!r}. Choose another tag in the policy."
            )
        return self._search_versions(
            f"tags.`{tag}` LIKE '%'",
            "last_updated_timestamp DESC",
            VERSIONS_A_PAGE,
            f"listing the versions tagged {tag}{self._where}",
        )

    def find_model(self, workspace: str, name: str) -> ModelSnapshot | None:
        return self._find_model(workspace, name, None)

    def find_model_in_part(self, workspace: str, name: str, numbers: Collection[int]) -> ModelSnapshot | None:
        return self._find_model(workspace, name, numbers)

    def _find_model(self, workspace: str, name: str, numbers: Collection[int] | None) -> ModelSnapshot | None:
        """The model is read before its versions, so an alias without its version means that the version was deleted meanwhile. One
        version with the tag of prompts hides all of them from MLflow's lists.
        """
        self.at(workspace)
        try:
            with reading(f'reading model "{name}"{self._where}'):
                found = self._client.get_registered_model(name)
        except NotThere:
            return None
        versions = {seen.id.version: seen for seen in self._versions_of(name)}
        hidden = frozenset[int]() if versions else prompts.held_in(found)
        versions |= self._one_by_one(name, hidden)
        if prompts.is_tagged(found) and prompts.is_prompts(seen.source for seen in versions.values()):
            return None
        if hidden:
            others = range(1, max(hidden)) if numbers is None else numbers
            versions |= self._one_by_one(name, frozenset(others) - hidden)
        return ModelSnapshot(
            workspace=workspace,
            name=found.name,
            created=as_time(found.creation_timestamp),
            aliases={
                storable(alias): int(number) for alias, number in found.aliases.items() if int(number) in versions
            },
            versions=tuple(versions[number] for number in sorted(versions, reverse=True)),
            unread=prompts.why_too_many(name) if hidden and numbers is not None else "",
        )

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        self.at(workspace)
        try:
            with reading(f'reading version {number} of "{name}"{self._where}'):
                return as_version_seen(self._client.get_model_version(name, str(number)), self._workspace)
        except NotThere:
            return None

    def _one_by_one(self, name: str, numbers: Collection[int]) -> dict[int, VersionSnapshot]:
        prompts.check_few(name, numbers)
        found = (self.find_version(self._workspace, name, number) for number in sorted(numbers))
        return {seen.id.version: seen for seen in found if seen is not None}

    def _versions_of(self, name: str) -> Iterator[VersionSnapshot]:
        found = self._search_versions(
            _name_filter(name), "version_number DESC", VERSIONS_A_PAGE, f'listing the versions of "{name}"{self._where}'
        )
        return (seen for seen in found if seen.id.model == name)

    def _search_versions(self, condition: str | None, order: str, size: int, what: str) -> Iterator[VersionSnapshot]:
        def page(token: str | None) -> PagedList[ModelVersion]:
            return self._client.search_model_versions(condition, max_results=size, order_by=[order], page_token=token)

        return (as_version_seen(found, self._workspace) for found in chain.from_iterable(_pages(page, what)))

    def read_evidence(
        self,
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
        known: Evidence | None = None,
    ) -> Evidence:
        self.at(version.workspace)
        sources = Sources(stores, lineage, self._mirror) if lineage else None
        found = evidence.read_evidence(self._client, self._ui, version, champion, stores, sources, follower, known)
        return capped(all_storable(found))

    def read_lock(self, version: VersionId, stores: Sequence[str]) -> KeptLock | None:
        return evidence.read_lock(self.at(version.workspace)._client, version, stores)

    def open_files(self, version: VersionId, stores: Sequence[str]) -> AbstractContextManager[VersionFiles]:
        client = self.at(version.workspace)._client
        return opened_files(client, get_version(client, version), stores)

    def read_metrics(self, version: VersionId) -> tuple[Metric, ...]:
        return all_storable(evidence.read_metrics(self.at(version.workspace)._client, version))

    # Looking after what approvals rest on

    def run_states(self, runs: Mapping[str, str]) -> Mapping[str, RunState]:
        return presence.states_of(self._client, runs)

    def run_state(self, run_id: str) -> RunState:
        return presence.state_of(self._client, run_id)

    def has_logged_model(self, model_id: str) -> bool:
        return presence.has_logged_model(self._client, model_id)

    def file_sizes(self, version: VersionId, stores: Sequence[str], wanted: Collection[str]) -> Mapping[str, int]:
        return presence.sizes_of(self.at(version.workspace)._client, version, stores, wanted)

    # Writing

    def set_alias(self, model: str, alias: str, version: int) -> None:
        with writing(f"setting alias {alias} of {model} to v{version}{self._where}"):
            plainly(self._client).set_registered_model_alias(model, alias, str(version))  # type: ignore[no-untyped-call]

    def delete_alias(self, model: str, alias: str) -> None:
        with writing(f"deleting alias {alias} of {model}{self._where}", Grant.MANAGE):
            plainly(self._client).delete_registered_model_alias(model, alias)  # type: ignore[no-untyped-call]

    def set_stage(self, model: str, version: int, stage: str) -> None:
        """MLflow warns that stages are deprecated; who uses them knows, so the function is called beneath the warning."""
        transition = inspect.unwrap(type(self._client).transition_model_version_stage)
        with writing(f"moving {model} v{version} to stage {stage}{self._where}"):
            transition(self._client, model, str(version), stage, archive_existing_versions=False)

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        """One call makes the copy with its tags, so a lost answer leaves all or nothing. Our tags are about the
        original and stay there; MLflow's `copy_model_version` would copy them."""
        with reading(f"reading {model} v{version}{self._where}"):
            original = self._client.get_model_version(model, str(version))
        self._ensure_model(to_model)
        own_tags = {key: value for key, value in original.tags.items() if not key.startswith(OUR_TAGS)}
        with writing(f"copying {model} v{version} to {to_model}{self._where}"):
            copy = self._client.create_model_version(
                to_model,
                source=f"models:/{model}/{version}",
                run_id=original.run_id,
                run_link=original.run_link,
                description=original.description,
                tags={**own_tags, **tags},
                await_creation_for=0,
            )
        return as_version_seen(copy, self._workspace).id

    def _ensure_model(self, name: str) -> None:
        with suppress(AlreadyThere), writing(f'creating model "{name}"{self._where}'):
            self._client.create_registered_model(name)

    def delete_version(self, model: str, version: int) -> None:
        with writing(f"deleting {model} v{version}{self._where}", Grant.MANAGE):
            self._client.delete_model_version(model, str(version))

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            with writing(f"setting tag {key} on {model} v{version}{self._where}"):
                plainly(self._client).set_model_version_tag(model, str(version), key, value)  # type: ignore[no-untyped-call]


def _pages(call: Callable[[str | None], PagedList[Found]], what: str) -> Iterator[Iterable[Found]]:
    """Calls for the next page only when the one before is used up."""
    token = None
    while True:
        with reading(what):
            page = call(token)
        yield page
        if not page.token:
            return
        token = page.token


def _name_filter(name: str) -> str:
    """MLflow's filters know no escapes: a quote in a name becomes LIKE's wildcard for one character, and the caller compares names."""
    if "'" not in name:
        return f"name = '{name}'"
    return "name LIKE '" + name.replace("'", "_") + "'"
