"""The provenance of a model version: everything that is known of it. It changes nothing.

What was recorded comes from the bot's own tables and ledger; the registry is asked whether the version is still there, and what it says of
a version that has no frozen evidence; the store of the run's files is asked for its dvc.lock. When one of them does not answer, the rest
is still shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.card.metric_history import SHOWN_VERSIONS, MetricHistory, history_of
from bot.domain.evidence.caps import capped
from bot.domain.evidence.dvc_lock import sha256_of
from bot.domain.evidence.loss_text import kept_text
from bot.domain.evidence.losses import Kept
from bot.domain.model import PERSON, Evidence, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.queries.description import (
    Checkpoint,
    Description,
    Held,
    Loss,
    Pipeline,
    Told,
    approval_text,
    pipeline_of,
    told,
)
from bot.domain.registry.custody import Basis
from bot.domain.registry.model_uri import ModelUri
from bot.domain.registry.names import request_now
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request.counting import rule_of_decision
from bot.domain.text import person_name
from bot.domain.workspaces import in_workspace
from bot.dvc import files as dvc_files
from bot.errors import FilesUnread, InvalidDvcFile, NotFound, OutsideError
from bot.language import N_, _
from bot.services import Services
from bot.store.ledger import CheckpointRows
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.attestation.verification import signed_for
from handlers.custody.bases import basis_of
from handlers.custody.facts import behind
from handlers.evidence.acknowledging import losses_of
from handlers.request.pipelines import NO_LOCK, kept_pipeline

READ_BACK = 5 * SHOWN_VERSIONS  # requests: a version may have several, and some have no evidence
FILES_LATER = N_("they are read when someone asks for a target")
BASES = {
    Basis.ADOPTED: N_("adopted"),
    Basis.BASELINE: N_("baseline"),
    Basis.IN_FLIGHT: N_("in flight"),
    Basis.FOREIGN: N_("foreign"),
}


@dataclass(frozen=True)
class Found:
    """A version as the registry has it, or as it was recorded when the registry has it no more or does not answer."""

    version: VersionId
    is_registered: bool


def describe(uri: str, s: Services, *, reads_files: bool = True) -> Description:
    """`uri` is models:/NAME/VERSION or models:/NAME@ALIAS. Raises NotFound when there is no record of it.

    Without `reads_files`, the pipeline is the one that a worker kept when the evidence was frozen: for the web process.
    """
    found = find_version(uri, s)
    with s.store.transaction() as tx:
        requests = _requests_about(found.version, tx)
        names = tx.people.all_names()
        holders = _holders(found.version, tx, names, s.clock.now())
        newest_first = tuple(outcome_of(request, names, tx) for request in reversed(requests))
        history = _figures(requests, tx)
        stores = tx.policy().artifact_stores
        evidence = newest_evidence(requests)
        kept = None if reads_files else kept_pipeline(evidence, tx)
        losses = _losses(found.version, names, tx)
    seen, unread = (evidence, "") if evidence else _as_mlflow_says(found, s)
    return Description(
        version=found.version,
        is_registered=found.is_registered,
        holds=tuple(held for held in holders if held.version == found.version),
        holders=holders,
        evidence=_named(seen, names),
        pipeline=kept or _pipeline(found.version, evidence, stores, s),
        requests=newest_first,
        history=history,
        is_frozen=evidence is not None,
        unread=unread,
        losses=losses,
    )


def _losses(version: VersionId, names: Mapping[str, str], tx: Transaction) -> tuple[Loss, ...]:
    """Each part once, though several approvals rest on it."""
    found: dict[str, Loss] = {}
    for request, kept in losses_of(version, tx):
        loss = loss_of(kept, request, names)
        if loss is not None:
            found.setdefault(kept.part, loss)
    return tuple(found.values())


def loss_of(kept: Kept, request: TransitionRequest, names: Mapping[str, str]) -> Loss | None:
    """None when it is there."""
    since = kept.lost_since or kept.unread_since
    if since is None:
        return None
    by = person_name(kept.acknowledged_by, names) if kept.acknowledged_by else ""
    is_gone = kept.lost_since is not None
    return Loss(kept.part, kept_text(kept, request), since, kept.seen_at, is_gone, by, kept.acknowledged_because)


def _as_mlflow_says(found: Found, s: Services) -> tuple[Evidence | None, str]:
    """For a version without frozen evidence: what the registry says now, or why it says nothing. It reads no files: they may be large."""
    if not found.is_registered:
        return None, _("the registry has it no longer, or does not answer")
    try:
        seen = s.registry_at(found.version.workspace).read_evidence(found.version, None, ())
    except OutsideError as trouble:
        return None, _("what MLflow knows cannot be read now: {why}", why=str(trouble).rstrip("."))
    return capped(replace(seen, artifacts_unread=_(FILES_LATER))), ""


def _named(evidence: Evidence | None, names: Mapping[str, str]) -> Evidence | None:
    """The ledger has ids where a client gave an address; readers need names."""

    def name(claimed: str | None) -> str | None:
        is_id = claimed is not None and claimed.startswith(PERSON)
        return person_name(claimed.removeprefix(PERSON), names) if claimed and is_id else claimed

    return evidence and replace(evidence, author=name(evidence.author), commit_author=name(evidence.commit_author))


def newest_evidence(requests: Sequence[TransitionRequest]) -> Evidence | None:
    """Of a version's requests in their order; what was frozen last."""
    return next((request.evidence for request in reversed(requests) if request.evidence), None)


