"""Pictures on cards: uploaded, waited for, and left out when Slack does not take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bot.clients.slack.notifier import SlackNotifier
from bot.domain.card.card import Button, Card
from bot.domain.references import Image
from bot.errors import Permanent, Temporary
from bot.sandbox.serving import serving
from bot.sandbox.slack import Message, SlackSandbox

CHANNEL = "#model-approvals"
PNG = b"\x89PNG\r\n\x1a\n and the rest of it"
ALT = "mae over versions 1 to 7, threshold 40, champion v5"
GONE = Image("F0GONE00001", "a plot that was deleted")
BUTTONS = (Button("approve", "Approve", "r-1"),)


@dataclass
class Bench:
    """The notifier's waits are noted here and not spent."""

    slack: SlackSandbox
    notifier: SlackNotifier
    waited: list[float] = field(default_factory=list)

    def upload(self, content: bytes = PNG, name: str = "mae.png", alt: str = ALT) -> Image:
        return self.notifier.upload_image(content, name, alt)

    def shown(self) -> Message:
        (message,) = self.slack.messages("model-approvals")
        return message


@pytest.fixture
def bench() -> Iterator[Bench]:
    slack, waited = SlackSandbox(), list[float]()
    with serving(slack) as url:
        yield Bench(slack, SlackNotifier("xoxb-sandbox", api_url=f"{url}/api/", wait=waited.append), waited)


def card_with(image: Image | None) -> Card:
    return Card("bike-demand v2 asks for champion", "bike-demand v2 asks", buttons=BUTTONS, image=image)


def kinds(message: Message) -> list[object]:
    return [block["type"] for block in message.blocks]


class TestUploading:
    def test_a_picture_is_kept_with_its_words_and_nobody_sees_it(self, bench: Bench) -> None:
        image = bench.upload()

        file = bench.slack.workspace.files[image.file]
        assert (file.name, file.title, file.content, file.alt) == ("mae.png", "mae.png", PNG, ALT)
        assert image.alt == ALT
        assert bench.slack.messages("model-approvals") == []
        assert bench.waited == []

    def test_it_waits_until_slack_has_looked_through_the_file(self, bench: Bench) -> None:
        bench.slack.app.looks_at_files = 3

        image = bench.upload()

        assert bench.waited == [0.5, 1.0, 1.5]
        assert image.file in bench.slack.workspace.pictures()

    def test_a_file_that_is_never_looked_through_is_temporary_after_five_seconds(self, bench: Bench) -> None:
        bench.slack.app.looks_at_files = 5

        with pytest.raises(Temporary, match="within 5 s"):
            bench.upload()

        assert sum(bench.waited) == 5

    def test_words_that_are_too_long_for_slack_are_cut_there_and_nowhere_else(self, bench: Bench) -> None:
        image = bench.upload(alt="word " * 300)

        assert len(bench.slack.workspace.files[image.file].alt) <= 1_000
        assert len(image.alt) == 1_500

    @pytest.mark.parametrize(
        "step", ["files.getUploadURLExternal", "upload/v1/", "files.completeUploadExternal", "files.info"]
    )
    @pytest.mark.parametrize("fault", ["down", "cut", "status"])
    def test_a_lost_step_is_temporary_and_another_upload_is_as_good(self, bench: Bench, step: str, fault: str) -> None:
        bench.slack.faults.add(fault, step)

        with pytest.raises(Temporary):
            bench.upload()

        assert bench.upload().file in bench.slack.workspace.pictures()

    def test_too_many_uploads_wait_as_long_as_slack_asked(self, bench: Bench) -> None:
        bench.slack.faults.add("status", "files.getUploadURLExternal", status=429, seconds=7)

        with pytest.raises(Temporary) as trouble:
            bench.upload()

        assert trouble.value.retry_after == 7

    def test_an_app_that_may_not_upload_says_which_scope_it_lacks(self, bench: Bench) -> None:
        bench.slack.app.scopes -= {"files:write"}

        with pytest.raises(Permanent, match=r"for mae.png: missing_scope.*files:write.*reinstall"):
            bench.upload()

    def test_the_token_is_not_sent_to_the_address_of_the_upload(self, bench: Bench) -> None:
        seen: list[str] = []
        passed_on = bench.slack.faults.application

        def watched(environ, start_response):  # type: ignore[no-untyped-def]
            if environ["PATH_INFO"].startswith("/upload/"):
                seen.append(environ.get("HTTP_AUTHORIZATION", "none"))
            return passed_on(environ, start_response)

        bench.slack.faults.application = watched
        bench.upload()

        assert seen == ["none"]


class TestShowing:
    def test_a_card_shows_its_picture(self, bench: Bench) -> None:
        image = bench.upload()

        bench.notifier.post(CHANNEL, card_with(image), "key-1")

        shown = next(block for block in bench.shown().blocks if block["type"] == "image")
        assert (shown["slack_file"], shown["alt_text"]) == ({"id": image.file}, ALT)

    def test_a_card_whose_picture_is_gone_is_posted_once_and_without_it(self, bench: Bench) -> None:
        with capture_logs() as logged:
            posted = bench.notifier.post(CHANNEL, card_with(GONE), "key-1")

        assert bench.shown().ts == posted.message
        assert kinds(bench.shown()) == ["header", "actions"]
        assert [(line["event"], line["file"], line["log_level"]) for line in logged] == [
            ("image_not_taken", GONE.file, "warning")
        ]
        assert "invalid slack file [json-pointer:/blocks/1/slack_file]" in logged[0]["why"]

    def test_an_update_whose_picture_is_gone_goes_without_it_and_the_next_one_shows_it_again(
        self, bench: Bench
    ) -> None:
        posted = bench.notifier.post(CHANNEL, card_with(bench.upload()), "key-1")

        bench.notifier.update(posted, card_with(GONE))
        without = kinds(bench.shown())
        bench.notifier.update(posted, card_with(bench.upload()))

        assert without == ["header", "actions"]
        assert kinds(bench.shown()) == ["header", "image", "actions"]

    def test_a_reply_whose_picture_is_gone_stays_in_its_thread(self, bench: Bench) -> None:
        card = bench.notifier.post(CHANNEL, card_with(None), "key-1")

        bench.notifier.post(CHANNEL, card_with(GONE), "key-2", thread=card.message)

        assert [message.thread_ts for message in bench.slack.messages("model-approvals")] == ["", card.message]

    def test_a_card_that_slack_refuses_for_another_reason_stays_refused(self, bench: Bench) -> None:
        twice = Card("t", "s", buttons=BUTTONS * 2, image=GONE)

        with pytest.raises(Permanent, match="already exists"):
            bench.notifier.post(CHANNEL, twice, "key-1")

        assert bench.slack.messages("model-approvals") == []

    def test_the_answer_to_a_command_has_no_picture(self, bench: Bench) -> None:
        reply = bench.notifier.as_reply(card_with(GONE))

        assert "slack_file" not in str(reply["blocks"])
