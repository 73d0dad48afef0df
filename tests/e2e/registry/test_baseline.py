"""The first sweep of a registry that is already full: it records who holds what, and asks nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.domain.events import BaselineTaken, RequestOpened
from bot.domain.model import AskKind, Kind, State
from handlers.registry import reconcile
from handlers.request import adopting
from tests.fixtures.installation import CHANNEL, Installation

WITH_STAGES = "[{alias: candidate}, {tag: countersign.ask}, {stage: Staging}, {new_version: true}]"


def fill_registry(installation: Installation) -> None:
    """v1 is champion and in Production, v2 is in Staging, v3 is a candidate that is tagged as well."""
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.ask(3)
    installation.mlflow.set_model_version_tag(installation.model, "3", "countersign.ask", "yes")
    installation.stage(1, "Production")
    installation.stage(2, "Staging")


def notes(installation: Installation) -> list[str]:
    return [said.all_text for said in installation.slack.messages(CHANNEL) if "Baseline taken" in said.all_text]


def test_the_first_sweep_of_a_full_registry_asks_nothing(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(ask_on=WITH_STAGES)
    fill_registry(installation)

    installation.sweep()
    installation.sweep()

    assert installation.requests() == []
    assert installation.happened() == []
    assert installation.cards() == []
    assert installation.jira.issues() == []


def test_the_baseline_is_told_once_with_its_figures(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation()
    fill_registry(installation)

    installation.sweep()
    installation.sweep()

    figures = re.search(r"(\d+) models?, (\d+) targets? without an approval", "".join(notes(installation)))
    assert figures is not None
    taken = installation.entries(BaselineTaken)
    assert [(str(entry["models"]), str(entry["held"])) for entry in taken] == [figures.groups()]
    assert int(figures[1]) >= 1
    assert int(figures[2]) >= 2
    assert "countersign adopt" in notes(installation)[0]
    assert len(notes(installation)) == 1


def test_adopting_turns_the_holders_into_requests_to_ratify(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation()
    fill_registry(installation)
    installation.sweep()

    adopting.adopt(installation.s)
    adopting.adopt(installation.s)
    installation.settle()
    adopted = installation.requests()
    wanted = installation.card(adopted[0])
    installation.approve(adopted[0])

    assert [(one.version.version, one.kind, one.ask.kind) for one in adopted] == [(1, Kind.OBSERVED, AskKind.ADOPTED)]
    assert {"Ratify", "Reject"} <= set(wanted.all_text.splitlines())
    assert installation.champion() == 1
    assert installation.reread(adopted[0]).state is State.APPLIED
    assert installation.ticket_status(adopted[0]) == "Done"
    assert adopting.adopt(installation.s) == []


def test_rejecting_what_was_held_before_moves_nothing_and_says_so(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    fill_registry(installation)
    installation.sweep()
    (adopted,) = adopting.adopt(installation.s)
    installation.settle()

    installation.reject(adopted, "Nobody remembers why.")
    installation.sweep()

    said = installation.card(adopted).all_text
    assert installation.champion() == 1
    assert f"Rejected: {installation.model} v1" in said
    assert f"champion is held by {installation.model} v1 now; Countersign did not move it" in said
    assert "rejected: the version stays where it is, without an approval" in installation.comments(adopted)
    assert f"champion is held by {installation.model} v1 now; Countersign did not move it" in installation.comments(
        adopted
    )
    assert "back" not in said + installation.comments(adopted)
    assert installation.ticket_status(adopted) == "Won't Do"


def test_what_was_held_before_the_baseline_is_where_a_move_is_put_back_to(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    fill_registry(installation)
    installation.sweep()
    adopting.adopt(installation.s)
    installation.settle()

    installation.move(2)
    installation.reject(installation.request(2), "Not without asking.")

    assert installation.champion() == 1


def test_what_asked_before_the_baseline_asks_when_it_is_set_anew(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(ask_on="[{alias: candidate}]")
    fill_registry(installation)
    installation.sweep()

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    installation.ask(3)
    installation.sweep()

    assert installation.request(3).state is State.PENDING


def test_a_rename_after_the_baseline_asks_nothing(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(ask_on=WITH_STAGES)
    fill_registry(installation)
    installation.sweep()

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-renamed")
    installation.sweep()
    installation.sweep()

    assert installation.requests() == []
    assert installation.happened() == []


def test_a_rename_to_a_name_that_sorts_first_asks_nothing(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(ask_on=WITH_STAGES)
    fill_registry(installation)
    installation.sweep()
    renamed = f"a-{installation.model}"

    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()

    assert [entry for entry in installation.entries(RequestOpened) if entry["version"]["model"] == renamed] == []
    with installation.s.store.transaction() as tx:
        held = {str(one.target): one.version.version for one in tx.registry.placements("default", renamed)}
    assert held["alias:champion"] == 1


def test_a_model_made_after_the_baseline_asks_even_when_all_is_set_at_its_first_sight(
    installation: Installation,
) -> None:
    fill_registry(installation)

    installation.sweep()

    assert installation.request(3).state is State.PENDING
    assert (installation.request(1).kind, installation.request(1).state) == (Kind.OBSERVED, State.PENDING)


def test_a_hint_that_comes_before_the_baseline_asks_nothing(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation()
    fill_registry(installation)

    reconcile.reconcile_model(f"default/{installation.model}", installation.s)
    installation.sweep()

    assert installation.requests() == []
    assert installation.happened() == []
