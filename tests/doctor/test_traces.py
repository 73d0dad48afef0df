"""What `countersign doctor` says of traces."""

from __future__ import annotations

from typing import cast

import pytest
from flask import Flask

from bot.doctor.findings import Status, World
from bot.doctor.traces import traces_arrive
from bot.sandbox.serving import serving
from bot.tracing.settings import ENDPOINT

ANY_WORLD = cast(World, None)  # the variables say it all


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ENDPOINT):
        monkeypatch.delenv(name, raising=False)


def test_off_is_fine() -> None:
    (found,) = traces_arrive(ANY_WORLD)

    assert (found.status, found.why) == (Status.OK, f"off; {ENDPOINT} would switch them on")


def test_a_collector_that_takes_them_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Flask("collector")
    collector.post("/v1/traces")(lambda: ("", 200))
    with serving(collector) as address:
        monkeypatch.setenv(ENDPOINT, address)
        (found,) = traces_arrive(ANY_WORLD)

    assert (found.status, found.why) == (Status.OK, f"{address}/v1/traces takes them")


def test_one_that_does_not_answer_is_a_warning_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://bot:secret@127.0.0.1:9")

    (found,) = traces_arrive(ANY_WORLD)

    assert found.status is Status.WARN
    assert found.why.startswith("http://127.0.0.1:9/v1/traces does not take them")
    assert "secret" not in found.why + found.fix
