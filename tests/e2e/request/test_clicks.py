"""Clicks that must come to nothing: each is answered with a sentence that only the person sees, is counted, and records nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot import metrics
from bot.app import flask_app
from bot.domain.events import RequestRejected, VoteCast
from bot.domain.model import State, TransitionRequest
from bot.sandbox.serving import serving
from bot.sandbox.slack import Submission
from tests.fixtures.installation import CHANNEL, Installation, in_slacks_time, services_with

FORGED: dict[str, tuple[dict[str, object], str]] = {
    "another team": ({"team_id": "T0ELSEWHERE"}, "This button is not on the message"),
    "another app": ({"app_id": "A0ELSEWHERE"}, "This button is not on the message"),
    "another channel": ({"channel_id": "C0ELSEWHERE"}, "This button is not on the message"),
    "another message": ({"forged_ts": "1700000000.000001"}, "This button is not on the message"),
    "a value that is no request": ({"value": "approve-everything"}, 'There is no request "approve-everything"'),
    "a value of odd letters": ({"value": "\x00 \ud800 ' or 1=1"}, "There is no such request"),
    "the longest value that Slack lets through": ({"value": "9" * 2_000}, "There is no request"),
    "a value longer than Slack lets through": ({"value": "9" * 100_000}, "The interaction has no usable"),
}


def refusals() -> float:
    refused = metrics.REGISTRY.get_sample_value("countersign_clicks_total", {"result": "refused"}) or 0.0
    rejected = metrics.REGISTRY.get_sample_value(
        "countersign_webhook_rejected_total", {"source": "slack", "reason": "malformed"}
    )
    return refused + (rejected or 0.0)


def whispers(installation: Installation, person: str) -> list[str]:
    return [message.all_text for message in installation.slack.ephemerals(person)]


def press_forged(
    installation: Installation, request: TransitionRequest, person: str, **forged: object
) -> tuple[int, str]:
    """The status, and the text that only this person got."""
    before = len(whispers(installation, person))
    status = installation.click(person, request, "approve", **forged)
    told = whispers(installation, person)[before:]
    return status, told[0] if told else ""


def nothing_was_recorded(installation: Installation, request: TransitionRequest) -> bool:
    now = installation.reread(request)
    return now.state is State.PENDING and not now.votes and installation.happened(VoteCast) == []


def test_a_click_that_is_not_from_the_card_is_refused_whatever_is_forged(installation: Installation) -> None:
    request = installation.asked()
    counted = refusals()

    answers = {name: press_forged(installation, request, "ana", **forged) for name, (forged, _) in FORGED.items()}

    assert {name: status for name, (status, _) in answers.items()} == dict.fromkeys(FORGED, 200)
    for name, (_, told) in answers.items():
        assert told.startswith(FORGED[name][1]), name
    assert refusals() == counted + len(FORGED)
    assert nothing_was_recorded(installation, request)


def test_the_value_of_another_request_is_refused(installation: Installation) -> None:
    mine, name = installation.asked(), f"{installation.model}-winter"
    installation.mlflow.set_registered_model_alias(name, "candidate", str(installation.register(model=name)))
    installation.sweep()
    other = installation.requests(State.PENDING)[-1]
    assert other.id != mine.id

    status, told = press_forged(installation, mine, "ana", value=other.id)

    assert (status, told.partition(".")[0]) == (
        200,
        "This button is not on the message that Countersign posted for the request",
    )
    assert nothing_was_recorded(installation, mine)
    assert nothing_was_recorded(installation, other)


def test_a_button_that_nobody_knows_is_answered_with_a_sentence(installation: Installation) -> None:
    request = installation.asked()
    counted = refusals()
    payload = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")
    payload["actions"][0]["action_id"] = "promote_at_once"  # type: ignore[index]

    answer = installation.slack.send(payload)

    assert answer.status == 200
    assert whispers(installation, "ana") == ['This button says "promote_at_once", which Countersign does not know.']
    assert refusals() == counted + 1
    assert nothing_was_recorded(installation, request)


def test_a_form_that_nobody_knows_is_refused_and_not_a_crash(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "reject")
    view = installation.slack.open_view_of("ana")
    assert view is not None
    strange = replace(view, content={**view.content, "callback_id": "somebody.elses"})

    sent = installation.slack.interactions.submit(installation.slack.workspace.person("ana"), strange, {"reason": "no"})

    assert (sent.status, sent.trouble) == (404, "We had some trouble connecting. Try again?")
    assert nothing_was_recorded(installation, request)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"deleted": True}, "This account is deactivated."),
        ({"is_bot": True}, "A bot may not decide."),
        ({"is_restricted": True}, "Guests of the workspace may not decide."),
    ],
    ids=["deactivated", "bot", "guest"],
)
def test_an_account_that_may_not_decide_is_told_so(
    installation: Installation, change: dict[str, Any], sentence: str
) -> None:
    request = installation.asked()
    people = installation.slack.workspace.people
    people["U0ANA000001"] = replace(people["U0ANA000001"], **change)
    installation.forget_what_slack_said()

    status, told = press_forged(installation, request, "ana")

    assert (status, told) == (200, sentence)
    assert nothing_was_recorded(installation, request)


def test_somebody_from_another_workspace_is_told_so_even_on_the_card_itself(installation: Installation) -> None:
    request = installation.asked()
    people = installation.slack.workspace.people
    people["U0ANA000001"] = replace(people["U0ANA000001"], team_id="T0PARTNER01")
    installation.forget_what_slack_said()

    by_the_payload = press_forged(installation, request, "ana")
    by_the_account = press_forged(installation, request, "ana", team_id=installation.slack.team_id)

    assert by_the_payload[1].startswith("This button is not on the message")
    assert by_the_account[1] == "People from other workspaces may not decide."
    assert nothing_was_recorded(installation, request)


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("users.info", {"kind": "status", "status": 500}),
        ("usergroups.list", {"kind": "down"}),
        ("usergroups.users.list", {"kind": "slow", "seconds": 1.8}),
        ("auth.test", {"kind": "status", "status": 500, "times": 2}),
    ],
    ids=["who they are", "what groups there are", "who is in them", "who the bot is"],
)
def test_who_cannot_be_told_is_asked_to_press_again(
    installation: Installation, after_a_minute: Callable[[Installation], None], method: str, fault: dict[str, object]
) -> None:
    request = installation.asked()
    after_a_minute(installation)
    installation.slack.faults.add(path=f"/{method}$", **fault)  # type: ignore[arg-type]

    with in_slacks_time():
        status, told = press_forged(installation, request, "ana")

    assert (status, told) == (
        200,
        "Slack did not answer in time when asked who you are. Nothing was recorded: press again.",
    )
    assert nothing_was_recorded(installation, request)
    installation.slack.faults.clear()
    assert press_forged(installation, request, "ana") == (200, "")
    assert installation.reread(request).state is State.APPROVED


def test_a_click_after_the_time_to_decide_is_refused_though_no_clock_has_come_by(installation: Installation) -> None:
    request = installation.asked()
    assert request.expires_at is not None
    installation.clock.ahead = request.expires_at - installation.clock.now()

    status, told = press_forged(installation, request, "ana")

    assert (status, told) == (200, "The time to decide is over. Ask again if it is still wanted.")
    assert nothing_was_recorded(installation, request)


def test_a_group_that_is_gone_from_slack_lets_nobody_through(installation: Installation) -> None:
    request = installation.asked()
    del installation.slack.workspace.groups["ml-leads"]
    installation.forget_what_slack_said()

    status, told = press_forged(installation, request, "ana")

    assert status == 200
    assert told.startswith("Nothing was recorded: There is no active user group @ml-leads in Slack")
    assert ".." not in told
    assert nothing_was_recorded(installation, request)


@pytest.mark.parametrize(("fault", "heard"), [("down", 0), ("cut", 1), ("slow", 0)])
def test_a_vote_stands_although_the_sentence_cannot_be_delivered(
    open_installation: Callable[..., Installation], fault: str, heard: int
) -> None:
    installation = open_installation(quorum=2)
    installation.sweep()
    request = installation.asked()
    installation.slack.faults.add(fault, path="^/actions/", times=10, seconds=5)

    status = installation.click("ana", request, "approve")

    assert status == 200
    assert len(whispers(installation, "ana")) == heard
    assert [vote.verdict for vote in installation.reread(request).votes] == ["approve"]


# The form that asks why


@pytest.fixture
def form(installation: Installation) -> tuple[Installation, TransitionRequest]:
    """A installation where Ana has the form in front of her that asks why she rejects."""
    request = installation.asked()
    installation.click("ana", request, "reject")
    return installation, request


def submit_as_it_stands(installation: Installation, times: int) -> list[Submission]:
    """Sends the same form again and again, as an impatient person's client would."""
    view, ana = installation.slack.open_view_of("ana"), installation.slack.workspace.person("ana")
    assert view is not None
    return [installation.slack.interactions.submit(ana, view, {"reason": "worse on Sundays"}) for _ in range(times)]


