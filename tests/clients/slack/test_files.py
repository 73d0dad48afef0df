"""Files in the thread of a message: each is there once, also when answers get lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest
import requests

from bot.clients.slack.calls import SlackCalls
from bot.clients.slack.files import SlackFiles
from bot.clients.slack.notifier import SlackNotifier
from bot.clients.slack.people import SlackPeople
from bot.domain.card.card import Card
from bot.domain.references import PostedCard
from bot.errors import MessageGone, OutcomeUnknown, Permanent, Temporary
from bot.sandbox.serving import serving
from bot.sandbox.slack import Message, SlackSandbox
from tests.fixtures.attachments import an_attachment

CHANNEL = "compliance"
REPORT = an_attachment("countersign-2026-W47.html", "text/html", b"<!doctype html><title>W47</title>")
TABLE = an_attachment("countersign-2026-W47.csv", "text/csv", "seq,at\n1,Zürich\n".encode())
CHART = an_attachment("trend.png", "image/png", b"\x89PNG\r\n\x1a\n and so on", alt="the median fell to 2 h")
FILES = (REPORT, TABLE)
KEY = "digest-files:2026-W47"


@dataclass
class Bench:
    slack: SlackSandbox
    notifier: SlackNotifier
    url: str
    waited: list[float]
    on_wait: Callable[[], None] = lambda: None

    @property
    def parts(self) -> tuple[SlackCalls, SlackPeople, float]:
        calls = SlackCalls("xoxb-sandbox", f"{self.url}/api/", 5.0)
        return calls, SlackPeople(calls, time.monotonic), 5.0

    def card(self) -> PostedCard:
        return self.notifier.post(f"#{CHANNEL}", Card("Week 47", "the digest of week 47"), "digest:2026-W47")

    def shared(self) -> list[Message]:
        return [message for message in self.slack.messages(CHANNEL) if message.files]

    def names(self) -> list[str]:
        return [file.name for message in self.shared() for file in message.files]


@pytest.fixture
def fault() -> str:
    """The tests that are about one choose it."""
    return ""


@pytest.fixture
def bench(fault: str) -> Iterator[Bench]:
    """On a loaded machine every answer is slow, so only who is about slow answers gives up soon."""
    patience = 1.5 if fault == "slow" else 60.0
    slack = SlackSandbox()
    with serving(slack) as url:
        waited = list[float]()

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 1:
                bench.on_wait()

        notifier = SlackNotifier("xoxb-sandbox", api_url=f"{url}/api/", timeout=patience, wait=wait)
        bench = Bench(slack, notifier, url, waited)
        yield bench


def test_files_stand_in_the_thread_of_their_message_with_the_very_bytes(bench: Bench) -> None:
    card = bench.card()

    bench.notifier.share(card, FILES, KEY)

    (message,) = bench.shared()
    assert message.thread_ts == card.message
    assert [(file.name, file.title, file.content) for file in message.files] == [
        (file.name, file.name, file.path.read_bytes()) for file in FILES
    ]


class Pieces(BytesIO):
    """Keeps how many bytes were asked for at a time."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.asked: list[int | None] = []

    def read(self, size: int | None = -1) -> bytes:
        self.asked.append(size)
        return super().read(size)


def test_a_large_file_goes_to_slack_piece_by_piece(bench: Bench) -> None:
    large = Pieces(b"x" * 3_000_000)
    calls = SlackCalls("xoxb-sandbox", f"{bench.url}/api/", 5.0)
    files = SlackFiles(calls, SlackPeople(calls, time.monotonic), 5.0)

    brought = files.bring(large, 3_000_000, "countersign-2026-W47.jsonl", "")
    calls.call("files.completeUploadExternal", {"files": [brought]})

    assert bench.slack.workspace.files[brought["id"]].content == large.getvalue()
    assert all(size is not None and 0 < size < 100_000 for size in large.asked)


def test_a_shared_file_can_be_fetched_again(bench: Bench) -> None:
    bench.notifier.share(bench.card(), FILES, KEY)

    file = bench.shared()[0].files[0]
    answer = requests.get(f"{bench.url}/files/{file.id}/{file.name}", timeout=5)

    assert (answer.content, answer.headers["Content-Disposition"]) == (REPORT.path.read_bytes(), "attachment")


def test_a_picture_is_shared_without_its_description_with_which_slack_might_not_share_it(bench: Bench) -> None:
    bench.notifier.share(bench.card(), (CHART,), KEY)

    assert [(file.name, file.alt) for file in bench.shared()[0].files] == [(CHART.name, "")]


@pytest.mark.parametrize("looks", [2, 4])
def test_files_that_slack_shares_after_its_answer_are_waited_for(bench: Bench, looks: int) -> None:
    card = bench.card()
    bench.slack.app.shares_after = looks

    bench.notifier.share(card, FILES, KEY)

    assert bench.names() == [REPORT.name, TABLE.name]
    assert sum(bench.waited) > 0


