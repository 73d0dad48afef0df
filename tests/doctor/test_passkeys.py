"""`countersign doctor` under a rule that wants passkeys."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.doctor.findings import Status
from bot.domain.events import PasskeyConfirmed, PasskeyEnrolled
from tests.fixtures.doctor_world import Installation

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
RISK = "{group: risk, quorum: 1}"


def has_passkey(installed: Installation, email: str, host: str) -> None:
    with installed.s.store.transaction() as tx:
        person = tx.people.get_or_add(email, email).id
        tx.record([PasskeyEnrolled(NOON, person, "Y3JlZA", "a2V5", host, "U1", "T0")])
        tx.record([PasskeyConfirmed(NOON, person, "Y3JlZA", "another", "U2", "T0")])


def test_passkeys_need_an_address_with_a_name_and_a_key_for_links(installed: Installation) -> None:
    installed.rewrite_policy(RISK, "{group: risk, quorum: 1, passkey: required}")

    by_number = installed.troubles()["passkeys"]
    installed.environ["COUNTERSIGN_URL"] = "https://countersign.example.com"
    without_key = installed.troubles()["passkeys"]

    assert (by_number.status, without_key.status) == (Status.FAIL, Status.FAIL)
    assert "Give the host a name" in by_number.why
    assert "COUNTERSIGN_LINK_KEY" in without_key.fix


def test_too_few_approvers_with_a_passkey_are_a_failure_and_passkeys_of_another_host_do_not_count(
    installed: Installation,
) -> None:
    installed.rewrite_policy(RISK, "{group: risk, quorum: 1, passkey: required}")
    installed.environ["COUNTERSIGN_URL"] = "https://countersign.example.com"
    installed.environ["COUNTERSIGN_LINK_KEY"] = "a-link-key-of-the-tests-0123456789"
    has_passkey(installed, "cy@example.com", "old.example.com")

    trouble = installed.troubles()["passkeys of risk"]

    assert "0 of 1 members known here have one that counts" in trouble.why
    assert "/countersign passkey" in trouble.fix


def test_a_rule_whose_approvers_have_passkeys_is_well(installed: Installation) -> None:
    installed.rewrite_policy(RISK, "{group: risk, quorum: 1, passkey: required}")
    installed.environ["COUNTERSIGN_URL"] = "https://countersign.example.com"
    installed.environ["COUNTERSIGN_LINK_KEY"] = "a-link-key-of-the-tests-0123456789"
    has_passkey(installed, "cy@example.com", "countersign.example.com")

    found = {finding.what: finding for finding in installed.examine()}

    assert found["passkeys"].why == "are made for countersign.example.com and sign at https://countersign.example.com"
    assert found["passkeys of risk"].status is Status.OK
