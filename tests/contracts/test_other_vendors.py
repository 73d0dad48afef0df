"""A whole request through a second notifier and a second ticket system: the ports hold neither the first one's words nor its shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import bot.ports
from bot.domain.model import State, TransitionRequest
from bot.errors import Rejected
from bot.ports import Click, Notifier, TicketSystem
from bot.ports.ticket_decisions import NO_DECISIONS
from bot.sandbox.slack import SlackSandbox
from handlers.request import approvals
from handlers.request.buttons import open_card
from handlers.request.casting import Reply
from tests.contracts.board import Board, Post, actions_of
from tests.contracts.tracker import CLOSED, Tracker
from tests.fixtures.digest_weeks import go_to_due, look, weeks_from_now
from tests.fixtures.installation import Installation

ANOTHER_VENDOR = re.compile(r"slack|jira", re.IGNORECASE)
LEADS = "leads: {people: [ana@example.com, ben@example.com]}"
DIGEST = """digest:
  cron: "0 9 * * mon"
  timezone: Europe/Madrid
  notify: {slack: "#compliance"}
  ticket: {project: GOV, type: Task}"""


@pytest.fixture
def elsewhere(open_installation: Callable[..., Installation]) -> Iterator[Installation]:
    """An installation on the board and the tracker. The policy's keys are those of every policy."""
    opened = open_installation(groups=LEADS, all_of="[{group: leads, quorum: 1}]", extra="remind_after: 4h", top=DIGEST)
    board, tracker = Board(opened.clock.now), Tracker()
    for name, person in (("ana", "Ana Ruiz"), ("ben", "Ben Okafor"), ("bea", "Bea Baker")):
        board.join(f"board-{name}", f"{name}@example.com", person)
    board.groups["ml-leads"] = frozenset()
    opened.s = replace(opened.s, notifier=board, tickets=tracker, decisions=NO_DECISIONS)
    opened.sweep()
    yield opened
    assert said_by(opened.slack) == []


def said_by(slack: SlackSandbox) -> list[str]:
    channels = slack.workspace.channels
    return [message.all_text for channel in channels for message in slack.workspace.messages(channel)]


def board_of(installation: Installation) -> Board:
    board = installation.s.notifier
    assert isinstance(board, Board)
    return board


def tracker_of(installation: Installation) -> Tracker:
    tracker = installation.s.tickets
    assert isinstance(tracker, Tracker)
    return tracker


def post_of(request: TransitionRequest, installation: Installation) -> Post:
    card = installation.reread(request).card
    assert card is not None
    return next(post for post in board_of(installation).posts if post["id"] == card.message)


def press(
    person: str,
    post: Post,
    action: str,
    installation: Installation,
    story: Callable[..., Reply] = approvals.press,
) -> Reply:
    """As a door does it: verified, read, and kept with the request that it came in."""
    board = board_of(installation)
    headers, body = board.press(f"board-{person}", post, action)
    board.check_request(headers, body)
    click: Click = board.read_click(json.loads(body))
    reply = story(replace(click, signed=board.as_received(body.decode(), headers, json.loads(body))), installation.s)
    installation.settle()
    return reply


def test_a_request_runs_from_ask_to_move_on_other_vendors_and_nothing_names_the_usual_ones(
    elsewhere: Installation,
) -> None:
    request = elsewhere.asked()
    post = post_of(request, elsewhere)
    press("ana", post, "approve", elsewhere)
    elsewhere.settle_all()

    done = elsewhere.reread(request)
    (issue,) = tracker_of(elsewhere).issues
    board = board_of(elsewhere)
    assert (done.state, elsewhere.champion()) == (State.APPLIED, request.version.version)
    assert done.attested_at is not None
    assert (issue.state, issue.resolution) == (CLOSED, "Done")
    assert ("Board: the card", done.card.url if done.card else "") in issue.links.values()
    assert "Ana Ruiz" in str(issue.notes.values())
    assert "Approved" in str(post_of(request, elsewhere)["message"])
    assert any(one["channel_id"] == "board-bea" for one in board.posts) or done.requester is None
    assert elsewhere.unfinished() == []
    assert ANOTHER_VENDOR.findall(board.texts() + tracker_of(elsewhere).texts()) == []


def test_a_rejection_asks_for_its_reason_and_a_forged_press_is_refused(elsewhere: Installation) -> None:
    request = elsewhere.asked()
    board, post = board_of(elsewhere), post_of(request, elsewhere)
    headers, body = board.press("board-ana", post, "approve")
    with pytest.raises(Rejected):
        board.check_request(headers, body.replace(b"board-ana", b"board-ben"))

    reply = press("ana", post, "reject", elsewhere)

    assert reply.asked
    assert board.forms[-1]["value"] == request.id
    assert ANOTHER_VENDOR.findall(board.texts()) == []


def test_the_digest_of_the_week_goes_to_the_other_vendors_too(elsewhere: Installation) -> None:
    request = elsewhere.asked()
    press("ana", post_of(request, elsewhere), "approve", elsewhere)
    (week,) = weeks_from_now(1)
    go_to_due(elsewhere, week)
    look(elsewhere)
    elsewhere.settle_all()

    board, tracker = board_of(elsewhere), tracker_of(elsewhere)
    assert any(one["channel_id"] == "#compliance" for one in board.posts)
    assert any(name.startswith("countersign-") for name in board.files)
    assert len(tracker.issues) == 2
    assert ANOTHER_VENDOR.findall(board.texts() + tracker.texts()) == []


def test_a_shared_card_opens_each_requests_own_on_the_other_notifier(elsewhere: Installation) -> None:
    for number in range(7):
        model = f"{elsewhere.model}-{number}"
        version = elsewhere.register(model=model)
        elsewhere.mlflow.set_registered_model_alias(model, "candidate", str(version))
    elsewhere.sweep()
    elsewhere.settle_all()

    board = board_of(elsewhere)
    (shared,) = [post for post in board.posts if len(actions_of(post)) == 7]
    reply = press("ana", shared, "open_card", elsewhere, open_card.press)
    assert "https://board.example.com/posts/" in reply.text
    assert all(one.card and one.card.thread == shared["id"] for one in elsewhere.requests())
    assert ANOTHER_VENDOR.findall(board.texts()) == []


def test_the_ports_name_no_vendor_and_both_fakes_are_what_they_ask_for(elsewhere: Installation) -> None:
    ports = list(Path(bot.ports.__path__[0]).glob("*.py"))
    named = {path.name: ANOTHER_VENDOR.findall(path.read_text()) for path in ports}

    board: Notifier = board_of(elsewhere)
    tracker: TicketSystem = tracker_of(elsewhere)

    assert {name: found for name, found in named.items() if found} == {}
    assert (board.name, tracker.name) == ("Board", "Tracker")