def test_files_that_slack_does_not_show_in_time_are_not_claimed_and_are_there_once_in_the_end(bench: Bench) -> None:
    card = bench.card()
    bench.slack.app.shares_after = 7

    with pytest.raises(OutcomeUnknown, match=f"does not show {REPORT.name}, {TABLE.name} yet"):
        bench.notifier.share(card, FILES, KEY)
    for _ in range(2):
        SlackFiles(*bench.parts)._names_in(card)  # time passes, until Slack has shared them
    bench.notifier.share(card, FILES, KEY)

    assert bench.names() == [REPORT.name, TABLE.name]


def test_files_of_which_slack_said_ok_and_shared_nothing_are_shared_by_the_next_try(bench: Bench) -> None:
    card = bench.card()
    bench.slack.app.shares_lost = 1

    with pytest.raises(OutcomeUnknown, match="does not show"):
        bench.notifier.share(card, FILES, KEY)
    assert bench.names() == []

    bench.notifier.share(card, FILES, KEY)
    assert bench.names() == [REPORT.name, TABLE.name]


def test_what_is_there_already_is_left_alone(bench: Bench) -> None:
    card = bench.card()
    bench.notifier.share(card, (REPORT,), KEY)

    bench.notifier.share(card, FILES, KEY)
    bench.notifier.share(card, FILES, KEY)

    assert bench.names() == [REPORT.name, TABLE.name]


def test_another_ones_file_of_that_name_keeps_ours_from_nobody(bench: Bench) -> None:
    card = bench.card()
    bench.notifier.share(card, (REPORT,), KEY)
    (ours,) = bench.shared()
    bench.slack.workspace.put(
        Message(ours.channel, bench.slack.workspace.new_ts(), "U0ANA000001", thread_ts=card.message, files=ours.files)
    )
    bench.slack.workspace.remove(ours)

    bench.notifier.share(card, (REPORT,), KEY)

    assert bench.names() == [REPORT.name, REPORT.name]


def test_the_files_of_one_thread_are_not_those_of_another(bench: Bench) -> None:
    first, second = bench.card(), bench.card()

    bench.notifier.share(first, FILES, KEY)
    bench.notifier.share(second, FILES, KEY)

    assert [message.thread_ts for message in bench.shared()] == [first.message, second.message]


@pytest.mark.parametrize("fault", ["cut", "malformed", "slow"])
def test_an_answer_that_was_lost_is_unknown_and_makes_no_second_message(bench: Bench, fault: str) -> None:
    card = bench.card()
    bench.slack.faults.add(fault, "files.completeUploadExternal", seconds=3.0)

    with pytest.raises(OutcomeUnknown, match=KEY):
        bench.notifier.share(card, FILES, KEY)
    wait_for(bench)
    bench.notifier.share(card, FILES, KEY)

    assert bench.names() == [REPORT.name, TABLE.name]


def wait_for(bench: Bench) -> None:
    """A slow answer is written after the client gave up: a minute at the most."""
    deadline = time.monotonic() + 60
    while not bench.shared() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.parametrize("step", ["conversations.replies", "files.getUploadURLExternal", "upload/v1/"])
@pytest.mark.parametrize("fault", ["down", "cut", "status"])
def test_a_step_that_is_lost_before_the_sharing_is_temporary_and_shares_nothing(
    bench: Bench, step: str, fault: str
) -> None:
    card = bench.card()
    bench.slack.faults.add(fault, step)

    with pytest.raises(Temporary):
        bench.notifier.share(card, FILES, KEY)

    assert bench.names() == []
    bench.notifier.share(card, FILES, KEY)
    assert bench.names() == [REPORT.name, TABLE.name]


def test_a_bot_that_may_not_upload_says_which_scope_is_missing(bench: Bench) -> None:
    card = bench.card()
    bench.slack.app.scopes -= {"files:write"}

    with pytest.raises(Permanent, match=r"files:write.*reinstall"):
        bench.notifier.share(card, FILES, KEY)


def test_a_thread_whose_message_was_deleted_says_so(bench: Bench) -> None:
    card = bench.card()
    bench.slack.workspace.remove(bench.slack.messages(CHANNEL)[0])

    with pytest.raises(MessageGone, match="was deleted"):
        bench.notifier.share(card, FILES, KEY)


def test_files_whose_message_was_deleted_while_they_were_shared_do_not_stay_in_the_channel(bench: Bench) -> None:
    card = bench.card()
    bench.slack.app.shares_after = 2
    bench.on_wait = lambda: bench.slack.workspace.remove(bench.slack.messages(CHANNEL)[0])

    with pytest.raises(MessageGone):
        bench.notifier.share(card, FILES, KEY)

    assert bench.slack.messages(CHANNEL) == []
    assert bench.slack.backend.sharings == []