def _pipeline(version: VersionId, evidence: Evidence | None, stores: Sequence[str], s: Services) -> Pipeline:
    """What cannot be read now is named, and the rest is still shown."""
    try:
        kept = s.registry_at(version.workspace).read_lock(version, stores)
        if kept is None:
            return Pipeline(unread=_(NO_LOCK))
        return pipeline_of(dvc_files.read_kept(kept), sha256_of(kept.text), evidence)
    except OutsideError as trouble:
        return Pipeline(unread=_("cannot be read now: {why}", why=str(trouble)))
    except FilesUnread as reason:
        return Pipeline(unread=_("unknown: {why}", why=str(reason)))
    except InvalidDvcFile as fault:
        return Pipeline(unread=_("cannot be read: the run's dvc.lock {fault}", fault=str(fault)))


def find_version(text: str, s: Services) -> Found:
    """An alias is what the registry says now; a number may be of a version that is no longer there. Raises Refused, OutsideError."""
    uri = ModelUri.parse(text)
    model = _ask_registry(uri, s)
    number = uri.version if uri.version is not None else _holder_of(uri, model)
    seen = model.version(number) if model else None
    if seen is not None:
        return Found(seen.id, is_registered=True)
    with s.store.transaction() as tx:
        recorded = [one.version for one in tx.requests.find(workspace=uri.workspace, model=uri.model, number=number)]
    if not recorded:
        raise NotFound(
            _(
                "there is no version {version} of {model}, and none was ever asked for. Check name and number",
                version=str(number),
                model=uri.model + in_workspace(uri.workspace),
            )
        )
    return Found(recorded[-1], is_registered=False)


def _ask_registry(uri: ModelUri, s: Services) -> ModelSnapshot | None:
    try:
        return s.registry_at(uri.workspace).find_model(uri.workspace, uri.model)
    except OutsideError:
        if uri.alias is not None:  # who holds it now is the registry's to say
            raise
        return None


def _holder_of(uri: ModelUri, model: ModelSnapshot | None) -> int:
    number = model.aliases.get(uri.alias or "") if model else None
    if number is None:
        raise NotFound(f"{uri.model} has no alias {uri.alias}. See what is held with: countersign list")
    return number


def _requests_about(version: VersionId, tx: Transaction) -> list[TransitionRequest]:
    """The oldest first; as they were, also those under a former name of the model."""
    renames = tx.custody.renames(version.workspace)
    found = (tx.requests.get(one) for one in tx.contents.about(version))
    return [one for one in found if request_now(one, renames).version == version]


def _holders(version: VersionId, tx: Transaction, names: Mapping[str, str], now: datetime) -> tuple[Held, ...]:
    """Who holds what now, as the registry was last seen: the model's own targets, and the models that it is copied into."""
    workspace, model = version.workspace, version.model
    copied_into = {one.name for one in tx.requests.targets_of(workspace, model) if one.kind is TargetKind.MODEL}
    mine = [
        place
        for name in sorted({model, *copied_into})
        for place in tx.registry.placements(workspace, name)
        if name == model or place.target.kind is TargetKind.MODEL
    ]
    return all_held(mine, tx, names, now)


