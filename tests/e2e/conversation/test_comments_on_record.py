"""The shortcut "Add to the record" on replies below a card: over HTTP, read again from Slack, recorded once."""

from __future__ import annotations

import pytest

from bot.domain.events import CommentRecorded
from bot.domain.model import TransitionRequest
from bot.sandbox.slack import Message, payloads
from handlers.queries.request_record import record_of
from tests.fixtures.installation import CHANNEL, Installation

RECORD = "countersign.record"
TEXT = "Checked on <winter> & summer rides, see https://example.com/rides"


def said(installation: Installation, request: TransitionRequest, text: str = TEXT, person: str = "cy") -> Message:
    return installation.slack.say(person, CHANNEL, text, thread_ts=installation.card(request).ts)


def mark(installation: Installation, message: Message, person: str = "ana") -> int:
    status = installation.slack.use_shortcut(person, CHANNEL, message.ts, RECORD)
    installation.settle()
    return status


def test_what_somebody_wrote_below_a_card_is_on_record_everywhere(installation: Installation) -> None:
    request = installation.asked()

    status = mark(installation, said(installation, request))

    (entry,) = installation.entries(CommentRecorded)
    assert (status, entry["comment"]["text"]) == (200, TEXT)
    assert "Added to the record" in installation.told_privately("ana")
    assert "Cy Lindqvist wrote on" in installation.comments(request)
    assert TEXT in installation.comments(request)
    (line,) = record_of(request.id, installation.s).outcome.said
    assert (line.person, line.what, line.text) == ("Ana Ruiz", "recorded the words of Cy Lindqvist", TEXT)
    assert installation.unfinished() == []


def test_marked_twice_it_is_recorded_once_and_an_edit_is_recorded_again(installation: Installation) -> None:
    request = installation.asked()
    message = said(installation, request)

    mark(installation, message)
    mark(installation, message, "ben")
    edited = installation.slack.edit(message, "Checked on summer rides only")
    mark(installation, edited)

    assert "on the record already" in installation.told_privately("ben")
    texts = [(entry["comment"]["text"], entry["comment"]["is_edit"]) for entry in installation.entries(CommentRecorded)]
    assert texts == [(TEXT, False), ("Checked on summer rides only", True)]
    assert "edited since it was recorded" in installation.comments(request)


def test_only_what_people_wrote_below_a_card_of_ours_goes_on_record(installation: Installation) -> None:
    request = installation.asked()
    in_channel = installation.slack.say("cy", CHANNEL, "hello all")
    elsewhere = installation.slack.say("cy", CHANNEL, "a reply", thread_ts=in_channel.ts)
    by_bot = installation.thread(request)[0]
    by_guest = said(installation, request, person="gil")

    for message in (in_channel, elsewhere, by_bot, by_guest):
        mark(installation, message)
    mark(installation, said(installation, request), "gil")

    told = installation.told_privately("ana")
    assert "Only replies in the thread of one of Countersign's cards" in told
    assert "not below one of Countersign's cards" in told
    assert "A bot wrote this message" in told
    assert "Who wrote this is not known for certain" in told
    assert "Guests of the workspace may not decide" in installation.told_privately("gil")
    assert installation.entries(CommentRecorded) == []


def test_the_payloads_text_and_author_are_not_believed(installation: Installation) -> None:
    request = installation.asked()
    message = said(installation, request)
    person = installation.slack.workspace.person("ana")
    forged = payloads.message_action(installation.slack.backend, person, message, RECORD, installation.slack.public_url)
    inner = forged["message"]
    assert isinstance(inner, dict)
    inner |= {"text": "I approve of everything", "user": "U0BEN000002"}

    answer = installation.slack.send(forged)

    (entry,) = installation.entries(CommentRecorded)
    assert (answer.status, entry["comment"]["text"]) == (200, TEXT)


def test_a_message_that_is_deleted_meanwhile_is_refused(installation: Installation) -> None:
    request = installation.asked()
    message = said(installation, request)
    person = installation.slack.workspace.person("ana")
    payload = payloads.message_action(
        installation.slack.backend, person, message, RECORD, installation.slack.public_url
    )
    installation.slack.workspace.remove(message)

    installation.slack.send(payload)

    assert "This message is gone" in installation.told_privately("ana")
    assert installation.entries(CommentRecorded) == []


@pytest.mark.parametrize("fault", ["down", "slow", "malformed"])
def test_while_slack_does_not_answer_nothing_is_recorded_and_the_person_is_asked_to_try_again(
    installation: Installation, fault: str
) -> None:
    request = installation.asked()
    message = said(installation, request)
    seconds = {"seconds": 2.0} if fault == "slow" else {}
    installation.slack.faults.add(fault, path="conversations.replies$", **seconds)  # type: ignore[arg-type]

    mark(installation, message)
    refused = installation.entries(CommentRecorded)
    mark(installation, message)

    assert refused == []
    assert "Nothing was recorded" in installation.told_privately("ana")
    assert len(installation.entries(CommentRecorded)) == 1
