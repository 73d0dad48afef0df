"""Effects: the signed list of what is governed, for the guard of an MLflow server. Made when a guard asks and something has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import (
    VALID_FOR,
    GovernedVersion,
    issued_after,
    listed,
    says_the_same,
    statement_for,
)
from bot.domain.attestation.in_toto import CLOCKS_DIFFER
from bot.domain.model import VersionId
from bot.domain.workspaces import DEFAULT, Workspace
from bot.engine.lanes import Lane
from bot.errors import OutsideError, Refused
from bot.services import Services
from bot.signatures import PAYLOAD_TYPE
from bot.signatures import payload_of as payload_in
from bot.store.attestations import GovernedList
from bot.store.transaction import Transaction
from handlers.attestation.signing import check_counts, register_key

log = structlog.get_logger()
RENEWED_AFTER: timedelta = VALID_FOR / 2
SOON = 2  # seconds in which a worker that has nothing else to do signs a list


def governed_list(registry: str, tx: Transaction, s: Services) -> tuple[GovernedList | None, bool]:
    """The newest one, and whether it is up to date; when not, the worker makes the next. Raises Refused for a registry that is not
    watched.
    """
    if registry not in {one.name for one in tx.registries()}:
        raise Refused(f'"{registry[:100]}" is no registry of the policy in force')
    there = tx.governed.find(registry)
    is_current = _is_current(there, tx, s)
    if not is_current:
        tx.defer("sign_governed", registry, f"{Lane.VERDICTS}:governed:{registry}", once=True)
    return there, is_current


def sign_governed(registry: str, s: Services) -> None:
    """Nothing is signed about a registry that is not believed: after a restore the bot does not know what was approved since its backup."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        doubted = {Workspace.parse(row.workspace).registry for row in tx.trust.doubted()}
        there = tx.governed.find(registry)
        if registry in doubted or _is_current(there, tx, s):
            return
        covers, rules = tx.ledger.count(), tx.policy().rules
        versions, holders = _asked_for(registry, tx), list(_holders(registry, tx))
        is_registered = tx.keys.find(s.signer.key.id) is not None
    unread = [version for version in {*holders, *versions} if version not in versions or not versions[version].source]
    versions |= {version: _as_made(version, s) for version in unread}
    issued = issued_after(there.issued_at if there else None, now)
    statement = statement_for(registry, rules, versions.values(), _webhook(registry, s), issued)
    if there is not None and _is_young(there, now) and says_the_same(json.loads(payload_in(there.envelope)), statement):
        with s.store.transaction() as tx:
            tx.governed.put(replace(there, covers=covers))
        return
    if not is_registered:
        register_key(s)
    envelope = s.signer.sign(payload_of(statement), PAYLOAD_TYPE)
    with s.store.transaction() as tx:
        check_counts(s.signer.key, tx)
        tx.governed.put(GovernedList(registry, covers, issued, envelope))


def _asked_for(registry: str, tx: Transaction) -> dict[VersionId, GovernedVersion]:
    """The versions that wait for an approval or have one, as they are called now. Evidence that is being collected has no origin yet."""
    found: dict[VersionId, GovernedVersion] = {}
    for request in tx.requests.governed():
        workspace = request.version.workspace
        if Workspace.parse(workspace).registry == registry:
            version = request.version_now(tx.custody.renames(workspace))
            if request.origin or version not in found:
                found[version] = listed(version, request.origin)
    return found


def _holders(registry: str, tx: Transaction) -> Iterator[VersionId]:
    """Those that have a target without an approval, such as since before it was watched."""
    for placement in tx.registry.placements():
        if placement.request_id is None and Workspace.parse(placement.version.workspace).registry == registry:
            yield placement.version


def _as_made(version: VersionId, s: Services) -> GovernedVersion:
    """A version about which there is no evidence, or none yet, with its run and source. They never change, so each is asked for once;
    when MLflow does not answer, the version is listed without them.
    """
    if version not in _MADE:
        try:
            seen = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
        except OutsideError as trouble:
            log.warning(
                "listed without its run and files", model=version.model, version=version.version, why=str(trouble)
            )
            return listed(version, "")
        is_there = seen is not None and seen.id == version
        _MADE[version] = (seen.source, seen.run_id or "") if seen is not None and is_there else ("", "")
    source, run_id = _MADE[version]
    return GovernedVersion(version.workspace, version.model, version.version, run_id, source)


_MADE: dict[VersionId, tuple[str, str]] = {}


def _is_current(there: GovernedList | None, tx: Transaction, s: Services) -> bool:
    """Every change of rules, requests, decisions and holders is an entry of the ledger."""
    return there is not None and there.covers == tx.ledger.count() and _is_young(there, s.clock.now())


def _is_young(there: GovernedList, now: datetime) -> bool:
    """One from the future is of no use: the clock was set back since."""
    return -CLOCKS_DIFFER <= now - there.issued_at < RENEWED_AFTER


def _webhook(registry: str, s: Services) -> str:
    if not s.links.url:
        return ""
    return f"{s.links.url}/webhooks/mlflow{'' if registry == DEFAULT else f'/{registry}'}"
