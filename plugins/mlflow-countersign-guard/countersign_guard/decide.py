"""Whether a write is refused, and with which sentence. Pure: what MLflow's own tables say comes through `Registry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from countersign_guard.governed import ALIAS, STAGE, Governed, Rule, Version
from countersign_guard.names import looks_like, plain

MARK = "[countersign-guard]"  # at the end of each refusal; `countersign doctor` looks for it
ASK = "countersign request-transition --name {model} --version {number} --to {target}"
NO_LIST = (
    "Countersign's guard has no list of what is governed yet, so nothing that could be governed changes. "
    "Check that COUNTERSIGN_URL is reachable from the MLflow server; its log says what is wrong."
)


class Act(Enum):
    """The kinds of writes that can concern a governed target or what an approval rests on."""

    SET_ALIAS = auto()
    DELETE_ALIAS = auto()
    SET_STAGE = auto()
    DELETE_MODEL = auto()
    RENAME_MODEL = auto()
    CREATE_MODEL = auto()
    CREATE_VERSION = auto()
    DELETE_VERSION = auto()
    TAG_MODEL = auto()
    TAG_VERSION = auto()
    WRITE_WEBHOOK = auto()
    WRITE_RUN = auto()  # or a logged model
    DELETE_RUN = auto()
    DELETE_EXPERIMENT = auto()
    WRITE_FILE = auto()
    WRITE_FILE_OF = auto()  # a run or a logged model: the path begins in its own folder
    DELETE_FILE = auto()
    DELETE_WORKSPACE = auto()


# What only the list can judge is refused without one; the rest is open, so that training goes on.
CLOSED_WITHOUT_LIST = frozenset(
    {
        Act.SET_ALIAS,
        Act.DELETE_ALIAS,
        Act.SET_STAGE,
        Act.DELETE_MODEL,
        Act.RENAME_MODEL,
        Act.DELETE_VERSION,
        Act.DELETE_WORKSPACE,
    }
)


@dataclass(frozen=True)
class Write:
    """`ids` are of the runs and logged models that it changes; `path` is an artifact's, `url` a webhook's."""

    act: Act
    workspace: str
    model: str = ""
    number: str = ""
    name: str = ""  # of the alias, stage or workspace, or the model's new name
    tags: tuple[str, ...] = ()  # the names of those that are set or deleted
    ids: tuple[str, ...] = ()
    path: str = ""
    url: str = ""
    experiment: str = ""
    only_ends: bool = False  # an update of a run that says no more than that it is over


class Registry(Protocol):
    """What MLflow itself knows now."""

    def real_name(self, model: str) -> str:
        """As the model is registered: some databases find it by other spellings too. The same text where there is none."""

    def aliases(self, model: str) -> Mapping[str, str]:
        """Numbers of versions by alias; empty for a model that does not exist."""

    def stage(self, model: str, number: str) -> str: ...

    def is_running(self, run: str) -> bool: ...

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        """Whether one of the runs or logged models is in the experiment."""


@dataclass(frozen=True)
class Case:
    write: Write
    governed: Governed
    registry: Registry


def refusal(write: Write, governed: Governed | None, registry: Registry) -> str:
    """The sentence that says why not and how to ask; empty when the write may go on."""
    if governed is None:
        return f"{NO_LIST} {MARK}" if write.act in CLOSED_WITHOUT_LIST else ""
    if write.model:
        write = replace(write, model=registry.real_name(write.model))
    sentence = next(_JUDGES[write.act](Case(write, governed, registry)), "")
    return f"{sentence} {MARK}" if sentence else ""


def _alias(case: Case) -> Iterator[str]:
    for rule in _rules(case, ALIAS):
        target = f"alias:{rule.name}"
        if plain(case.write.name) == plain(rule.name):
            number = case.write.number or case.registry.aliases(case.write.model).get(rule.name, "NUMBER")
            yield _governed(target, case.write.model, number)
        elif case.write.act is Act.SET_ALIAS and looks_like(case.write.name) == looks_like(rule.name):
            yield (
                f'The alias "{case.write.name}" looks like "{rule.name}", which Countersign governs for {case.write.model}. '
                "Choose a name that nobody takes for it."
            )


def _stage(case: Case) -> Iterator[str]:
    for rule in _rules(case, STAGE):
        goes_there = plain(case.write.name) == plain(rule.name)
        leaves = plain(case.registry.stage(case.write.model, case.write.number)) == plain(rule.name)
        if goes_there or leaves:
            yield _governed(f"stage:{rule.name}", case.write.model, case.write.number or "NUMBER")


def _delete_model(case: Case) -> Iterator[str]:
    if case.governed.covers(case.write.workspace, case.write.model):
        yield (
            f"{case.write.model} is governed by Countersign, so the whole model can not be deleted: its approvals would be about nothing. "
            "Delete single versions that were never asked for, or take the model out of the policy first."
        )


def _rename(case: Case) -> Iterator[str]:
    for name in (case.write.model, case.write.name):
        if case.governed.covers(case.write.workspace, name):
            yield (
                f"{name} is governed by Countersign, so no model is renamed from it or to it: a name would point to other versions. "
                "Register the versions under the new name instead, or change the policy first."
            )


def _create_version(case: Case) -> Iterator[str]:
    yield from _tags(case)
    if case.governed.copies_of(case.write.workspace, case.write.model):
        yield (
            f"{case.write.model} is a target that Countersign governs: only approved versions are copied into it. Ask with: "
            f"{ASK.format(model='MODEL', number='NUMBER', target='model:' + case.write.model)}"
        )


def _delete_version(case: Case) -> Iterator[str]:
    if any(
        one.number == case.write.number for one in case.governed.versions_of(case.write.workspace, case.write.model)
    ):
        yield (
            f"{case.write.model} v{case.write.number} is approved, waits for its approval, or has a target that Countersign governs, so it "
            "can not be deleted. It is what one would roll back to. To call a request off: countersign call-off REQUEST --reason WHY"
        )
    held = _held(case)
    if held:
        yield (
            f"{case.write.model} v{case.write.number} has {held}, which Countersign governs, so it can not be deleted. "
            f"Move the target first: {ASK.format(model=case.write.model, number='OTHER', target=held)}"
        )


def _held(case: Case) -> str:
    """The governed target that the version has now, as text; empty when it has none."""
    rules = case.governed.targets_of(case.write.workspace, case.write.model)
    if case.governed.copies_of(case.write.workspace, case.write.model):
        return f"model:{case.write.model}"
    held = case.registry.aliases(case.write.model)
    aliases = {plain(alias) for alias, number in held.items() if number == case.write.number}
    by_alias = next((rule.name for rule in rules if rule.kind == ALIAS and plain(rule.name) in aliases), "")
    if by_alias:
        return f"alias:{by_alias}"
    stages = {plain(rule.name) for rule in rules if rule.kind == STAGE}
    stage = case.registry.stage(case.write.model, case.write.number) if stages else ""
    return f"stage:{stage}" if plain(stage) in stages else ""


def _tags(case: Case) -> Iterator[str]:
    if not case.governed.covers(case.write.workspace, case.write.model):
        return
    for name in case.write.tags:
        if plain(name).startswith(case.governed.tags):
            yield f'Only Countersign writes the tag "{name}": it says what was decided about {case.write.model}.'


def _webhook(case: Case) -> Iterator[str]:
    if case.governed.webhook and _same_address(case.write.url, case.governed.webhook):
        yield "This webhook tells Countersign what changes, so only Countersign changes it. For changes: countersign doctor"


def _same_address(one: str, other: str) -> bool:
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


def _run(case: Case) -> Iterator[str]:
    """A run that still goes on may log: what was logged after the approval was asked for does not count anyway."""
    for one in case.write.ids:
        for version in case.governed.made_by(one):
            if not case.write.only_ends and not _goes_on(version, case):
                yield _rests_on(version, f"{one} is what it was made by")


def _goes_on(version: Version, case: Case) -> bool:
    """Whether its training does: a metric of a training also concerns the model that it has logged."""
    return version.run != "" and case.registry.is_running(version.run)


def _delete_run(case: Case) -> Iterator[str]:
    for one in case.write.ids:
        for version in case.governed.made_by(one):
            yield _rests_on(version, f"{one} is what it was made by")


def _experiment(case: Case) -> Iterator[str]:
    ids = sorted({one for version in case.governed.versions for one in (version.run, version.logged_model) if one})
    if ids and case.registry.runs_are_in(case.write.experiment, ids):
        yield (
            f"Experiment {case.write.experiment} has runs that approved versions were made by, so it can not be deleted: "
            "nobody could walk back from them to their data, parameters and metrics."
        )


def _file(case: Case) -> Iterator[str]:
    """In the folder of a run or a logged model, or where a version's source says that its files are."""
    parts = _parts(case.write.path)
    for place, part in enumerate(parts):
        yield from _in_folder_of(part, _below(parts[place + 1 :]), case)
    for version in case.governed.versions:
        kept = _unscoped(_parts(_folder(version.source)))
        if kept and _overlap(_unscoped(parts), kept):
            yield _rests_on(version, f"{case.write.path} is one of its files")


