"""MLflow's registry in memory: what it shows, what it takes, and a history of who moved what.

Strict: it refuses what MLflow refuses. The bot's calls come by the methods of `bot.ports.ModelRegistry`; people act by `hand_...`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.model import (
    DEFAULT_WORKSPACE,
    Artifacts,
    AuthorSource,
    Champion,
    DataSet,
    Evidence,
    Metric,
    Target,
    TargetKind,
    VersionId,
)
from bot.domain.registry.diff import UNWATCHED_STAGES
from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot
from bot.errors import Permanent, Rejected, Temporary
from bot.ports import ModelSummary, RegistryHint
from bot.ports.evidence_watch import RunState

BOT = "the bot"
HOME, ELSEWHERE = "the server that we know", "a server on an empty database"
RIDES = DataSet("rides", "5f1c77ab", "test")
MILLISECOND = timedelta(milliseconds=1)


@dataclass
class Version:
    """`content` stands for the bytes: the same text, the same bytes. `author` is the run's `mlflow.user`."""

    number: int
    created: datetime
    updated: datetime
    source: str
    content: str
    author: str
    mae: float
    stage: str = "None"
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Model:
    created: datetime
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)


Place = tuple[str, Target]  # the registered model whose place it is


@dataclass(frozen=True)
class Change:
    """One write: who came to which place, and who left which. `destroyed` are versions that are gone for good."""

    tick: int
    at: datetime
    by: str
    what: str
    arrived: tuple[tuple[Place, VersionId], ...] = ()
    left: tuple[tuple[Place, VersionId], ...] = ()
    destroyed: tuple[VersionId, ...] = ()
    copied_from: VersionId | None = None


