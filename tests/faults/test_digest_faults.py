"""A digest while its receivers misbehave: once the fault is over each has it once, and none has waited for another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import Permanent
from bot.sandbox.faults import Faults
from handlers.digest.delivery import mail_digest
from handlers.request.deadlines import prune
from tests.builders.digest import NOTE
from tests.fixtures.digest_office import ANA, BEN, CHANNEL, FILES, PLAN, WEEK, Office, open_office

pytestmark = pytest.mark.proof

FAULTS: dict[str, dict[str, object]] = {
    "down": {"kind": "down"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "429": {"kind": "status", "status": 429, "seconds": 1},
    "cut": {"kind": "cut"},
    "malformed": {"kind": "malformed"},
}
IN_SLACK = (
    "chat.postMessage",
    "conversations.history",
    "conversations.replies",
    "files.getUploadURLExternal",
    "upload/v1/[^/]+",
    "files.completeUploadExternal",
)
IN_JIRA = ("POST /issue", "POST /comment", "POST /attachments", "/search/jql", r"GET /issue/\d+")


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with open_office(database_url, tmp_path) as ready:
        yield ready


def misbehave(server: Faults, places: tuple[str, ...], **fault: object) -> None:
    for place in places:
        method, _, path = place.rpartition(" ")
        server.add(path=f"{path}$", method=method, **fault)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", FAULTS)
def test_it_comes_right_when_each_thing_fails_once(office: Office, fault: str) -> None:
    misbehave(office.slack.faults, IN_SLACK, **FAULTS[fault])
    misbehave(office.jira.faults, IN_JIRA, **FAULTS[fault])

    office.close()
    office.settle_all()

    office.assert_delivered_once()


def test_what_somebody_gives_up_is_owed_to_nobody_any_more(office: Office) -> None:
    office.slack.app.revoked = True
    office.close()
    office.settle_all()
    (parked,) = office.parked()
    assert office.owed() == [f"{WEEK} to slack"]

    office.s.store.jobs.drop(parked.id, "compliance reads it in Jira")

    assert office.owed() == []


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_no_message_is_doubled_wherever_in_the_thread_an_answer_is_lost(office: Office, times: int) -> None:
    misbehave(office.slack.faults, ("chat.postMessage",), kind="cut", times=times)

    office.close()
    office.settle_all()

    office.assert_delivered_once()


def test_no_file_is_doubled_wherever_an_answer_is_lost(office: Office) -> None:
    misbehave(office.slack.faults, ("files.completeUploadExternal",), kind="cut", times=3)
    misbehave(office.jira.faults, ("POST /attachments",), kind="cut", times=4)

    office.close()
    office.settle_all()

    office.assert_delivered_once()


def test_slack_is_down_on_monday_morning(office: Office) -> None:
    office.slack.faults.add("down", times=1_000)

    office.close()
    office.settle()
    without_slack = sorted(office.delivered())
    owed = office.owed()
    office.slack.faults.clear()
    office.settle_all()

    assert without_slack == ["email", "jira"]
    assert owed == [f"{WEEK} to slack"]
    office.assert_delivered_once()


def test_jira_is_down_and_the_others_have_theirs(office: Office) -> None:
    office.jira.faults.add("down", times=1_000)

    office.close()
    office.settle()
    without_jira = sorted(office.delivered())
    office.jira.faults.clear()
    office.settle_all()

    assert without_jira == ["email", "slack"]
    office.assert_delivered_once()


def test_a_revoked_token_parks_the_post_and_nothing_else_and_a_replay_posts_it(office: Office) -> None:
    office.slack.app.revoked = True
    office.close()
    office.settle_all()
    parked = office.parked()

    office.slack.app.revoked = False
    office.replay()
    office.settle_all()

    assert [job.name for job in parked] == ["post_digest"]
    assert "SLACK_BOT_TOKEN" in parked[0].errors[-1].error
    office.assert_delivered_once()


def test_a_card_that_somebody_deleted_on_the_way_is_posted_anew_with_its_whole_thread(office: Office) -> None:
    misbehave(office.slack.faults, ("files.getUploadURLExternal",), kind="status", status=500)
    office.slack.faults.add("status", path="upload/v1/", status=500, times=40)
    office.close(plan=replace(PLAN, ticket=None, email=()))
    office.settle()

    for message in office.slack.messages(CHANNEL):
        office.slack.workspace.remove(message)
    office.slack.faults.clear()
    office.settle_all()

    (card,) = office.cards()
    titles = [message.all_text.split("\n", 1)[0] for message in office.thread() if message.blocks]
    assert {message.thread_ts for message in office.thread()} == {card.ts}
    assert (titles[0], titles[-1]) == ("What needs attention", "Files and ledger")
    assert office.shared() == FILES


def test_without_leave_to_upload_the_thread_still_witnesses_the_ledger_and_says_why_no_file_is_there(
    office: Office,
) -> None:
    office.slack.app.scopes -= {"files:write"}
    office.close()
    office.settle_all()
    (parked,) = office.parked()
    last = office.thread()[-1].all_text
    office.replay()
    office.settle_all()

    office.slack.app.scopes |= {"files:write"}
    office.replay()
    office.settle_all()

    assert "files:write" in parked.errors[-1].error
    assert all(line in last for line in NOTE.split("\n") if line)
    assert last.count("not attached: Slack refused") == len(FILES)
    (said,) = (message.all_text for message in office.thread() if message.all_text.startswith("Files and ledger"))
    assert "not attached" not in said
    assert office.shared() == FILES
    assert office.owed() == []


def test_a_job_that_is_replayed_months_later_doubles_nothing(office: Office) -> None:
    office.slack.app.scopes -= {"files:write"}
    office.jira.attachment_limit = 30
    office.post.answers = {BEN: "550 5.1.1 nobody of that name"}
    office.close()
    office.settle_all()
    assert len(office.parked()) == 3

    office.clock.ahead = timedelta(days=400)
    prune("", office.s)
    office.slack.app.scopes |= {"files:write"}
    office.jira.attachment_limit = 1_000_000
    office.replay()
    office.settle_all()

    assert len(office.cards()) == len(office.jira.issues()) == len(office.jira.comments("GOV-1")) == 1
    assert sorted(office.shared()) == sorted(office.attached()) == sorted(FILES)
    assert office.mailed() == [ANA, BEN]
    assert office.parked() == []


class TestMail:
    def test_a_server_that_asks_for_patience_gets_it(self, office: Office) -> None:
        office.post.answers = {ANA: "451 4.7.1 come back later", "DATA": "421 4.3.0 too busy"}

        office.close()
        office.settle_all()

        office.assert_delivered_once()

    def test_an_address_that_is_refused_keeps_the_others_from_nothing(self, office: Office) -> None:
        office.post.answers = {ANA: "550 5.1.1 nobody of that name"}

        office.close()
        office.settle_all()

        (job,) = office.parked()
        assert (job.name, office.mailed()) == ("mail_digest", [BEN])
        assert ANA in job.errors[-1].error
        assert sorted(office.delivered()) == ["jira", "slack"]

    def test_a_mail_that_may_have_been_delivered_is_not_sent_twice_and_the_job_says_so(self, office: Office) -> None:
        office.post.cuts = ["once"]

        office.close()
        office.settle_all()

        (job,) = office.parked()
        assert (job.name, office.mailed()) == ("mail_digest", [ANA, BEN])
        assert re.search(r"may or may not have been delivered.*Ask whether it came", job.errors[-1].error)

    def test_somebody_who_knows_that_it_did_not_come_replays_the_job_and_only_that_mail_is_sent_again(
        self, office: Office
    ) -> None:
        office.post.cuts = ["once"]
        office.close()
        office.settle_all()

        office.replay()
        office.settle_all()

        assert office.mailed() == [ANA, ANA, BEN]
        assert office.row().mailed_at is not None
        assert office.parked() == []

    def test_only_the_job_that_is_replayed_sends_its_mail_again(self, office: Office) -> None:
        office.post.cuts = ["once"]
        office.close(plan=replace(PLAN, channel="#nowhere", ticket=None))
        office.settle_all()
        mail, post = office.parked()
        assert (mail.name, post.name) == ("mail_digest", "post_digest")

        office.replay(str(post.id))
        office.again("mail_digest")
        before = office.mailed()
        office.replay(str(mail.id))
        office.settle_all()

        assert before == [ANA, BEN]
        assert office.mailed() == [ANA, ANA, BEN]

    def test_a_worker_that_died_before_it_could_park_the_job_leaves_no_second_mail(self, office: Office) -> None:
        office.post.cuts = ["once"]
        office.close(plan=replace(PLAN, channel=None, ticket=None))
        with pytest.raises(Permanent):
            mail_digest(WEEK, office.s)

        office.settle_all()

        (job,) = office.parked()
        assert office.mailed() == [ANA, BEN]
        assert "Ask whether it came" in job.errors[-1].error

    def test_a_lost_answer_stays_unknown_while_another_address_is_tried_again(self, office: Office) -> None:
        office.post.cuts = ["once"]
        office.post.answers = {BEN: "451 4.7.1 come back later"}

        office.close()
        office.settle_all()

        (job,) = office.parked()
        assert office.mailed() == [ANA, BEN]
        assert ANA in job.errors[-1].error

    def test_a_worker_that_died_while_it_sent_leaves_no_second_mail(self, office: Office) -> None:
        with office.s.store.transaction() as tx:
            tx.outbox.reserve(f"digest-mail:{WEEK}:{ANA}", office.clock.now())

        office.close()
        office.settle_all()

        (job,) = office.parked()
        assert office.mailed() == [BEN]
        assert f"not known whether the mail to {ANA}" in job.errors[-1].error
