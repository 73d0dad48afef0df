"""What a complete lineage is: a version's origin, in enough detail to train it again, and who confirmed it.

Every version can have the parts, and the fast track may require them. The checks go further: they are in `lineage_checks` and read a
`Provenance`, which the registry and the git mirror gather.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.evidence.dvc_lock import LOCK, Lock
from bot.domain.model import DataSet, Evidence, Kind, LineageCheck, TransitionRequest
from bot.domain.policy.rules import LINEAGE_CODES, LineageDemand, Rule
from bot.errors import Refused
from bot.language import N_, _, from_record, ngettext, recorded, sentences

UNCHECKED, UNKNOWN = "not checked: ", "not known: "  # how the sentences of checks begin that found nothing out
NO_REMOTE = recorded("lineage", "no git remote is configured")  # or how the reason begins
NO_LOCK = "the run keeps no lineage/dvc.lock"  # how the sentence begins where nothing was logged
EVALUATING = frozenset(
    {"eval", "evaluation", "test", "validation", "holdout"}
)  # contexts of data sets that are not training data
GIT_MIRROR, TRAINER = "git mirror", "trainer"  # who confirmed a lineage
TITLES = dict(
    zip(
        LINEAGE_CODES,
        (
            N_("run"),
            N_("finished run"),
            N_("commit"),
            N_("clean tree"),
            N_("dvc.lock"),
            N_("digest of dvc.lock"),
            N_("hashes in dvc.lock"),
            N_("source data"),
            N_("lock pins the run"),
            N_("parameters as locked"),
            N_("metrics"),
            N_("one version a run"),
            N_("one version a commit"),
            N_("commit on the remote"),
            N_("lock as committed"),
            N_("commit on main"),
            N_("environment"),
            N_("seed"),
            N_("training data set"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Part:
    """One part of a complete lineage; `gap` says that it is missing, and what to do."""

    name: str
    is_there: Callable[[Evidence], bool]
    gap: str


@dataclass(frozen=True)
class RunSeen:
    """A run on the tracking server: `status` is MLflow's, `metrics` are the names of its and its logged model's metrics."""

    id: str
    status: str
    is_deleted: bool
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[str, ...]
    datasets: tuple[DataSet, ...]


@dataclass(frozen=True)
class KeptLock:
    """The text of a run's dvc.lock and what its paths depend on: its own path in the repository, and dvc.yaml and params.yaml beside it."""

    text: str
    path: str = LOCK
    pipeline: str | None = None
    params: str | None = None


@dataclass(frozen=True)
class LoggedFiles:
    """The run's files below `lineage/`. A text is None when it is missing, and then `unread` may say why."""

    lock: str | None = None
    run_file: str | None = None
    unread: str = ""
    pipeline: str | None = None
    params: str | None = None

    def kept(self, path: str) -> KeptLock | None:
        """`path` is the lock's, as the run's tag names it."""
        return None if self.lock is None else KeptLock(self.lock, path, self.pipeline, self.params)


@dataclass(frozen=True)
class Mirrored:
    """What a mirror of the git remote knows about a commit. `lock` is the text of its dvc.lock.

    `author` is the e-mail of the code's committer, and `changed` are the paths changed between the code's commit and this one; None when
    the code's commit is missing. When not all are listed, the last item of `changed` says so and is not a path. `pipeline` and `params`
    are the texts of dvc.yaml and params.yaml beside the lock, and `others` the folders of all the repository's pipelines.
    """

    remote: str
    is_there: bool
    branches: tuple[str, ...] = ()
    on_main: bool = False
    lock: str | None = None
    author: str = ""
    changed: tuple[str, ...] | None = None
    pipeline: str | None = None
    params: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Everything that the checks read. `lock` is the parsed lock; when the logged text cannot be parsed, `lock_trouble` says why.

    `commit` is the commit whose dvc.lock pins the run, and `code` the commit that the training ran from, both from the tags.
    `environment` is the sha256 of the file that lists the logged model's packages. `mirrored` is None when no mirror was asked, and
    then `not_mirrored` says why.
    """

    run: RunSeen | None
    commit: str = ""
    code: str = ""
    lock_path: str = LOCK
    files: LoggedFiles = field(default_factory=LoggedFiles)
    lock: Lock | None = None
    lock_trouble: str = ""
    environment: str = ""
    same_run: tuple[str, ...] = ()
    same_commit: tuple[str, ...] = ()
    main: str = "main"
    mirrored: Mirrored | None = None
    not_mirrored: str = NO_REMOTE


def run_named_in(text: str) -> str:
    """The run's id from `{"run_id": "..."}`, or from a text with only the id; empty when there is none."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return str(whole.get("run_id", "")) if isinstance(whole, Mapping) else str(whole)


class CheckState(StrEnum):
    """What is known of one check, in the one word that card, page, terminal, digest and refusals use for it."""

    PASSED = N_("passed")
    FAILED = N_("failed")
    NOT_CHECKED = N_("not checked")


