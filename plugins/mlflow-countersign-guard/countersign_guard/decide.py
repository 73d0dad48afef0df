"""Whether a write is refused, and with which sentence. Pure: what MLflow's own tables say comes through `Registry`.

Each question to the tables costs time of the write, so a judge asks only when nothing that the request names itself (its alias, stage
or tags, and whether a rule is about any model of the workspace) has settled it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from countersign_guard.governed import ALIAS, MODEL, STAGE, Governed, Rule, Version
from countersign_guard.names import looks_like, plain, shown
from countersign_guard.paths import Parts, address_parts, below, in_folder, is_id, overlap, parts_of
from countersign_guard.writes import CLOSED_WITHOUT_LIST, Act, Write

MARK = "[countersign-guard]"  # at the end of each refusal; `countersign doctor` looks for it
ASK = "countersign request-transition --name {model} --version {number} --to {target}"
NO_LIST = (
    "Countersign's guard has no list of what is governed yet, so nothing that could be governed changes. "
    "Check that COUNTERSIGN_URL is reachable from the MLflow server; its log says what is wrong."
)


OWN_TAGS, ASKING_TAG = "countersign.", "countersign.ask"
DEFAULT = "default"
LONGEST = 1500  # letters of a sentence


class Registry(Protocol):
    """What MLflow itself knows now."""

    def real_name(self, model: str) -> str:
        """As the model is registered: some databases find it by other spellings too. The same text where there is none."""

    def aliases(self, model: str) -> Mapping[str, str]:
        """Numbers of versions by alias; empty for a model that does not exist."""

    def stage(self, model: str, number: str) -> str: ...

    def is_running(self, run: str) -> bool: ...

    def is_there(self, one: str) -> bool:
        """Whether this is a run or a logged model."""

    def folder_of(self, one: str) -> str:
        """The address of the artifacts of a run or a logged model; empty when there is none."""

    def kept_in(self) -> Parts:
        """Where the server keeps the artifacts that it serves."""

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        """Whether one of the runs or logged models is in the experiment."""


@dataclass(frozen=True)
class Case:
    write: Write
    governed: Governed
    registry: Registry

    @cached_property
    def model(self) -> str:
        """As it is registered."""
        return self.registry.real_name(self.write.model) if self.write.model else ""

    def rules(self, kind: str) -> list[Rule]:
        """Those with a target of this kind that are about some model of the workspace."""
        return [rule for rule in self.governed.rules if rule.kind == kind and rule.is_in(self.write.workspace)]

    def is_about(self, rule: Rule) -> bool:
        return rule.is_about(self.write.workspace, self.model)

    @property
    def covers(self) -> bool:
        """Whether a rule is about the model."""
        return self.governed.has_rule_in(self.write.workspace) and self.governed.covers(
            self.write.workspace, self.model
        )

    @property
    def is_target(self) -> bool:
        """Whether the model is itself the target of a rule."""
        return bool(self.rules(MODEL)) and bool(self.governed.copies_of(self.write.workspace, self.model))


def refusal(write: Write, governed: Governed | None, registry: Registry) -> str:
    """The sentence that says why not and how to ask; empty when the write may go on."""
    if governed is None:
        return _said(NO_LIST) if write.act in CLOSED_WITHOUT_LIST or any(map(_may_be_ours, write.tags)) else ""
    sentence = next(_JUDGES[write.act](Case(write, governed, registry)), "")
    return _said(sentence) if sentence else ""


def _said(sentence: str) -> str:
    return f"{shown(sentence, LONGEST)} {MARK}"


def _may_be_ours(tag: str) -> bool:
    return plain(tag).startswith(OWN_TAGS) and tag != ASKING_TAG


def _alias(case: Case) -> Iterator[str]:
    for rule in case.rules(ALIAS):
        sentence = _of_alias(rule, case.write)
        if sentence is not None and case.is_about(rule):
            yield sentence(case.model)


def _of_alias(rule: Rule, write: Write) -> Callable[[str], str] | None:
    """What there is to say about a model that the rule is about; None when the alias has nothing to do with the rule's."""
    target = f"alias:{rule.name}"
    if plain(write.name) == plain(rule.name):
        return lambda model: _governed(target, model, write.number or "OTHER")
    if write.act is Act.SET_ALIAS and not write.name.isascii():
        return lambda model: (
            f'The alias "{write.name}" has letters that are not in ASCII. Among them are many that look like those of '
            f'"{rule.name}", which Countersign governs for {model}. Write it with a to z.'
        )
    if write.act is Act.SET_ALIAS and looks_like(write.name) == looks_like(rule.name):
        return lambda model: (
            f'The alias "{write.name}" looks like "{rule.name}", which Countersign governs for {model}. '
            "Choose a name that nobody takes for it."
        )
    return None


