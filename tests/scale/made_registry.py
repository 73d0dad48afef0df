"""A registry of any size that is computed and not kept, and counts the calls that MLflow would get.

It answers as `bot.ports.ModelRegistry`; a page of a listing is a call, as large as MLflow's client asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from bot.clients.mlflow.registry import ALL_A_PAGE, MODELS_A_PAGE, NEWEST_A_PAGE
from bot.domain.model import DEFAULT_WORKSPACE, VersionId
from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot
from bot.ports import ModelSummary

BORN = datetime(2026, 1, 1, tzinfo=UTC)
APART = timedelta(seconds=2)  # from one version to the next

Found = TypeVar("Found")


@dataclass
class MadeRegistry:
    """`aliases` and `news` are what is set and registered beside the usual; each of the models has champion on its first version.

    `fails_after` so many pages of a listing of all versions, once.
    """

    models: int
    versions_each: int = 1
    workspace: str = DEFAULT_WORKSPACE
    server: str = "the made one"
    aliases: dict[str, Mapping[str, int]] = field(default_factory=dict)
    news: list[VersionSnapshot] = field(default_factory=list)
    gone: set[VersionId] = field(default_factory=set)
    fails_after: int | None = None
    trouble: Exception = field(default_factory=RuntimeError)
    calls: Counter[str] = field(default_factory=Counter)

    def at(self, _workspace: str) -> MadeRegistry:
        return self

    def identity(self) -> str:
        self.calls["identity"] += 1
        return self.server

    def list_models(self) -> Iterator[ModelSummary]:
        return self._paged("models", MODELS_A_PAGE, map(self._summary, range(self.models)))

    def versions_newest_first(self) -> Iterator[VersionSnapshot]:
        usual = (self._version(*divmod(place, self.versions_each)) for place in range(self.size - 1, -1, -1))
        newest = sorted(self.news, key=lambda seen: seen.updated, reverse=True)
        return self._paged("newest", NEWEST_A_PAGE, self._there([*newest]), self._there(usual))

    def version_pages(self, mark: str = "") -> Iterator[VersionPage]:
        for page in range(int(mark or 0), -(-self.size // ALL_A_PAGE)):
            if self.fails_after is not None and page >= self.fails_after:
                self.fails_after = None
                raise self.trouble
            self.calls["all versions"] += 1
            places = range(page * ALL_A_PAGE, min(self.size, (page + 1) * ALL_A_PAGE))
            yield VersionPage(str(page), self._there(self._version(*divmod(one, self.versions_each)) for one in places))

    def versions_tagged(self, _tag: str) -> Iterator[VersionSnapshot]:
        return self._paged("tagged", ALL_A_PAGE, ())

    def find_model(self, _workspace: str, name: str) -> ModelSnapshot | None:
        self.calls["a model"] += 1
        self.calls["versions of a model"] += 1
        number = int(name.rpartition("-")[2])
        summary = self._summary(number)
        usual = (self._version(number, one) for one in range(self.versions_each))
        mine = self._there([*usual, *(one for one in self.news if one.id.model == name)])
        newest_first = tuple(sorted(mine, key=lambda seen: -seen.id.version))
        return ModelSnapshot(self.workspace, name, summary.created, summary.aliases, newest_first)

    @property
    def size(self) -> int:
        return self.models * self.versions_each

    def register(self, number: int, at: datetime) -> VersionSnapshot:
        """A new version of that model."""
        name = model_name(number)
        highest = self.versions_each + sum(1 for one in self.news if one.id.model == name)
        new = replace(
            self._version(number, 0), id=VersionId(self.workspace, name, highest + 1, at), updated=at, run_id=None
        )
        self.news.append(new)
        return new

    def _summary(self, number: int) -> ModelSummary:
        name = model_name(number)
        mine = [one for one in self.news if one.id.model == name]
        latest = max([self._version(number, self.versions_each - 1), *mine], key=lambda seen: seen.id.version)
        aliases = {"champion": 1, **self.aliases.get(name, {})}
        return ModelSummary(self.workspace, name, BORN, aliases, (latest,), latest.id.version)

    def _version(self, model: int, place: int) -> VersionSnapshot:
        at = BORN + (model * self.versions_each + place) * APART
        run = f"{model:016x}{place:016x}"
        return VersionSnapshot(
            VersionId(self.workspace, model_name(model), place + 1, at), "None", {}, f"models:/m-{run}", run, at
        )

    def _there(self, versions: Iterable[VersionSnapshot]) -> Iterator[VersionSnapshot]:
        return (one for one in versions if one.id not in self.gone)

    def _paged(self, what: str, size: int, *listings: Iterable[Found]) -> Iterator[Found]:
        whole = (one for listing in listings for one in listing)
        while True:
            self.calls[what] += 1
            page = list(islice(whole, size))
            yield from page
            if len(page) < size:
                return


def model_name(number: int) -> str:
    return f"bike-{number}"
