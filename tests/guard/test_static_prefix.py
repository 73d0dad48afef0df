"""A guarded server below a path: MLflow's pages and their API move there, and the guard with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from bot.sandbox.mlflow_server import running_mlflow
from tests.fixtures.mlflow_seed import client_of, new_version
from tests.fixtures.mlflow_server import SERVED_BY
from tests.guard.guarded_server import settings_of, standing_in, wait_until
from tests.guard.registry import AJAX, ALIAS, RULES, refused

pytestmark = pytest.mark.proof


def test_nothing_gets_past_below_a_path(tmp_path: Path) -> None:
    move = {"name": "bike-demand", "alias": "champion", "version": "1"}
    guard = ("--app-name", "countersign")
    with standing_in() as bot:
        bot.govern(())
        environ, home = settings_of(bot, tmp_path), tmp_path / "mlflow"
        with running_mlflow(home, options=guard, environ=environ, python=SERVED_BY, below="/ml") as url:
            client = client_of(url)
            client.create_registered_model("bike-demand")
            new_version(client, "bike-demand")
            bot.govern(RULES)

            def called(method: str, path: str, body: object) -> requests.Response:
                return requests.request(method, f"{url}{path}", json=body, timeout=60)

            wait_until(lambda: called("DELETE", ALIAS, move).status_code == 403)  # which does nothing until then
            for path in (ALIAS, f"{AJAX}/registered-models/alias", f"/{ALIAS}"):
                refused(called("POST", path, move), "governed by Countersign")
            refused(called("DELETE", ALIAS, move), "governed by Countersign")
            assert called("POST", ALIAS, move | {"alias": "x"}).ok
            assert dict(client.get_registered_model("bike-demand").aliases) == {"x": "1"}
