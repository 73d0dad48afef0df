"""The form in which a person asks for a transition: what its menus offer, and all that is checked again when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from bot.app import socket_handler
from bot.domain.events import AskJoined, RequestOpened
from bot.domain.home.form import ModelRef, SentForm, target_key
from bot.domain.model import AskKind, State, Target, TargetKind
from handlers.home.sending import send
from tests.e2e.home.forms import Form
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation

CHAMPION = Target(TargetKind.ALIAS, "champion")


@pytest.fixture
def form(installation: Installation) -> Form:
    installation.register()
    installation.sweep()
    return Form(installation)


def test_a_person_asks_with_the_form_and_reads_where_the_card_is(form: Form) -> None:
    form.open().choose_model()
    offered = form.versions()

    sent = form.send(reason="better on holidays")
    said = form.text
    form.installation.settle()

    assert offered == ["v1"]
    assert sent.errors == {}
    assert "You have asked for" in said
    assert "Its card comes to #model-approvals in a moment." in said
    request = form.installation.request(1)
    assert (request.ask.kind, request.comment, request.state) == (AskKind.FORM, "better on holidays", State.PENDING)
    with form.installation.s.store.transaction() as tx:
        assert request.requester is not None
        assert tx.people.get(request.requester).email == "cy@example.com"
    assert "Cy Lindqvist" in form.installation.card(request).all_text


def test_sent_twice_it_asks_once_also_when_the_first_was_decided_meanwhile(form: Form) -> None:
    form.open().choose_model().versions()
    bodies = sent_bodies(form.installation)
    form.send()
    (sent,) = (body for body in bodies if body["type"] == "view_submission")
    form.installation.settle()
    form.installation.reject(form.installation.request(1), "no")

    again = form.installation.slack.send(sent)

    assert again.status == 200
    assert "Already asked" in str(again.body)
    assert str(form.installation.request(1).ticket.key) in str(again.body)
    assert form.installation.happened(RequestOpened) == ["RequestOpened"]


def test_another_form_for_what_waits_already_says_where_it_waits(form: Form) -> None:
    form.open().choose_model().send()
    form.installation.settle()

    form.open().choose_model().send()
    said = form.text

    request = form.installation.request(1)
    assert request.ticket is not None
    assert request.card is not None
    assert "was asked for as champion before" in said
    assert request.ticket.key in said
    assert request.card.url in said
    assert form.installation.happened(RequestOpened) == ["RequestOpened"]


def test_an_approver_who_sends_the_form_for_what_waits_reads_that_it_is_hers_too_and_that_she_may_not_vote(
    form: Form,
) -> None:
    form.open().choose_model().send()
    form.installation.settle()
    form.person = "ana"

    form.open().choose_model().send()
    said = form.text
    form.open().choose_model().send()
    again = form.text

    request = form.installation.request(1)
    for text in (said, again):
        assert "was asked for as champion before" in text
        assert "It is now your request too, so you may not vote on it." in text
    assert request.ticket is not None
    assert request.ticket.key in said
    assert form.installation.happened(AskJoined) == ["AskJoined"]


def test_who_asked_first_and_sends_the_form_again_reads_of_no_one_else(form: Form) -> None:
    form.open().choose_model().send()
    form.installation.settle()
    form.person = "ana"
    form.open().choose_model().send()
    form.person = "cy"

    form.open().choose_model().send()

    assert "was asked for as champion before" in form.text
    assert "your request too" not in form.text


def test_a_form_that_somebody_else_has_sent_joins_nobody_and_says_so_to_nobody(installation: Installation) -> None:
    installation.register()
    installation.sweep()
    key = ModelRef("default", installation.model).key
    sent = SentForm("V1", key, key, "1", target_key(CHAMPION), "")
    mine, theirs = (
        send(account, sent, installation.s.clock.now(), installation.s) for account in ("U0CY0000003", "U0ANA000001")
    )

    assert mine.is_new
    assert "was asked for as champion before" in str(theirs.text)
    assert "your request too" not in str(theirs.text)
    assert installation.happened(AskJoined) == []


def test_a_form_for_what_was_moved_by_hand_claims_it_and_says_that_the_person_may_not_vote(form: Form) -> None:
    form.installation.move(1)
    form.person = "ana"

    form.open().choose_model().send()

    assert "as champion waits for a decision already" in form.text
    assert "It is now your request too, so you may not vote on it." in form.text


def sent_bodies(installation: Installation) -> list[dict[str, object]]:
    """What the sandbox sends from here on."""
    sent: list[dict[str, object]] = []
    deliver = installation.slack.delivery.interaction

    def keep(payload: dict[str, object]) -> object:
        sent.append(payload)
        return deliver(payload)

    installation.slack.delivery.interaction = keep  # type: ignore[method-assign, assignment]
    return sent


def test_a_form_left_open_over_a_policy_change_says_what_has_changed(form: Form) -> None:
    form.open().choose_model()
    form.installation.use_policy(target="{alias: production}")

    sent = form.send()

    assert "it has changed since you opened the form" in sent.errors["target"]
    assert "Governed now: alias:production" in sent.errors["target"]
    assert form.installation.requests() == []


def test_a_rule_that_wants_a_reason_by_now_says_so_beside_it(form: Form) -> None:
    form.open().choose_model()
    form.installation.use_policy(reason="always")

    without = form.send()
    given = form.send(reason="better on holidays")

    assert without.errors == {"reason": "The rule for this target wants a reason. Write why."}
    assert given.errors == {}
    assert len(form.installation.requests()) == 1


def test_a_version_that_mlflow_no_longer_has_is_refused_beside_its_menu(form: Form) -> None:
    form.installation.register()
    form.installation.sweep()
    form.open().choose_model()
    form.installation.mlflow.delete_model_version(form.installation.model, "2")

    sent = form.send(2)

    assert sent.errors["version"].startswith("MLflow has no version 2 of")
    assert form.installation.requests() == []


def test_what_holds_the_target_already_is_refused(form: Form) -> None:
    form.installation.promoted(1)
    form.open().choose_model()

    assert form.send(1).errors["version"].endswith("holds alias:champion already; there is nothing to ask for.")


def test_while_mlflow_is_down_the_menus_answer_and_nothing_is_asked(
    open_installation: Callable[..., Installation], mlflow_server: str
) -> None:
    with fault_proxy(mlflow_server) as (proxy_url, faults):
        installation = open_installation(registry_url=proxy_url)
        installation.register()
        installation.sweep()
        form = Form(installation).open()
        faults.add("status", status=503, times=1_000)

        offered = form.choose_model().versions("v1")
        sent = form.send()

        assert offered == ["v1"]
        assert sent.errors["version"].startswith("MLflow did not answer, so nothing was asked")
        assert installation.requests() == []
        faults.clear()
        assert form.send().errors == {}


def test_a_guest_reads_why_there_is_no_form(form: Form) -> None:
    form.person = "gil"
    form.open()

    assert "Guests of the workspace neither ask nor decide here." in form.text
    assert form.installation.requests() == []


def test_a_model_chosen_anew_brings_its_own_menus_before_anything_is_asked(form: Form) -> None:
    other = f"{form.installation.model}-b"
    form.installation.register(model=other)
    form.installation.sweep()
    form.open().choose_model()
    target, key = form.targets["alias:champion"], ModelRef("default", other).key
    form.installation.slack.suggest(form.person, "ask.choose", other)
    form.versions()
    values = {"model": key, f"version.{form.key}": "1", f"target.{form.key}": target}

    form.installation.slack.submit_view(form.person, values)

    assert form.installation.requests() == []
    assert any(name == f"version.{key}" for name in view_blocks(form))


def view_blocks(form: Form) -> Iterator[str]:
    view = form.installation.slack.open_view_of(form.person)
    assert view is not None
    return (str(block["block_id"]) for block in view.content["blocks"])  # type: ignore[attr-defined]


def test_the_command_opens_the_form_with_what_it_names(form: Form) -> None:
    slack, model = form.installation.slack, form.installation.model

    answer = slack.command("cy", "/countersign", f"request {model} v1")

    assert (answer.status, answer.body) == (200, {})
    assert form.blocks["version"]["element"]["initial_option"]["value"] == "1"  # type: ignore[index]
    assert form.send().errors == {}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("{model}x", "Did you mean {model}"),
        ("{model} 99", "There is no version 99 of {model}"),
        ("never-heard-of-it", 'Say "/countersign request" alone to search for one.'),
    ],
)
def test_a_name_that_no_model_has_is_answered_with_what_to_do(form: Form, typed: str, said: str) -> None:
    model = form.installation.model

    form.installation.slack.command("cy", "/countersign", f"request {typed.format(model=model)}")

    assert said.format(model=model) in form.installation.slack.ephemerals("cy")[-1].all_text
    assert form.installation.slack.open_view_of("cy") is None


def test_a_body_that_slack_would_not_send_is_taken_and_does_nothing(form: Form) -> None:
    form.open().choose_model().versions()
    bodies = sent_bodies(form.installation)
    form.send()
    view = dict(bodies[-1]["view"])  # type: ignore[call-overload]
    for change in ({"private_metadata": "["}, {"state": None}, {"callback_id": "x" * 9}):
        form.installation.slack.send({**bodies[-1], "view": {**view, **change}})

    assert form.installation.happened(RequestOpened) == ["RequestOpened"]


def test_the_form_works_over_socket_mode_too(form: Form) -> None:
    installation = form.installation
    settings = installation.settings.model_copy(
        update={"slack_app_token": SecretStr(installation.slack.app.app_token), "slack_signing_secrets": ()}
    )
    handler = socket_handler(installation.s, settings)
    handler.connect()  # type: ignore[no-untyped-call]
    try:
        assert installation.slack.sockets.wait_until_connected(30)
        assert form.open().choose_model().versions() == ["v1"]
        assert form.send().errors == {}
        installation.slack.open_home("cy")
        installation.settle()
    finally:
        handler.close()  # type: ignore[no-untyped-call]

    assert installation.slack.home_of("cy") is not None
    assert installation.request(1).ask.kind is AskKind.FORM


@pytest.mark.parametrize(
    ("person", "shown"), [("ana", "holds alias:champion"), pytest.param("zoe", "", id="in no group that reads")]
)
def test_what_a_version_holds_is_said_in_the_menu_to_readers_alone(form: Form, person: str, shown: str) -> None:
    people = form.installation.slack.workspace.people
    people["U0ZOE000009"] = replace(people["U0CY0000003"], id="U0ZOE000009", name="zoe", email="zoe@example.com")
    form.installation.promoted(1)
    form.person = person

    form.open().choose_model()
    offered = form.installation.slack.suggest(person, "ask.version", "").options
    form.installation.slack.command(person, "/countersign", f"request {form.installation.model} 1", channel="general")

    assert [str(option["text"]["text"]) for option in offered] == ["v1"]  # type: ignore[index]
    assert [option.get("description", {}).get("text", "") for option in offered] == [shown]  # type: ignore[attr-defined]
    assert ("holds alias:champion" in form.text) == bool(shown)
