"""A form that takes longer than Slack waits: it is answered in time, and whoever sent it hears how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs

from bot.domain.home.form import ModelRef, SentForm, target_key
from bot.domain.model import Ask, AskKind, Target, TargetKind
from handlers.home.sending import send
from handlers.request.asking import request_transition
from tests.e2e.home.forms import Form
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation
from tests.fixtures.workers import eventually

CHAMPION = Target(TargetKind.ALIAS, "champion")


@contextmanager
def late_form(
    open_installation: Callable[..., Installation],
    mlflow_server: str,
    first: Callable[[Installation], object] = lambda _installation: None,
) -> Iterator[Form]:
    """Open, with the model chosen, while MLflow takes four seconds for the next answer about it. A second version was deleted."""
    with fault_proxy(mlflow_server) as (proxy_url, faults):
        installation = open_installation(registry_url=proxy_url)
        for _each in range(2):
            installation.register()
        installation.sweep()
        form = Form(installation).open().choose_model()
        installation.mlflow.delete_model_version(installation.model, "2")
        first(installation)
        faults.add("slow", "registered-models/get", seconds=4)
        yield form


def test_who_joins_a_request_with_a_late_form_gets_a_message_that_says_so(
    open_installation: Callable[..., Installation], mlflow_server: str
) -> None:
    def ask(installation: Installation) -> None:
        request_transition(installation.model, 1, CHAMPION, "ana@example.com", "", Ask(AskKind.API), installation.s)

    with late_form(open_installation, mlflow_server, ask) as form:
        form.send()
        eventually(lambda: form.installation.told("cy"))

    assert "It is now your request too, so you may not vote on it." in form.installation.told("cy")


def test_a_late_form_that_fails_in_a_way_that_no_one_foresaw_says_so_and_is_logged(
    open_installation: Callable[..., Installation], mlflow_server: str
) -> None:
    with late_form(open_installation, mlflow_server) as form, capture_logs() as logged:
        form.send()
        with form.installation.s.store.engine.begin() as connection:
            connection.execute(sa.text("alter table requests rename to requests_elsewhere"))

        eventually(lambda: form.installation.told("cy"))

    assert "Nothing was asked. Open the form again." in form.installation.told("cy")
    (line,) = (one for one in logged if one["event"] == "form_not_asked")
    assert isinstance(line["exc_info"], ProgrammingError)


@pytest.mark.parametrize("error", [429, 503])
def test_the_message_about_a_late_form_is_sent_again_until_slack_takes_it(
    open_installation: Callable[..., Installation], mlflow_server: str, error: int
) -> None:
    with late_form(open_installation, mlflow_server) as form:
        form.send(2)
        form.installation.slack.faults.add("status", "chat.postMessage", status=error, times=2)

        eventually(lambda: form.installation.told("cy"))

    assert form.installation.told("cy").count("MLflow has no version 2 of") == 1


def test_the_form_waits_a_moment_for_mlflow_also_when_slack_was_slow_to_say_who_asks(
    installation: Installation,
) -> None:
    installation.register()
    installation.sweep()
    key = ModelRef("default", installation.model).key
    sent = SentForm("V1", key, key, "1", target_key(CHAMPION), "")
    begun = installation.s.clock.now() - timedelta(seconds=2.5)

    reply = send("U0CY0000003", sent, begun, installation.s)

    assert reply.title == "Asked"


@pytest.mark.parametrize("version", [1, pytest.param(2, id="a version that MLflow no longer has")])
def test_slack_is_answered_in_time_while_mlflow_takes_long_and_the_person_reads_how_it_ended(
    open_installation: Callable[..., Installation], mlflow_server: str, version: int
) -> None:
    with late_form(open_installation, mlflow_server) as form:
        installation = form.installation

        began = time.monotonic()
        form.send(version)
        took, said = time.monotonic() - began, form.text
        eventually(lambda: installation.requests() or installation.told("cy"))

    assert took < 3
    assert "Asking takes longer than usual" in said
    assert "MLflow" not in said
    assert [request.version.version for request in installation.requests()] == [version] * (version == 1)
    assert ("MLflow has no version 2 of" in installation.told("cy")) == (version == 2)