def test_a_form_that_is_sent_twice_is_one_vote(form: tuple[Installation, TransitionRequest]) -> None:
    installation, _ = form

    first, second = submit_as_it_stands(installation, times=2)

    assert dict(first.errors) == {}
    assert second.errors["reason"].startswith("This was already rejected by Ana Ruiz on")
    assert installation.happened(VoteCast, RequestRejected) == ["VoteCast", "RequestRejected"]


def test_who_has_left_the_group_since_the_form_was_opened_is_refused(
    form: tuple[Installation, TransitionRequest], after_a_minute: Callable[[Installation], None]
) -> None:
    installation, request = form
    installation.slack.workspace.groups["ml-leads"] = ("U0BEN000002",)
    after_a_minute(installation)

    (sent,) = submit_as_it_stands(installation, times=1)

    assert dict(sent.errors) == {"reason": "Only members of ml-leads may decide this. Ask one of them."}
    assert nothing_was_recorded(installation, request)


def test_a_form_for_what_was_decided_meanwhile_says_who_decided(form: tuple[Installation, TransitionRequest]) -> None:
    installation, request = form
    installation.approve(request, "ben")

    (sent,) = submit_as_it_stands(installation, times=1)

    assert sent.errors["reason"].startswith("This was already approved by Ben Okafor on")
    assert installation.happened(VoteCast) == ["VoteCast"]


