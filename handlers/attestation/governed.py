"""Effects: the signed list of what is governed, for the guard of an MLflow server. Made when a guard asks and something has changed."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import VALID_FOR, statement_for
from bot.domain.workspaces import DEFAULT, Workspace
from bot.engine.lanes import Lane
from bot.errors import Refused
from bot.services import Services
from bot.signatures import PAYLOAD_TYPE
from bot.store.attestations import GovernedList
from bot.store.transaction import Transaction
from handlers.attestation.signing import check_counts, register_key

RENEWED_AFTER: timedelta = VALID_FOR / 2


def governed_list(registry: str, tx: Transaction, s: Services) -> GovernedList | None:
    """The newest one; when it is not up to date, the worker makes the next. Raises Refused for a registry that is not watched."""
    if registry not in {one.name for one in tx.registries()}:
        raise Refused(f'"{registry[:100]}" is no registry of the policy in force')
    there = tx.governed.find(registry)
    if not _is_current(there, tx, s):
        tx.defer("sign_governed", registry, f"{Lane.VERDICTS}:governed:{registry}", once=True)
    return there


def sign_governed(registry: str, s: Services) -> None:
    """Nothing is signed about a registry that is not believed: after a restore the bot does not know what was approved since its backup."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        doubted = {Workspace.parse(row.workspace).registry for row in tx.trust.doubted()}
        if registry in doubted or _is_current(tx.governed.find(registry), tx, s):
            return
        covers = tx.ledger.count()
        versions = tx.requests.governed_versions()
        statement = statement_for(registry, tx.policy().rules, versions, _webhook(registry, s), now)
        is_registered = tx.keys.find(s.signer.key.id) is not None
    if not is_registered:
        register_key(s)
    envelope = s.signer.sign(payload_of(statement), PAYLOAD_TYPE)
    with s.store.transaction() as tx:
        check_counts(s.signer.key, tx)
        tx.governed.put(GovernedList(registry, covers, now, envelope))


def _is_current(there: GovernedList | None, tx: Transaction, s: Services) -> bool:
    """Every change of rules, requests and decisions is an entry of the ledger."""
    if there is None:
        return False
    return there.covers == tx.ledger.count() and s.clock.now() - there.issued_at < RENEWED_AFTER


def _webhook(registry: str, s: Services) -> str:
    if not s.links.url:
        return ""
    return f"{s.links.url}/webhooks/mlflow{'' if registry == DEFAULT else f'/{registry}'}"
