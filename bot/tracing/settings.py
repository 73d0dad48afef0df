"""What OpenTelemetry's own variables say about where traces go. https://opentelemetry.io/docs/specs/otel/protocol/exporter/"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
EXPORTER, DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"
USUAL = "http://localhost:4318"
INSTALL = "pip install 'mlflow-countersign[otel]'"


@dataclass(frozen=True)
class Plan:
    """`is_wanted`: somebody asked for traces. Then they go to `endpoint`, unless there is a `problem`."""

    is_wanted: bool
    endpoint: str = ""
    problem: str = ""
    fix: str = ""

    @property
    def shown(self) -> str:
        """The endpoint without a password that it may hold."""
        parts = urlsplit(self.endpoint)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def read_plan(environ: Mapping[str, str]) -> Plan:
    given = {name: environ.get(name, "").strip() for name in (EXPORTER, TRACES_ENDPOINT, ENDPOINT)}
    exporter = given[EXPORTER].lower()
    is_disabled = environ.get(DISABLED, "").strip().lower() == "true" or exporter == "none"
    asked = next((name for name in (TRACES_ENDPOINT, ENDPOINT, EXPORTER) if given[name]), "")
    if is_disabled or not asked:
        return Plan(is_wanted=False)
    if exporter not in ("", "otlp"):
        return _not(f"{EXPORTER} is {exporter}, and Countersign sends traces by otlp alone", f"set {EXPORTER}=otlp")
    protocol = next(((name, environ[name]) for name in PROTOCOLS if environ.get(name, "").strip()), None)
    if protocol and protocol[1].strip().lower() != HTTP:
        return _not(f"{protocol[0]} is {protocol[1]}, and Countersign speaks {HTTP} alone", f"set {protocol[0]}={HTTP}")
    if not is_installed():
        return _not(f"{asked} is set, and the extra `otel` is not installed", INSTALL)
    endpoint = given[TRACES_ENDPOINT] or f"{(given[ENDPOINT] or USUAL).rstrip('/')}/v1/traces"
    if not _is_address(endpoint):
        return _not(f"{asked} is no address that traces can be sent to", f"write it as {USUAL}")
    return Plan(True, endpoint)


def is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # not even its parent
        return False


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _not(problem: str, fix: str) -> Plan:
    return Plan(True, problem=problem, fix=fix)