def all_held(places: Sequence[Placement], tx: Transaction, names: Mapping[str, str], now: datetime) -> tuple[Held, ...]:
    """In their order. `names` are those of all people."""
    known = tx.requests.some({place.request_id for place in places if place.request_id})
    bases = basis_of(places, known, tx, now)
    return tuple(
        _held(place, bases.get((place.version, place.target)), known.get(place.request_id or ""), tx, names)
        for place in places
    )


def _held(
    place: Placement, basis: Basis | None, request: TransitionRequest | None, tx: Transaction, names: Mapping[str, str]
) -> Held:
    """By what right is said where it is not an approval. A copy in a target model counts as the version that was copied."""
    version = request.version if request and request.target.kind is TargetKind.MODEL else place.version
    ticket = request.ticket.key if request and request.ticket else ""
    by_approval = basis in (None, Basis.APPROVED, Basis.RATIFIED)
    approval = _approval_text(request, names, tx)
    if basis in BASES and not by_approval:
        approval = f"{approval_text(None, names)} ({_(BASES[basis])})"
    url = request.ticket.url if request and request.ticket else ""
    return Held(place.target, version, place.since, approval, ticket, place.request_id or "", url)


def _approval_text(request: TransitionRequest | None, names: Mapping[str, str], tx: Transaction) -> str:
    approval = behind(request, tx)
    return approval_text(approval, names, rule_of_decision(approval.request, tx.policy()) if approval else (None, ""))


def outcome_of(request: TransitionRequest, names: Mapping[str, str], tx: Transaction) -> Told:
    """With its votes, what was signed, and what has happened to it since; `names` are those of all people."""
    entry = tx.evidence.decided_at_entry(request.id)
    covering = CheckpointRows(tx.connection).first_over(entry) if entry is not None else None
    checkpoint = Checkpoint(covering.size, covering.made_at) if covering else None
    signed = signed_for(request, names, tx)
    back = rolled_back_by(request, tx)
    now = _now(request, back, names, tx)
    return told(
        request,
        names,
        signed=signed,
        entry=entry,
        checkpoint=checkpoint,
        now=now,
        is_rolled_back=bool(back),
        under=rule_of_decision(request, tx.policy()),
    )


def rolled_back_by(request: TransitionRequest, tx: Transaction) -> TransitionRequest | None:
    """The last rollback away from its version since it moved the target."""
    if request.state is not State.APPLIED:
        return None
    back = [other for other in _rollbacks(request, tx) if other.away_from == request.version]
    return back[-1] if back else None


def _now(request: TransitionRequest, last: TransitionRequest | None, names: Mapping[str, str], tx: Transaction) -> str:
    """What has become of an approved transition since."""
    if request.state is not State.APPLIED:
        return ""
    if last is not None:
        when = _("on {when}", when=last.settled_at) if last.settled_at else ""
        by = _("by {who}", who=person_name(last.requester, names)) if last.requester else ""
        to = _("to {version}: {reason}", version=str(last.version), reason=last.comment)
        return " ".join(filter(None, (_("rolled back"), when, by, to)))
    places = tx.registry.placements(request.version.workspace, request.target_model)
    if any(place.target == request.target and place.request_id == request.id for place in places):
        return _("holds the target by this request")
    return _("holds the target no longer, or by another request")


def _rollbacks(request: TransitionRequest, tx: Transaction) -> list[TransitionRequest]:
    """Applied after this one moved the target."""
    found = tx.requests.find(
        states=(State.APPLIED,),
        workspace=request.version.workspace,
        model=request.version.model,
        target=request.target,
    )
    since: datetime = request.settled_at or request.opened_at
    return [other for other in found if other.kind is Kind.ROLLBACK and (other.settled_at or other.opened_at) >= since]


def _figures(requests: Sequence[TransitionRequest], tx: Transaction) -> MetricHistory | None:
    """From what was frozen for each version that was ever asked for: the registry need not answer for it."""
    frozen = [request for request in requests if request.evidence]
    if not frozen or frozen[-1].evidence is None:
        return None
    request = frozen[-1]
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None or request.evidence is None:
        return None
    of_model = tx.requests.before(request.version, READ_BACK)
    older = {other.version.version: other.evidence.metrics for other in reversed(of_model) if other.evidence}
    newest = dict(sorted(older.items())[-(SHOWN_VERSIONS - 1) :])
    return history_of(request, request.evidence, rule, newest)
