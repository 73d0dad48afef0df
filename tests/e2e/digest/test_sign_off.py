"""A closed digest is signed off by a named person: in Slack with a button and a form, or by a door that knows the person."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.digest.sign_off import SIGN_OFF
from bot.domain.events import DigestSignedOff
from bot.domain.policy.rules import DigestPlan
from bot.errors import Refused
from bot.store.people import Person
from bot.store.record_checks import differences
from handlers.digest.sign_off import sign_off
from tests.fixtures.digest_office import CHANNEL, PLAN, WEEK, Office, open_office
from tests.fixtures.digest_weeks import go_to_due, look, rows, weeks_from_now
from tests.fixtures.installation import Installation, policy_text

SIGNED = 'digest: {cron: "0 9 * * mon", timezone: Europe/Madrid, notify: {slack: "#compliance"}, sign_off: compliance}'
COMPLIANCE = "compliance: {people: [ana@example.com, bea@example.com]}"


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with open_office(database_url, tmp_path) as ready:
        text = policy_text("bike-*", top=SIGNED, groups=COMPLIANCE)
        with ready.s.store.transaction() as tx:
            tx.policies.add(text, "sha256:signed", "policy.yaml", ready.clock.now())
        yield ready


def person(office: Office, email: str) -> Person:
    with office.s.store.transaction() as tx:
        return tx.people.get_or_add(email, email.partition("@")[0].title())


def test_a_member_presses_the_button_fills_in_the_form_and_the_card_says_so(installation: Installation) -> None:
    installation.use_policy(top=SIGNED.replace("sign_off: compliance", "sign_off: ml-leads"))
    (week,) = weeks_from_now(1)
    go_to_due(installation, week)
    look(installation)
    installation.settle_all()
    (row,) = rows(installation, [week])
    assert row.posted is not None
    ts = row.posted.message

    refused = installation.slack.click("cy", CHANNEL, ts, SIGN_OFF)
    asked = installation.slack.click("ana", CHANNEL, ts, SIGN_OFF)
    sent = installation.slack.submit_view("ana", {"reason": ""})
    installation.settle_all()

    (entry,) = installation.entries(DigestSignedOff)
    card = next(message for message in installation.slack.messages(CHANNEL) if message.ts == ts)
    assert (refused, asked, sent.errors) == (200, 200, {})
    assert "Only members of the group" in installation.told_privately("cy")
    assert (entry["week"], entry["digest"], entry["remark"]) == (week.week, row.digest, "")
    assert entry["signed_request"].startswith("sha256:")
    assert "Signed off by Ana Ruiz on " in card.all_text
    assert [block for block in card.blocks if block["type"] == "actions"] == []
    with installation.s.store.engine.connect() as connection:
        assert list(differences(connection)) == []


def test_a_page_signs_off_what_slack_has_not_got_yet_and_card_and_ticket_say_so(office: Office) -> None:
    row = office.close(plan=replace(PLAN, sign_off="compliance"))

    one = sign_off(WEEK, row.digest, person(office, "ana@example.com"), "one late ticket", office.s)
    office.settle_all()

    said = "Signed off by Ana on "
    (card,) = office.cards()
    comments = [comment.text for comment in office.jira.comments(office.jira.issues()[0].key)]
    assert (one.week, one.digest, one.entries) == (WEEK, row.digest, 3)
    assert said in card.all_text
    assert "with a remark: one late ticket" in card.all_text
    assert [comment for comment in comments if said in comment] != []


def test_it_is_recorded_once_for_any_number_of_tries_at_the_same_time(office: Office) -> None:
    row = office.close(plan=DigestPlan("0 9 * * mon", "Europe/Madrid", None, None, ("audit@example.com",)))
    ana = person(office, "ana@example.com")

    with ThreadPoolExecutor(4) as all_at_once:
        found = list(all_at_once.map(lambda _: sign_off(WEEK, row.digest, ana, "", office.s), range(4)))

    assert len(set(found)) == 1
    assert len(office.bodies(DigestSignedOff)) == 1


@pytest.mark.parametrize(
    ("who", "week", "changed", "why"),
    [
        ("ben@example.com", WEEK, "", "only members of the group"),
        ("ana@example.com", "2026-W48", "", "is not closed"),
        ("ana@example.com", WEEK, "ab", "another digest of 2026-W47"),
    ],
)
def test_strangers_open_weeks_and_other_figures_are_refused(
    office: Office, who: str, week: str, changed: str, why: str
) -> None:
    row = office.close()

    with pytest.raises(Refused, match=why):
        sign_off(week, changed + row.digest[len(changed) :], person(office, who), "", office.s)

    assert office.bodies(DigestSignedOff) == []


def test_without_a_group_in_the_policy_there_is_no_button_and_no_sign_off(office: Office) -> None:
    office.correct('notify: {slack: "#compliance"}')
    row = office.close()
    office.settle_all()

    with pytest.raises(Refused, match="the policy asks for no sign-off"):
        sign_off(WEEK, row.digest, person(office, "ana@example.com"), "", office.s)

    (card,) = office.cards()
    assert [block for block in card.blocks if block["type"] == "actions"] == []
    assert "Sign-off" not in card.all_text


def test_a_second_person_is_refused_and_reads_who_was_first(office: Office) -> None:
    row = office.close()
    sign_off(WEEK, row.digest, person(office, "ana@example.com"), "", office.s)

    with pytest.raises(Refused, match="Signed off by Ana on"):
        sign_off(WEEK, row.digest, person(office, "bea@example.com"), "", office.s)
