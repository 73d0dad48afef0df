"""Slack's bodies become clicks, or are refused with a label; nothing makes the parser fall over."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.slack.blocks import REASON_BLOCK, reason_form
from bot.clients.slack.inbound import check_headers, read_click, read_mention
from bot.errors import Rejected
from bot.ports import Click

PRESS: dict[str, object] = {
    "type": "block_actions",
    "team": {"id": "T1", "domain": "x"},
    "user": {"id": "U1", "team_id": "T1"},
    "api_app_id": "A1",
    "trigger_id": "tr",
    "container": {"type": "message", "message_ts": "1.2", "channel_id": "C1"},
    "actions": [{"type": "button", "action_id": "approve", "value": "r-1"}],
}
ORIGIN = {"action": "reject", "value": "r-1", "channel": "C1", "message": "1.2"}
FORM: dict[str, object] = {
    "type": "view_submission",
    "team": {"id": "T1"},
    "user": {"id": "U1"},
    "api_app_id": "A1",
    "trigger_id": "tr",
    "view": {
        "callback_id": "countersign.reason",
        "private_metadata": json.dumps(ORIGIN),
        "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "  drifts in May \n"}}}},
    },
}
HEADERS = {"X-Slack-Request-Timestamp": "1795384800", "X-Slack-Signature": "v0=" + "a" * 64}


def changed(body: dict[str, object], path: str, value: object) -> dict[str, object]:
    fresh = copy.deepcopy(body)
    *way, last = path.split(".")
    place = fresh
    for name in way:
        inner = place[name]
        place = inner[0] if isinstance(inner, list) else inner  # type: ignore[assignment]
    place[last] = value
    return fresh


def test_a_pressed_button_is_a_click() -> None:
    click = read_click(PRESS)

    assert click == Click("T1", "A1", "C1", "1.2", "U1", "approve", "r-1", "tr")


def test_a_sent_form_is_the_click_that_opened_it_with_the_reason_trimmed() -> None:
    click = read_click(FORM)

    assert click == Click("T1", "A1", "C1", "1.2", "U1", "reject", "r-1", "tr", reason="drifts in May", is_form=True)


def test_a_vote_says_what_its_card_showed_also_through_the_form() -> None:
    pressed = changed(PRESS, "actions.value", "r-1.abc")
    origin = json.dumps({**ORIGIN, "shown": "abc"})
    sent = changed(FORM, "view.private_metadata", origin)

    assert [(click.value, click.shown) for click in map(read_click, (pressed, sent))] == [("r-1", "abc")] * 2


def test_what_was_chosen_in_the_menu_is_the_click_of_a_button() -> None:
    option = {"text": {"type": "plain_text", "text": "Hand over"}, "value": "reassign:r-1.abc"}
    body = changed(PRESS, "actions", [{"type": "overflow", "action_id": "menu", "selected_option": option}])

    click = read_click(body)

    assert (click.action, click.value, click.shown) == ("reassign", "r-1", "abc")


@pytest.mark.parametrize("value", ["", "reassign", "reassign:", ":r-1", None, 7])
def test_a_menu_that_does_not_say_what_and_about_which_is_refused(value: object) -> None:
    body = changed(PRESS, "actions", [{"type": "overflow", "action_id": "menu", "selected_option": {"value": value}}])

    with pytest.raises(Rejected):
        read_click(body)


def person_form(person: object, note: object) -> dict[str, object]:
    """As Slack sends it; an optional input that was left empty is null."""
    origin = {**ORIGIN, "action": "reassign", "optional": True}
    values = {
        "person": {"person": {"type": "users_select", "selected_user": person}},
        "reason": {"reason": {"type": "plain_text_input", "value": note}},
    }
    view = {"callback_id": "countersign.person", "private_metadata": json.dumps(origin), "state": {"values": values}}
    return {**FORM, "view": view}


@pytest.mark.parametrize(("note", "reason"), [(None, ""), (" you know it ", "you know it")])
def test_a_sent_form_for_a_person_says_who_was_picked_and_the_note(note: object, reason: str) -> None:
    click = read_click(person_form("U2", note))

    assert (click.action, click.chosen, click.reason, click.is_form) == ("reassign", "U2", reason, True)


@pytest.mark.parametrize("person", [None, "", 7, ["U2"], "U" * 2_001])
def test_a_form_without_a_person_is_refused(person: object) -> None:
    with pytest.raises(Rejected):
        read_click(person_form(person, None))


ORG_WIDE = {"is_enterprise_install": True, "enterprise": {"id": "E1", "name": "Org"}}


@pytest.mark.parametrize("team", [None, {"id": "T1", "domain": "x"}])
@pytest.mark.parametrize("body", [PRESS, FORM])
def test_a_click_through_the_app_of_a_whole_organisation_is_the_organisations(
    body: dict[str, object], team: object
) -> None:
    assert read_click({**body, **ORG_WIDE, "team": team}).team == "E1"


@pytest.mark.parametrize("is_org_wide", [False, None, "true", 1])
def test_a_click_through_the_app_of_one_workspace_is_the_workspaces_also_on_a_grid(is_org_wide: object) -> None:
    assert read_click({**PRESS, **ORG_WIDE, "is_enterprise_install": is_org_wide}).team == "T1"


@pytest.mark.parametrize(
    "strange",
    [
        {"team": None},
        {"team": None, "enterprise": {"id": "E1"}},
        {**ORG_WIDE, "enterprise": None},
        {**ORG_WIDE, "enterprise": {"id": ""}},
    ],
)
def test_a_click_through_no_known_installation_is_refused(strange: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="no usable"):
        read_click({**PRESS, **strange})


@pytest.mark.parametrize(
    "path",
    [
        "type", "team", "team.id", "user", "user.id", "api_app_id", "trigger_id", "container", "container.message_ts",
        "container.channel_id", "actions", "actions.action_id", "actions.value",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, "", 7, [], {}, "x" * 2_001])
def test_a_press_without_one_of_its_parts_is_refused(path: str, value: object) -> None:
    body = changed(PRESS, path, value)

    with pytest.raises(Rejected) as refusal:
        read_click(body)

    assert (refusal.value.reason, refusal.value.status) == ("malformed", 400)


@pytest.mark.parametrize(
    "path",
    [
        "view",
        "view.callback_id",
        "view.private_metadata",
        "view.state",
        "view.state.values",
        "view.state.values.reason",
    ],
)
@pytest.mark.parametrize("value", [None, "", 7, [], {}, "not json", "[1]", "[" * 2_999, "null"])
def test_a_form_without_one_of_its_parts_is_refused(path: str, value: object) -> None:
    body = changed(FORM, path, value)

    with pytest.raises(Rejected) as refusal:
        read_click(body)

    assert refusal.value.status == 400


def test_two_actions_at_once_are_refused() -> None:
    body = changed(PRESS, "actions", [{"action_id": "a", "value": "1"}, {"action_id": "b", "value": "2"}])

    with pytest.raises(Rejected, match="actions"):
        read_click(body)


def test_a_reason_of_blanks_is_refused_with_a_sentence_for_the_person() -> None:
    body = changed(FORM, "view.state.values.reason.reason.value", " \n ")

    with pytest.raises(Rejected, match="Please write a reason") as refusal:
        read_click(body)

    assert refusal.value.reason == "empty_reason"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PRESS, *FORM, "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.sampled_from([PRESS, FORM]), st.dictionaries(st.sampled_from([*PRESS, *FORM]), json_values))
def test_any_body_is_a_click_or_is_rejected(body: dict[str, object], noise: dict[str, object]) -> None:
    try:
        outcome: object = read_click({**body, **noise})
    except Rejected as refusal:
        outcome = refusal

    assert isinstance(outcome, Click | Rejected)


def test_well_formed_headers_pass_in_any_case_of_letters() -> None:
    check_headers({name.lower(): value for name, value in HEADERS.items()})


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("X-Slack-Request-Timestamp", "", "unsigned"),
        ("X-Slack-Signature", "", "unsigned"),
        ("X-Slack-Request-Timestamp", "now", "malformed_signature"),
        ("X-Slack-Request-Timestamp", "-1", "malformed_signature"),
        ("X-Slack-Request-Timestamp", "1.5", "malformed_signature"),
        ("X-Slack-Request-Timestamp", "١٧٩٥", "malformed_signature"),
        ("X-Slack-Request-Timestamp", "9" * 5_000, "malformed_signature"),
        ("X-Slack-Request-Timestamp", "1795384800\n", "malformed_signature"),
        ("X-Slack-Signature", "v0=ünïcode", "malformed_signature"),
        ("X-Slack-Signature", "v1=" + "a" * 64, "malformed_signature"),
        ("X-Slack-Signature", "a" * 64, "malformed_signature"),
    ],
)
def test_headers_that_are_not_slacks_are_refused_with_401(name: str, value: str, label: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_headers({**HEADERS, name: value})

    assert (refusal.value.reason, refusal.value.status) == (label, 401)


def test_headers_that_are_missing_are_refused() -> None:
    with pytest.raises(Rejected, match="X-Slack-Request-Timestamp"):
        check_headers({})


@pytest.mark.parametrize(
    "text", ["<@U0BEN000002|ben>", "<@U0BEN000002>", " <@U0BEN000002|ben.okafor> ", "<@U0BEN000002|>"]
)
def test_a_mention_in_a_command_names_an_account(text: str) -> None:
    assert read_mention(text) == "U0BEN000002"


@pytest.mark.parametrize(
    "text",
    [
        "", "@ben", "ben@example.com", "U0BEN000002", "<@U0BEN000002", "<@u0ben>", "<!here>", "<#C0GENERAL1|general>",
        "<!subteam^S0RISK00000|@risk>", "<@U0BEN000002|ben> and <@U0ANA000001|ana>", "<@U0BEN000002|a<b>", "<@U1\n>",
        "<@" + "U" * 5_000 + ">",
    ],
)  # fmt: skip
def test_anything_else_names_nobody(text: str) -> None:
    assert read_mention(text) is None


@pytest.mark.parametrize("typed", [None, "", "  \n "])
def test_a_form_whose_answer_is_optional_may_be_sent_empty_and_another_may_not(typed: str | None) -> None:
    click = Click("T1", "A1", "C1", "1.2", "U1", "sign_off", "2026-W47", "tr", shown="5c")
    view = reason_form(click, "Sign off", "A remark?", optional=True)
    answer = {"state": {"values": {REASON_BLOCK: {REASON_BLOCK: {"type": "plain_text_input", "value": typed}}}}}
    sent = {
        "type": "view_submission",
        "team": {"id": "T1"},
        "api_app_id": "A1",
        "user": {"id": "U1"},
        "trigger_id": "tr",
    }

    found = read_click({**sent, "view": {**view, **answer}})

    assert found == replace(click, is_form=True)
    with pytest.raises(Rejected):
        read_click({**sent, "view": {**reason_form(click, "Reject", "Why?"), **answer}})
