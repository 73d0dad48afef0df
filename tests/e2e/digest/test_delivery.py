"""A closed week's digest to its receivers: what each of them gets, and that it is what was frozen."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.digest.json_form import read_digest
from bot.domain.events import DigestClosed, DigestDelivered
from bot.domain.policy.rules import DigestPlan
from handlers.digest.files import MadeFile, files_on_disk, parcel_of
from tests.builders.digest import NOTE, a_digest, a_quiet_digest
from tests.fixtures.digest_office import (
    BEN,
    CHANNEL,
    FILES,
    HOLDINGS,
    PDF,
    PLAN,
    PNG,
    WAITING,
    WEEK,
    Office,
    open_office,
)

MORE = 1_000_000


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with open_office(database_url, tmp_path) as ready:
        yield ready


class TestSlack:
    def test_a_card_in_a_few_lines_and_the_lists_and_the_chart_in_its_thread(self, office: Office) -> None:
        office.close()

        office.settle()

        (card,) = office.cards()
        kinds = [block["type"] for block in card.blocks]
        (image,) = (block for message in office.thread() for block in message.blocks if block["type"] == "image")
        titles = [message.all_text.split("\n", 1)[0] for message in office.thread() if message.blocks]
        assert "7 items need attention" in card.all_text
        assert (kinds.count("table"), kinds.count("image")) == (0, 0)
        assert office.slack.workspace.files[image["slack_file"]["id"]].content == PNG  # type: ignore[index]
        assert "median" in str(image["alt_text"])
        assert titles[0] == "What needs attention"
        assert titles[-1] == "Files and ledger"
        assert {message.thread_ts for message in office.thread()} == {card.ts}

    def test_its_files_are_the_ones_whose_hashes_stand_in_the_last_message_and_in_the_ledger(
        self, office: Office
    ) -> None:
        office.close()

        office.settle()

        shared = {file.name: file.content for message in office.thread() for file in message.files}
        last = office.thread()[-1].all_text
        assert list(shared) == FILES
        assert shared[f"countersign-{WEEK}.pdf"] == PDF
        for name, content in shared.items():
            assert name in last
            assert hashlib.sha256(content).hexdigest() in last

    def test_the_records_are_the_weeks_own_entries(self, office: Office) -> None:
        office.close()

        office.settle()

        shared = {file.name: file.content.decode("utf-8-sig") for message in office.thread() for file in message.files}
        lines = shared[f"countersign-{WEEK}.jsonl"].splitlines()
        assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]
        assert [line[0] for line in shared[f"countersign-{WEEK}.csv"].splitlines()] == ["s", "1", "2", "3"]

    def test_the_last_message_is_an_outside_witness_of_the_ledger(self, office: Office) -> None:
        office.close()

        office.settle()

        witness = office.thread()[-1].all_text
        assert all(line in witness for line in NOTE.split("\n") if line)

    def test_a_quiet_week_says_so_and_leaves_out_the_file_with_nothing_in_it(self, office: Office) -> None:
        office.close(a_quiet_digest())

        office.settle_all()

        assert "Nothing happened this week" in office.cards()[0].text
        assert len([message for message in office.thread() if message.blocks]) == 3
        assert "not attached: it is empty" in office.thread()[-1].all_text
        office.assert_delivered_once(files=FILES[:-1])

    def test_an_app_that_may_not_show_pictures_still_tells_the_figures(self, office: Office) -> None:
        office.slack.app.scopes -= {"files:read"}
        office.close()

        office.settle_all()

        assert [block for message in office.thread() for block in message.blocks if block["type"] == "image"] == []
        office.assert_delivered_once()

    def test_its_messages_keep_to_one_a_second(self, office: Office) -> None:
        office.slack.app.limit_posts = True
        office.s.notifier.post_spacing = 1.0
        office.close(a_quiet_digest())

        office.settle()

        assert office.row().posted is not None
        assert office.parked() == []


class TestJira:
    def test_a_ticket_with_figures_lists_files_and_the_checkpoint_as_a_comment(self, office: Office) -> None:
        office.close()

        office.settle()

        (issue,) = office.jira.issues()
        (comment,) = issue.comments
        assert issue.summary == f"Model approvals, week {WEEK}: 7 items need attention"
        assert "fraud v4 was put on stage:Production" in issue.description_text
        assert f"countersign-digest-{WEEK}" in issue.labels
        assert [attachment.filename for attachment in issue.attachments] == FILES
        assert "countersign audit verify --checkpoint" in comment.text

    def test_a_file_that_is_larger_than_jira_takes_is_named_with_what_to_do(self, office: Office) -> None:
        office.jira.attachment_limit = len(PDF) - 1
        office.close()

        office.settle_all()

        (job,) = office.parked()
        assert job.name == "file_digest"
        assert "raise the limit" in job.errors[-1].error
        office.jira.attachment_limit = MORE
        office.replay()
        office.settle_all()
        assert sorted(office.attached()) == sorted(FILES)
        assert len(office.jira.issues()) == len(office.jira.comments("GOV-1")) == 1


class TestEmail:
    def test_each_address_gets_a_short_mail_with_the_files(self, office: Office) -> None:
        office.close()

        office.settle()

        first, second = office.post.received
        text = first.get_body(("plain",))
        assert text is not None
        assert str(first["Subject"]) == f"Model approvals, week {WEEK}: 7 items need attention"
        assert [part.get_filename() for part in first.iter_attachments()] == FILES
        assert "fraud v4 was put on stage:Production" in text.get_content()
        assert {str(first["To"]), str(second["To"])} == set(PLAN.email)
        assert str(first["Message-ID"]) != str(second["Message-ID"])

    def test_the_ledger_keeps_no_address(self, office: Office) -> None:
        office.close()

        office.settle()

        (mailed,) = (body for body in office.bodies(DigestDelivered) if body["to"] == "email")
        assert mailed["where"] == "2 addresses"


class TestPlan:
    def test_all_three_are_told_and_the_ledger_says_where(self, office: Office) -> None:
        office.close()

        office.settle_all()

        office.assert_delivered_once()
        where = {body["to"]: body["where"] for body in office.bodies(DigestDelivered)}
        row = office.row()
        assert row.posted is not None
        assert row.ticket is not None
        assert (where["slack"], where["jira"]) == (row.posted.url, row.ticket.url)

    @pytest.mark.parametrize(
        ("plan", "told"),
        [
            (replace(PLAN, channel=None), ["email", "jira"]),
            (replace(PLAN, ticket=None), ["email", "slack"]),
            (replace(PLAN, email=()), ["jira", "slack"]),
        ],
    )
    def test_who_is_not_in_the_plan_is_told_nothing(self, office: Office, plan: DigestPlan, told: list[str]) -> None:
        office.close(plan=plan)

        office.settle_all()

        assert sorted(office.delivered()) == told
        assert office.parked() == []

    def test_the_plan_counts_that_held_when_the_week_was_closed_unless_the_policy_says_where_else(
        self, office: Office
    ) -> None:
        row = office.close(plan=replace(PLAN, channel="#general", email=(BEN,)))

        office.settle_all()

        assert office.cards() == []
        assert len(office.slack.messages("general")) > 1
        assert office.mailed() == [BEN]
        assert read_digest(row.figures).period.week == WEEK

    @pytest.mark.parametrize("job", ["post_digest", "file_digest", "mail_digest"])
    def test_doing_it_again_changes_nothing(self, office: Office, job: str) -> None:
        office.close()
        office.settle_all()

        office.again(job)

        office.assert_delivered_once()

    def test_a_week_that_nobody_closed_is_parked_with_a_sentence(self, office: Office) -> None:
        office.again("post_digest")

        (job,) = office.parked()
        assert f"no closed digest of {WEEK}" in job.errors[-1].error


class TestFiles:
    def test_a_file_that_no_longer_comes_out_the_same_is_not_passed_off_as_the_recorded_one(
        self, office: Office
    ) -> None:
        office.close(html="ab" * 32)

        office.settle_all()

        last = office.thread()[-1].all_text
        assert office.shared() == office.attached() == FILES[1:]
        assert f"sha256 {'ab' * 32}, not attached: it no longer comes out" in last

    def test_what_was_appended_after_the_closing_belongs_to_no_frozen_week(self, office: Office) -> None:
        row = office.close()
        with files_on_disk(row, read_digest(row.figures), office.s) as files:
            before = [file.sha256 for file in files]

        with office.s.store.transaction() as tx:
            tx.record([DigestDelivered(row.period.starts, "2026-W01", "slack", "somewhere")])

        with files_on_disk(row, read_digest(row.figures), office.s) as files:
            assert [file.sha256 for file in files] == before

    def test_the_whole_lists_go_along_as_they_were_frozen_and_one_with_nothing_in_it_too(self, office: Office) -> None:
        office.close()

        office.settle_all()

        lists = {f"countersign-{WEEK}-holdings.csv": HOLDINGS, f"countersign-{WEEK}-waiting.csv": WAITING}
        shared = {file.name: file.content for message in office.thread() for file in message.files}
        attached = {file.filename: file.content for file in office.jira.issues()[0].attachments}
        mailed = {
            part.get_filename(): part.get_payload(decode=True) for part in office.post.received[0].iter_attachments()
        }
        (closed,) = office.bodies(DigestClosed)
        for name, text in lists.items():
            assert shared[name] == attached[name] == mailed[name] == text.encode()
            assert closed["files"][name] == hashlib.sha256(text.encode()).hexdigest()
            assert f"sha256 {closed['files'][name]}" in office.thread()[-1].all_text

    def test_what_is_too_large_for_its_receiver_is_not_even_made_and_known_by_what_was_recorded(
        self, office: Office
    ) -> None:
        row = office.close()
        (closed,) = office.bodies(DigestClosed)

        with files_on_disk(row, read_digest(row.figures), office.s, at_most=len(WAITING)) as files:
            made = [path.name for path in files[3].path.parent.iterdir()] if files[3].path else []

        assert made == [f"countersign-{WEEK}-waiting.csv"]
        assert [file.name for file in files] == FILES
        assert {file.name: file.size for file in files} == row.sizes
        assert {file.name: file.sha256 for file in files} == closed["files"]

    def test_nothing_is_left_on_disk(self, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "room"))
        (tmp_path / "room").mkdir()
        office.close()

        office.settle_all()

        assert list((tmp_path / "room").iterdir()) == []

    def test_as_many_files_go_as_there_is_room_for_and_the_others_are_named(self) -> None:
        sizes = (600, 500, 300)
        files = [MadeFile(f"{size}.csv", "text/csv", size, "ab", Path(f"{size}.csv")) for size in sizes]
        files.append(MadeFile("huge.json", "application/json", 40_000_000, "cd", None))

        parcel = parcel_of(files, each=1_000, together=1_000)

        assert [file.name for file in parcel.attached] == ["600.csv", "300.csv"]
        assert [file.name for file in parcel.told if file.absent] == ["500.csv", "huge.json"]
        assert "it has 38.1 MB" in parcel.told[-1].absent


def test_everything_is_told_in_the_channel_of_the_plan_and_nowhere_else(office: Office) -> None:
    office.close(a_digest())

    office.settle_all()

    assert [channel for channel in ("general", "model-approvals", CHANNEL) if office.slack.messages(channel)] == [
        CHANNEL
    ]
