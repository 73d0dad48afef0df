"""One look at what approvals rest on: existence and sizes, asked of MLflow, the artifact store, the git remote and the DVC remote.

An answer that says "not there" is the only one by which something counts as gone. Whatever else goes wrong is the reason why it could not
be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bot.domain.evidence.losses import (
    DELETED,
    ERASED,
    THERE,
    Found,
    Part,
    logged_model_of,
    missing_files,
    spread,
)
from bot.domain.names import storable
from bot.errors import FilesUnread, NotFetched, OutsideError, Permanent, Temporary, without_retries
from bot.locations import is_within
from bot.ports import ModelRegistry
from bot.ports.evidence_watch import Committed, KeptData, RunState
from bot.services import Services
from handlers.evidence.approvals import Resting

log = structlog.get_logger()
REASON_LIMIT = 300  # characters
OF_A_FOLDER = 50  # of its files, evenly over the list
MOST_DATA = 300  # hashes of one approval, each a question to the remote
FOLDER = ".dir"
EXPERIMENT = re.compile(r"/experiments/([^/?#]+)/runs/")
GONE_RUNS = {RunState.DELETED: Found((DELETED,)), RunState.ERASED: Found((DELETED, ERASED))}


@dataclass(frozen=True)
class Looked:
    """What one look found of each part of an approval; and of its data the DVC remote, and what was ever seen there."""

    found: Mapping[Part, Found]
    known: tuple[str, ...] = ()


@dataclass
class Asked:
    """What was asked already in this sweep, so that several approvals that rest on the same cost one question.

    `troubles` counts how often the registry or its store did not answer, or the registry refused a version.
    """

    stores: Sequence[str]
    runs: dict[str, RunState] = field(default_factory=dict)
    commits: dict[tuple[str, str], Committed | str] = field(default_factory=dict)
    remotes: dict[str, KeptData | str] = field(default_factory=dict)
    data: dict[tuple[str, str], bool] = field(default_factory=dict)
    troubles: int = 0


def ask_at_once(resting: Iterable[Resting], registry: ModelRegistry, asked: Asked, s: Services) -> None:
    """What can be asked for many approvals in a few calls: their runs, and the commits of each git remote.

    Raises Temporary when the registry does not answer at all.
    """
    every = list(resting)
    runs = {one.evidence.run_id: experiment_of(one.evidence.run_url) for one in every if one.evidence.run_id}
    try:
        asked.runs.update(registry.run_states(runs))
    except Permanent as refusal:  # each run is asked for alone then, so that one experiment hides no others
        log.info("runs_not_searched", error=str(refusal))
    for remote in sorted({one.git for one in every if one.commit}):
        wanted: dict[str, tuple[str, ...]] = {}
        for one in every:
            if one.git == remote and one.commit:
                wanted[one.commit] = tuple(dict.fromkeys((*wanted.get(one.commit, ()), *one.configs)))
        _ask_remote(remote, wanted, asked, s)


def look_at(one: Resting, registry: ModelRegistry, asked: Asked, s: Services) -> Looked:
    """Parts that the approval does not rest on, and those that cannot be looked after here, are left out."""
    found: dict[Part, Found] = {}
    evidence = one.evidence
    found[Part.VERSION] = _told(lambda: _version(one, registry), asked)
    asked.troubles += bool(found[Part.VERSION].unread)  # a registry that refuses this refuses the rest
    if evidence.run_id:
        run_id = evidence.run_id
        found[Part.RUN] = _told(lambda: _run(run_id, registry, asked), asked)
    if model := logged_model_of(evidence):
        found[Part.LOGGED_MODEL] = _told(lambda: THERE if registry.has_logged_model(model) else Found((model,)), asked)
    if one.files and found[Part.VERSION] == THERE:
        found |= _files(one, registry, asked)
    data, known = _data(one, asked, s)
    if data is not None:
        found[Part.DATA] = data
    if one.commit:
        found[Part.COMMIT] = _commit(one, asked)
    return Looked(found, known)


def experiment_of(run_url: str | None) -> str:
    """From the address of a run's page, which the evidence has; empty when it is not in it."""
    named = EXPERIMENT.search(run_url or "")
    return named[1] if named else ""


def reason_of(trouble: Exception) -> str:
    """On one line, and without what only an effect does that is tried again."""
    return storable(" ".join(without_retries(str(trouble)).split()))[:REASON_LIMIT] or type(trouble).__name__


def _told(look: Callable[[], Found], asked: Asked) -> Found:
    try:
        return look()
    except (OutsideError, FilesUnread) as trouble:
        asked.troubles += isinstance(trouble, Temporary)
        return Found(unread=reason_of(trouble))


def _version(one: Resting, registry: ModelRegistry) -> Found:
    seen = registry.find_version(one.version.workspace, one.version.model, one.version.version)
    return THERE if seen is not None and seen.id == one.version else Found((str(one.version),))


def _run(run_id: str, registry: ModelRegistry, asked: Asked) -> Found:
    """What a search does not find may be hidden from us: only the run's own answer says that it is erased."""
    if run_id not in asked.runs:
        asked.runs[run_id] = registry.run_state(run_id)
    return GONE_RUNS.get(asked.runs[run_id], THERE)


