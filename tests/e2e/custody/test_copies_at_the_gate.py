"""What the gate says of copies in a target model when their originals are asked for again, or are renamed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import State, TransitionRequest
from tests.e2e.custody.test_nothing_destroyed import MODEL, copies, gate, prod, to_model
from tests.e2e.custody.test_rename_loopholes import swap_in
from tests.e2e.request.test_calling_off import press
from tests.e2e.request.test_freeze import window as freeze_window
from tests.fixtures.installation import Installation


def asked_again(installation: Installation, number: int) -> TransitionRequest:
    installation.ask(number)
    installation.sweep()
    request = installation.request(number, f"model:{prod(installation)}")
    installation.approve(request)
    return installation.reread(request)


@pytest.mark.proof
def test_a_copy_ships_on_while_a_new_approval_of_its_original_waits_and_after_it_was_called_off(
    installation: Installation,
) -> None:
    installation.use_policy(**MODEL)
    to_model(installation)
    to_model(installation)
    day = timedelta(days=1)
    window = freeze_window(installation.clock.now() - day, installation.clock.now() + 2 * day)
    installation.use_policy(**MODEL, extra="freezes: [stop]", top=f"freezes: {{stop: {{deny: {window}}}}}")

    again = asked_again(installation, 1)
    while_it_waits = gate(installation, 1)
    press(installation, "ben", again)

    assert (again.state, installation.reread(again).state) == (State.APPROVED, State.CALLED_OFF)
    assert copies(installation) == [1, 2]
    assert (while_it_waits[0], gate(installation, 1)[0]) == (True, True)


@pytest.mark.proof
def test_a_copy_lives_on_the_approval_of_its_original_under_any_name_and_not_of_what_has_that_name_now(
    installation: Installation,
) -> None:
    other = f"{installation.model}-other"
    installation.register(model=other)
    installation.register()
    installation.mlflow.copy_model_version(f"models:/{installation.model}/1", prod(installation))
    installation.use_policy(**MODEL)
    installation.sweep()
    to_model(installation)
    assert (gate(installation, 1)[0], gate(installation, 2)[0]) == (False, True)

    swap_in(installation, other)
    asked_again(installation, 1)

    assert copies(installation) == [1, 2, 3]
    assert [gate(installation, number)[0] for number in copies(installation)] == [False, True, True]
