"""Door: CI and serving ask whether a version may ship.

Only reads; what counts is in `handlers.attestation.approval_status` and `bot.domain.attestation.gate`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot.domain.attestation.in_toto import identity_digest
from bot.domain.attestation.sealed_places import place_as_plain
from bot.domain.model import Target
from bot.domain.registry.snapshot import VersionSnapshot
from bot.domain.workspaces import DEFAULT, in_workspace
from bot.errors import Refused, Rejected
from bot.services import Services
from handlers.attestation.approval_status import ApprovalStatus, approval_status, question_about
from handlers.custody.belief import Doubted
from handlers.custody.places import Named, place_of
from handlers.doors.api import check_token

LARGEST_NUMBER = 2**31 - 1  # of a version, in our tables


def ci_gate(s: Services, token: str) -> Blueprint:
    """Without a configured token the route refuses everything."""
    door = Blueprint("ci_gate", __name__)

    @door.get("/gate/<model>/<version>")
    def may_ship(model: str, version: str) -> ResponseReturnValue:
        check_token(token)
        target, number = _target_of(request.args.get("target", "")), _number_of(version)
        workspace = _place_in(request.args, s)
        _check_knows_all(workspace, s)
        seen = s.registry_at(workspace).find_version(workspace, model, number)
        if seen is None:
            return _no_such_version(model, number, target, workspace), 404
        question = question_about(seen, target, s)
        with s.store.transaction() as tx:
            status = approval_status(question, tx, s.clock.now())
            verdict = tx.verdicts.of(seen.id.workspace, seen.id.model, str(target)).get(number)
        return _answer(seen, status, verdict.envelope if verdict else None)

    return door


def _answer(seen: VersionSnapshot, status: ApprovalStatus, verdict: str | None) -> dict[str, object]:
    """`identity` distinguishes versions of one name and number; `envelope` is the newest decision's, for readers with the public key.

    `votes` are the envelopes that go with it, where voters have signed with their own passkeys.
    """
    result = status.result
    return {
        "allowed": result.allowed,
        "reasons": [reason.sentence for reason in result.reasons],
        "version": result.uri,
        "target": str(result.target),
        **_in_place(seen.id.workspace),
        "identity": identity_digest(seen.id),
        "artifacts": result.artifacts or None,
        "size": result.size,
        "envelope": status.envelope,
        **({"votes": list(status.votes)} if status.votes else {}),
        **({"sealed": place_as_plain(result.sealed)} if result.sealed else {}),
        "verdict": verdict,
    }


def _no_such_version(model: str, number: int, target: Target, workspace: str) -> dict[str, object]:
    uri = f"models:/{model}/{number}"
    sentence = f"MLflow has no {uri}{in_workspace(workspace)}. Check the name and the number."
    return {
        "allowed": False,
        "reasons": [sentence],
        "version": uri,
        "target": str(target),
        **_in_place(workspace),
    }


def _in_place(workspace: str) -> dict[str, object]:
    return {} if workspace == DEFAULT else {"workspace": workspace}


def _place_in(arguments: Mapping[str, str], s: Services) -> str:
    """Raises Rejected for a place that is not watched, or that could be one of several."""
    named = Named(*(arguments.get(name, "") for name in ("workspace", "registry", "tracking_uri")))
    try:
        with s.store.transaction() as tx:
            return place_of(named, s, tx)
    except Refused as refusal:
        raise Rejected("unknown_place", str(refusal), 400) from None


def _check_knows_all(workspace: str, s: Services) -> None:
    """A restored database knows of no rollback since its backup. Raises Doubted, which is neither yes nor no."""
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace)
    if row.backup_of is not None:
        raise Doubted(row.doubt, workspace, is_restored=True)


def _target_of(text: str) -> Target:
    try:
        return Target.parse(text)
    except Refused as refusal:
        raise Rejected("bad_target", f"add ?target=: {refusal}", 400) from None


def _number_of(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and 0 < len(text) < 11 and 0 < int(text) <= LARGEST_NUMBER
    if not is_number:
        raise Rejected("bad_version", f'"{text[:50]}" is not the number of a version', 400)
    return int(text)
