"""Which place a job outside means: never a guess between registries that may each have a model of the name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bot.domain.workspaces import Registry, watched
from bot.errors import Refused
from handlers.custody.places import Named, place_of

HOME, EU = "https://mlflow.example.com", "https://eu.example.com"
ONE = ()
TEAMS = (Registry("default", ("default", "team-a")),)
TWO = (*TEAMS, Registry("eu", ("default", "team-a"), EU, "https://eu.example.org"))


@dataclass
class Bot:
    """As far as the question needs it: the registries in force, and their addresses."""

    policy: tuple[Registry, ...]

    @property
    def registries(self) -> Any:
        return self if self._is_services else lambda: watched(self.policy)

    _is_services: bool = False

    def addresses(self, registry: Registry) -> tuple[str, ...]:
        return (HOME,) if registry.name == "default" else (registry.uri, registry.public_url)


def place(policy: tuple[Registry, ...], **named: str) -> str:
    return place_of(Named(**named), Bot(policy, True), Bot(policy))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "named", "found"),
    [
        (ONE, {}, "default"),
        (ONE, {"tracking_uri": "http://mlflow.internal:5000"}, "default"),
        (TEAMS, {"tracking_uri": "http://mlflow.internal:5000", "workspace": "team-a"}, "default/team-a"),
        (TEAMS, {"workspace": "default"}, "default"),
        (TWO, {"tracking_uri": HOME}, "default"),
        (TWO, {"tracking_uri": f"{EU}/"}, "eu/default"),
        (TWO, {"tracking_uri": "https://eu.example.org", "workspace": "team-a"}, "eu/team-a"),
        (TWO, {"tracking_uri": "http://eu.internal", "registry": "eu"}, "eu/default"),
        (TWO, {"registry": "eu", "workspace": "team-a"}, "eu/team-a"),
        (TWO, {"workspace": "eu/team-a"}, "eu/team-a"),
        (TWO, {"workspace": "default/default"}, "default"),
    ],
)
def test_a_job_is_at_home_where_its_variables_lead(
    policy: tuple[Registry, ...], named: dict[str, str], found: str
) -> None:
    assert place(policy, **named) == found


@pytest.mark.parametrize(
    ("policy", "named", "why"),
    [
        (ONE, {"workspace": "team-a"}, "is not watched"),
        (ONE, {"registry": "eu"}, "is not watched"),
        (TEAMS, {"workspace": "team-b"}, "is not watched"),
        (TWO, {}, "watches several registries"),
        (TWO, {"workspace": "team-a"}, "watches several registries"),
        (TWO, {"tracking_uri": "http://mlflow.internal:5000"}, "is the address of none of them"),
        (TWO, {"tracking_uri": EU, "registry": "default"}, 'is not at https://eu.example.com, which is that of "eu"'),
        (TWO, {"tracking_uri": EU, "workspace": "team-b"}, "is not watched"),
        (TWO, {"workspace": "us/default"}, "is not watched"),
        (TWO, {"workspace": "Eu/x"}, "is not a workspace"),
    ],
)
def test_what_could_be_one_of_several_places_is_refused(
    policy: tuple[Registry, ...], named: dict[str, str], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        place(policy, **named)
