"""Traces for OpenTelemetry: one for each transition request, from the webhook that began it to the clicks and calls days later.

Off until `start` finds a collector in the OTEL_* variables; until then nothing of OpenTelemetry is imported, and each call here is one look
at a variable. A request's id is its trace's id: a request that a webhook led to takes the id of that webhook's trace, and everything
later finds its way back by the id alone. What a span says is in `bot.tracing.spans`, what the variables mean in `bot.tracing.settings`.

No span holds a text from outside: no secret, no name of a person, a model, a run or a file, no address with a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.tracing.settings import read_plan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from bot.tracing.spans import Tracer

Carried = dict[str, str | float]
Value = str | int | float | bool

FLUSH = 2.0  # seconds that a process which ends waits for the collector

log = structlog.get_logger()
_tracer: Tracer | None = None


class Span(Protocol):
    def set(self, name: str, value: Value) -> None: ...

    def failed(self, kind: str) -> None:
        """`kind` is the error's class, or an HTTP status: the text of an error may name people."""


class _NoSpan:
    def set(self, name: str, value: Value) -> None:
        pass

    def failed(self, kind: str) -> None:
        pass


NO_SPAN = _NoSpan()


def start(environ: Mapping[str, str], process: str, exporter: SpanExporter | None = None) -> None:
    """Once in each process that has spans. Traces that cannot be sent are said once in the log, and stop nothing.

    `exporter` is used instead of the collector that the variables name.
    """
    global _tracer
    plan = read_plan(environ)
    if exporter is None and not plan.is_wanted:
        return
    if exporter is None and plan.problem:
        log.warning("traces_off", why=plan.problem, next=plan.fix)
        return
    from bot.tracing.spans import Tracer, exporter_for

    try:
        _tracer = Tracer(exporter or exporter_for(plan.endpoint), process, at_once=exporter is not None)
    except ValueError as mistake:  # such as OTEL_TRACES_SAMPLER_ARG=a-lot
        log.warning(
            "traces_off", why=f"OpenTelemetry refuses its variables: {mistake}", next="correct the OTEL_* variables"
        )
        return
    if exporter is None:
        log.info("traces_on", to=plan.shown)


def finish() -> None:
    """Sends what is left, for at most FLUSH seconds; then traces are off."""
    global _tracer
    if _tracer is not None:
        _tracer.finish(FLUSH)
        _tracer = None


@contextmanager
def door(name: str) -> Iterator[Span]:
    """Something came from outside. A request that it leads to gets the id of this trace."""
    if _tracer is None:
        yield NO_SPAN
        return
    with _tracer.door(name) as span:
        yield span


@contextmanager
def about(request_id: str, name: str) -> Iterator[Span]:
    """Something came from outside about a request: a click, or a look at its ticket."""
    if _tracer is None:
        yield NO_SPAN
        return
    with _tracer.about(request_id, name) as span:
        yield span


@contextmanager
def attempt(effect: str, subject: str, carried: Carried | None, **facts: Value) -> Iterator[Span]:
    """One attempt of a job; `carried` is what `carry` gave when the job was deferred."""
    if _tracer is None:
        yield NO_SPAN
        return
    with _tracer.attempt(effect, subject, carried or {}, facts) as span:
        yield span


@contextmanager
def call(vendor: str, method: str, **facts: Value) -> Iterator[Span]:
    """A call of a vendor. `method` and the facts hold nothing but what our own code chose; of a path, its shape (`routes`)."""
    if _tracer is None:
        yield NO_SPAN
        return
    with _tracer.call(vendor, method, facts) as span:
        yield span


def carry(subject: str, due: datetime) -> Carried | None:
    """What goes into a job's arguments, so that its attempts join the trace; None while traces are off."""
    return None if _tracer is None else _tracer.carry(subject, due)


def offered_id() -> str:
    """The id for a request that is opened now, so that this trace becomes its own; empty when there is none to give."""
    return "" if _tracer is None else _tracer.offered_id()


def opened(request_id: str) -> None:
    """The request is committed: the span to which everything later about it belongs."""
    if _tracer is not None:
        _tracer.opened(request_id)
