"""Block Kit's limits for messages and views, which `slack_sdk` checks only in part.

The tables follow https://docs.slack.dev/reference/block-kit. They cover the blocks and elements that the page can draw; others are refused.
"""

from __future__ import annotations

from .shapes import Check, Shape, by_type, flag, integer, items, like, nullable, number, text, web_address, word

ID = text(255)


def plain(maximum: int) -> Check:
    return by_type({"plain_text": Shape({"text": text(maximum)}, {"emoji": flag})})


def any_text(maximum: int) -> Check:
    return by_type(
        {
            "plain_text": Shape({"text": text(maximum)}, {"emoji": flag}),
            "mrkdwn": Shape({"text": text(maximum)}, {"verbatim": flag}),
        }
    )


CONFIRM = Shape(
    {"title": plain(100), "text": any_text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": word("primary", "danger")},
)
OPTION = Shape({"text": any_text(75), "value": text(150)}, {"description": any_text(75), "url": web_address})
SELECT: dict[str, Check] = {"placeholder": plain(150), "confirm": CONFIRM, "focus_on_load": flag, "action_id": ID}
FILE_ID = like(r"^[F][A-Z0-9]{8,}$")  # as Slack itself says: https://github.com/slackapi/python-slack-sdk/issues/1521
IMAGE: dict[str, Check] = {"image_url": web_address, "slack_file": Shape({"id": FILE_ID})}

BUTTON = Shape(
    {"text": plain(75)},
    {
        "action_id": ID,
        "value": text(2000),
        "url": web_address,
        "style": word("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": text(75),
    },
)
CHOICES: dict[str, Check] = {"action_id": ID, "confirm": CONFIRM, "focus_on_load": flag}
IMAGE_ELEMENT = Shape({"alt_text": text(2000)}, IMAGE, one_of=IMAGE)
TEXT_INPUT = Shape(
    {},
    {
        "action_id": ID,
        "placeholder": plain(150),
        "initial_value": text(3000, minimum=0),
        "multiline": flag,
        "min_length": number,
        "max_length": number,
        "focus_on_load": flag,
    },
)
ON_ACTIONS = {
    "button": BUTTON,
    "static_select": Shape({"options": items(OPTION, 100)}, {**SELECT, "initial_option": OPTION}),
    "external_select": Shape({}, {**SELECT, "initial_option": OPTION, "min_query_length": number}),
    "overflow": Shape({"options": items(OPTION, 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "radio_buttons": Shape({"options": items(OPTION, 10)}, {**CHOICES, "initial_option": OPTION}),
    "checkboxes": Shape({"options": items(OPTION, 10)}, {**CHOICES, "initial_options": items(OPTION, 10)}),
    "users_select": Shape({}, {**SELECT, "initial_user": text(255)}),
}
ON_SECTIONS = {**ON_ACTIONS, "image": IMAGE_ELEMENT}
ON_INPUTS = {
    "plain_text_input": TEXT_INPUT,
    **{
        kind: ON_ACTIONS[kind]
        for kind in ("static_select", "external_select", "users_select", "radio_buttons", "checkboxes")
    },
}
ON_CONTEXT = {
    "image": IMAGE_ELEMENT,
    "plain_text": Shape({"text": text(3000)}, {"emoji": flag}),
    "mrkdwn": Shape({"text": text(3000)}, {"verbatim": flag}),
}

STYLE = Shape({}, {"bold": flag, "italic": flag, "strike": flag, "code": flag})
INLINE = by_type(
    {
        "text": Shape({"text": text(3000)}, {"style": STYLE}),
        "link": Shape({"url": web_address}, {"text": text(3000), "style": STYLE, "unsafe": flag}),
        "user": Shape({"user_id": text(255)}, {"style": STYLE}),
        "usergroup": Shape({"usergroup_id": text(255)}, {"style": STYLE}),
        "channel": Shape({"channel_id": text(255)}, {"style": STYLE}),
        "emoji": Shape({"name": text(255)}, {"unicode": text(255), "style": STYLE}),
        "date": Shape(
            {"timestamp": integer, "format": like(r".*\{(day_divider_pretty|date|time|ago)\w*\}")},
            {"fallback": text(3000), "url": web_address, "timezone": text(255), "style": STYLE},
        ),
        "broadcast": Shape({"range": word("here", "channel", "everyone")}),
    }
)
INLINES = items(INLINE, 1000, minimum=0)
RICH_SECTION = Shape({"elements": INLINES})
RICH_TEXT = Shape(
    {
        "elements": items(
            by_type(
                {
                    "rich_text_section": RICH_SECTION,
                    "rich_text_quote": Shape({"elements": INLINES}, {"border": number}),
                    "rich_text_preformatted": Shape({"elements": INLINES}, {"border": number}),
                    "rich_text_list": Shape(
                        {
                            "style": word("bullet", "ordered"),
                            "elements": items(by_type({"rich_text_section": RICH_SECTION}), 100),
                        },
                        {"indent": number, "offset": number, "border": number},
                    ),
                }
            ),
            100,
        )
    },
    {"block_id": ID},
)
CELL = by_type(
    {
        "raw_text": Shape({"text": text(3000)}),
        "raw_number": Shape({"value": number}, {"text": text(3000)}),
        "rich_text": RICH_TEXT,
    }
)
COLUMN = nullable(Shape({}, {"align": word("left", "center", "right"), "is_wrapped": flag}))

POINT = Shape({"label": text(20), "value": number})
SERIES = Shape({"name": text(20), "data": items(POINT, 20)})
AXES = Shape({"categories": items(text(20), 20)}, {"x_label": text(50), "y_label": text(50)})
DRAWN = Shape({"series": items(SERIES, 6), "axis_config": AXES})
CHART = by_type({"line": DRAWN})  # bars, areas and pies are not drawn by the page

IN_BOTH = {
    "section": Shape(
        {},
        {
            "block_id": ID,
            "text": any_text(3000),
            "fields": items(any_text(2000), 10),
            "accessory": by_type(ON_SECTIONS),
            "expand": flag,
        },
        one_of=("text", "fields"),
    ),
    "header": Shape({"text": plain(150)}, {"block_id": ID}),
    "divider": Shape({}, {"block_id": ID}),
    "context": Shape({"elements": items(by_type(ON_CONTEXT), 10)}, {"block_id": ID}),
    "actions": Shape({"elements": items(by_type(ON_ACTIONS), 25)}, {"block_id": ID}),
    "image": Shape({"alt_text": text(2000)}, {**IMAGE, "title": plain(2000), "block_id": ID}, one_of=IMAGE),
    "input": Shape(
        {"label": plain(2000), "element": by_type(ON_INPUTS)},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag, "block_id": ID},
    ),
    "rich_text": RICH_TEXT,
}
IN_MESSAGES = {
    **IN_BOTH,
    "table": Shape(
        {"rows": items(items(CELL, 20), 100)}, {"column_settings": items(COLUMN, 20, minimum=0), "block_id": ID}
    ),
    "markdown": Shape({"text": text(12_000)}, {"block_id": ID}),
    "data_visualization": Shape({"title": text(50), "chart": CHART}, {"block_id": ID}),
}

MESSAGE_BLOCKS = items(by_type(IN_MESSAGES), 50, minimum=0)
VIEW = by_type(
    {
        "modal": Shape(
            {"title": plain(24), "blocks": items(by_type(IN_BOTH), 100)},
            {
                "submit": plain(24),
                "close": plain(24),
                "private_metadata": text(3000, minimum=0),
                "callback_id": text(255, minimum=0),
                "external_id": text(255, minimum=0),
                "clear_on_close": flag,
                "notify_on_close": flag,
                "submit_disabled": flag,
            },
        ),
        "home": Shape(
            {"blocks": items(by_type(IN_BOTH), 100)},
            {
                "private_metadata": text(3000, minimum=0),
                "callback_id": text(255, minimum=0),
                "external_id": text(255, minimum=0),
            },
        ),
    }
)
SUGGESTED = Shape(  # the answer to block_suggestion: https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload
    {},
    {
        "options": items(OPTION, 100, minimum=0),
        "option_groups": items(Shape({"label": plain(75), "options": items(OPTION, 100)}), 100),
    },
    one_of=("options", "option_groups"),
)
