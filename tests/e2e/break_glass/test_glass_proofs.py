"""Somebody who can only write to the database breaks no glass: the form that Slack signed must say the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.break_glass.breaking import VIA, break_glass
from bot.domain.events import ApprovalCalledOff, DecisionSigned, TargetMoved
from bot.domain.model import Ask, AskKind, State, Target, Verdict, Vote
from bot.domain.request.opening import NewRequest
from bot.errors import NotProven
from bot.signatures import payload_of
from bot.store import tables
from config.policy import read_policy
from handlers.ledger.audit import audit
from handlers.request.asking import opened
from tests.fixtures.glass import WHY, allow, ask_for_it, break_it, broken, send
from tests.fixtures.installation import Installation
from tests.gate.approvals import gate


def forge(installation: Installation, version: int, signed_request: str = "", request_id: str = "f" * 32) -> None:
    """What a person with the database's password does: rows and entries, without Slack."""
    seen = installation.s.registry_at("default").find_version("default", installation.model, version)
    assert seen is not None
    now, target = installation.clock.now(), Target.parse("alias:champion")
    with installation.s.store.transaction() as tx:
        cy = tx.people.get_or_add("cy@example.com", "Cy Lindqvist")
        rule = tx.policy().rule_for("default", installation.model, target)
        assert rule is not None
        new = NewRequest(seen.id, target, Ask(AskKind.BREAK_GLASS), requester=cy.id, comment="believe me")
        request = opened(new, request_id, tx, now)
        who = {"team": installation.slack.team_id, "account": "U0CY0000003", "signed_request": signed_request}
        deed = Vote(
            cy.id,
            Verdict.APPROVE,
            "believe me",
            now,
            ("on-call",),
            VIA,
            tx.policy().rule_hash(rule),
            **who,
            signed_by="notifier",
        )  # type: ignore[arg-type]
        tx.record(break_glass(request, deed, rule, "", now))


def test_a_deed_that_only_the_database_has_moves_nothing(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()

    forge(installation, version)
    installation.settle()

    forged = broken(installation, version)
    assert (forged.state, installation.champion()) == (State.CALLED_OFF, None)
    assert "no signed request" in forged.outcome
    assert not installation.happened(TargetMoved)
    assert installation.happened(ApprovalCalledOff)


def test_the_signed_form_of_another_deed_proves_nothing(installation: Installation) -> None:
    allow(installation)
    first, second = installation.register(), installation.register()
    installation.sweep()
    real = break_it(installation, first)
    assert real.glass is not None

    forge(installation, second, real.glass.signed_request)
    installation.settle()

    assert broken(installation, second).state is State.CALLED_OFF
    assert installation.champion() == first


def test_a_kept_form_whose_row_is_pointed_at_another_request_proves_nothing(installation: Installation) -> None:
    """Whoever owns the tables can change the row as well; the form itself says which request and which version it was sent for."""
    allow(installation)
    first, second = installation.register(), installation.register()
    installation.sweep()
    real = break_it(installation, first)
    assert real.glass is not None
    digest, forged = real.glass.signed_request, "e" * 32
    with installation.s.store.transaction() as tx:
        tx.connection.execute(
            sa.update(tables.signed_requests).where(tables.signed_requests.c.digest == digest).values(request_id=forged)
        )

    forge(installation, second, digest, forged)
    installation.settle()

    assert broken(installation, second).state is State.CALLED_OFF
    assert installation.champion() == first


@pytest.mark.parametrize("field", ["reason", "despite", "account"])
def test_a_record_that_says_something_else_than_the_form_is_not_signed(installation: Installation, field: str) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version)
    send(installation)
    request = broken(installation, version)
    assert request.glass is not None
    changed = replace(request, glass=replace(request.glass, **{field: "something else"}))
    with installation.s.store.transaction() as tx:
        tx.requests.update(changed)

    installation.settle_once()

    assert not installation.happened(DecisionSigned, TargetMoved)
    assert installation.champion() is None


def test_the_decision_is_signed_as_what_it_is_and_the_audit_and_the_gate_take_it(
    installation: Installation, tmp_path: Path
) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()

    request = break_it(installation, version)

    with installation.s.store.transaction() as tx:
        (signed,) = tx.attestations.of(request.id)
    said = json.loads(payload_of(signed.envelope))["predicate"]
    assert (said["decidedBy"], said["approvers"][0]["name"]) == ("break_glass", "Cy Lindqvist")
    assert said["approvers"][0]["meaning"].startswith("I promote")
    assert said["breakGlass"]["review"]["by"] == "ml-leads"
    assert said["breakGlass"]["signedRequest"]["by"] == "notifier"
    assert audit(installation.s.store.engine, read_policy=read_policy).requests == 1
    key = tmp_path / "public.pem"
    key.write_text(installation.s.signer.key.pem)
    asked = (f"models:/{installation.model}/{version}", "--target", "alias:champion", "--key", str(key))
    answer = gate(installation.settings.mlflow_tracking_uri, "check", *asked)
    assert f'Cy Lindqvist ("{WHY}"), who broke the glass' in answer.err
    assert answer.code == 0


def test_the_audit_finds_a_kept_form_that_was_edited(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    break_it(installation, version)
    with installation.s.store.transaction() as tx:
        tx.connection.execute(sa.update(tables.signed_requests).values(body="payload=%7B%7D"))

    with pytest.raises(NotProven, match=r"signed request .* was inserted or edited"):
        audit(installation.s.store.engine, read_policy=read_policy)
