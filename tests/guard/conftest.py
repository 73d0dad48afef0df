"""One guarded MLflow server for all ways around it, with and without MLflow's basic auth."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures import quick_directory
from tests.guard.guarded_server import guarded_mlflow, standing_in
from tests.guard.registry import Registry, seeded

ADMIN = "admin"
"""The account that may do everything in MLflow. The guard refuses it too."""
CONFIGURATION = """[mlflow]
default_permission = MANAGE
database_uri = sqlite:///{home}/accounts.db
admin_username = {admin}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
GUNICORN = ("--gunicorn-opts", "--timeout 0")
OPTIONS = {"uvicorn": (), "gunicorn": GUNICORN, "basic auth": (), "basic auth and gunicorn": GUNICORN}


@pytest.fixture(
    scope="package",
    params=["uvicorn", *(pytest.param(one, marks=pytest.mark.proof) for one in list(OPTIONS)[1:])],
)
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with quick_directory() as home, standing_in() as bot, signed_in(request.param, home) as (environ, account):
        bot.govern(())
        with guarded_mlflow(bot, home, OPTIONS[request.param], environ) as server:
            server.auth = account
            yield seeded(server)


@contextmanager
def signed_in(how: str, home: Path) -> Iterator[tuple[Mapping[str, str], tuple[str, str] | None]]:
    """What a server with basic auth needs, and the account of those who call it, for MLflow's client too."""
    if "basic auth" not in how:
        yield {}, None
        return
    password = secrets.token_urlsafe()
    (home / "auth.ini").write_text(CONFIGURATION.format(home=home, admin=ADMIN, password=password))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        yield (
            {
                "COUNTERSIGN_GUARD_BASIC_AUTH": "true",
                "MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"),
                "MLFLOW_AUTH_ADMIN_PASSWORD": password,
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(),
            },
            (ADMIN, password),
        )
