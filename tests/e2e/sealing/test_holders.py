"""What holds a target already: sealed when its rule begins to seal, kept there when the rule changes, tried again when it may work."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.clients.keys import make_key
from bot.clients.signers import read_signer
from bot.domain.events import SealHindered, VersionSealed
from bot.domain.model import State, TransitionRequest
from bot.domain.seals.places import Seal
from bot.engine.lanes import Urgency
from bot.engine.readers import READERS
from bot.engine.rows import Job, JobStatus
from bot.store import tables
from handlers.evidence.approvals import resting_on
from handlers.sealing.seal import seal_holders
from tests.e2e.sealing.vault import FILES, Vault
from tests.fixtures.installation import policy_text

NOT_YET = "remind_after: 4h"
TRIED = "seal_holder"


def seal_of(vault: Vault, request: TransitionRequest) -> Seal:
    found = vault.installation.reread(request).sealing.seal
    assert found is not None
    return found


def parked(vault: Vault) -> list[Job]:
    return vault.installation.s.store.jobs.listing(JobStatus.PARKED)


def held_before_its_rule_sealed(vault: Vault) -> TransitionRequest:
    vault.use_policy(NOT_YET)
    request = vault.promoted()
    vault.use_policy()
    return request


@pytest.mark.parametrize("after", [NOT_YET, "seal: s3://{0}-2/"])
def test_what_is_sealed_stays_allowed_where_it_is_when_the_rule_seals_elsewhere_or_no_more(
    vault: Vault, after: str
) -> None:
    vault.make_bucket()
    vault.make_bucket(f"{vault.sealed}-2")
    held = vault.promoted()
    before = seal_of(vault, held)

    vault.use_policy(after)
    vault.installation.sweep("seal_holders")

    assert seal_of(vault, held) == before
    for with_bot in (False, True):
        allowed = vault.gate(with_bot=with_bot)
        assert (allowed.code, allowed.out) == (0, f"{before.at.uri}\n"), allowed.err

    newer = vault.promoted()
    sealed_in = newer.sealing.seal.at.bucket if newer.sealing.seal else ""
    assert sealed_in == ("" if after == NOT_YET else f"{vault.sealed}-2")
    assert vault.gate(with_bot=True).code == 0


def test_a_holder_that_cannot_be_sealed_has_one_parked_job_until_somebody_drops_it_or_a_policy_names_another_bucket(
    vault: Vault,
) -> None:
    request = held_before_its_rule_sealed(vault)
    for _ in range(3):
        vault.installation.sweep("seal_holders")

    (first,) = parked(vault)
    assert (first.name, vault.installation.happened(SealHindered)) == (TRIED, ["SealHindered"])
    vault.installation.s.store.jobs.drop(first.id, "the bucket is being made")
    for _ in range(2):
        vault.installation.sweep("seal_holders")
    (second,) = parked(vault)
    assert second.id != first.id

    vault.make_bucket(f"{vault.sealed}-2")
    vault.use_policy("seal: s3://{0}-2/")
    vault.installation.sweep("seal_holders")

    assert (seal_of(vault, request).at.bucket, parked(vault)) == (f"{vault.sealed}-2", [])
    assert vault.gate().code == 0


def test_the_clock_reads_no_request_about_a_target_that_no_rule_seals(vault: Vault) -> None:
    request = held_before_its_rule_sealed(vault)
    engine, asked = vault.installation.s.store.engine, list[str]()

    def note(_connection: object, _cursor: object, _statement: str, parameters: object, *_: object) -> None:
        asked.append(str(parameters))

    def is_read() -> bool:
        asked.clear()
        sa.event.listen(engine, "before_cursor_execute", note)
        seal_holders("", vault.installation.s)
        sa.event.remove(engine, "before_cursor_execute", note)
        return any(request.id in one for one in asked)

    assert is_read()
    vault.installation.activate(policy_text("another-*", extra="seal: s3://prod-models/"))
    assert not is_read()


def test_a_holder_whose_approval_no_believed_key_signed_is_not_sealed_and_its_card_says_why(
    vault: Vault, tmp_path: Path
) -> None:
    vault.make_bucket()
    request = held_before_its_rule_sealed(vault)
    make_key(tmp_path / "another.pem")
    vault.installation.s = replace(vault.installation.s, signer=read_signer(str(tmp_path / "another.pem")))

    for _ in range(3):
        vault.installation.sweep("seal_holders")

    assert len([one for one in parked(vault) if one.name == TRIED]) == 1
    assert "no key that this worker believes has signed it" in vault.installation.reread(request).sealing.hindered
    assert vault.installation.happened(VersionSealed) == []


def test_a_list_of_files_that_was_changed_in_the_database_seals_nothing_and_waits_for_a_person(vault: Vault) -> None:
    vault.make_bucket()
    request = held_before_its_rule_sealed(vault)
    with vault.installation.s.store.transaction() as tx:
        tx.connection.execute(tables.manifests.update().values(text=tables.manifests.c.text + "0  evil.py\n"))

    vault.installation.sweep("seal_holders")

    (job,) = parked(vault)
    assert "somebody has changed it in the database" in job.errors[-1].error
    assert "somebody has changed it" in vault.installation.reread(request).sealing.hindered


def test_a_model_that_was_renamed_is_sealed_under_its_present_name(vault: Vault) -> None:
    vault.make_bucket()
    vault.use_policy(NOT_YET)
    request = vault.promoted()
    renamed = f"{vault.installation.model}-renamed"
    vault.installation.mlflow.rename_registered_model(vault.installation.model, renamed)
    for _ in range(2):
        vault.installation.sweep()

    vault.use_policy()
    vault.installation.sweep("seal_holders")

    assert f"/{renamed}/v{request.version.version}-" in seal_of(vault, request).at.uri


def test_waiting_for_other_readers_is_no_hindrance_and_people_s_decisions_come_first(vault: Vault) -> None:
    vault.make_bucket()
    request = held_before_its_rule_sealed(vault)
    vault.installation.clock.ahead += timedelta(hours=1)
    with ExitStack() as others:
        for _ in range(READERS):
            others.enter_context(vault.installation.s.store.readers.take())
        vault.installation.sweep("seal_holders")

        assert vault.installation.happened(SealHindered, VersionSealed) == []
        assert [job.name for job in vault.installation.unfinished()] == [TRIED]

    urgency = vault.installation.s.store.jobs.urgency
    assert urgency.get(TRIED, Urgency.LATER) < urgency["sync_tags"]
    vault.installation.settle_until(lambda: vault.installation.reread(request).sealing.seal)


def test_names_of_files_may_hold_what_python_takes_for_the_end_of_a_line(vault: Vault) -> None:
    vault.make_bucket()
    files = {**FILES, "a\u2028b\u0085c.txt": b"x"}

    request = vault.promoted(files)

    assert (request.state, seal_of(vault, request).count) == (State.APPLIED, len(files))
    with vault.installation.s.store.transaction() as tx:
        assert set(resting_on(request, request.version, tx).files) == set(files)
