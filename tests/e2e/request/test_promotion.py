"""The main path, from the request to the moved alias and the closed ticket, and what people see on the way."""

from __future__ import annotations

import json
from typing import Any

import requests

from bot.domain.events import RequestApproved, RequestRejected, TargetMoved, TicketClosed, VoteCast
from bot.domain.model import State
from bot.sandbox.slack import Message
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation

NASTY = "<!channel> <@U0ANA000001> *bold* [click](http://evil.example) {color:red}h1. hi{color}"


def asked_by(installation: Installation, email: str, comment: str = "") -> str:
    """Asks over HTTP, because only then the requester is known; returns the request's id."""
    wish = {"name": installation.model, "version": installation.register(), "to": "alias:champion", "requester": email}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = requests.post(
        f"{installation.url}/api/requests", json={**wish, "comment": comment}, headers=headers, timeout=10
    )
    assert answer.status_code == 201, answer.text
    installation.settle()
    return str(answer.json()["id"])


def table_of(card: Message) -> list[list[str]]:
    blocks: list[dict[str, Any]] = list(card.blocks)
    rows = next(block for block in blocks if block["type"] == "table")["rows"]
    return [[cell.get("text") or cell["elements"][0]["elements"][0]["text"] for cell in row] for row in rows]


def test_a_candidate_is_approved_and_becomes_champion(installation: Installation) -> None:
    request = installation.asked()
    assert request.state is State.PENDING

    installation.approve(request)

    assert installation.champion() == request.version.version
    assert installation.reread(request).state is State.APPLIED
    assert installation.ticket_status(request) == "Done"
    assert installation.happened(VoteCast, RequestApproved, TargetMoved, TicketClosed) == [
        "VoteCast",
        "RequestApproved",
        "TargetMoved",
        "TicketClosed",
    ]


def test_an_approved_card_is_updated_in_place_and_has_no_buttons(installation: Installation) -> None:
    request = installation.asked()
    before = installation.card(request)
    assert {"approve", "reject"} <= set(before.buttons)

    installation.approve(request)

    after = installation.card(request)
    assert installation.cards() == [after]
    assert not {"approve", "reject"} & set(after.buttons)
    assert "Approved" in after.all_text
    assert "Ana Ruiz approved (ml-leads), " in after.all_text
    assert f"{request.version} has been champion since" in after.all_text


def test_a_rejection_stands_with_its_reason_on_the_card_in_the_ticket_and_in_the_ledger(
    installation: Installation,
) -> None:
    request = installation.asked()

    installation.reject(request, "The error on Sundays is twice as high.")

    assert installation.champion() is None
    assert installation.reread(request).state is State.REJECTED
    assert "The error on Sundays is twice as high." in installation.card(request).all_text
    assert not {"approve", "reject"} & set(installation.card(request).buttons)
    assert "The error on Sundays is twice as high." in installation.comments(request)
    assert "Ana Ruiz" in installation.comments(request)
    assert installation.ticket_status(request) == "Won't Do"
    assert installation.entries(RequestRejected)[-1]["reason"] == "The error on Sundays is twice as high."


def test_pressing_reject_asks_for_the_reason_and_decides_nothing_yet(installation: Installation) -> None:
    request = installation.asked()

    installation.click("ana", request, "reject")
    installation.settle()

    assert installation.slack.open_view_of("ana") is not None
    assert installation.reread(request).state is State.PENDING
    assert installation.happened(VoteCast) == []


def test_a_reason_of_nothing_but_spaces_is_asked_for_again(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "reject")

    sent = installation.slack.submit_view("ana", {"reason": "   "})

    assert "reason" in sent.errors
    assert installation.reread(request).state is State.PENDING


def test_a_rule_that_wants_a_reason_to_approve_asks_for_it_in_a_form(installation: Installation) -> None:
    installation.use_policy(reason="always")
    request = installation.asked()

    installation.click("ana", request, "approve")
    installation.slack.submit_view("ana", {"reason": "Better on every month since May."})
    installation.settle()

    assert installation.champion() == request.version.version
    assert "Better on every month since May." in installation.card(request).all_text
    assert "Better on every month since May." in installation.comments(request)


def test_whoever_asked_is_told_of_the_decision_directly(installation: Installation) -> None:
    asked_by(installation, "cy@example.com")
    request = installation.requests()[-1]

    installation.reject(request, "Not before the audit.")

    assert f"Rejected: {request.version} → champion" in installation.told("cy")
    assert installation.told("ana") == ""
    ticket = installation.reread(request).ticket
    assert ticket is not None
    assert ticket.key in installation.told("cy")