def _stage(case: Case) -> Iterator[str]:
    for rule in case.rules(STAGE):
        if case.is_about(rule) and (_goes_to(rule, case) or _leaves(rule, case)):
            yield _governed(f"stage:{rule.name}", case.model, case.write.number or "NUMBER")


def _goes_to(rule: Rule, case: Case) -> bool:
    return plain(case.write.name) == plain(rule.name)


def _leaves(rule: Rule, case: Case) -> bool:
    return plain(case.registry.stage(case.model, case.write.number)) == plain(rule.name)


def _delete_model(case: Case) -> Iterator[str]:
    if case.covers:
        yield (
            f"{case.model} is governed by Countersign, so the whole model can not be deleted: its approvals would be about nothing. "
            "Delete single versions that were never asked for, or take the model out of the policy first."
        )


def _rename(case: Case) -> Iterator[str]:
    if not case.governed.has_rule_in(case.write.workspace):
        return
    for name in (case.model, case.write.name):
        if case.governed.covers(case.write.workspace, name):
            yield (
                f"{name} is governed by Countersign, so no model is renamed from it or to it: a name would point to other versions. "
                "Register the versions under the new name instead, or change the policy first."
            )


def _create_version(case: Case) -> Iterator[str]:
    yield from _tags(case)
    if case.is_target:
        yield (
            f"{case.model} is a target that Countersign governs: only approved versions are copied into it. Ask with: "
            f"{ASK.format(model='MODEL', number='NUMBER', target='model:' + case.model)}"
        )


def _delete_version(case: Case) -> Iterator[str]:
    number = case.write.number
    if any(one.number == number for one in case.governed.versions_of(case.write.workspace, case.model)):
        yield (
            f"{case.model} v{number} is approved, waits for its approval, or has a target that Countersign governs, so it "
            "can not be deleted. It is what one would roll back to. To call a request off: countersign call-off REQUEST --reason WHY"
        )
    held = _held(case)
    if held:
        yield (
            f"{case.model} v{number} has {held}, which Countersign governs, so it can not be deleted. "
            f"Move the target first: {ASK.format(model=case.model, number='OTHER', target=held)}"
        )


def _held(case: Case) -> str:
    """The governed target that the version has now, as text; empty when it has none."""
    if case.is_target:
        return f"model:{case.model}"
    by_alias = {plain(rule.name): rule.name for rule in case.rules(ALIAS) if case.is_about(rule)}
    held = case.registry.aliases(case.model) if by_alias else {}
    aliases = (plain(alias) for alias, number in held.items() if number == case.write.number)
    alias = next((by_alias[name] for name in aliases if name in by_alias), "")
    if alias:
        return f"alias:{alias}"
    stages = {plain(rule.name) for rule in case.rules(STAGE) if case.is_about(rule)}
    stage = case.registry.stage(case.model, case.write.number) if stages else ""
    return f"stage:{stage}" if plain(stage) in stages else ""


def _tags(case: Case) -> Iterator[str]:
    names = [name for name in case.write.tags if plain(name).startswith(case.governed.tags)]
    if names and case.covers:
        for name in names:
            yield f'Only Countersign writes the tag "{name}": it says what was decided about {case.model}.'


def _webhook(case: Case) -> Iterator[str]:
    if case.governed.webhook and _same_address(case.write.url, case.governed.webhook):
        yield "This webhook tells Countersign what changes, so only Countersign changes it. For changes: countersign doctor"