def test_a_reason_of_odd_letters_is_recorded_as_it_is(form: tuple[Installation, TransitionRequest]) -> None:
    installation, request = form

    installation.slack.submit_view("ana", {"reason": "worse \x00 \ud800 {code} \u202e 'quoted' ☃"})
    installation.settle_all()

    assert installation.reread(request).votes[0].reason.startswith("worse ")
    assert installation.reread(request).ticket_status == "Won't Do"
    assert installation.unfinished() == []
    assert installation.ledger_fault() is None


@pytest.fixture
def after_a_minute() -> Iterator[Callable[[Installation], None]]:
    """What the bot remembers of people is forgotten after a minute; a web process that has just started remembers nothing."""
    servers = []

    def start_afresh(installation: Installation) -> None:
        s = services_with(
            installation.settings, installation.settings.database_url.get_secret_value(), installation.clock
        )
        server = serving(flask_app(s, installation.settings, installation.settings.database_url.get_secret_value()))
        installation.slack.interactivity_url = f"{server.__enter__()}/slack/events"
        servers.append((server, s))

    yield start_afresh
    for server, s in servers:
        server.__exit__(None, None, None)
        s.store.engine.dispose()


def test_a_form_closes_when_its_vote_is_recorded_though_others_are_missing(installation: Installation) -> None:
    installation.use_policy(reason="always", quorum=2)
    request = installation.asked()

    installation.click("ana", request, "approve")
    sent = installation.slack.submit_view("ana", {"reason": "better on every holdout"})

    assert (sent.status, sent.errors, sent.trouble) == (200, {}, "")
    assert [vote.reason for vote in installation.reread(request).votes] == ["better on every holdout"]
