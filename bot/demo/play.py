"""What `countersign demo --auto` plays: three versions, one for each way to decide, a move by hand that the registry refuses,
and a form that is decided in Jira.

Every step is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.demo.asking import decided_in_jira
from bot.demo.by_hand import refused_by_the_registry
from bot.demo.evidence import at_the_gate, the_ledger_holds, walk_back
from bot.demo.passkeys import device, last_link, make_passkey, use
from bot.demo.world import CHANNEL, Say, World, find_card, train
from bot.errors import DemoFailed
from bot.sandbox.slack import Message

if TYPE_CHECKING:
    from playwright.sync_api import Page

GOOD_ENOUGH = ()  # the pipeline's own params: mae 26
BETTER = ("train.learning_rate=0.1", "train.max_iter=120")
BAD = ("train.learning_rate=0.01",)
WHY_NOT = "its error is twice the champion's"


def play(world: World, say: Say) -> None:
    """Presses the buttons as people would. Raises DemoFailed when an expected result does not appear."""
    say("1. The first version. There is no champion to compare it with, so the fast track leaves it to people.")
    model, version = train(world, say, *GOOD_ENOUGH)
    if world.browser is None:
        people_approve(world, model, version, say)
    else:
        with device(world.browser) as page:
            make_passkey(world, page, say)
            people_approve(world, model, version, say, page)

    say("2. A better version. It meets the rule's thresholds, on the same data as the champion, so nobody has to wait.")
    model, version = train(world, say, *BETTER)
    it_passes_by_itself(world, model, version, say)

    say("3. A bad version. The fast track holds it, and Bea Baker, who trained it, would like to approve it herself.")
    model, version = train(world, say, *BAD)
    people_reject(world, model, version, say)
    if _champion(world, model) == version:
        raise DemoFailed(f"{model} v{version} was rejected and holds champion all the same")

    refused_by_the_registry(world, model, version, say)
    if _champion(world, model) == version:
        raise DemoFailed(f"{model} v{version} was given champion by hand")

    say(
        "5. Without a button: Ben Okafor asks for the first version again with a form in Slack, and Ana Ruiz decides in Jira."
    )
    decided_in_jira(world, model, 1, say)

    say(
        f"checked: MLflow says models:/{model}@champion is version {_champion(world, model)}, and nobody had to wait for it"
    )
    for issue in reversed(world.jira.issues()):
        say(f"checked: Jira says {issue.key} is {issue.status.name}")
    champion = _champion(world, model)
    walk_back(world, model, say)
    at_the_gate(world, model, champion or 0, version, say)
    the_ledger_holds(world, say)


def people_approve(world: World, model: str, version: int, say: Say, page: Page | None = None) -> None:
    """Two people of different groups; on `page`, the second signs with a passkey."""
    card = _card(world, model, version)
    _press(world, "ana", "approve", card, lambda: "Needs 1 more approval: 1 of risk" in _now(world, card).all_text)
    say("   Ana Ruiz (ml-leads) pressed Approve; the rule wants somebody of risk as well")
    if page is None:
        _press(world, "cy", "approve", card, lambda: "approve" not in _now(world, card).buttons)
        say("   Cy Lindqvist (risk) pressed Approve")
    else:
        _sign(world, card, page, say)
    world.wait_for("the move of the alias", lambda: _champion(world, model) == version)
    world.wait_for("the closing of the ticket", lambda: _status(world, version) == "Done")
    say(f"   {model} v{version} is champion, and its ticket is closed")


def _sign(world: World, card: str, page: Page, say: Say) -> None:
    _press(world, "cy", "approve", card, lambda: "/confirm/" in last_link(world, "cy"))
    say("   Cy Lindqvist (risk) pressed Approve, which counts once Cy's passkey has signed it")
    use(page, last_link(world, "cy"), "Approve with my passkey", "Signed and recorded")
    world.wait_for("the end of the vote", lambda: "approve" not in _now(world, card).buttons)
    say("   Cy signed on the bot's page: model, version, evidence and meaning, with a key that only Cy's device has")


def it_passes_by_itself(world: World, model: str, version: int, say: Say) -> None:
    world.wait_for("the move of the alias", lambda: _champion(world, model) == version)
    world.wait_for("the closing of the ticket", lambda: _status(world, version) == "Done")
    world.wait_for("the way back on its card", lambda: "roll_back" in _buttons(world, model, version))
    say(f"   {model} v{version} is champion: the fast track let it through; its card offers Undo and no Approve")


def people_reject(world: World, model: str, version: int, say: Say) -> None:
    """Its author may not decide on it, so another person does."""
    card = _card(world, model, version)
    _press(world, "bea", "approve", card, lambda: "someone else" in _private_reply(world, "bea"))
    say(f"   Bea Baker pressed Approve and was told: {_private_reply(world, 'bea')}")
    _press(world, "ana", "reject", card, lambda: world.slack.open_view_of("ana"))
    world.wait_for("the form's end", lambda: not world.slack.submit_view("ana", {"reason": WHY_NOT}).errors)
    say(f"   Ana Ruiz pressed Reject: {WHY_NOT}")
    world.wait_for("the closing of the ticket", lambda: _status(world, version) == "Won't Do")


def _press(world: World, who: str, button: str, card: str, came_of_it: Callable[[], object]) -> None:
    """Presses again when the bot asks for it: on a busy machine an answer may take longer than Slack waits."""
    heard = len(world.slack.ephemerals(who))
    status = world.slack.click(who, CHANNEL, card, button)

    def came_true() -> object:
        nonlocal heard, status
        found = came_of_it()
        if not found and button in _now(world, card).buttons:
            new = [message.all_text for message in world.slack.ephemerals(who)[heard:]]
            heard += len(new)
            if status != HTTPStatus.OK or any("press again" in text.lower() for text in new):
                status = world.slack.click(who, CHANNEL, card, button)
        return found

    world.wait_for(f"what {who}'s {button} leads to", came_true)


def _card(world: World, model: str, version: int) -> str:
    world.wait_for(f"the card of v{version}", lambda: find_card(world, model, version))
    card = find_card(world, model, version)
    if card is None:
        raise DemoFailed(f"the card of v{version} has gone again")
    return card.ts


def _now(world: World, card: str) -> Message:
    return next(message for message in world.slack.messages(CHANNEL) if message.ts == card)


def _private_reply(world: World, who: str) -> str:
    """The last message that only this person could see."""
    return "".join(message.all_text for message in world.slack.ephemerals(who)[-1:])


def _buttons(world: World, model: str, version: int) -> set[str]:
    said = (message for message in world.slack.messages(CHANNEL) if not message.is_reply)
    found = [message for message in said if f"{model} v{version} →" in message.all_text]
    return set(found[-1].buttons) if found else set()


def _champion(world: World, model: str) -> int | None:
    held = world.mlflow.get_registered_model(model).aliases.get("champion")
    return int(held) if held else None


def _status(world: World, version: int) -> str:
    """The status of the version's ticket. Tickets were opened in the order of the versions."""
    issues = world.jira.issues()[::-1]
    return str(issues[version - 1].status.name) if len(issues) >= version else ""
