"""The main road, from the wish to the moved alias and the closed ticket, and what people see on the way."""

from __future__ import annotations

import json
from typing import Any

import requests

from bot.domain.events import RequestApproved, RequestRejected, TargetMoved, TicketClosed, VoteCast
from bot.domain.model import State
from bot.sandbox.slack import Message
from tests.fixtures.installation import API_TOKEN, CHANNEL, House

NASTY = "<!channel> <@U0ANA000001> *bold* [click](http://evil.example) {color:red}h1. hi{color}"


def asked_by(house: House, email: str, comment: str = "") -> str:
    """Asks over HTTP, because only then the requester is known; returns the request's id."""
    wish = {"name": house.model, "version": house.register(), "to": "alias:champion", "requester": email}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = requests.post(f"{house.url}/api/requests", json={**wish, "comment": comment}, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
    house.settle()
    return str(answer.json()["id"])


def table_of(card: Message) -> list[list[str]]:
    blocks: list[dict[str, Any]] = list(card.blocks)
    rows = next(block for block in blocks if block["type"] == "table")["rows"]
    return [[cell.get("text") or cell["elements"][0]["elements"][0]["text"] for cell in row] for row in rows]


def test_a_candidate_is_approved_and_becomes_champion(house: House) -> None:
    request = house.asked()
    assert request.state is State.PENDING

    house.approve(request)

    assert house.champion() == request.version.version
    assert house.reread(request).state is State.APPLIED
    assert house.ticket_status(request) == "Done"
    assert house.happened(VoteCast, RequestApproved, TargetMoved, TicketClosed) == [
        "VoteCast",
        "RequestApproved",
        "TargetMoved",
        "TicketClosed",
    ]


def test_an_approved_card_is_updated_in_place_and_has_no_buttons(house: House) -> None:
    request = house.asked()
    before = house.card(request)
    assert {"approve", "reject"} <= set(before.buttons)

    house.approve(request)

    after = house.card(request)
    assert house.cards() == [after]
    assert not {"approve", "reject"} & set(after.buttons)
    assert "Approved" in after.all_text
    assert "Ana Ruiz on" in after.all_text
    assert f"{request.version} is champion since" in after.all_text


def test_a_rejection_stands_with_its_reason_on_the_card_in_the_ticket_and_in_the_ledger(house: House) -> None:
    request = house.asked()

    house.reject(request, "The error on Sundays is twice as high.")

    assert house.champion() is None
    assert house.reread(request).state is State.REJECTED
    assert "The error on Sundays is twice as high." in house.card(request).all_text
    assert not {"approve", "reject"} & set(house.card(request).buttons)
    assert "The error on Sundays is twice as high." in house.comments(request)
    assert "Ana Ruiz" in house.comments(request)
    assert house.ticket_status(request) == "Won't Do"
    assert house.entries(RequestRejected)[-1]["reason"] == "The error on Sundays is twice as high."


def test_pressing_reject_asks_for_the_reason_and_decides_nothing_yet(house: House) -> None:
    request = house.asked()

    house.click("ana", request, "reject")
    house.settle()

    assert house.slack.open_view_of("ana") is not None
    assert house.reread(request).state is State.PENDING
    assert house.happened(VoteCast) == []


def test_a_reason_of_nothing_but_spaces_is_asked_for_again(house: House) -> None:
    request = house.asked()
    house.click("ana", request, "reject")

    sent = house.slack.submit_view("ana", {"reason": "   "})

    assert "reason" in sent.errors
    assert house.reread(request).state is State.PENDING


def test_a_rule_that_wants_a_reason_to_approve_asks_for_it_in_a_form(house: House) -> None:
    house.use_policy(reason="always")
    request = house.asked()

    house.click("ana", request, "approve")
    house.slack.submit_view("ana", {"reason": "Better on every month since May."})
    house.settle()

    assert house.champion() == request.version.version
    assert "Better on every month since May." in house.card(request).all_text
    assert "Better on every month since May." in house.comments(request)


def test_whoever_asked_is_told_of_the_decision_directly(house: House) -> None:
    asked_by(house, "cy@example.com")
    request = house.requests()[-1]

    house.reject(request, "Not before the audit.")

    assert f"Rejected: {request.version} → champion" in house.told("cy")
    assert house.told("ana") == ""
    ticket = house.reread(request).ticket
    assert ticket is not None
    assert ticket.key in house.told("cy")


def test_when_nobody_knows_who_asked_the_author_is_told(house: House) -> None:
    request = house.asked(house.register(user="bea"))

    house.approve(request)

    assert f"{request.version} is champion since" in house.told("bea")


def test_a_late_clicker_is_told_who_decided(house: House) -> None:
    request = house.asked()
    stale_click = house.slack.click_payload("ben", CHANNEL, house.card(request).ts, "approve")
    house.reject(request, "Too early.", person="ana")

    house.slack.send(stale_click)
    house.settle()

    assert "already rejected by Ana Ruiz" in house.whispered("ben")
    assert house.whispered("ana") == ""
    assert house.champion() is None


def test_a_quorum_of_two_waits_for_the_second_person(house: House) -> None:
    house.use_policy(quorum=2)
    request = house.asked(house.register(user="cy@example.com"))

    house.approve(request, "ana")
    after_one = house.reread(request).state, house.champion(), house.card(request).all_text
    house.approve(request, "ana")
    after_the_same_again = house.reread(request).state
    house.approve(request, "ben")

    assert after_one[:2] == (State.PENDING, None)
    assert "Ana Ruiz on" in after_one[2]
    assert "Waiting for one of ml-leads: Approve or Reject" in after_one[2]
    assert after_the_same_again is State.PENDING
    assert "your vote stands" in house.whispered("ana")
    assert house.champion() == request.version.version
    assert "Ana Ruiz" in house.comments(request)
    assert "Ben Okafor" in house.comments(request)


def test_when_the_requester_is_unknown_the_rule_may_want_one_more(house: House) -> None:
    house.use_policy(unknown_requester="one_more")
    request = house.asked()

    house.approve(request, "ana")
    after_one = house.reread(request).state
    house.approve(request, "ben")

    assert after_one is State.PENDING
    assert house.champion() == request.version.version


def test_when_the_requester_is_known_one_is_enough_under_the_same_rule(house: House) -> None:
    house.use_policy(unknown_requester="one_more")
    asked_by(house, "cy@example.com")
    request = house.requests()[-1]

    house.approve(request, "ana")

    assert house.champion() == request.version.version


def test_when_the_requester_is_unknown_the_rule_may_refuse_to_decide(house: House) -> None:
    house.use_policy(unknown_requester="refuse")
    request = house.asked()

    house.approve(request, "ana")

    assert "Nobody knows who asked for this" in house.whispered("ana")
    assert house.reread(request).state is State.PENDING


def test_who_may_not_decide_is_refused_with_a_sentence_only_they_see(house: House) -> None:
    request = house.asked(house.register(user="bea"))

    for person in ("cy", "bea", "gil"):
        house.approve(request, person)

    assert "Only members of ml-leads may decide this" in house.whispered("cy")
    assert "trained the version, so someone else must decide it" in house.whispered("bea")
    assert "Guests of the workspace may not decide" in house.whispered("gil")
    assert house.whispered("ana") == ""
    assert house.champion() is None
    assert {"approve", "reject"} <= set(house.card(request).buttons)
    assert house.happened(VoteCast) == []


def test_whoever_asked_may_not_approve(house: House) -> None:
    asked_by(house, "ana@example.com")
    request = house.requests()[-1]

    house.approve(request, "ana")

    assert "You asked for this transition" in house.whispered("ana")
    assert house.champion() is None


def test_the_version_carries_the_decision_and_the_ticket_as_tags(house: House) -> None:
    approved = house.asked()

    house.approve(approved)
    rejected = house.asked(house.register())
    house.reject(rejected, "Worse.")

    ticket = house.reread(approved).ticket
    assert ticket is not None
    assert house.mlflow.get_model_version(house.model, "1").tags.items() >= {
        ("countersign.decision", "approved"),
        ("countersign.request_id", approved.id),
        ("countersign.ticket", ticket.key),
    }
    assert house.mlflow.get_model_version(house.model, "2").tags["countersign.decision"] == "rejected"


def test_our_own_tags_are_no_news(house: House) -> None:
    house.approve(house.asked())
    house.sweep()
    before = house.happened()

    house.sweep()

    assert house.happened() == before


def test_the_card_shows_who_what_and_why_with_links_to_run_and_ticket(house: House) -> None:
    asked_by(house, "cy@example.com", comment="Twice the data, same features.")

    request = house.requests()[-1]
    card = house.card(request)
    ticket, evidence = house.reread(request).ticket, house.reread(request).evidence
    assert ticket is not None
    assert evidence is not None
    assert f"{request.version} → champion" in card.all_text
    assert "through the API, by Cy Lindqvist" in card.all_text
    assert "Bea Baker" in card.all_text
    assert "Twice the data, same features." in card.all_text
    blocks = json.dumps(card.blocks)
    assert f'"url": "{ticket.url}"' in blocks
    assert f'"url": "{evidence.run_url}"' in blocks
    assert f'"url": "{evidence.version_url}"' in blocks
    assert f"{request.version} → champion" in card.text


def test_the_metrics_stand_in_a_table_beside_the_champions(house: House) -> None:
    house.approve(house.asked(house.register(metrics={"mae": 31.5, "r2": 0.81})))

    challenger = house.asked(house.register(metrics={"mae": 29.5, "rmse": 40.0}))

    rows = table_of(house.card(challenger))
    assert rows == [
        ["Metric", "v2 (candidate)", "v1 (champion)", "Difference"],
        ["mae", "29.5", "31.5", "-2"],
        ["rmse", "40", "-", "-"],
    ]
    assert f"alias:champion, held by {house.model} v1" in house.card(challenger).all_text


def test_the_ticket_links_to_the_version_and_to_the_card(house: House) -> None:
    request = house.asked()

    seen = house.reread(request)
    assert seen.ticket is not None
    assert seen.card is not None
    assert seen.evidence is not None
    links = {link.url for link in house.jira.remote_links(seen.ticket.key)}
    assert links == {seen.evidence.version_url, seen.card.url}
    assert house.jira.issue(seen.ticket.key).issue_type == "Task"


def test_what_people_wrote_never_becomes_a_live_mention_or_markup(house: House) -> None:
    asked_by(house, "cy@example.com", comment=NASTY)
    request = house.requests()[-1]

    house.reject(request, f"No. {NASTY}")

    card = house.card(request)
    assert "<!channel>" not in card.text
    assert "<!channel>" not in house.slack.direct_messages("cy")[-1].text
    assert "mrkdwn" not in json.dumps(card.blocks)
    assert f"Why: {NASTY}" in card.all_text
    ticket = house.reread(request).ticket
    assert ticket is not None
    description = house.jira.issue(ticket.key).description
    assert description is not None
    assert "[click](http://evil.example)" in description.as_text()
    assert "evil.example" not in [link.url for link in house.jira.remote_links(ticket.key)]


def test_a_model_whose_name_is_a_mention_makes_nobody_look_up(house: House) -> None:
    name = f"{house.model} <!channel> @here"
    version = house.register(model=name)
    house.mlflow.set_registered_model_alias(name, "candidate", str(version))

    house.sweep()
    house.approve(house.requests()[-1])

    card = house.card(house.requests()[-1])
    assert house.mlflow.get_registered_model(name).aliases["champion"] == str(version)
    assert "<!channel>" not in card.text
    assert f"{name} v1 is champion" in card.all_text


def test_names_from_a_run_that_nobody_mapped_stay_a_claim(house: House) -> None:
    request = house.asked(house.register(user="<!here> mallory"))

    assert "<!here> mallory (not in the policy's people)" in house.card(request).all_text
    assert "<!here>" not in house.card(request).text
