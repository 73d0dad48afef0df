"""Refuses blocks and views that Slack would refuse, and adds the ids that Slack generates.

The limits are tables in `limits`; this module has the rules across several blocks.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator

from ..wire import (
    InvalidArguments,
    Json,
    SlackError,
    every_object,
    every_text,
    object_at,
    objects_at,
    parsed,
    text_at,
    units,
)
from .limits import MESSAGE_BLOCKS, SUGGESTED, VIEW
from .shapes import Mistakes, at

# Not documented. Refusals were seen above 13,200 and at 11,341, none up to 10,000: https://github.com/slackapi/bolt-js/issues/2509
TEXT_IN_A_MESSAGE = 10_000
TEXT_IN_TABLES = 10_000  # https://docs.slack.dev/reference/block-kit/blocks/table-block
INTERACTIVE = {
    "button",
    "static_select",
    "external_select",
    "users_select",
    "overflow",
    "radio_buttons",
    "checkboxes",
    "plain_text_input",
}


def checked_blocks(value: object, pictures: Collection[str] = (), *, takes_charts: bool = True) -> list[Json]:
    """A message's blocks with their ids. Raises SlackError `invalid_blocks` or `msg_blocks_too_long`.

    `pictures` are the ids of the files that a block may show. Not every workspace takes charts yet.
    """
    blocks = parsed(value)
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    mistakes = MESSAGE_BLOCKS(blocks, "/blocks")
    mistakes = mistakes or _repeated_ids(blocks, "/blocks") + _tables(blocks) + _files(blocks, pictures)
    mistakes = mistakes or _charts(blocks, takes_charts=takes_charts)
    if mistakes:
        raise InvalidArguments("invalid_blocks", mistakes)
    if _text_in(blocks) > TEXT_IN_A_MESSAGE:
        raise SlackError("msg_blocks_too_long")
    return [_with_ids(block) for block in blocks]


def checked_suggestions(value: object) -> list[Json]:
    """The options in a bot's answer to a search in a menu. Raises SlackError `invalid_arguments`, where Slack shows no results."""
    mistakes = SUGGESTED(value, "")
    if mistakes or not isinstance(value, dict):
        raise InvalidArguments("invalid_arguments", mistakes)
    grouped = [option for group in objects_at(value, "option_groups") for option in objects_at(group, "options")]
    return [*objects_at(value, "options"), *grouped]


def checked_view(value: object, kind: str = "modal") -> Json:
    """A modal, or a Home tab, with its ids. Raises SlackError `invalid_arguments`."""
    view = parsed(value)
    mistakes = VIEW(view, "/view")
    if not mistakes and isinstance(view, dict) and view["type"] != kind:
        mistakes = at("/view/type", f"must be one of: {kind}")
    if mistakes or not isinstance(view, dict):
        raise InvalidArguments("invalid_arguments", mistakes)
    blocks = objects_at(view, "blocks")
    mistakes = _repeated_ids(blocks, "/view/blocks")
    if kind == "modal" and any(block["type"] == "input" for block in blocks) and "submit" not in view:
        mistakes += at("/view", "missing required field: submit")
    if mistakes:
        raise InvalidArguments("invalid_arguments", mistakes)
    return {**view, "blocks": [_with_ids(block) for block in blocks]}


def _text_in(blocks: list[Json]) -> int:
    words = [text_at(part, "alt_text") for part in every_object(blocks)]
    return sum(units(text) for text in (*every_text(blocks), *words))


def _tables(blocks: list[Json]) -> Mistakes:
    tables = [(index, block) for index, block in enumerate(blocks) if block.get("type") == "table"]
    if len(tables) > 1:
        return at(f"/blocks/{tables[1][0]}", "only_one_table_allowed")
    for index, table in tables:
        if sum(units(text) for text in every_text(table)) > TEXT_IN_TABLES:
            return at(f"/blocks/{index}", f"must be less than {TEXT_IN_TABLES + 1} characters in all cells together")
    return []


def _charts(blocks: list[Json], *, takes_charts: bool) -> Mistakes:
    """Names of lines are unique, and each line has a value for every category, in their order."""
    mistakes: Mistakes = []
    for index, block in enumerate(blocks):
        if block.get("type") != "data_visualization":
            continue
        pointer = f"/blocks/{index}"
        if not takes_charts:
            return at(f"{pointer}/type", "unsupported type: data_visualization")
        chart = object_at(block, "chart")
        series, categories = objects_at(chart, "series"), object_at(chart, "axis_config").get("categories")
        if len({one["name"] for one in series}) < len(series):
            mistakes += at(f"{pointer}/chart/series", "series names must be unique")
        if any([point["label"] for point in objects_at(one, "data")] != categories for one in series):
            mistakes += at(f"{pointer}/chart/series", "data labels must match the categories")
    return mistakes


def _files(blocks: list[Json], pictures: Collection[str]) -> Mistakes:
    """Slack has one error for files that are missing, not pictures, or not processed yet."""
    shown = [(pointer, file) for pointer, key, file in _places(blocks, "/blocks") if key == "slack_file"]
    return [
        mistake
        for pointer, file in shown
        if isinstance(file, dict) and file.get("id") not in pictures
        for mistake in at(pointer, "invalid slack file")
    ]


def _places(value: object, pointer: str) -> Iterator[tuple[str, str, object]]:
    """Every nested value, with its JSON pointer and its key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield f"{pointer}/{key}", str(key), part
        yield from _places(part, f"{pointer}/{key}")


def _repeated_ids(blocks: list[Json], pointer: str) -> Mistakes:
    """`block_id` and `action_id` must each be unique within a message or view."""
    seen: set[tuple[str, str]] = set()
    mistakes: Mistakes = []
    for index, block in enumerate(blocks):
        for part in every_object(block):
            for key in ("block_id", "action_id"):
                name = part.get(key)
                if isinstance(name, str) and (key, name) in seen:
                    mistakes += at(f"{pointer}/{index}", f'`{key}` "{name}" already exists for another element')
                if isinstance(name, str):
                    seen.add((key, name))
    return mistakes


def _with_ids(block: Json) -> Json:
    named: Json = {"block_id": _made_up_id(), **block}
    if isinstance(block.get("elements"), list):
        named["elements"] = [_with_action_id(element) for element in objects_at(block, "elements")]
    for key in ("element", "accessory"):
        element = block.get(key)
        if isinstance(element, dict):
            named[key] = _with_action_id(element)
    return named


def _with_action_id(element: Json) -> Json:
    return {"action_id": _made_up_id(), **element} if element.get("type") in INTERACTIVE else element


def _made_up_id() -> str:
    return secrets.token_urlsafe(4)[:5]
