"""No approval is carried out past a later one whose row is hidden: however it comes to its move, and whatever lies between the two."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import Ask, AskKind, State, TransitionRequest
from handlers.doors.clock import defer_sweeps
from handlers.registry.reconcile import defer_look
from handlers.request.asking import request_transition
from tests.builders import CHAMPION
from tests.e2e.custody.test_hidden_decisions import is_parked_as_changed, write
from tests.e2e.request.test_freeze import window
from tests.fixtures.installation import Installation

INTENT = """
insert into intents (request_id, workspace, model, target, from_version, to_version, at)
values (:id, 'default', :model, 'alias:champion', 1, 2, now())
"""


def freeze(installation: Installation) -> None:
    """v1 is champion, and nothing moves for two days."""
    installation.promoted()
    now = installation.clock.now()
    stop = f"freezes: {{stop: {{deny: {window(now - timedelta(days=1), now + timedelta(days=2))}}}}}"
    installation.use_policy(extra="freezes: [stop]", top=stop)


def thaw(installation: Installation) -> None:
    installation.clock.ahead += timedelta(days=3)
    with installation.s.store.transaction() as tx:
        defer_sweeps("thaw_approvals", tx)
    installation.settle_once()


def look(installation: Installation) -> None:
    """Sweeps would compare all rows, and tell of the hidden one."""
    with installation.s.store.transaction() as tx:
        defer_look(tx, "default", installation.model)
    installation.settle_once()


def hide(request: TransitionRequest, installation: Installation) -> None:
    write(installation, "update requests set target = 'alias:elsewhere' where id = :id", id=request.id)
    installation.settle_once()


def with_a_hidden_later_one(installation: Installation) -> TransitionRequest:
    """v2 and v3 are approved while nothing moves, and the row of v3's request is hidden. Returns that of v2."""
    freeze(installation)
    second = installation.asked()
    installation.approve(second)
    third = installation.asked()
    installation.click("ana", third, "approve")
    hide(third, installation)
    return second


@pytest.mark.parametrize("how", ["moved by hand", "an intent that is forged"])
def test_a_move_that_seems_to_be_made_or_begun_is_none(how: str, installation: Installation) -> None:
    second = with_a_hidden_later_one(installation)
    if how == "moved by hand":
        installation.ask(2, "champion")
        look(installation)
    else:
        write(installation, INTENT, id=second.id, model=installation.model)

    thaw(installation)

    assert installation.reread(second).state is State.APPROVED
    assert installation.champion() == (2 if how == "moved by hand" else 1)
    assert is_parked_as_changed(installation)


@pytest.mark.proof
def test_many_asks_after_it_do_not_hide_it(installation: Installation) -> None:
    with_a_hidden_later_one(installation)
    for _ in range(101):
        installation.ask(installation.register())
        look(installation)

    thaw(installation)

    assert installation.champion() == 1
    assert is_parked_as_changed(installation)


@pytest.mark.parametrize("is_hidden", [False, True])
def test_later_is_what_was_approved_later_whenever_it_was_asked_for(
    is_hidden: bool, installation: Installation
) -> None:
    freeze(installation)
    for _ in range(2):
        installation.register()
    third, second = (asked_in_words(number, installation) for number in (3, 2))
    installation.approve(second)
    installation.click("ana", third, "approve")
    if is_hidden:
        hide(third, installation)
    installation.settle_once()

    thaw(installation)

    assert installation.champion() == (1 if is_hidden else 3)


def asked_in_words(number: int, installation: Installation) -> TransitionRequest:
    made = request_transition(
        installation.model, number, CHAMPION, "ben@example.com", "", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle()
    return installation.reread(made)