def _file_of(case: Case) -> Iterator[str]:
    for one in case.write.ids:
        yield from _in_folder_of(one, _parts(case.write.path), case)


def _in_folder_of(one: str, path: tuple[str, ...], case: Case) -> Iterator[str]:
    """A run that goes on may write there what is not the model's own."""
    for version in case.governed.made_by(one):
        own = _in_its_run(version) if plain(one) == plain(version.run) else ()
        if (own is not None and _overlap(path, own)) or not _goes_on(version, case):
            yield _rests_on(version, f"{case.write.path or one} is one of its files")


def _in_its_run(version: Version) -> tuple[str, ...] | None:
    """Where the version's files are within its run's folder; () for all of it, when nothing is known; None: somewhere else."""
    if version.logged_model:
        return None
    parts = _parts(version.source.partition(":")[2])
    places = [place for place, part in enumerate(parts) if plain(part) == plain(version.run)]
    if not places:
        return None if version.source else ()
    return _below(parts[places[-1] + 1 :])


def _below(parts: tuple[str, ...]) -> tuple[str, ...]:
    """A run's files are in its folder's `artifacts`; `runs:/` leaves that out."""
    return parts[1:] if parts[:1] == ("artifacts",) else parts


def _folder(source: str) -> str:
    """A folder that MLflow's server serves; empty for another address. With a host or without one."""
    scheme, _, path = source.partition(":")
    if scheme != "mlflow-artifacts":
        return ""
    return path[2:].partition("/")[2] if path.startswith("//") else path


