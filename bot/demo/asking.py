"""The demo's way without a button: a person asks with a form in Slack, and another decides in Jira."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.demo.world import CHANNEL, Say, World
from bot.errors import DemoFailed
from bot.sandbox.slack.views import OpenView

FORM_OF = "/countersign"
WHY = "the office in Bilbao wants the first one back"
WHY_NOT = "the champion is better on the same data"


def decided_in_jira(world: World, model: str, version: int, say: Say) -> None:
    """Ben asks for a version that has lost its place, and Ana rejects it in Jira. Raises DemoFailed."""
    before = len(world.jira.issues())
    send_form(world, "ben", model, version, WHY)
    say(f"   Ben Okafor sent the form of {FORM_OF} request: {WHY}")
    world.wait_for("the ticket of the form", lambda: len(world.jira.issues()) > before)
    key = world.jira.issues()[0].key
    world.wait_for("the evidence in the ticket", lambda: "to reject" in str(world.jira.issue(key).description))
    world.jira.transition(key, "Decline", "ana", "Won't Do", WHY_NOT)
    say(f"   Ana Ruiz moved {key} to Won't Do: {WHY_NOT}")
    world.wait_for("the decision of the ticket", lambda: _is_rejected(world, model, version))
    if world.jira.issue(key).status.name != "Won't Do":
        raise DemoFailed(f"{key} was decided in Jira and did not stay where Ana had moved it")
    say("   the bot read that move in the ticket's history, and its card says that Ana Ruiz rejected it")


def send_form(world: World, who: str, model: str, version: int, reason: str) -> None:
    """Opens it again when Slack's three seconds were too short on a busy machine.

    When they were too short for the answer to the form, it was taken all the same: the bot records before it answers.
    """
    world.wait_for("the form", lambda: _opened(world, who, f"request {model} {version}"))
    world.slack.suggest(who, "ask.version", "")
    sent = world.slack.submit_view(who, _filled_in(world.slack.open_view_of(who), version, reason))
    if sent.errors:
        raise DemoFailed(f"the form was not taken: {dict(sent.errors)}")


def _opened(world: World, who: str, text: str) -> OpenView | None:
    if world.slack.open_view_of(who) is None:
        world.slack.command(who, FORM_OF, text, channel=CHANNEL)
    return world.slack.open_view_of(who)


def _filled_in(view: OpenView | None, version: int, reason: str) -> dict[str, str]:
    """By the names of the form's fields; what the command has filled in stays."""
    if view is None:
        raise DemoFailed("the form has gone again")
    given: Mapping[str, str] = {"version": str(version), "reason": reason}
    fields: dict[str, Any] = {str(block["block_id"]): block["element"] for block in _inputs(view)}
    return {name: given.get(name.partition(".")[0]) or _chosen(element) for name, element in fields.items()}


def _inputs(view: OpenView) -> list[dict[str, Any]]:
    blocks = view.content["blocks"]
    return [block for block in blocks if block["type"] == "input"] if isinstance(blocks, list) else []


def _chosen(element: Mapping[str, Any]) -> str:
    """What is chosen already, or else the first option."""
    option = element.get("initial_option") or element["options"][0]
    return str(option["value"])


def _is_rejected(world: World, model: str, version: int) -> bool:
    said = [message.all_text for message in world.slack.messages(CHANNEL) if f"{model} v{version}" in message.all_text]
    return any("Rejected" in text and WHY_NOT in text for text in said)
