"""The first sweep of a registry that is already full: it records who holds what, and asks nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.domain.events import BaselineTaken, RequestOpened
from bot.domain.model import AskKind, Kind, State
from handlers.registry import reconcile
from handlers.request import asking
from tests.fixtures.installation import CHANNEL, House

WITH_STAGES = "[{alias: candidate}, {tag: countersign.ask}, {stage: Staging}, {new_version: true}]"


def fill_registry(house: House) -> None:
    """v1 is champion and in Production, v2 is in Staging, v3 is a candidate that is tagged as well."""
    for _ in range(3):
        house.register()
    house.ask(1, "champion")
    house.ask(3)
    house.mlflow.set_model_version_tag(house.model, "3", "countersign.ask", "yes")
    house.stage(1, "Production")
    house.stage(2, "Staging")


def notes(house: House) -> list[str]:
    return [said.all_text for said in house.slack.messages(CHANNEL) if "Baseline taken" in said.all_text]


def test_the_first_sweep_of_a_full_registry_asks_nothing(open_house: Callable[..., House]) -> None:
    house = open_house(ask_on=WITH_STAGES)
    fill_registry(house)

    house.sweep()
    house.sweep()

    assert house.requests() == []
    assert house.happened() == []
    assert house.cards() == []
    assert house.jira.issues() == []


def test_the_baseline_is_told_once_with_its_figures(open_house: Callable[..., House]) -> None:
    house = open_house()
    fill_registry(house)

    house.sweep()
    house.sweep()

    figures = re.search(r"(\d+) models watched, (\d+) targets held without an approval", "".join(notes(house)))
    assert figures is not None
    taken = house.entries(BaselineTaken)
    assert [(str(entry["models"]), str(entry["held"])) for entry in taken] == [figures.groups()]
    assert int(figures[1]) >= 1
    assert int(figures[2]) >= 2
    assert "countersign adopt" in notes(house)[0]
    assert len(notes(house)) == 1


def test_adopting_turns_the_holders_into_requests_to_ratify(open_house: Callable[..., House]) -> None:
    house = open_house()
    fill_registry(house)
    house.sweep()

    asking.adopt(house.s)
    asking.adopt(house.s)
    house.settle()
    adopted = house.requests()
    wanted = house.card(adopted[0])
    house.approve(adopted[0])

    assert [(one.version.version, one.kind, one.ask.kind) for one in adopted] == [(1, Kind.OBSERVED, AskKind.ADOPTED)]
    assert {"Ratify", "Reject"} <= set(wanted.all_text.splitlines())
    assert house.champion() == 1
    assert house.reread(adopted[0]).state is State.APPLIED
    assert house.ticket_status(adopted[0]) == "Done"
    assert asking.adopt(house.s) == []


def test_rejecting_what_was_held_before_moves_nothing_and_says_so(open_house: Callable[..., House]) -> None:
    house = open_house()
    fill_registry(house)
    house.sweep()
    (adopted,) = asking.adopt(house.s)
    house.settle()

    house.reject(adopted, "Nobody remembers why.")
    house.sweep()

    said = house.card(adopted).all_text
    assert house.champion() == 1
    assert said.startswith(f"Rejected: {house.model} v1")
    assert f"champion is held by {house.model} v1 now; Countersign did not move it" in said
    assert "rejected: the version stays where it is, without an approval" in house.comments(adopted)
    assert f"champion is held by {house.model} v1 now; Countersign did not move it" in house.comments(adopted)
    assert "back" not in said + house.comments(adopted)
    assert house.ticket_status(adopted) == "Won't Do"


def test_what_was_held_before_the_baseline_is_where_a_move_is_put_back_to(open_house: Callable[..., House]) -> None:
    house = open_house()
    fill_registry(house)
    house.sweep()
    asking.adopt(house.s)
    house.settle()

    house.move(2)
    house.reject(house.request(2), "Not without asking.")

    assert house.champion() == 1


def test_what_asked_before_the_baseline_asks_when_it_is_set_anew(open_house: Callable[..., House]) -> None:
    house = open_house(ask_on="[{alias: candidate}]")
    fill_registry(house)
    house.sweep()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    house.ask(3)
    house.sweep()

    assert house.request(3).state is State.PENDING


def test_a_rename_after_the_baseline_asks_nothing(open_house: Callable[..., House]) -> None:
    house = open_house(ask_on=WITH_STAGES)
    fill_registry(house)
    house.sweep()

    house.mlflow.rename_registered_model(house.model, f"{house.model}-renamed")
    house.sweep()
    house.sweep()

    assert house.requests() == []
    assert house.happened() == []


def test_a_rename_to_a_name_that_sorts_first_asks_nothing(open_house: Callable[..., House]) -> None:
    house = open_house(ask_on=WITH_STAGES)
    fill_registry(house)
    house.sweep()
    renamed = f"a-{house.model}"

    house.mlflow.rename_registered_model(house.model, renamed)
    house.sweep()

    assert [entry for entry in house.entries(RequestOpened) if entry["version"]["model"] == renamed] == []
    with house.s.store.transaction() as tx:
        held = {str(one.target): one.version.version for one in tx.registry.placements("default", renamed)}
    assert held["alias:champion"] == 1


def test_a_model_made_after_the_baseline_asks_even_when_all_is_set_at_its_first_sight(house: House) -> None:
    fill_registry(house)

    house.sweep()

    assert house.request(3).state is State.PENDING
    assert (house.request(1).kind, house.request(1).state) == (Kind.OBSERVED, State.PENDING)


def test_a_hint_that_comes_before_the_baseline_asks_nothing(open_house: Callable[..., House]) -> None:
    house = open_house()
    fill_registry(house)

    reconcile.look_at(f"default/{house.model}", house.s)
    house.sweep()

    assert house.requests() == []
    assert house.happened() == []