def state_of(check: LineageCheck) -> CheckState:
    """What could not be checked has not failed, though it proves nothing either."""
    if check.passed:
        return CheckState.PASSED
    return CheckState.NOT_CHECKED if check.sentence.startswith((UNCHECKED, UNKNOWN)) else CheckState.FAILED


def title_text(check: LineageCheck) -> str:
    """The title and the state of one check, for a card."""
    return _("{check} ({state})", check=_(TITLES[check.code]), state=_(state_of(check)))


def check_text(check: LineageCheck) -> str:
    """The state and the sentence of one check."""
    return _("{state}: {said}", state=_(state_of(check)), said=from_record(said_of(check)))


def said_of(check: LineageCheck) -> str:
    return check.sentence.removeprefix(UNCHECKED)


def checks_text(checks: Sequence[LineageCheck]) -> str:
    """How many of the checks are in each state: "16 of 19 lineage checks passed, 1 failed, 2 not checked"."""
    found = Counter(map(state_of, checks))
    parts = [
        ngettext(
            "{passed} of {count} lineage check passed",
            "{passed} of {count} lineage checks passed",
            len(checks),
            passed=found[CheckState.PASSED],
        )
    ]
    if found[CheckState.FAILED]:
        parts.append(ngettext("{count} failed", "{count} failed", found[CheckState.FAILED]))
    if found[CheckState.NOT_CHECKED]:
        parts.append(ngettext("{count} not checked", "{count} not checked", found[CheckState.NOT_CHECKED]))
    return ", ".join(parts)


def missing(evidence: Evidence) -> tuple[str, ...]:
    """One sentence for each missing part and each failed check that the rule requires; empty when the lineage is complete.

    For the ledger, so in English.
    """
    gaps = (part.gap for part in PARTS if not part.is_there(evidence))
    return (*gaps, *(_recorded(check) for check in failed(evidence) if check.blocks))


def _recorded(check: LineageCheck) -> str:
    if state_of(check) is CheckState.FAILED:
        return recorded("lineage", "{code} failed: {why}", code=check.code, why=said_of(check))
    return recorded("lineage", "{code} not checked: {why}", code=check.code, why=said_of(check))


def failed(evidence: Evidence) -> tuple[LineageCheck, ...]:
    """The checks that did not pass: what was not checked blocks as well."""
    return tuple(check for check in evidence.lineage if not check.passed)


def blocking(evidence: Evidence, demand: LineageDemand | None) -> tuple[LineageCheck, ...]:
    """The failed checks that block an approval under the current rule."""
    codes = demand.block if demand else ()
    return tuple(check for check in failed(evidence) if check.code in codes)


def in_the_way(request: TransitionRequest, rule: Rule) -> tuple[LineageCheck, ...]:
    """The failed checks that block this approval. A rollback to an approved version is never blocked by its lineage."""
    if request.evidence is None or request.kind is Kind.ROLLBACK:
        return ()
    return blocking(request.evidence, rule.lineage)


def check_may_approve(request: TransitionRequest, rule: Rule) -> None:
    """Raises Refused with what is wrong."""
    found = in_the_way(request, rule)
    if found:
        told = sentences(*(_("{check} {said}", check=check.code, said=check_text(check)) for check in found))
        raise Refused(_("the rule approves nothing of such lineage, so it can only be rejected. {checks}", checks=told))


def who_vouches(checks: tuple[LineageCheck, ...]) -> str:
    """GIT_MIRROR only when the mirror has the commit and exactly this lock; else TRAINER, because the trainer wrote the tags."""
    confirmed = {check.code for check in checks if check.passed}
    return GIT_MIRROR if {"L14", "L15"} <= confirmed else TRAINER


def _names_its_training_data(evidence: Evidence) -> bool:
    return any(was_trained_on(data_set) for data_set in evidence.datasets)


def was_trained_on(data_set: DataSet) -> bool:
    return bool(data_set.digest) and data_set.context.strip().lower() not in EVALUATING


PARTS = (
    Part(
        N_("run"),
        lambda evidence: bool(evidence.run_id),
        recorded("lineage", "there is no run: register the version from the run that trained it"),
    ),
    Part(
        N_("commit"),
        lambda evidence: bool(evidence.commit),
        recorded("lineage", "there is no commit: train from a git checkout, so that the run is tagged with its commit"),
    ),
    Part(
        N_("training data set with a digest"),
        _names_its_training_data,
        recorded(
            "lineage",
            "there is no training data set with a digest: "
            "log what the version was trained on as an input of the run, with the context training",
        ),
    ),
    Part(
        N_("author"),
        lambda evidence: bool(evidence.author),
        recorded("lineage", "there is no author: train under a user name that the run is tagged with"),
    ),
    Part(
        N_("parameter"),
        lambda evidence: bool(evidence.params),
        recorded("lineage", "there is no parameter: log the parameters of the training on the run"),
    ),
)
