"""Where a closed week's digest goes, when the policy was wrong about it and somebody corrects it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.digest_office import ANA, BEN, CHANNEL, FILES, PLAN, Office, open_office


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with open_office(database_url, tmp_path) as ready:
        yield ready


def test_a_wrong_channel_is_corrected_in_the_policy(office: Office) -> None:
    office.close(plan=replace(PLAN, channel="#complaince", ticket=None, email=()))
    office.settle_all()
    (parked,) = office.parked()

    office.correct(f'notify: {{slack: "#{CHANNEL}"}}')
    office.replay(str(parked.id))
    office.settle_all()

    assert "#complaince" in parked.errors[-1].error
    assert len(office.cards()) == 1
    assert office.shared() == FILES
    assert office.owed() == []


def test_a_wrong_project_is_corrected_in_the_policy(office: Office) -> None:
    office.close(plan=replace(PLAN, channel=None, ticket=("GVO", "Task"), email=()))
    office.settle_all()
    (parked,) = office.parked()

    office.correct("ticket: {project: GOV, type: Task}")
    office.replay(str(parked.id))
    office.settle_all()

    assert "GVO" in parked.errors[-1].error
    assert office.attached() == FILES
    assert office.owed() == []


def test_a_wrong_address_is_corrected_while_who_has_the_mail_gets_no_second_one(office: Office) -> None:
    office.post.answers = {"bne@example.com": "550 5.1.1 nobody of that name"}
    office.close(plan=replace(PLAN, channel=None, ticket=None, email=(ANA, "bne@example.com")))
    office.settle_all()

    office.correct(f"email: [{ANA}, {BEN}]")
    office.replay()
    office.settle_all()

    assert office.mailed() == [ANA, BEN]
    assert office.owed() == []


def test_a_receiver_that_the_policy_names_no_more_is_told_where_it_was(office: Office) -> None:
    office.close()
    office.correct("email: [audit@example.com]")

    office.settle_all()

    assert len(office.cards()) == len(office.jira.issues()) == 1
    assert office.mailed() == ["audit@example.com"]


def test_a_receiver_that_the_policy_names_only_now_is_told_of_the_next_week(office: Office) -> None:
    office.close(plan=replace(PLAN, channel=None, ticket=None))
    office.correct('notify: {slack: "#compliance"}, ticket: {project: GOV, type: Task}')

    office.settle_all()

    assert office.delivered() == ["email"]
    assert office.parked() == []