def _same_address(one: str, other: str) -> bool:
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


def _run(case: Case) -> Iterator[str]:
    """A run that still goes on may log: what was logged after the approval was asked for does not count anyway."""
    for one in case.write.ids:
        for version in case.governed.made_by(one):
            if not _goes_on(version, case):
                yield _rests_on(version, f"{one} is what it was made by")


def _goes_on(version: Version, case: Case) -> bool:
    """Whether its training does: a metric of a training also concerns the model that it has logged."""
    return version.run != "" and case.registry.is_running(version.run)


def _delete_run(case: Case) -> Iterator[str]:
    for one in case.write.ids:
        for version in case.governed.made_by(one):
            yield _rests_on(version, f"{one} is what it was made by")


def _experiment(case: Case) -> Iterator[str]:
    ids = case.governed.ids_in(case.write.workspace)
    if case.write.experiment and ids and case.registry.runs_are_in(case.write.experiment, ids):
        yield (
            f"Experiment {case.write.experiment} has runs that approved versions were made by, so it can not be deleted: "
            "nobody could walk back from them to their data, parameters and metrics."
        )


def _new_experiment(case: Case) -> Iterator[str]:
    """What its runs log lies in its folder, and may be deleted with it."""
    if case.write.path:
        yield from _at(address_parts(case.write.path), case)


def _file(case: Case) -> Iterator[str]:
    yield from _at(parts_of(case.write.path), case)


def _file_of(case: Case) -> Iterator[str]:
    for one in case.write.ids:
        yield from _in_folder_of(one, parts_of(case.write.path), case)
        folder = case.registry.folder_of(one)
        if folder:
            yield from _at((*address_parts(folder), *parts_of(case.write.path)), case)


def _at(path: Parts, case: Case) -> Iterator[str]:
    """In the folder of a run or a logged model, or where a version's source says that its files are."""
    for place, part in enumerate(path):
        yield from _in_folder_of(part, below(path[place + 1 :]), case)
    version = case.governed.at(path) or case.governed.stored_at(path, case.registry.kept_in())
    if version is not None:
        yield _rests_on(version, f"{case.write.path} is one of its files")


def _in_folder_of(one: str, path: Parts, case: Case) -> Iterator[str]:
    """A run that goes on may write there what is not the model's own."""
    for version in case.governed.made_by(one):
        own = _in_its_run(version) if plain(one) == plain(version.run) else ()
        if (own is not None and overlap(path, own)) or not _goes_on(version, case):
            yield _rests_on(version, f"{case.write.path or one} is one of its files")


def _in_its_run(version: Version) -> Parts | None:
    """Where the version's files are within its run's folder; () for all of it, when nothing is known; None: somewhere else."""
    if version.logged_model:
        return None
    return in_folder(version.run, version.source) if version.source else ()


def _delete_file(case: Case) -> Iterator[str]:
    yield from _file(case)
    is_of_one = any(is_id(part) and case.registry.is_there(part) for part in parts_of(case.write.path))
    if case.governed.versions and not is_of_one:
        yield (
            f"The folder {case.write.path or '/'} may contain files of approved versions, so it can not be deleted as a whole. "
            "Delete the folders of single runs or logged models instead."
        )


def _workspace(case: Case) -> Iterator[str]:
    name = case.write.name
    if any(version.workspace == name for version in case.governed.versions):
        yield f"The workspace {name} contains versions that Countersign governs, so it can not be deleted."
    if case.write.takes_models and (case.governed.has_rule_in(name) or case.governed.has_rule_in(DEFAULT)):
        yield (
            f"The workspace {name} can be deleted only when it is empty (mode=RESTRICT): its models would be deleted, or move into the "
            "default workspace with their aliases, and Countersign governs some of these names."
        )


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
    Act.CREATE_EXPERIMENT: _new_experiment,
    Act.DELETE_EXPERIMENT: _experiment,
    Act.WRITE_FILE: _file,
    Act.WRITE_FILE_OF: _file_of,
    Act.DELETE_FILE: _delete_file,
    Act.DELETE_WORKSPACE: _workspace,
}
