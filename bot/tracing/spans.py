"""The spans, on OpenTelemetry's SDK. Imported only when traces are on; no other module imports the SDK.

The tracer is our own and not the process's: what MLflow or another library would trace stays out.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

import structlog
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

REQUEST_ID = re.compile(r"[0-9a-f]{32}")
PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")  # https://www.w3.org/TR/trace-context/

log = structlog.get_logger()
_current: ContextVar[_Live | None] = ContextVar("span", default=None)
_forced: ContextVar[tuple[int, int] | None] = ContextVar("ids", default=None)


@dataclass
class _Live:
    """`is_free`: no request has this trace's id yet, and the first that is opened may take it."""

    span: otel.Span
    is_free: bool = False

    @property
    def context(self) -> SpanContext:
        return self.span.get_span_context()

    def set(self, name: str, value: str | float) -> None:
        self.span.set_attribute(name, value)

    def failed(self, kind: str) -> None:
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR))


class Ids(IdGenerator):
    """Unguessable, as the ids of requests must be: the SDK's own come from a generator that can be predicted."""

    def generate_trace_id(self) -> int:
        forced = _forced.get()
        return forced[0] if forced else uuid.uuid4().int

    def generate_span_id(self) -> int:
        forced = _forced.get()
        return forced[1] if forced else uuid.uuid4().int >> 64


class SteadyExporter(SpanExporter):
    """A collector that is away costs its spans and one line in the log; another line says that it is back."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away and not self._is_away:
            log.warning("traces_dropped", why="the collector does not take them", next="`countersign doctor` tries it")
        elif self._is_away and not is_away:
            log.info("traces_taken_again")
        self._is_away = is_away
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def exporter_for(endpoint: str, timeout: float | None = None) -> SpanExporter:
    """Headers, certificates and compression are those of the OTEL_* variables."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger("opentelemetry").setLevel(
        logging.CRITICAL
    )  # it logs each attempt; ours is one line for an outage
    return OTLPSpanExporter(endpoint=endpoint, timeout=timeout)


class Tracer:
    """`at_once` exports each span as it ends, for tests."""

    def __init__(self, exporter: SpanExporter, process: str, *, at_once: bool = False) -> None:
        usual = Resource({SERVICE_NAME: "countersign", "countersign.process": process})
        self._provider = TracerProvider(
            resource=Resource.create().merge(usual).merge(OTELResourceDetector().detect()),
            id_generator=Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(SteadyExporter(exporter))
        )
        self._tracer = self._provider.get_tracer("countersign")

    def finish(self, seconds: float) -> None:
        """In a thread of its own, because a flush to a collector that hangs takes longer than a process may take to end."""
        last = threading.Thread(target=self._provider.force_flush, daemon=True)
        last.start()
        last.join(seconds)

    @contextmanager
    def door(self, name: str) -> Iterator[_Live]:
        with self._running(name, SpanKind.SERVER, Context(), is_free=True) as live:
            yield live

    @contextmanager
    def about(self, request_id: str, name: str) -> Iterator[_Live]:
        current = _current.get()
        if not REQUEST_ID.fullmatch(request_id) or _is_in(current, request_id):
            parent, cause = _within(current), None
        else:
            parent, cause = self._home(request_id), current
        with self._running(name, SpanKind.SERVER, parent, links=_links_to(cause)) as live:
            yield live

    @contextmanager
    def attempt(
        self, effect: str, subject: str, carried: Mapping[str, object], facts: Mapping[str, str | float]
    ) -> Iterator[_Live]:
        parent = _read_parent(carried.get("parent"))
        if parent is not None:
            context = otel.set_span_in_context(NonRecordingSpan(parent), Context())
        else:
            context = self._home(subject) if REQUEST_ID.fullmatch(subject) else Context()
        links = _links(_read_parent(carried.get("link")))
        is_free = parent is not None and carried.get("free") is True
        with self._running(effect, SpanKind.CONSUMER, context, links=links, is_free=is_free) as live:
            for name, value in facts.items():
                live.set(f"countersign.job.{name}", value)
            due = carried.get("due")
            if isinstance(due, int | float):
                due = max(float(due), float(facts.get("scheduled", 0)))
                live.set("countersign.job.wait", round(max(0.0, time.time() - due), 3))
            if REQUEST_ID.fullmatch(subject):
                live.set("countersign.request", subject)
            yield live

    @contextmanager
    def call(self, vendor: str, method: str, facts: Mapping[str, str | float]) -> Iterator[_Live]:
        with self._running(f"{vendor} {method}", SpanKind.CLIENT, _within(_current.get())) as live:
            live.set("countersign.vendor", vendor)
            live.set("countersign.method", method)
            for name, value in facts.items():
                live.set(name, value)
            yield live

    def carry(self, subject: str, due: datetime) -> dict[str, str | float]:
        current = _current.get()
        told: dict[str, str | float] = {"due": due.timestamp()}
        if current is None:
            return told
        if REQUEST_ID.fullmatch(subject) and not _is_in(current, subject):
            return {**told, "link": _as_parent(current.context)}
        if current.is_free and not REQUEST_ID.fullmatch(subject):
            current.is_free = False  # one job alone may open the request that takes the trace's id
            told["free"] = True
        return {**told, "parent": _as_parent(current.context)}

    def offered_id(self) -> str:
        current = _current.get()
        if current is None or not current.is_free:
            return ""
        current.is_free = False
        return f"{current.context.trace_id:032x}"

    def opened(self, request_id: str) -> None:
        current = _current.get()
        is_ours = _is_in(current, request_id)
        parent, cause = (_within(current), None) if is_ours else (Context(), current)
        token = _forced.set((int(request_id, 16), _span_of(request_id)))
        try:
            span = self._tracer.start_span("transition request", parent, links=_links_to(cause))
        finally:
            _forced.reset(token)
        span.set_attribute("countersign.request", request_id)
        span.end()

    @contextmanager
    def _running(
        self, name: str, kind: SpanKind, parent: Context, *, links: Sequence[Link] = (), is_free: bool = False
    ) -> Iterator[_Live]:
        span = self._tracer.start_span(name, parent, kind=kind, links=links, record_exception=False)
        live = _Live(span, is_free)
        token = _current.set(live)
        try:
            yield live
        except BaseException as error:
            live.failed(type(error).__name__)
            raise
        finally:
            _current.reset(token)
            span.end()

    def _home(self, request_id: str) -> Context:
        """The span that `opened` made, whether or not it was ever sent: a request may be older than the traces."""
        trace = int(request_id, 16)
        decision = self._provider.sampler.should_sample(None, trace, "transition request").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
        home = SpanContext(trace, _span_of(request_id), is_remote=True, trace_flags=flags)
        return otel.set_span_in_context(NonRecordingSpan(home), Context())


def _within(current: _Live | None) -> Context:
    return otel.set_span_in_context(current.span, Context()) if current else Context()


def _is_in(current: _Live | None, request_id: str) -> bool:
    return current is not None and f"{current.context.trace_id:032x}" == request_id


def _span_of(request_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"transition request {request_id}".encode()).digest()[:8]) or 1


def _links_to(cause: _Live | None) -> Sequence[Link]:
    return _links(cause.context if cause else None)


def _links(context: SpanContext | None) -> Sequence[Link]:
    return (Link(context),) if context is not None else ()


def _as_parent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _read_parent(text: object) -> SpanContext | None:
    """None also for what another release may have written otherwise."""
    found = PARENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    flags = TraceFlags(int(found[3], 16))
    return SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)
