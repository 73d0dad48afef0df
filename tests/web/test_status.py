"""What strangers and monitoring may read, and where `serve` and `web` listen."""

from __future__ import annotations

import pytest
import requests
from click.testing import CliRunner

from bot.__main__ import main
from config.settings import InvalidSettings, read_settings
from tests.fixtures.installation import Installation, policy_text


def metrics_of(installation: Installation) -> dict[str, str]:
    """By series, with its labels."""
    text = requests.get(f"{installation.status_url}/metrics", timeout=60).text
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_strangers_learn_only_whether_it_is_ready(installation: Installation) -> None:
    ready = requests.get(f"{installation.url}/readyz", timeout=60)
    metrics = requests.get(f"{installation.url}/metrics", timeout=60)

    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert metrics.status_code == 404
    assert "METRICS_PORT" in metrics.json()["error"]


def test_monitoring_reads_the_details(installation: Installation) -> None:
    ready = requests.get(f"{installation.status_url}/readyz", timeout=60).json()
    metrics = requests.get(f"{installation.status_url}/metrics", timeout=60).text
    alive = requests.get(f"{installation.status_url}/healthz", timeout=60).json()

    assert {"ready", "policy", "parked_jobs", "registry", "status"} <= ready.keys()
    assert "countersign_web_refused_total" in metrics or "countersign_web_connections" in metrics
    assert alive == {"status": "ok"}


def test_monitoring_sees_a_workspace_that_was_never_read(installation: Installation) -> None:
    installation.sweep()
    before = metrics_of(installation)
    eu = 'registries: {eu: {uri: "http://127.0.0.1:9", workspaces: [default, team-b]}}'
    installation.activate(policy_text(f"{installation.model}*", top=eu))

    after = metrics_of(installation)

    never = 'countersign_workspaces_never_swept{sweep="models"}'
    swept = 'countersign_poll_last_success_timestamp_seconds{sweep="models"}'
    assert (before[never], after[never]) == ("0.0", "2.0")
    assert before[swept] == after[swept]


def test_the_time_that_slack_waits_is_measured_also_where_it_is_refused(installation: Installation) -> None:
    count = 'countersign_webhook_duration_seconds_count{source="slack"}'
    before = float(metrics_of(installation).get(count, "0"))

    requests.post(f"{installation.url}/slack/events", data=b"payload=%7B%7D", timeout=60)

    assert float(metrics_of(installation)[count]) == before + 1


@pytest.mark.parametrize(
    ("text", "address"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:9464", ("0.0.0.0", 9464)), ("[::1]:9464", ("::1", 9464))],
)
def test_the_port_of_the_metrics_is_on_loopback_unless_an_address_is_given(text: str, address: tuple[str, int]) -> None:
    assert read_settings({"METRICS_PORT": text}, frozenset()).metrics_address == address


@pytest.mark.parametrize("text", ["x", "bot.example.com:9464", "0.0.0.0:", "0.0.0.0:99999", ":9464"])
def test_a_port_of_the_metrics_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidSettings, match="METRICS_PORT"):
        read_settings({"METRICS_PORT": text}, frozenset())


@pytest.mark.parametrize("text", ["proxy.example.com", "10.0.0.0/99", "10.0.0.1/8"])
def test_proxies_that_are_no_networks_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidSettings, match="COUNTERSIGN_PROXIES"):
        read_settings({"COUNTERSIGN_PROXIES": text}, frozenset())


@pytest.mark.parametrize(("command", "address"), [("serve", "127.0.0.1"), ("web", "0.0.0.0")])
def test_the_help_says_where_each_command_listens(command: str, address: str) -> None:
    shown = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())

    assert f"Default: COUNTERSIGN_HOST, else {address}." in shown