def _files(one: Resting, registry: ModelRegistry, asked: Asked) -> dict[Part, Found]:
    """Sizes only in all: the evidence has no others."""
    sizes: dict[str, int] = {}

    def list_them() -> Found:
        sizes.update(registry.file_sizes(one.version, asked.stores, one.files))
        return missing_files(one.files, sizes)

    found = _told(list_them, asked)
    if found != THERE or one.evidence.artifacts is None:
        return {Part.FILES: found}
    size = sum(sizes[path] for path in one.files)
    same = size == one.evidence.artifacts.size
    return {Part.FILES: found, Part.SIZE: THERE if same else Found((str(size),))}


# The git remote


def _ask_remote(remote: str, wanted: Mapping[str, Sequence[str]], asked: Asked, s: Services) -> None:
    try:
        found: Mapping[str, Committed | str] = s.commits.look_after(remote, wanted)
    except OutsideError as trouble:
        found = dict.fromkeys(wanted, reason_of(trouble))
    asked.commits.update({(remote, commit): found[commit] for commit in wanted})


def _commit(one: Resting, asked: Asked) -> Found:
    seen = asked.commits[one.git, one.commit]
    if isinstance(seen, str):
        return Found(unread=seen)
    return THERE if seen.is_on_branch else Found((one.commit,))


# The DVC remote


def _data(one: Resting, asked: Asked, s: Services) -> tuple[Found | None, tuple[str, ...]]:
    """Only what was once seen on the remote can be lost from it: a lock also names code, which git keeps.

    None where it cannot be looked after: the rule names no git remote, so nobody says where the data is; the place is in none of the
    policy's stores; or DVC is not installed. `countersign doctor` says of the last two: a place that is found is kept for it.
    """
    before = one.kept[Part.DATA].known if Part.DATA in one.kept else ()
    if not one.pipeline or not s.data.can_look():
        return None, before
    place = before[0] if before else _remote_of(one, asked, s)
    if not place:
        return None, before
    if not data_may_be_asked_for(place, asked.stores):
        return None, before or (place,)
    names = _most_likely_data_first(one)
    try:
        remote = _opened(place, asked, s)
        wanted = tuple(dict.fromkeys((*before[1:], *names)))[:MOST_DATA]
        there = _there(place, remote, wanted, asked)
        if not before[1:]:
            inside = _inside(
                place, remote, [md5 for md5 in there if md5.endswith(FOLDER)], MOST_DATA - len(wanted), asked
            )
            there |= inside
    except NotFetched as trouble:
        return Found(unread=reason_of(trouble)), before
    known = (place, *dict.fromkeys((*before[1:], *sorted(there))))
    if not known[1:]:
        return None, known
    gone = [md5 for md5 in before[1:] if md5 not in there]
    return Found(tuple(names.get(md5, md5) for md5 in gone)), known


def _most_likely_data_first(one: Resting) -> dict[str, str]:
    """The paths by md5: a lock may name more than is asked for, most of it code that no DVC remote has."""
    named = {line.split()[0] for line in one.evidence.data_md5.splitlines() if line.strip()}
    files = sorted(one.pipeline, key=lambda file: (file.md5 not in named, not file.made_by))
    return {file.md5: file.path for file in files}


def data_may_be_asked_for(place: str, stores: Iterable[str]) -> bool:
    return is_within(place.rstrip("/") + "/", stores)


def _remote_of(one: Resting, asked: Asked, s: Services) -> str:
    """As the commit names it; empty when it names none that can be used here."""
    seen = asked.commits.get((one.git, one.commit)) if one.commit else None
    if not isinstance(seen, Committed):
        return ""
    config = next((seen.files[path] for path in one.configs if path in seen.files), None)
    try:
        return s.data.default_remote(config.decode(errors="replace")) if config is not None else ""
    except NotFetched:
        return ""


def _opened(place: str, asked: Asked, s: Services) -> KeptData:
    """Raises NotFetched, with the first reason for all approvals of the sweep."""
    if place not in asked.remotes:
        try:
            asked.remotes[place] = s.data.open(place)
        except NotFetched as trouble:
            asked.remotes[place] = reason_of(trouble)
    remote = asked.remotes[place]
    if isinstance(remote, str):
        raise NotFetched(remote)
    return remote


def _there(place: str, remote: KeptData, wanted: Sequence[str], asked: Asked) -> frozenset[str]:
    """A remote that has once failed is not asked again in this sweep."""
    new = [md5 for md5 in wanted if (place, md5) not in asked.data]
    try:
        seen = remote.there(new) if new else frozenset[str]()
    except NotFetched as trouble:
        asked.remotes[place] = reason_of(trouble)
        raise
    asked.data.update({(place, md5): md5 in seen for md5 in new})
    return frozenset(md5 for md5 in wanted if asked.data[place, md5])


def _inside(place: str, remote: KeptData, folders: Sequence[str], room: int, asked: Asked) -> frozenset[str]:
    """Some of each folder's files: a bucket's rule may take old files that newer folders name too."""
    inside = [md5 for folder in folders for md5 in spread(remote.listed_in(folder), OF_A_FOLDER)]
    return _there(place, remote, list(dict.fromkeys(inside))[: max(room, 0)], asked)
