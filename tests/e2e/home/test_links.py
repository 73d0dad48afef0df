"""Links to model versions show what is decided, where that is no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.model import Target, TargetKind
from bot.sandbox.slack import Message
from bot.sandbox.slack.payloads import event_callback
from bot.sandbox.slack.wire import Json, every_object, every_text
from handlers.home.previews import known_in
from tests.builders import CARD, a_request
from tests.fixtures.installation import CHANNEL, OWN, Installation


@pytest.fixture
def linked(open_installation: Callable[..., Installation], mlflow_server: str) -> Installation:
    ready = open_installation(public_url=OWN)
    ready.sweep()
    places = (mlflow_server, ready.settings.public_url)
    ready.slack.app.unfurl_domains = tuple(place.partition("://")[2] for place in places)
    return ready


def link_to(installation: Installation, version: int = 1) -> str:
    address = installation.settings.mlflow_tracking_uri.rstrip("/")
    return f"{address}/#/models/{installation.model}/versions/{version}"


def said(installation: Installation, text: str, channel: str = CHANNEL) -> Message:
    posted = installation.slack.say("ana", channel, text)
    found = installation.slack.workspace.find_message(posted.channel, posted.ts)
    assert found is not None
    return found


def shown_below(message: Message) -> str:
    return "\n".join(every_text(list(message.attachments)))


def test_a_link_shows_what_the_version_holds_and_who_decided(linked: Installation) -> None:
    request = linked.promoted()
    page = linked.s.links.to_version(linked.model, 1, linked.clock.now())

    message = said(linked, f"is it {link_to(linked)} or {page}? see https://example.com")

    assert [one["from_url"] for one in message.attachments] == [link_to(linked), page]
    shown = shown_below(message)
    assert f"{linked.model} v1" in shown
    assert "Holds: alias:champion" in shown
    assert "Request: Approved: champion" in shown
    assert "Decided by: Ana Ruiz" in shown
    assert "mae 31.5" in shown
    card = linked.reread(request).card
    assert card is not None
    assert card.url in [part.get("url") for part in every_object(list(message.attachments))]


def test_the_button_below_a_link_may_be_pressed(linked: Installation) -> None:
    linked.asked()
    message = said(linked, link_to(linked))

    assert linked.slack.click("ana", CHANNEL, message.ts, "home.open:link0") == 200
    assert linked.told_privately("ana") == ""


def test_where_no_card_of_the_model_is_a_link_stays_a_link(linked: Installation) -> None:
    linked.promoted()

    assert said(linked, link_to(linked), "general").attachments == ()
    assert said(linked, link_to(linked, 99)).attachments == ()
    assert said(linked, link_to(linked).replace(linked.model, "no-such-model")).attachments == ()


def test_a_channel_reads_only_of_the_targets_whose_newest_card_is_there() -> None:
    champion, challenger = Target(TargetKind.ALIAS, "champion"), Target(TargetKind.ALIAS, "challenger")
    asked = [
        a_request(target=champion, card=replace(CARD, channel="C1")),
        a_request(target=challenger, card=replace(CARD, channel="C2")),
        a_request(target=challenger, card=replace(CARD, channel="C1")),
    ]

    assert known_in("C1", asked) == {champion, challenger}
    assert known_in("C1", asked[:2]) == {champion}
    assert known_in("C2", asked) == frozenset()


def posted_bare(linked: Installation) -> tuple[Message, Json]:
    """A message with a link, below which nothing is shown yet, and the event that says so."""
    message = said(linked, link_to(linked))
    bare = linked.slack.workspace.put(replace(message, attachments=()))
    (unfurl_id,) = linked.slack.backend.unfurls
    return bare, {**shared(message, link_to(linked)), "unfurl_id": unfurl_id}


def is_shown(linked: Installation, message: Message) -> bool:
    found = linked.slack.workspace.find_message(message.channel, message.ts)
    return found is not None and bool(found.attachments)


def test_a_channel_that_strangers_read_sees_nothing(linked: Installation) -> None:
    linked.promoted()
    message, event = posted_bare(linked)
    body = event_callback(linked.slack.backend, event, "Ev1")

    answer = linked.slack.delivery.event({**body, "is_ext_shared_channel": True})
    is_shown_to_strangers = is_shown(linked, message)
    linked.slack.delivery.event({**body, "event_id": "Ev2"})

    assert answer.status == 200
    assert (is_shown_to_strangers, is_shown(linked, message)) == (False, True)


def test_an_event_that_slack_sends_again_does_nothing(linked: Installation) -> None:
    linked.promoted()
    message, event = posted_bare(linked)
    linked.slack.send_event(event, "EvAGAIN")
    is_shown_first = is_shown(linked, message)
    linked.slack.workspace.put(message)

    answers = linked.slack.send_event(event, "EvAGAIN")

    assert [answer.status for answer in answers] == [200]
    assert (is_shown_first, is_shown(linked, message)) == (True, False)


def test_a_link_in_a_message_that_is_not_sent_yet_shows_nothing(linked: Installation) -> None:
    linked.promoted()
    message, event = posted_bare(linked)

    linked.slack.send_event({**event, "source": "composer", "channel": "COMPOSER"}, "Ev3")

    assert not is_shown(linked, message)


def test_what_slack_will_not_show_stays_a_link_and_is_no_failure(linked: Installation) -> None:
    linked.promoted()
    message = said(linked, "hello")

    answers = linked.slack.send_event(shared(message, link_to(linked)), "Ev2")

    assert [answer.status for answer in answers] == [200]


@pytest.mark.parametrize("change", [{"links": "none"}, {"links": [{"url": 7}]}, {"channel": None}])
def test_an_event_of_another_form_is_taken_and_does_nothing(linked: Installation, change: Json) -> None:
    message = said(linked, "hello")

    answers = linked.slack.send_event({**shared(message, link_to(linked)), **change}, "Ev3")

    assert [answer.status for answer in answers] == [200]


def shared(message: Message, url: str) -> Json:
    return {
        "type": "link_shared",
        "channel": message.channel,
        "user": message.author,
        "message_ts": message.ts,
        "unfurl_id": "unknown",
        "source": "conversations_history",
        "links": [{"url": url, "domain": "mlflow"}],
    }