class Registry:
    """`now` gives strictly growing moments; `saw` is called with each change once it is made."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last = datetime.min.replace(tzinfo=now().tzinfo)
        self.models: dict[str, Model] = {}
        self.history: list[Change] = []
        self.contents: dict[VersionId, str] = {}
        self.authors: dict[VersionId, str] = {}
        self.sources: dict[VersionId, VersionId] = {}
        self.unreadable: dict[VersionId, str] = {}
        self.is_emptied = False
        self.shown_identity: str | None = HOME
        self.saw: Callable[[Change], None] = lambda change: None

    # Reading

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        raise Rejected("bad_signature", "the simulation signs no webhooks; it asks for looks itself")

    def identity(self) -> str | None:
        """An emptied database is another one, unless somebody has deleted everything in ours, or it does not say."""
        return self.shown_identity if self.is_emptied else HOME

    def list_models(self) -> Iterator[ModelSummary]:
        return iter([self._summary(name, model) for name, model in sorted(self._shown().items())])

    def versions_newest_first(self) -> Iterator[VersionSnapshot]:
        return iter(sorted(self._all(), key=lambda seen: (seen.updated, seen.id), reverse=True))

    def version_pages(self, mark: str = "") -> Iterator[VersionPage]:
        return iter([VersionPage(mark, sorted(self._all(), key=lambda seen: (seen.id.model, -seen.id.version)))])

    def versions_tagged(self, tag: str) -> Iterator[VersionSnapshot]:
        return iter([seen for seen in self.versions_newest_first() if tag in seen.tags])

    def find_model(self, workspace: str, name: str) -> ModelSnapshot | None:
        model = self._shown().get(name)
        if model is None:
            return None
        versions = tuple(self._seen(name, model.versions[number]) for number in sorted(model.versions, reverse=True))
        return ModelSnapshot(DEFAULT_WORKSPACE, name, model.created, dict(model.aliases), versions)

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        model = self._shown().get(name)
        return self._seen(name, model.versions[number]) if model and number in model.versions else None

    def read_evidence(
        self,
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: object = None,
        follower: object = None,
        known: object = None,
    ) -> Evidence:
        if version in self.unreadable:
            raise Temporary(f"MLflow answers 503 for the files of {version}")
        one = self._of(version)
        return Evidence(
            source=one.source,
            run_id=f"run-of-{one.content}",
            author=one.author,
            description="",
            metrics=self.read_metrics(version),
            params={"depth": "6"},
            tags={},
            version_url=f"https://mlflow.example.com/#/models/{version.model}/versions/{version.version}",
            run_url=None,
            champion=Champion(champion, self.read_metrics(champion)) if champion else None,
            datasets=(RIDES,),
            artifacts=Artifacts(hashlib.sha256(one.content.encode()).hexdigest(), 1, 1000),
            author_from=AuthorSource.RUN,
        )

    def read_lock(self, version: VersionId, stores: Sequence[str]) -> None:
        return None

    def read_metrics(self, version: VersionId) -> tuple[Metric, ...]:
        return (Metric("mae", self._of(version).mae, "run", RIDES),)

    def run_states(self, runs: Mapping[str, str]) -> Mapping[str, RunState]:
        return dict.fromkeys(runs, RunState.THERE)

    def run_state(self, run_id: str) -> RunState:
        return RunState.THERE

    def has_logged_model(self, model_id: str) -> bool:
        return True

    def file_sizes(self, version: VersionId, stores: Sequence[str], wanted: Collection[str]) -> Mapping[str, int]:
        if version in self.unreadable:
            raise Temporary(f"MLflow answers 503 for the files of {version}")
        return dict.fromkeys(wanted, 1)

    # The bot's writes

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self.hand_alias(BOT, model, alias, version)

    def delete_alias(self, model: str, alias: str) -> None:
        self.hand_alias(BOT, model, alias, None)

    def set_stage(self, model: str, version: int, stage: str) -> None:
        self.hand_stage(BOT, model, version, stage)

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        return self.hand_copy(BOT, model, version, to_model, tags)

    def delete_version(self, model: str, version: int) -> None:
        self.hand_delete_version(BOT, model, version)

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        self.hand_tag(model, version, tags)

    # Anybody's writes

    def hand_register(self, by: str, model: str, content: str, mae: float, source: str = "") -> VersionId:
        """The next number is the highest that is there plus one, so that a number may come again."""
        there = self._there(model, make=True)
        number = max(there.versions, default=0) + 1
        moment = self._moment()
        made = Version(number, moment, moment, source or f"models:/m-{content}", content, by, mae)
        there.versions[number] = made
        version = VersionId(DEFAULT_WORKSPACE, model, number, moment)
        self.contents[version], self.authors[version] = content, by
        place = (model, Target(TargetKind.MODEL, model))
        self._note(by, f"registers {version}", arrived=((place, version),))
        return version

    def hand_copy(self, by: str, model: str, number: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        original = self._version(model, number)
        source = self._id(model, original)
        there = self._there(to_model, make=True)
        copied, moment = max(there.versions, default=0) + 1, self._moment()
        own = {key: value for key, value in original.tags.items() if not key.startswith("countersign.")}
        made = replace(
            original,
            number=copied,
            created=moment,
            updated=moment,
            source=f"models:/{model}/{number}",
            stage="None",
            tags={**own, **tags},
        )
        there.versions[copied] = made
        version = VersionId(DEFAULT_WORKSPACE, to_model, copied, moment)
        self.contents[version], self.authors[version] = original.content, original.author
        self.sources[version] = source
        place = (to_model, Target(TargetKind.MODEL, to_model))
        self._note(by, f"copies {source} to {version}", arrived=((place, version),), copied_from=source)
        return version

    def hand_alias(self, by: str, model: str, alias: str, number: int | None) -> None:
        there, place = self._there(model), (model, Target(TargetKind.ALIAS, alias))
        before = self._id(model, there.versions[there.aliases[alias]]) if alias in there.aliases else None
        left = ((place, before),) if before else ()
        if number is None:
            there.aliases.pop(alias, None)
            self._note(by, f"takes alias {alias} of {model} away from {before}", left=left)
            return
        version = self._id(model, self._version(model, number))
        there.aliases[alias] = number
        arrived = ((place, version),) if version != before else ()
        self._note(by, f"sets alias {alias} to {version}", arrived, left if version != before else ())

    def hand_stage(self, by: str, model: str, number: int, stage: str) -> None:
        one = self._version(model, number)
        version, before = self._id(model, one), one.stage
        one.stage, one.updated = stage, self._moment()
        if before == stage:
            self._note(by, f"leaves {version} in stage {stage}")
            return
        arrived = () if stage in UNWATCHED_STAGES else (((model, Target(TargetKind.STAGE, stage)), version),)
        left = () if before in UNWATCHED_STAGES else (((model, Target(TargetKind.STAGE, before)), version),)
        self._note(by, f"moves {version} to stage {stage}", arrived, left)

    def hand_tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        self._version(model, number).tags.update(tags)

    def hand_delete_version(self, by: str, model: str, number: int) -> None:
        version = self._id(model, self._version(model, number))
        left = tuple((place, version) for place, held in self.places().items() if version in held)
        there = self._there(model)
        del there.versions[number]
        there.aliases = {alias: held for alias, held in there.aliases.items() if held != number}
        self._note(by, f"deletes {version}", left=left, destroyed=(version,))

    def hand_rename(self, by: str, model: str, name: str) -> None:
        """Versions keep their creation times. MLflow refuses a name that is taken."""
        if name in self.models:
            raise Permanent(f"RESOURCE_ALREADY_EXISTS: {name}")
        left = self._standing(model)
        self.models[name] = self.models.pop(model)
        for _, version in left:
            new = replace(version, model=name)
            self.contents[new], self.authors[new] = self.contents[version], self.authors[version]
            if version in self.sources:
                self.sources[new] = self.sources[version]
        self._note(by, f"renames {model} to {name}", self._standing(name), left)

    # Looking back

    def places(self) -> dict[Place, tuple[VersionId, ...]]:
        """Who holds what just now, whether or not the registry shows anything."""
        found: dict[Place, tuple[VersionId, ...]] = {}
        for name, model in sorted(self.models.items()):
            ids = {number: self._id(name, one) for number, one in sorted(model.versions.items(), reverse=True)}
            found[name, Target(TargetKind.MODEL, name)] = tuple(ids.values())
            for alias, number in sorted(model.aliases.items()):
                found[name, Target(TargetKind.ALIAS, alias)] = (ids[number],)
            for number, version in ids.items():
                stage = model.versions[number].stage
                if stage not in UNWATCHED_STAGES:
                    place = (name, Target(TargetKind.STAGE, stage))
                    found[place] = (*found.get(place, ()), version)
        return {place: held for place, held in found.items() if held}

    def is_there(self, version: VersionId) -> bool:
        model = self.models.get(version.model)
        one = model.versions.get(version.version) if model else None
        return one is not None and one.created == version.created

    def _shown(self) -> Mapping[str, Model]:
        return {} if self.is_emptied else self.models

    def _summary(self, name: str, model: Model) -> ModelSummary:
        newest: dict[str, int] = {}
        for number, one in model.versions.items():
            newest[one.stage] = max(newest.get(one.stage, 0), number)
        latest = tuple(self._seen(name, model.versions[number]) for number in sorted(newest.values()))
        return ModelSummary(
            DEFAULT_WORKSPACE, name, model.created, dict(model.aliases), latest, max(model.versions, default=0)
        )

    def _all(self) -> list[VersionSnapshot]:
        return [self._seen(name, one) for name, model in self._shown().items() for one in model.versions.values()]

    def _seen(self, name: str, one: Version) -> VersionSnapshot:
        return VersionSnapshot(
            self._id(name, one), one.stage, dict(one.tags), one.source, f"run-of-{one.content}", one.updated
        )

    def _standing(self, model: str) -> tuple[tuple[Place, VersionId], ...]:
        return tuple((place, version) for place, held in self.places().items() for version in held if place[0] == model)

    def _of(self, version: VersionId) -> Version:
        if self.is_emptied or not self.is_there(version):
            raise Permanent(f"{version} is gone, or is another one of the same number")
        return self.models[version.model].versions[version.version]

    def _there(self, model: str, *, make: bool = False) -> Model:
        if self.is_emptied:
            raise Permanent(f"RESOURCE_DOES_NOT_EXIST: {model}")
        if model not in self.models and make:
            self.models[model] = Model(self._moment())
        if model not in self.models:
            raise Permanent(f"RESOURCE_DOES_NOT_EXIST: {model}")
        return self.models[model]

    def _version(self, model: str, number: int) -> Version:
        there = self._there(model)
        if number not in there.versions:
            raise Permanent(f"RESOURCE_DOES_NOT_EXIST: {model} version {number}")
        return there.versions[number]

    def _id(self, name: str, one: Version) -> VersionId:
        return VersionId(DEFAULT_WORKSPACE, name, one.number, one.created)

    def _moment(self) -> datetime:
        """MLflow counts in milliseconds; no two things here happen in the same one."""
        now = self._now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + MILLISECOND)
        return self._last

    def _note(
        self,
        by: str,
        what: str,
        arrived: tuple[tuple[Place, VersionId], ...] = (),
        left: tuple[tuple[Place, VersionId], ...] = (),
        destroyed: tuple[VersionId, ...] = (),
        copied_from: VersionId | None = None,
    ) -> None:
        change = Change(len(self.history) + 1, self._now(), by, what, arrived, left, destroyed, copied_from)
        self.history.append(change)
        self.saw(change)
