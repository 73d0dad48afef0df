"""One promotion is one trace, and no span tells a secret or a name. The spans are real, and so are MLflow, the jobs and the clients."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from bot import tracing
from bot.domain.model import State
from bot.tracing.routes import shape_of
from bot.tracing.settings import read_plan
from bot.tracing.spans import SteadyExporter
from tests.e2e.registry.test_webhook import event, signed
from tests.fixtures.installation import API_TOKEN, MLFLOW_SECRET, PEOPLE, SLACK_SECRET, Installation

REQUEST = uuid.UUID(int=0x1234).hex


@dataclass
class Seen:
    exporter: InMemorySpanExporter

    def trace(self, trace_id: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if trace_of(span) == trace_id]

    def way_to(self, span: ReadableSpan) -> list[str]:
        """The names from the root to the span."""
        by_id = {one.context.span_id: one for one in self.exporter.get_finished_spans() if one.context}
        above = self.way_to(by_id[span.parent.span_id]) if span.parent else []
        return [*above, span.name]


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def facts_of(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.fixture
def seen() -> Iterator[Seen]:
    exporter = InMemorySpanExporter()
    tracing.start({}, "tests", exporter)
    yield Seen(exporter)
    tracing.finish()


def asked_by_webhook(installation: Installation) -> None:
    installation.register()
    installation.ask(1)
    body = event(installation)
    requests.post(f"{installation.url}/webhooks/mlflow", data=body, headers=signed(body), timeout=10)
    installation.settle()


def test_one_promotion_is_one_trace_from_the_webhook_to_the_move(installation: Installation, seen: Seen) -> None:
    asked_by_webhook(installation)
    request = installation.request(1)

    installation.approve(request)

    assert installation.champion() == 1
    trace = seen.trace(request.id)
    ways = [" > ".join(seen.way_to(span)) for span in trace]
    assert [way for way in ways if not way.startswith("POST /webhooks/mlflow")] == []
    assert "POST /webhooks/mlflow > look_at > transition request" in ways
    assert "POST /webhooks/mlflow > look_at > freeze_evidence" in ways
    assert "POST /webhooks/mlflow > look_at > transition request > click approve > sign > sync_target" in ways
    assert any(way.endswith("sync_target > mlflow POST") for way in ways)
    assert any(way.endswith("sync_card > slack chat.postMessage") for way in ways)
    assert any(way.endswith("sync_ticket > jira POST") for way in ways)
    jobs = [facts_of(span) for span in trace if span.name == "sync_target"]
    assert jobs
    assert all(job["countersign.job.attempt"] == 1 and job["countersign.job.lane"] == "moves" for job in jobs)
    assert all(isinstance(wait := job["countersign.job.wait"], float) and wait >= 0 for job in jobs)
    assert {facts_of(span)["http.response.status_code"] for span in trace if span.name.startswith("slack chat")} == {
        200
    }


def test_what_a_sweep_finds_gets_a_trace_of_its_own_that_links_to_the_sweep(
    installation: Installation, seen: Seen
) -> None:
    request = installation.asked()

    (opened,) = (span for span in seen.trace(request.id) if span.name == "transition request")

    assert opened.parent is None
    (link,) = opened.links
    causes = [span for span in seen.exporter.get_finished_spans() if span.context == link.context]
    assert [span.name for span in causes] in (["look_at"], ["sweep_versions"], ["sweep_models"])
    assert trace_of(causes[0]) != request.id
    assert {span.name for span in seen.trace(request.id)} >= {"freeze_evidence", "sync_card", "sync_ticket"}


def test_the_second_request_of_a_trace_gets_its_own(installation: Installation, seen: Seen) -> None:
    with tracing.door("POST /webhooks/mlflow"), installation.s.store.transaction() as tx:
        first, second = tx.requests.new_id(), tx.requests.new_id()

    assert [trace_of(span) for span in seen.exporter.get_finished_spans()] == [first]
    assert second != first


def test_a_look_that_is_tried_again_does_not_open_two_requests_with_one_id(
    installation: Installation, seen: Seen
) -> None:
    asked_by_webhook(installation)
    request = installation.request(1)
    carried: tracing.Carried = {"due": 0.0, "parent": f"00-{request.id}-00000000000000aa-01", "free": True}

    with tracing.attempt("look_at", "default/m", carried), installation.s.store.transaction() as tx:
        assert tx.requests.new_id() != request.id


def test_a_failed_attempt_says_of_what_kind_and_no_more(seen: Seen) -> None:
    with pytest.raises(LookupError), tracing.attempt("sync_card", REQUEST, None, attempt=2, scheduled=0.0):
        raise LookupError("ana@example.com has xoxb-1")

    (span,) = seen.exporter.get_finished_spans()

    assert facts_of(span)["error.type"] == "LookupError"
    assert span.events == ()
    assert "ana@example.com" not in span.to_json()
    assert trace_of(span) == REQUEST


def test_no_span_holds_a_secret_or_a_person(installation: Installation, seen: Seen) -> None:
    asked_by_webhook(installation)
    request = installation.request(1)
    installation.click("gil", request, "approve")
    installation.approve(request)

    spans = " ".join(span.to_json() for span in seen.exporter.get_finished_spans())

    private = {MLFLOW_SECRET, SLACK_SECRET, API_TOKEN, "xoxb-", "Bearer", "Basic "}
    private |= {text for person in PEOPLE for text in (person.email, person.real_name, person.id)}
    private |= {installation.model, installation.run_of(1), "MLmodel", "GOV-"}
    assert [text for text in sorted(private) if text in spans] == []
    assert request.id in spans


def test_the_calls_of_a_promotion_are_told_apart_by_their_routes(installation: Installation, seen: Seen) -> None:
    installation.approve(installation.asked())

    routes = {facts_of(span).get("url.template") for span in seen.exporter.get_finished_spans()}

    assert routes >= {"/api/2.0/mlflow/registered-models/alias", "/api/2.0/mlflow/runs/get"}
    assert any(str(route).endswith("/issue/{}/comment") for route in routes)


@pytest.mark.parametrize(
    ("url", "shape"),
    [
        ("http://m/api/2.0/mlflow/runs/get?run_id=a1", "/api/2.0/mlflow/runs/get"),
        ("http://m/team%20ana/api/2.0/mlflow/runs/get", "/{}/api/2.0/mlflow/runs/get"),
        (
            "http://m/api/2.0/mlflow-artifacts/artifacts/1/a1/artifacts/get/salary.csv",
            "/api/2.0/mlflow-artifacts/artifacts/{}",
        ),
        ("http://m/api/2.0/mlflow-artifacts/mpu/create/runs/x", "/api/2.0/mlflow-artifacts/mpu/create/{}"),
        ("http://m/api/2.0/mlflow/logged-models/m-77/tags/ana", "/api/2.0/mlflow/logged-models/{}/tags/{}"),
        ("https://j/ex/jira/1f/rest/api/2/issue/GOV-7/comment/9", "/{}/{}/{}/rest/api/2/issue/{}/comment/{}"),
        ("https://j/secure/attachment/9/cv-of-ana.pdf", "/{}/attachment/{}/{}"),
        ("", ""),
    ],
)
def test_a_route_holds_our_own_words_alone(url: str, shape: str) -> None:
    assert shape_of(url) == shape


def test_without_the_variables_nothing_is_imported_and_jobs_stay_as_they_were(installation: Installation) -> None:
    imports = "import sys, bot.commands.processes, bot.engine.jobs; print([m for m in sys.modules if m.startswith('bot.tracing.spans')])"

    done = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
    assert tracing.carry(REQUEST, datetime.now(UTC)) is None
    request = installation.asked()
    assert "trace" not in json.dumps([str(job) for job in installation.s.store.jobs.unfinished_of(request.id)])
    assert request.state is State.PENDING


def test_variables_without_the_extra_are_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.tracing.settings.find_spec", lambda name: None)

    with capture_logs() as logs:
        tracing.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "worker")

    (line,) = logs
    assert (line["event"], line["log_level"]) == ("traces_off", "warning")
    assert line["why"] == "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the extra `otel` is not installed"
    assert line["next"] == "pip install 'mlflow-countersign[otel]'"
    assert tracing.carry(REQUEST, datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is zipkin"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no address"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[::1"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no address"),
    ],
)
def test_variables_that_lead_nowhere_are_named(variables: dict[str, str], problem: str) -> None:
    plan = read_plan(variables)

    assert plan.is_wanted
    assert plan.problem.startswith(problem)
    assert plan.fix


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, ""),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://u:p@c/x?k=v"}, "https://u:p@c/x?k=v"),
    ],
)
def test_the_variables_are_opentelemetrys_own(variables: dict[str, str], endpoint: str) -> None:
    plan = read_plan(variables)

    assert (plan.is_wanted, plan.endpoint, plan.problem) == (bool(endpoint), endpoint, "")
    assert "u:p" not in plan.shown
    assert "k=v" not in plan.shown


class Moody(SpanExporter):
    def __init__(self, *results: SpanExportResult) -> None:
        self.results = list(results)

    def export(self, spans: object) -> SpanExportResult:
        return self.results.pop(0)


def test_a_collector_that_is_away_is_said_once_and_so_is_its_return() -> None:
    away, there = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    exporter = SteadyExporter(Moody(away, away, there, there))

    with capture_logs() as logs:
        for _ in range(4):
            exporter.export(())

    assert [line["event"] for line in logs] == ["traces_dropped", "traces_taken_again"]


def test_a_process_ends_in_time_although_no_collector_answers() -> None:
    """The port is a closed one, and the SDK would try for ten seconds."""
    program = (
        "from bot import tracing\n"
        "tracing.start({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'}, 'worker')\n"
        "with tracing.door('POST /webhooks/mlflow'): pass\n"
        "tracing.finish()\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert "traces_on" in done.stdout
    assert done.stdout.count("traces_dropped") <= 1
    assert done.stderr == ""
