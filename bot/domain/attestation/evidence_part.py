"""The frozen evidence as the part of a signed statement, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import cast

import rfc8785

from bot.domain.ledger.chain import Plain, as_plain
from bot.domain.model import Champion, Evidence, Metric, VersionId


def payload_of(statement: Plain) -> bytes:
    """Canonical (RFC 8785), so that the same statement always gives the same bytes."""
    return bytes(rfc8785.dumps(as_plain(statement)))


def evidence_digest(evidence: Evidence) -> str:
    """The digest of the complete frozen evidence, as in the ledger."""
    return "sha256:" + hashlib.sha256(payload_of(as_plain(evidence))).hexdigest()


def shortened(evidence: Evidence) -> Plain:
    champion = replace(evidence.champion, metrics=(), params={}) if evidence.champion else None
    short = replace(evidence, metrics=(), params={}, datasets=(), signature=None, champion=champion)
    shown = cast("dict[str, Plain]", evidence_part(short))
    return {**shown, "digest": evidence_digest(evidence), "leftOut": ["metrics", "params", "datasets", "signature"]}


def evidence_part(evidence: Evidence | None) -> Plain:
    if evidence is None:
        return None
    return as_plain(
        {
            "digest": evidence_digest(evidence),
            "run": evidence.run_id,
            "commit": evidence.commit,
            "source": evidence.source,
            "author": evidence.author,
            "authorFrom": evidence.author_from,
            "notBelieved": evidence.not_believed,
            "metrics": [_metric(metric) for metric in evidence.metrics],
            "params": evidence.params,
            "datasets": evidence.datasets,
            "lockSha256": evidence.lock_sha256,
            "dataMd5": evidence.data_md5,
            "artifacts": evidence.artifacts,
            "leadsOut": evidence.outside,
            "notCovered": evidence.uncovered,
            "signature": evidence.signature,
            "lineage": [check.code for check in evidence.lineage if not check.passed],
            "vouchedBy": evidence.vouched_by,
            "champion": _champion(evidence.champion),
        }
    )


def _champion(champion: Champion | None) -> Plain:
    if champion is None:
        return None
    return {"version": as_plain(identity_part(champion.version)), "metrics": [_metric(one) for one in champion.metrics]}


def _metric(metric: Metric) -> dict[str, Plain]:
    return {
        "name": metric.name,
        "value": as_plain(metric.value),
        "source": metric.source,
        "dataset": metric.measured_on.name if metric.measured_on else None,
    }


def identity_part(version: VersionId) -> dict[str, Plain]:
    return {
        "workspace": version.workspace,
        "name": version.model,
        "version": version.version,
        "created": version.created.isoformat(),
    }
