"""Whether traces go anywhere: the way from here to the collector that the OTEL_* variables name, tried with an empty message."""

from __future__ import annotations

import os

from bot.doctor.findings import Findings, World, fine, warning
from bot.tracing.settings import ENDPOINT, read_plan

TIMEOUT = 3.0  # seconds


def traces_arrive(world: World) -> Findings:  # noqa: ARG001 - the variables are OpenTelemetry's, and none of our settings
    plan = read_plan(os.environ)
    if not plan.is_wanted:
        yield fine("traces", f"off; {ENDPOINT} would switch them on")
    elif plan.problem:
        yield warning("traces", f"go nowhere: {plan.problem}", plan.fix)
    elif _are_taken(plan.endpoint):
        yield fine("traces", f"{plan.shown} takes them")
    else:
        yield warning(
            "traces",
            f"{plan.shown} does not take them, so they are dropped; nothing else is hurt",
            "check the OTEL_EXPORTER_OTLP_* variables, and that a collector with OTLP over HTTP listens there",
        )


def _are_taken(endpoint: str) -> bool:
    """With the headers and certificates of the variables, as the spans are sent."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    from bot.tracing.spans import exporter_for

    exporter = exporter_for(endpoint, timeout=TIMEOUT)
    try:
        return exporter.export(()) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()
