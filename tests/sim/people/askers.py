"""What people ask for in words, and what they press. Each returns whether it was possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from bot.domain.card.card import Button
from bot.domain.model import Ask, AskKind, Kind, Target
from bot.domain.request.shown import read_value
from bot.ports import Click
from handlers.conversation import questions, reassigning
from handlers.request import approvals, rollbacks
from handlers.request.asking import request_transition
from handlers.request.buttons import call_off, roll_back
from tests.sim.messengers import APP, TEAM, Message
from tests.sim.people.picks import (
    BIKE,
    a_version,
    about,
    target_text,
    versions_of,
)
from tests.sim.world import Asked, Human, World

STORIES = {
    "approve": approvals.press,
    "reject": approvals.press,
    "roll_back": roll_back.press,
    "call_off": call_off.press,
    "ask": questions.ask,
    "answer": questions.answer,
    "reassign": reassigning.reassign,
}


FORMS = ("ask", "answer", "reassign")  # a sent form of these is no vote


def ask_in_words(world: World, random: Random) -> bool:
    version = a_version(world, random, BIKE)
    if version is None:
        return False
    human = world.humans[random.choice(["dan", "ana", "ben", "bea"])]
    target = Target.parse(target_text(world))

    def body() -> None:
        request = request_transition(
            version.model, version.version, target, human.email, "for spring", Ask(AskKind.COMMAND), world.s
        )
        world.asked.append(Asked(human.name, version, target, request.id, world.clock.now()))

    world.begin(f"{human.name} asks for {version} to reach {target}", body)
    return True


def ask_for_rollback(world: World, random: Random) -> bool:
    target, human = Target.parse(target_text(world)), world.humans[random.choice(["dan", "ana", "ben"])]
    number = random.choice([None, *[one.version for one in versions_of(world, BIKE)]])

    def body() -> None:
        ask = Ask(AskKind.ROLLBACK)
        request = rollbacks.roll_back(BIKE, target, number, "it was bad", human.email, ask, world.s)
        world.asked.append(Asked(human.name, request.version, target, request.id, world.clock.now()))
        if request.kind is not Kind.ROLLBACK:
            world.violate(
                "a rollback was swallowed", f"{request.short_id} is a {request.kind}, which is {request.state}"
            )

    world.begin(f"{human.name} asks to roll {target} back to {f'v{number}' if number else 'the one before'}", body)
    return True


def press(world: World, random: Random) -> bool:
    """A button on some card; most people who press approve."""
    shown = [(message, button) for message in world.notifier.messages for button in message.card.buttons]
    if not shown:
        return False
    message, button = random.choice(shown)
    if button.action == "reject" and random.random() < 0.4:
        message, button = next(((m, b) for m, b in shown if m is message and b.action == "approve"), (message, button))
    parties = [one.human for one in world.asked if one.request_id == read_value(button.value)[0]]
    human = world.humans[random.choice(["ana", "ben", "bea", "ana", "ben", "cy", *parties])]
    world.begin(
        f"{human.name} presses {button.action} on {about(world, button)}", _pressing(world, human, message, button)
    )
    return True


def quorum_presses(world: World, random: Random) -> bool:
    """All who may approve do so, one after the other."""
    shown = [(m, b) for m in world.notifier.messages for b in m.card.buttons if b.action == "approve"]
    if not shown:
        return False
    message, button = random.choice(shown)
    for name in random.sample(["ana", "ben", "bea"], 3):
        human = world.humans[name]
        world.begin(f"{name} presses approve on {about(world, button)}", _pressing(world, human, message, button))
    return True


def call_off(world: World, random: Random) -> bool:
    """What is approved and not applied yet is taken back, by somebody who may or may not."""
    shown = [(m, b) for m in world.notifier.messages for b in m.card.buttons if b.action == "call_off"]
    if not shown:
        return False
    message, button = random.choice(shown)
    human = world.humans[random.choice(["ana", "ben", "dan"])]
    world.begin(f"{human.name} calls off {about(world, button)}", _pressing(world, human, message, button))
    return True


def _pressing(world: World, human: Human, message: Message, button: Button) -> Callable[[], None]:
    value, shown = read_value(button.value)
    place, other = (TEAM, APP, message.channel, message.ts), world.humans["ben"]
    click = Click(*place, human.account, button.action, value, "trigger", shown=shown)

    def body() -> None:
        story = STORIES[button.action]
        if story(world.notifier.signed(click), world.s).asked:
            filled_in = replace(click, reason="because I say so", is_form=button.action in FORMS, chosen=other.account)
            story(world.notifier.signed(filled_in), world.s)

    return body
