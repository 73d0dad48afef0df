"""The demo's move by hand: somebody gives `@champion` to a version that was rejected, and the guard of the MLflow server refuses it."""

from __future__ import annotations

from http import HTTPStatus

import requests

from bot.demo.guard import HOW
from bot.demo.world import Say, World
from bot.errors import DemoFailed

AS_THE_PAGE_DOES = "/ajax-api/2.0/mlflow/registered-models/alias"


def refused_by_the_registry(world: World, model: str, version: int, say: Say) -> None:
    """The very request of MLflow's own page. Raises DemoFailed when it is not refused."""
    say(f"4. Somebody gives champion to v{version} all the same, by hand, in MLflow.")
    if world.guard is None:
        say(
            f"   This is left out: the MLflow server has no guard, because its plugin is not installed. Install it with: {HOW}"
        )
        return
    move = {"name": model, "alias": "champion", "version": str(version)}
    answer = requests.post(f"{world.addresses['mlflow']}{AS_THE_PAGE_DOES}", json=move, timeout=30)
    if answer.status_code != HTTPStatus.FORBIDDEN:
        raise DemoFailed(
            f"MLflow answered {answer.status_code} to a move by hand, which its guard refuses: {answer.text}"
        )
    say(f"   MLflow refuses it: {answer.json()['message']}")
