"""A promotion through a storm of faults, and not one secret in anything that was written, said or kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest
import requests
import structlog

from bot.app import flask_app
from bot.domain.model import TransitionRequest
from bot.engine.rows import JobStatus
from bot.logs import write_logs
from bot.sandbox.serving import serving
from bot.services import Services
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation, services_with

STORM = ("down", "cut", "malformed", "status")


NOBODY_LISTENS = "postgresql://countersign:a-database-password@127.0.0.1:1/countersign?connect_timeout=2"


class BrokenClock:
    def now(self) -> datetime:
        raise RuntimeError("a bug of ours")


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    """The tests' own way of writing log lines comes back after the product's."""
    yield
    structlog.reset_defaults()


def click_elsewhere(installation: Installation, request: TransitionRequest, s: Services, url: str) -> int:
    """To a web process of other services."""
    usual = installation.slack.interactivity_url
    with serving(flask_app(s, installation.settings, url)) as elsewhere:
        installation.slack.interactivity_url = f"{elsewhere}/slack/events"
        status = installation.click("ana", request, "approve")
        installation.slack.interactivity_url = usual
        return status


def secrets_of(installation: Installation) -> dict[str, str]:
    settings = installation.settings
    return {
        "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value(),
        "SLACK_SIGNING_SECRET": settings.slack_signing_secrets[0].get_secret_value(),
        "JIRA_API_TOKEN": settings.jira_api_token.get_secret_value(),
        "JIRA_WEBHOOK_SECRET": settings.jira_webhook_secrets[0].get_secret_value(),
        "MLFLOW_WEBHOOK_SECRET": settings.mlflow_webhook_secrets[0].get_secret_value(),
        "MLFLOW_TRACKING_TOKEN": "a-tracking-token-of-the-tests",
        "COUNTERSIGN_API_TOKEN": settings.api_token.get_secret_value(),
        "DATABASE_URL": "a-database-password",
    }


def test_no_secret_is_logged_printed_shown_or_kept(
    open_installation: Callable[..., Installation],
    mlflow_server: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-tracking-token-of-the-tests")
    caplog.set_level(logging.INFO)
    write_logs()
    with fault_proxy(mlflow_server) as (registry_url, registry):
        installation = open_installation(registry_url=registry_url)
        installation.sweep()
        installation.ask(installation.register())
        for kind in STORM:
            for server in (installation.slack.faults, installation.jira.faults, registry):
                server.add(kind, times=2)
        installation.sweep()
        installation.settle_until(lambda: installation.requests() and installation.requests()[0].card)
        request = installation.requests()[0]
        installation.slack.post_signed("payload=nonsense")
        installation.slack.post_signed("payload=%7B%7D", secret="another")
        requests.post(
            f"{installation.url}/webhooks/mlflow", b"{}", headers={"X-MLflow-Signature": "v1,AAAA"}, timeout=10
        )
        broken = click_elsewhere(installation, request, replace(installation.s, clock=BrokenClock()), "")
        away = click_elsewhere(
            installation,
            request,
            services_with(installation.settings, NOBODY_LISTENS, installation.clock),
            NOBODY_LISTENS,
        )
        installation.slack.app.revoked = True
        installation.click("ana", request, "approve")
        installation.settle_all()
        installation.slack.app.revoked = False
        installation.click("ana", request, "approve")
        installation.s.store.jobs.replay_all()
        installation.settle_all()
        metrics_page = requests.get(f"{installation.status_url}/metrics", timeout=10).text

    out, err = capfd.readouterr()
    with installation.s.store.transaction() as tx:
        ledger = "\n".join(entry.body for entry in tx.ledger.entries())
    errors = "\n".join(error.error for job in installation.s.store.jobs.listing(limit=1_000) for error in job.errors)
    shown = "\n".join(
        str(message) for message in [*installation.slack.messages("model-approvals"), *installation.jira.issues()]
    )
    places = {
        "log records": "\n".join(record.getMessage() + str(record.exc_text or "") for record in caplog.records),
        "stdout and stderr": out + err,
        "the ledger": ledger,
        "the jobs' errors": errors,
        "cards and tickets": shown,
        "metrics": metrics_page,
        "representations": repr(installation.s) + repr(installation.settings),
    }
    assert (broken, away) == (500, 503)
    assert "a bug of ours" in out
    assert errors.count("\n") > 5
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []
    leaks = [
        (secret, place)
        for secret, value in secrets_of(installation).items()
        for place in places
        if value in places[place]
    ]
    assert leaks == []


def test_no_address_of_who_trained_or_committed_gets_into_the_ledger(installation: Installation) -> None:
    """Ana is in the policy and Zoe is not; the card names both."""
    committed = {"mlflow.source.git.commit": "4f1c2aa0", "countersign.commit_author": "ana@example.com"}

    request = installation.asked(installation.register(user="zoe@example.org", tags=committed))
    installation.reject(request, "worse on rainy days", "ben")

    with installation.s.store.transaction() as tx:
        ledger = "\n".join(entry.body for entry in tx.ledger.entries())
    assert request.evidence is not None
    assert "@example" not in ledger
    assert "zoe@example.org (as the run says, not in the policy's people)" in installation.card(request).all_text
    assert "Ana Ruiz" in installation.details(request)
