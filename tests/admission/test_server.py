"""`countersign admission` as a process: TLS, a renewed certificate, clients without one, and usage mistakes."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.__main__ import main
from tests.admission.reviews import pod, review
from tests.gate.approvals import Shelf

PLAN = 'version: 1\nnamespaces:\n  - {namespace: "models-*", target: "alias:champion"}\n'


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1, with its key; the same files each time."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = directory / "tls.crt", directory / "tls.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(private)
    return files


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


@pytest.fixture
def address(shelf: Shelf, key: str, plan: Path, tmp_path: Path) -> Iterator[str]:
    cert, private = certificate(tmp_path, "first")
    listen = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable,
        "-m",
        "bot",
        "admission",
        "--plan",
        str(plan),
        "--tls-cert",
        str(cert),
        "--tls-key",
        str(private),
    ]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": shelf.url}
    process = subprocess.Popen([*command, "--listen", str(listen), "--key", str(key)], env=environ)
    try:
        yield f"https://{listen}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def post(address: str, content: object, ca: Path) -> dict[str, object]:
    """Asks again until the server listens."""
    until = time.monotonic() + 60
    while True:
        try:
            trust = ssl.create_default_context(cafile=str(ca))
            request = Request(f"{address}/validate?timeout=10s", json.dumps(content).encode(), method="POST")
            with urlopen(request, timeout=30, context=trust) as answer:
                found: dict[str, object] = json.load(answer)["response"]
                return found
        except OSError as trouble:
            if time.monotonic() > until or "refused" not in str(trouble):
                raise
            time.sleep(0.2)


def test_the_process_answers_over_tls_and_uses_a_renewed_certificate_at_once(
    address: str, shelf: Shelf, tmp_path: Path
) -> None:
    good, bad = shelf.approved(), shelf.version()
    asked = [review(pod(f"models:/{one.model}/{one.version}")) for one in (good, bad)]

    answers = [post(address, one, tmp_path / "tls.crt") for one in asked]
    assert [one["allowed"] for one in answers] == [True, False]

    certificate(tmp_path, "second")
    assert post(address, asked[0], tmp_path / "tls.crt")["allowed"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a plan is a mapping"),
        ("version: 1\nnamespaces: []\n", "line 2"),
        ('version: 1\nnamespaces:\n  - {namespace: "a", target: "champion"}\n', "line 3"),
        ('version: 1\nnamespaces:\n  - {namespace: "a", target: "alias:b", mode: strict}\n', "mode"),
        ('version: 1\nnamespaces:\n  - {namespace: "a", target: "alias:b", requires: true}\n', "requires"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_line(plan: Path, text: str, said: str, key: str) -> None:
    plan.write_text(text)
    cert, private = certificate(plan.parent, "any")
    arguments = [
        "admission",
        "--plan",
        str(plan),
        "--tls-cert",
        str(cert),
        "--tls-key",
        str(private),
        "--key",
        str(key),
    ]
    result = CliRunner().invoke(main, arguments, env={"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    assert result.exit_code == 2
    assert said.lower() in result.output.lower()


def test_a_certificate_that_cannot_be_read_is_refused_before_anything_listens(plan: Path, key: str) -> None:
    missing = plan.parent / "no.crt"
    arguments = [
        "admission",
        "--plan",
        str(plan),
        "--tls-cert",
        str(missing),
        "--tls-key",
        str(missing),
        "--key",
        str(key),
    ]
    result = CliRunner().invoke(main, arguments, env={"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    assert result.exit_code == 2
    assert "no.crt" in result.output


def test_without_a_key_or_the_bot_it_does_not_start(plan: Path) -> None:
    cert, private = certificate(plan.parent, "any")
    arguments = ["admission", "--plan", str(plan), "--tls-cert", str(cert), "--tls-key", str(private)]
    environ = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "COUNTERSIGN_URL": None, "COUNTERSIGN_API_TOKEN": None}
    result = CliRunner().invoke(main, arguments, env=environ)
    assert result.exit_code == 2
    assert "--key" in result.output