def _unscoped(parts: tuple[str, ...]) -> tuple[str, ...]:
    """A server with workspaces puts `workspaces/NAME` before a path that lacks it."""
    return parts[2:] if parts[:1] == ("workspaces",) else parts


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path is the other or leads to it."""
    shared = min(len(one), len(other))
    return tuple(map(plain, one[:shared])) == tuple(map(plain, other[:shared]))


def _delete_file(case: Case) -> Iterator[str]:
    yield from _file(case)
    parts = _parts(case.write.path)
    if case.governed.by_id and not any(_is_id(part) for part in parts):
        yield (
            f"The folder {case.write.path or '/'} may contain files of approved versions, so it can not be deleted as a whole. "
            "Delete the folders of single runs or logged models instead."
        )


def _workspace(case: Case) -> Iterator[str]:
    if any(version.workspace == case.write.name for version in case.governed.versions):
        yield f"The workspace {case.write.name} contains versions that Countersign governs, so it can not be deleted."


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _is_id(part: str) -> bool:
    """Of a run (32 hexadecimal digits) or of a logged model (the same after `m-`)."""
    digits = part.removeprefix("m-")
    return len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits)


def _rules(case: Case, kind: str) -> list[Rule]:
    return [rule for rule in case.governed.targets_of(case.write.workspace, case.write.model) if rule.kind == kind]


def _governed(target: str, model: str, number: str) -> str:
    return (
        f"{target} of {model} is governed by Countersign: only an approval moves it. Ask with: "
        f"{ASK.format(model=model, number=number, target=target)}"
    )


def _rests_on(version: Version, why: str) -> str:
    return (
        f"{version.model} v{version.number} is approved, waits for its approval, or has a target that Countersign governs, and {why}, "
        "so it stays as it is. "
        "Train and register a new version instead."
    )


_JUDGES = {
    Act.SET_ALIAS: _alias,
    Act.DELETE_ALIAS: _alias,
    Act.SET_STAGE: _stage,
    Act.DELETE_MODEL: _delete_model,
    Act.RENAME_MODEL: _rename,
    Act.CREATE_MODEL: _tags,
    Act.CREATE_VERSION: _create_version,
    Act.DELETE_VERSION: _delete_version,
    Act.TAG_MODEL: _tags,
    Act.TAG_VERSION: _tags,
    Act.WRITE_WEBHOOK: _webhook,
    Act.WRITE_RUN: _run,
    Act.DELETE_RUN: _delete_run,
    Act.DELETE_EXPERIMENT: _experiment,
    Act.WRITE_FILE: _file,
    Act.WRITE_FILE_OF: _file_of,
    Act.DELETE_FILE: _delete_file,
    Act.DELETE_WORKSPACE: _workspace,
}
