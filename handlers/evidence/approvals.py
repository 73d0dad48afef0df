"""Which approvals are looked after, and what each of them rests on, as it was frozen. Only reads our own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import commonpath, dirname, join

from bot.domain.attestation.file_list import listed_files
from bot.domain.evidence.losses import Kept, Part, commit_was_on_remote
from bot.domain.model import Evidence, TargetKind, TransitionRequest, VersionId
from bot.domain.queries.description import LockedFile
from bot.domain.registry.names import request_now
from bot.domain.request.rollback import brought_by, ways_back
from bot.errors import Refused
from bot.store.evidence_watch import EvidenceWatchRows, WatchedPlace
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, decided_at
from handlers.evidence.kept_pipelines import find_pipeline

CONFIG = ".dvc/config"
DEEPEST = 20  # folders below the repository's root


@dataclass(frozen=True)
class Resting:
    """An approval, and what it rests on. `version` is asked for in the registry: the copy, where one was made.

    `files` are the paths in the manifest; `pipeline` the files that its dvc.lock names; `git` is the remote of the rule in force.
    `kept` is what is on record of each part.
    """

    request: TransitionRequest
    evidence: Evidence
    version: VersionId
    files: tuple[str, ...] = ()
    pipeline: tuple[LockedFile, ...] = ()
    git: str = ""
    channel: str = ""
    kept: Mapping[Part, Kept] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        """The commit that is looked after; empty when none was found on a remote at the time, or no rule names the remote now."""
        return (self.evidence.commit or "") if self.git and commit_was_on_remote(self.evidence) else ""

    @property
    def configs(self) -> tuple[str, ...]:
        """Where the repository names the DVC remote: in the pipeline's folder, or above it. Each is a question to git."""
        paths = [
            file.path for file in self.pipeline if "://" not in file.path and not file.path.startswith(("/", ".."))
        ]
        folder = commonpath(paths) if paths else ""
        folder = dirname(folder) if folder in paths else folder
        folder = "/".join(folder.split("/")[:DEEPEST])
        found = []
        while folder:
            found.append(join(folder, CONFIG))
            folder = dirname(folder)
        return (*found, CONFIG) if paths else ()


def resting_at(place: WatchedPlace, ways: int, tx: Transaction) -> list[Resting]:
    """Of what holds the target, and of the first `ways` versions that it could go back to."""
    approvals = _approvals(place, ways, tx)
    kept = EvidenceWatchRows(tx.connection).parts([request.id for request, _held in approvals])
    renames = tx.custody.renames(place.workspace)
    found = []
    for request, held in approvals:
        now = request_now(request, renames)
        mine = {part: one for (request_id, part), one in kept.items() if request_id == request.id}
        version = held or (now.copies[-1] if now.copies else now.version)
        found += [resting_on(now, version, tx, mine)] if now.evidence else []
    return found


def resting_on(
    request: TransitionRequest, version: VersionId, tx: Transaction, kept: Mapping[Part, Kept] | None = None
) -> Resting:
    """`request` has evidence. Raises Refused when it has none."""
    evidence = request.evidence
    if evidence is None:
        raise Refused(f"no evidence was frozen for {request.version}")
    rule = tx.policy().rule_for(version.workspace, request.version.model, request.target)
    return Resting(
        request,
        evidence,
        version,
        files=_files(evidence, tx),
        pipeline=_pipeline(evidence, tx),
        git=(rule.lineage.git or "") if rule and rule.lineage else "",
        channel=rule.channel if rule else "",
        kept=kept or {},
    )


def _approvals(place: WatchedPlace, ways: int, tx: Transaction) -> list[tuple[TransitionRequest, VersionId | None]]:
    """Each version once, the holder first; with the version that holds the target."""
    held = [one for one in tx.registry.placements(place.workspace, place.model) if one.target == place.target]
    if place.target.kind is TargetKind.MODEL:
        held = held[: 1 + ways]  # older copies stay in it for good
    known = tx.requests.some({one.request_id for one in held if one.request_id})
    found = [(known[one.request_id], one.version) for one in held if one.request_id in known]
    approvals: dict[VersionId, tuple[TransitionRequest, VersionId | None]] = {}
    for request, version in found:
        approvals.setdefault(request.version, (request, version))
    back = [request.id for request in _ways_back(place, held[:1], known, ways, tx)]
    recorded = tx.requests.some(back)  # under the names of their time, as those above
    for request in (recorded[request_id] for request_id in back):
        approvals.setdefault(request.version, (request, None))
    return list(approvals.values())


def _ways_back(
    place: WatchedPlace, newest: Sequence[Placement], known: Mapping[str, TransitionRequest], ways: int, tx: Transaction
) -> list[TransitionRequest]:
    """The approvals by which these versions held the target before."""
    if not newest or not ways:
        return []
    by = known.get(newest[0].request_id or "")
    holder = by.version if by and place.target.kind is TargetKind.MODEL else newest[0].version
    decided = decided_at(Place(place.workspace, place.model, place.target), holder.model, tx, (holder,))
    found = (brought_by(version, decided) for version in ways_back(holder, decided)[:ways])
    return [request for request in found if request is not None]


def _files(evidence: Evidence, tx: Transaction) -> tuple[str, ...]:
    manifest = tx.manifests.find(evidence.artifacts.digest) if evidence.artifacts else None
    return tuple(listed_files(manifest or ""))


def _pipeline(evidence: Evidence, tx: Transaction) -> tuple[LockedFile, ...]:
    found = find_pipeline(evidence, tx)
    return tuple(file for file in found.files if file.md5) if found else ()
