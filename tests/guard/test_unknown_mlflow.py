"""On an MLflow that it does not know the guard does not start, and says so: half a guard is worse than none."""

from __future__ import annotations

from pathlib import Path

import pytest
from countersign_guard.app import check_version
from countersign_guard.routes import NotGuarded, check_flask_routes, check_native_routes
from flask import Flask

from bot.sandbox.mlflow_server import ServerFailed, running_mlflow
from tests.compat.servers import OLDEST, oldest_beside_ours
from tests.guard.guarded_server import settings_of, standing_in


def test_a_new_route_for_writing_stops_the_server_and_is_named() -> None:
    app = Flask("of the next MLflow")
    app.add_url_rule("/api/2.0/mlflow/registered-models/move-alias", "_move_alias", methods=["POST"])

    with pytest.raises(NotGuarded, match=r"it can write by \['POST'\] /api/2.0/mlflow/registered-models/move-alias"):
        check_flask_routes(app)


def test_a_new_route_of_fastapi_stops_the_server_and_is_named() -> None:
    def promote_model() -> None:
        """Of the next MLflow."""

    with pytest.raises(NotGuarded, match=r"it serves .*promote_model.*It guards all or does not start"):
        check_native_routes([promote_model])


@pytest.mark.parametrize("version", ["2.22.5", "3.7.0", "3.7.1rc0"])
def test_an_mlflow_older_than_those_that_were_tried_is_refused(version: str) -> None:
    with pytest.raises(NotGuarded, match=r"older than 3\.8.*Upgrade MLflow"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.8.0", "3.8.0.dev0", "3.17.2", "4.0.0"])
def test_any_other_version_is_judged_by_its_routes(version: str) -> None:
    check_version(version)


@pytest.mark.proof
def test_mlflow_2_does_not_start_with_the_guard_and_its_log_says_why(tmp_path: Path) -> None:
    mlflow = tmp_path / "mlflow"
    options = ("--app-name", "countersign")
    with standing_in() as bot:
        environ = {"PYTHONPATH": str(oldest_beside_ours()), **settings_of(bot, tmp_path)}
        with pytest.raises(ServerFailed), running_mlflow(mlflow, options=options, environ=environ):
            pytest.fail("the server has started")

    log = (mlflow / "mlflow.log").read_text()
    assert f"countersign-guard does not know this MLflow ({OLDEST})" in log
    assert "It guards all or does not start" in log
