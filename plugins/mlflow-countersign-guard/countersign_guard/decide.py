"""Whether a write is refused, and with which sentence. Pure: what MLflow's own tables say comes through `Registry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from countersign_guard.governed import ALIAS, STAGE, Governed, Rule, Version
from countersign_guard.names import looks_like

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
    CREATE_VERSION = auto()
    DELETE_VERSION = auto()
    TAG_MODEL = auto()
    TAG_VERSION = auto()
    WRITE_WEBHOOK = auto()
    WRITE_RUN = auto()  # or a logged model
    DELETE_RUN = auto()
    DELETE_EXPERIMENT = auto()
    WRITE_FILE = auto()
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
    """`ids` are of the runs and logged models that it concerns; `path` is an artifact's, `url` a webhook's."""

    act: Act
    workspace: str
    model: str = ""
    number: str = ""
    name: str = ""  # of the alias, stage or tag, or the model's new name
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
        return NO_LIST if write.act in CLOSED_WITHOUT_LIST else ""
    if write.model:
        write = replace(write, model=registry.real_name(write.model))
    return next(_JUDGES[write.act](Case(write, governed, registry)), "")


def _alias(case: Case) -> Iterator[str]:
    for rule in _rules(case, ALIAS):
        target = f"alias:{rule.name}"
        if case.write.name.casefold() == rule.name.casefold():  # the same one for a database that ignores case
            number = case.write.number or case.registry.aliases(case.write.model).get(rule.name, "NUMBER")
            yield _governed(target, case.write.model, number)
        elif case.write.act is Act.SET_ALIAS and looks_like(case.write.name) == looks_like(rule.name):
            yield (
                f'The alias "{case.write.name}" looks like "{rule.name}", which Countersign governs for {case.write.model}. '
                "Choose a name that nobody takes for it."
            )


def _stage(case: Case) -> Iterator[str]:
    for rule in _rules(case, STAGE):
        goes_there = case.write.name.strip().casefold() == rule.name.casefold()
        leaves = case.registry.stage(case.write.model, case.write.number).casefold() == rule.name.casefold()
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
            f"{case.write.model} v{case.write.number} is approved or waits for its approval in Countersign, so it can not be deleted. "
            "It is what one would roll back to. Call the request off first: countersign call-off REQUEST --reason WHY"
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
    aliases = {
        alias for alias, number in case.registry.aliases(case.write.model).items() if number == case.write.number
    }
    by_alias = next((rule.name for rule in rules if rule.kind == ALIAS and rule.name in aliases), "")
    if by_alias:
        return f"alias:{by_alias}"
    stages = {rule.name for rule in rules if rule.kind == STAGE}
    stage = case.registry.stage(case.write.model, case.write.number) if stages else ""
    return f"stage:{stage}" if stage in stages else ""


def _tag(case: Case) -> Iterator[str]:
    if case.governed.covers(case.write.workspace, case.write.model) and case.write.name.startswith(case.governed.tags):
        yield f'Only Countersign writes the tag "{case.write.name}": it says what was decided about {case.write.model}.'


def _webhook(case: Case) -> Iterator[str]:
    if case.governed.webhook and _same_address(case.write.url, case.governed.webhook):
        yield "This webhook tells Countersign what changes, so only Countersign changes it. For changes: countersign doctor"


def _same_address(one: str, other: str) -> bool:
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


def _run(case: Case) -> Iterator[str]:
    """A run that still goes on may log: what was logged after the approval was asked for does not count anyway."""
    for one in case.write.ids:
        if one in case.governed.by_id and not case.write.only_ends and not case.registry.is_running(one):
            yield _rests_on(case.governed.by_id[one], f"{one} is what it was made by")


def _delete_run(case: Case) -> Iterator[str]:
    for one in case.write.ids:
        if one in case.governed.by_id:
            yield _rests_on(case.governed.by_id[one], f"{one} is what it was made by")


def _experiment(case: Case) -> Iterator[str]:
    if case.governed.by_id and case.registry.runs_are_in(case.write.experiment, tuple(case.governed.by_id)):
        yield (
            f"Experiment {case.write.experiment} has runs that approved versions were made by, so it can not be deleted: "
            "nobody could walk back from them to their data, parameters and metrics."
        )


def _file(case: Case) -> Iterator[str]:
    """Into the folder of a run that goes on, other files than the model's may be logged."""
    for part in _parts(case.write.path):
        version = case.governed.by_id.get(part)
        has_own_folder = version is not None and version.logged_model not in ("", part)
        if version is not None and not (has_own_folder and case.registry.is_running(part)):
            yield _rests_on(version, f"{case.write.path} is one of its files")
    yield from _sources(case.write.path, case.governed)


def _delete_file(case: Case) -> Iterator[str]:
    yield from _file(case)
    parts = _parts(case.write.path)
    if case.governed.by_id and not any(_is_id(part) for part in parts):
        yield (
            f"The folder {case.write.path or '/'} may contain files of approved versions, so it can not be deleted as a whole. "
            "Delete the folders of single runs or logged models instead."
        )


def _sources(path: str, governed: Governed) -> Iterator[str]:
    """Where a version's files are in a folder that the run's id does not name."""
    for version in governed.versions:
        scheme, _, folder = version.source.partition(":")
        kept = "/".join(_parts(folder)) if scheme == "mlflow-artifacts" else ""
        written = "/".join(_parts(path))
        if kept and (f"{written}/".startswith(f"{kept}/") or f"{kept}/".startswith(f"{written}/")):
            yield _rests_on(version, f"{path} is one of its files")


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
        f"{version.model} v{version.number} is approved or waits for its approval in Countersign, and {why}, so it stays as it is. "
        "Train and register a new version instead."
    )


_JUDGES = {
    Act.SET_ALIAS: _alias,
    Act.DELETE_ALIAS: _alias,
    Act.SET_STAGE: _stage,
    Act.DELETE_MODEL: _delete_model,
    Act.RENAME_MODEL: _rename,
    Act.CREATE_VERSION: _create_version,
    Act.DELETE_VERSION: _delete_version,
    Act.TAG_MODEL: _tag,
    Act.TAG_VERSION: _tag,
    Act.WRITE_WEBHOOK: _webhook,
    Act.WRITE_RUN: _run,
    Act.DELETE_RUN: _delete_run,
    Act.DELETE_EXPERIMENT: _experiment,
    Act.WRITE_FILE: _file,
    Act.DELETE_FILE: _delete_file,
    Act.DELETE_WORKSPACE: _workspace,
}
