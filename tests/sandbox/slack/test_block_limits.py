"""The local Slack refuses the blocks and views that Slack refuses, and says where the mistake is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.slack.block_kit.validation import checked_blocks, checked_view
from bot.sandbox.slack.wire import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**changes: object) -> Json:
    return {"type": "section", "text": mrkdwn("hello"), **changes}


def button(**changes: object) -> Json:
    return {"type": "button", "action_id": "approve", "text": plain("Approve"), "value": "req_1", **changes}


def actions(*buttons: Json) -> Json:
    return {"type": "actions", "elements": list(buttons)}


def buttons(count: int) -> list[Json]:
    return [button(action_id=f"approve-{number}") for number in range(count)]


def confirm(**changes: object) -> Json:
    whole = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes"), "deny": plain("No")}
    return button(confirm={**whole, **changes})


def table(rows: int, columns: int = 2, text: str = "x") -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns] * rows}


def entry() -> Json:
    element = {"type": "plain_text_input", "action_id": "text", "multiline": True}
    return {"type": "input", "block_id": "reason", "label": plain("Reason"), "element": element}


def picture(**changes: object) -> Json:
    return {"type": "image", "slack_file": {"id": "F0PLOT00001"}, "alt_text": "mae over versions", **changes}


def rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def view(**changes: object) -> Json:
    return {"type": "modal", "title": plain("Reject"), "submit": plain("Reject"), "blocks": [entry()], **changes}


def refusal(check: Callable[[object], object], value: object) -> list[str]:
    with pytest.raises(SlackError) as refused:
        check(value)
    metadata = refused.value.details["response_metadata"]
    assert isinstance(metadata, dict)
    return [refused.value.code, *metadata["messages"]]


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider"}] * 50,
        [section(text=mrkdwn("x" * 3000))],
        [section(fields=[mrkdwn("x" * 999)] * 10)],
        [{"type": "header", "text": plain("x" * 150)}],
        [actions(*buttons(25))],
        [actions(button(text=plain("x" * 75), value="x" * 2000, action_id="x" * 255))],
        [actions(confirm(title=plain("x" * 100), text=plain("x" * 300)))],
        [{"type": "context", "elements": [mrkdwn("hello")] * 10}],
        [table(100, 20)],
        [section(accessory={"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"})],
        [entry()],
        [picture(alt_text="x" * 2000, title=plain("x" * 2000))],
        [rich({"type": "usergroup", "usergroup_id": "S0MLLEADS00"}, {"type": "user", "user_id": "U0NOBODY"})],
    ],
)
def test_blocks_at_the_limit_are_taken(blocks: list[Json]) -> None:
    assert [block["type"] for block in checked_blocks(blocks, {"F0PLOT00001"})] == [block["type"] for block in blocks]


@pytest.mark.parametrize(
    ("blocks", "mistake"),
    [
        ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
        ([section(text=mrkdwn("x" * 3001))], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
        ([section(text=mrkdwn(""))], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        ([{"type": "section"}], "missing required field: text or fields [json-pointer:/blocks/0]"),
        ([section(fields=[plain("x")] * 11)], "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
        (
            [section(fields=[plain("x" * 2001)])],
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        ),
        (
            [{"type": "header", "text": plain("x" * 151)}],
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
        ([actions(*buttons(26))], "no more than 25 items allowed [json-pointer:/blocks/0/elements]"),
        (
            [actions(button(text=plain("x" * 76)))],
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        ([actions(button(text=mrkdwn("x")))], "unsupported type: mrkdwn [json-pointer:/blocks/0/elements/0/text/type]"),
        (
            [actions(button(value="x" * 2001))],
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            [actions(button(action_id="x" * 256))],
            "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
        ),
        ([actions(button(style="green"))], "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]"),
        ([actions(button(colour="green"))], "invalid additional property: colour [json-pointer:/blocks/0/elements/0]"),
        (
            [actions(button()), actions(button())],
            '`action_id` "approve" already exists for another element [json-pointer:/blocks/1]',
        ),
        (
            [{"type": "context", "elements": [mrkdwn("x")] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            [actions(confirm(title=plain("x" * 101)))],
            "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
        ),
        (
            [actions(confirm(text=plain("x" * 301)))],
            "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
        ),
        (
            [actions(confirm(deny=plain("x" * 31)))],
            "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
        ),
        (
            [{"type": "image", "image_url": "https://example.com/a.png", "alt_text": "x" * 2001}],
            "must be less than 2001 characters [json-pointer:/blocks/0/alt_text]",
        ),
        ([picture(title=plain("x" * 2001))], "must be less than 2001 characters [json-pointer:/blocks/0/title/text]"),
        (
            [{"type": "image", "alt_text": "x"}],
            "missing required field: image_url or slack_file [json-pointer:/blocks/0]",
        ),
        (
            [{"type": "divider"}, picture(slack_file={"id": "F0OTHER0001"})],
            "invalid slack file [json-pointer:/blocks/1/slack_file]",
        ),
        (
            [section(accessory=picture(slack_file={"id": "F0OTHER0001"}))],
            "invalid slack file [json-pointer:/blocks/0/accessory/slack_file]",
        ),
        (
            [picture(slack_file={"id": "https://example.com/plot.png"})],
            "input must match regex pattern: ^[F][A-Z0-9]{8,}$ [json-pointer:/blocks/0/slack_file/id]",
        ),
        (
            [rich({"type": "subteam", "usergroup_id": "S0MLLEADS00"})],
            "unsupported type: subteam [json-pointer:/blocks/0/elements/0/elements/0/type]",
        ),
        (
            [rich({"type": "user"})],
            "missing required field: user_id [json-pointer:/blocks/0/elements/0/elements/0]",
        ),
        (
            [{**entry(), "label": plain("x" * 2001)}],
            "must be less than 2001 characters [json-pointer:/blocks/0/label/text]",
        ),
        ([{"type": "banner"}], "unsupported type: banner [json-pointer:/blocks/0/type]"),
        ([actions({"type": "lever"})], "unsupported type: lever [json-pointer:/blocks/0/elements/0/type]"),
        ([table(101)], "no more than 100 items allowed [json-pointer:/blocks/0/rows]"),
        ([table(1, 21)], "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"),
        ([table(1), table(1)], "only_one_table_allowed [json-pointer:/blocks/1]"),
        (
            [table(100, 2, "x" * 51)],
            "must be less than 10001 characters in all cells together [json-pointer:/blocks/0]",
        ),
    ],
)
def test_blocks_over_the_limit_are_refused_with_the_place_of_the_mistake(blocks: list[Json], mistake: str) -> None:
    assert refusal(checked_blocks, blocks) == ["invalid_blocks", f"[ERROR] {mistake}"]


@pytest.mark.parametrize("letters", ["x" * 2_600, "🚲" * 1_300])
def test_a_message_with_too_much_text_in_all_its_blocks_is_refused(letters: str) -> None:
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        checked_blocks([section(text=mrkdwn(letters))] * 4)


def test_a_text_is_counted_in_utf_16_units() -> None:
    with pytest.raises(SlackError, match="invalid_blocks"):
        checked_blocks([section(text=mrkdwn("🚲" * 1_501))])


def test_blocks_that_are_not_a_list_are_refused() -> None:
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        checked_blocks('{"type": "divider"}')


def test_missing_ids_are_made_up_as_slack_does() -> None:
    (block,) = checked_blocks([actions({"type": "button", "text": plain("Open")})])

    assert block["block_id"]
    assert block["elements"][0]["action_id"]  # type: ignore[index]


def test_a_view_at_its_limits_is_taken() -> None:
    full = view(title=plain("x" * 24), submit=plain("x" * 24), private_metadata="x" * 3000, callback_id="x" * 255)

    assert checked_view(full)["private_metadata"] == "x" * 3000


@pytest.mark.parametrize(
    ("wanted", "mistake"),
    [
        (view(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
        (view(title=mrkdwn("x")), "unsupported type: mrkdwn [json-pointer:/view/title/type]"),
        (view(submit=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/submit/text]"),
        (view(private_metadata="x" * 3001), "must be less than 3001 characters [json-pointer:/view/private_metadata]"),
        (view(callback_id="x" * 256), "must be less than 256 characters [json-pointer:/view/callback_id]"),
        (view(blocks=[{"type": "divider"}] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
        (view(blocks=[]), "no less than 1 items allowed [json-pointer:/view/blocks]"),
        (view(blocks=[table(1)]), "unsupported type: table [json-pointer:/view/blocks/0/type]"),
        (
            {"type": "modal", "title": plain("Reject"), "blocks": [entry()]},
            "missing required field: submit [json-pointer:/view]",
        ),
    ],
)
def test_a_view_over_a_limit_is_refused(wanted: Json, mistake: str) -> None:
    assert refusal(checked_view, wanted) == ["invalid_arguments", f"[ERROR] {mistake}"]