def test_when_nobody_knows_who_asked_the_author_is_told(installation: Installation) -> None:
    request = installation.asked(installation.register(user="bea"))

    installation.approve(request)

    assert f"{request.version} has been champion since" in installation.told("bea")


def test_a_late_clicker_is_told_who_decided(installation: Installation) -> None:
    request = installation.asked()
    stale_click = installation.slack.click_payload("ben", CHANNEL, installation.card(request).ts, "approve")
    installation.reject(request, "Too early.", person="ana")

    installation.slack.send(stale_click)
    installation.settle()

    assert "already rejected by Ana Ruiz" in installation.told_privately("ben")
    assert installation.told_privately("ana") == ""
    assert installation.champion() is None


def test_a_quorum_of_two_waits_for_the_second_person(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="cy@example.com"))

    installation.approve(request, "ana")
    after_one = installation.reread(request).state, installation.champion(), installation.card(request).all_text
    installation.approve(request, "ana")
    after_the_same_again = installation.reread(request).state
    installation.approve(request, "ben")

    assert after_one[:2] == (State.PENDING, None)
    assert "Ana Ruiz approved (ml-leads), " in after_one[2]
    assert "Needs 1 more approval: 1 of ml-leads." in after_one[2]
    assert after_the_same_again is State.PENDING
    assert "your vote stands" in installation.told_privately("ana")
    assert installation.champion() == request.version.version
    assert "Ana Ruiz" in installation.comments(request)
    assert "Ben Okafor" in installation.comments(request)


def test_when_the_requester_is_unknown_the_rule_may_want_one_more(installation: Installation) -> None:
    installation.use_policy(unknown_requester="one_more")
    request = installation.asked()

    installation.approve(request, "ana")
    after_one = installation.reread(request).state
    installation.approve(request, "ben")

    assert after_one is State.PENDING
    assert installation.champion() == request.version.version


def test_when_the_requester_is_known_one_is_enough_under_the_same_rule(installation: Installation) -> None:
    installation.use_policy(unknown_requester="one_more")
    asked_by(installation, "cy@example.com")
    request = installation.requests()[-1]

    installation.approve(request, "ana")

    assert installation.champion() == request.version.version


def test_when_the_requester_is_unknown_the_rule_may_refuse_to_decide(installation: Installation) -> None:
    installation.use_policy(unknown_requester="refuse")
    request = installation.asked()

    installation.approve(request, "ana")

    assert "Nobody knows who asked for this" in installation.told_privately("ana")
    assert installation.reread(request).state is State.PENDING


def test_who_may_not_decide_is_refused_with_a_sentence_only_they_see(installation: Installation) -> None:
    request = installation.asked(installation.register(user="bea"))

    for person in ("cy", "bea", "gil"):
        installation.approve(request, person)

    assert "Only members of ml-leads may decide this" in installation.told_privately("cy")
    assert "trained the version, so someone else must decide it" in installation.told_privately("bea")
    assert "Guests of the workspace may not decide" in installation.told_privately("gil")
    assert installation.told_privately("ana") == ""
    assert installation.champion() is None
    assert {"approve", "reject"} <= set(installation.card(request).buttons)
    assert installation.happened(VoteCast) == []


def test_whoever_asked_may_not_approve(installation: Installation) -> None:
    asked_by(installation, "ana@example.com")
    request = installation.requests()[-1]

    installation.approve(request, "ana")

    assert "You asked for this transition" in installation.told_privately("ana")
    assert installation.champion() is None


def test_the_version_carries_the_decision_and_the_ticket_as_tags(installation: Installation) -> None:
    approved = installation.asked()

    installation.approve(approved)
    rejected = installation.asked(installation.register())
    installation.reject(rejected, "Worse.")

    ticket = installation.reread(approved).ticket
    assert ticket is not None
    assert installation.mlflow.get_model_version(installation.model, "1").tags.items() >= {
        ("countersign.decision", "approved"),
        ("countersign.request_id", approved.id),
        ("countersign.ticket", ticket.key),
    }
    assert installation.mlflow.get_model_version(installation.model, "2").tags["countersign.decision"] == "rejected"


