"""The menus of the form: only what a rule governs, in places that are told apart, and never more than a menu takes."""

from __future__ import annotations

from itertools import islice

import pytest

from bot.clients.slack.home.forms import ask_form, choices_of
from bot.domain.home.form import (
    OFFERED,
    ModelRef,
    form_for,
    governed_targets,
    model_choices,
    numbers_like,
    target_key,
    version_choice,
)
from bot.domain.model import State, Target, TargetKind
from bot.sandbox.slack.block_kit.validation import checked_suggestions, checked_view
from tests.builders import a_policy, a_rule

CHAMPION = Target(TargetKind.ALIAS, "champion")
POLICY = a_policy(a_rule())
BIKE = ModelRef("default", "bike-demand")


def test_only_models_of_which_a_rule_governs_a_target_are_offered() -> None:
    offered = model_choices([BIKE, ModelRef("default", "other"), ModelRef("eu/team-a", "bike-demand")], POLICY)

    assert [choice.label for choice in offered] == ["bike-demand"]
    assert list(governed_targets(BIKE, POLICY)) == [target_key(CHAMPION)]


def test_a_menu_gets_at_most_what_it_takes_and_long_names_keep_both_ends() -> None:
    models = [ModelRef("default", f"bike-{'x' * 200}-{number:03}") for number in range(150)]

    offered = checked_suggestions(choices_of(model_choices(models, POLICY)))

    assert len(offered) == OFFERED
    assert len({option["value"] for option in offered}) == OFFERED
    assert all(str(option["text"]["text"]).endswith(f"-{place:03}") for place, option in enumerate(offered))  # type: ignore[index]


def test_the_same_name_in_two_places_is_two_models() -> None:
    assert ModelRef("default", "bike").key != ModelRef("eu/team-a", "bike").key
    assert ModelRef("eu/team-a", "bike").label == "bike in eu/team-a"


@pytest.mark.parametrize(
    ("typed", "found"), [("", [12, 11, 10]), ("1", [12, 11, 10]), ("V2", [2]), (" 13", []), ("champion", []), ("²", [])]
)
def test_versions_are_found_by_the_beginning_of_their_number(typed: str, found: list[int]) -> None:
    assert list(islice(numbers_like(typed, 12), 3)) == found


def test_a_version_says_what_it_holds_else_what_was_asked_for_it() -> None:
    assert version_choice(7, [CHAMPION], (State.REJECTED, CHAMPION)).detail == "holds alias:champion"
    assert version_choice(7, [], (State.REJECTED, CHAMPION)).detail == "rejected for alias:champion"
    assert version_choice(7, [], None).detail == ""


def test_a_model_that_no_rule_governs_any_more_says_what_to_do() -> None:
    form = form_for(ModelRef("default", "other"), POLICY)

    assert form.targets == ()
    assert form.notice.startswith("No rule of the policy governs a target of other.")
    checked_view(ask_form(form))