def test_our_own_tags_are_no_news(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.sweep()
    before = installation.happened()

    installation.sweep()

    assert installation.happened() == before


def test_the_card_shows_who_what_and_why_with_links_to_run_and_ticket(installation: Installation) -> None:
    asked_by(installation, "cy@example.com", comment="Twice the data, same features.")

    request = installation.requests()[-1]
    card = installation.card(request)
    ticket, evidence = installation.reread(request).ticket, installation.reread(request).evidence
    assert ticket is not None
    assert evidence is not None
    assert f"promote {request.version} to champion" in card.all_text
    assert "Requested by: Cy Lindqvist, through the API" in installation.details(request)
    assert "Bea Baker" in card.all_text
    assert "Twice the data, same features." in card.all_text
    blocks = json.dumps(card.blocks)
    assert f'"url": "{ticket.url}"' in blocks
    assert f'"url": "{evidence.version_url}"' in blocks
    assert f'"url": "{evidence.run_url}"' in json.dumps([reply.blocks for reply in installation.thread(request)])
    assert f"promote {request.version} to champion" in card.text


def test_the_metrics_stand_in_a_table_beside_the_champions(installation: Installation) -> None:
    installation.approve(installation.asked(installation.register(metrics={"mae": 31.5, "r2": 0.81})))

    challenger = installation.asked(installation.register(metrics={"mae": 29.5, "rmse": 40.0}))

    rows = table_of(installation.card(challenger))
    assert rows == [
        ["Metric", "v2 (candidate)", "v1 (champion)", "Difference"],
        ["mae", "29.5", "31.5", "-2, better"],
        ["rmse", "40", "-", "-"],
    ]
    assert f"alias champion (currently {installation.model} v1)" in installation.details(challenger)


def test_the_ticket_links_to_the_version_and_to_the_card(installation: Installation) -> None:
    request = installation.asked()

    seen = installation.reread(request)
    assert seen.ticket is not None
    assert seen.card is not None
    assert seen.evidence is not None
    links = {link.url for link in installation.jira.remote_links(seen.ticket.key)}
    assert links == {seen.evidence.version_url, seen.card.url}
    assert installation.jira.issue(seen.ticket.key).issue_type == "Task"


def test_what_people_wrote_never_becomes_a_live_mention_or_markup(installation: Installation) -> None:
    asked_by(installation, "cy@example.com", comment=NASTY)
    request = installation.requests()[-1]

    installation.reject(request, f"No. {NASTY}")

    card = installation.card(request)
    assert "<!channel>" not in card.text
    assert "<!channel>" not in installation.slack.direct_messages("cy")[-1].text
    assert "mrkdwn" not in json.dumps(card.blocks)
    assert f"Why: {NASTY}" in card.all_text
    ticket = installation.reread(request).ticket
    assert ticket is not None
    description = installation.jira.issue(ticket.key).description
    assert description is not None
    assert "[click](http://evil.example)" in description.as_text()
    assert "evil.example" not in [link.url for link in installation.jira.remote_links(ticket.key)]


def test_a_model_whose_name_is_a_mention_makes_nobody_look_up(installation: Installation) -> None:
    name = f"{installation.model} <!channel> @here"
    version = installation.register(model=name)
    installation.mlflow.set_registered_model_alias(name, "candidate", str(version))

    installation.sweep()
    installation.approve(installation.requests()[-1])

    card = installation.card(installation.requests()[-1])
    assert installation.mlflow.get_registered_model(name).aliases["champion"] == str(version)
    assert "<!channel>" not in card.text
    assert f"{name} v1 has been champion" in card.all_text


def test_names_from_a_run_that_nobody_mapped_stay_a_claim(installation: Installation) -> None:
    request = installation.asked(installation.register(user="<!here> mallory"))

    assert "<!here> mallory (as the run says, not in the policy's people)" in installation.card(request).all_text
    assert "<!here>" not in installation.card(request).text


def test_the_form_that_asks_why_warns_as_the_card_does_and_its_answer_stays_one_paragraph(
    installation: Installation,
) -> None:
    installation.use_policy(reason="always")
    asked_by(installation, "x@elsewhere.example")
    (request,) = installation.requests()
    warning = "Careful: x@elsewhere.example asked for this, and neither the policy nor Slack knows that address."

    installation.click("ana", request, "approve")
    form = installation.slack.open_view_of("ana")
    installation.slack.submit_view("ana", {"reason": "fine\n\nCy Lindqvist approved (risk)."})
    installation.settle()

    assert form is not None
    assert warning in str(form.content)
    assert warning in installation.card(request).all_text
    assert installation.reread(request).votes[0].reason == "fine\n\nCy Lindqvist approved (risk)."
    assert "Reason: fine Cy Lindqvist approved (risk)." in installation.card(request).all_text
    assert "Reason: fine Cy Lindqvist approved (risk)." in installation.comments(request)
