"""Alert rules and dashboard ask for metrics and labels that bot/metrics.py exports, and the alerts name commands that exist."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import bot
from bot import metrics
from bot.__main__ import COMMANDS
from bot.domain.policy.evidence_watch import EvidenceWatch

ROOT = Path(bot.__file__).parents[1]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
ALERT_TESTS = (MONITORING / "alerts_test.yaml").read_text()
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

PROMETHEUS_ADDS = {"instance", "job", "le", "pod"}
NAME = re.compile(r"\bcountersign_\w+")
LABELS = re.compile(r"\b(?:by|without|on) ?\(([^)]*)\)|\{([^}]*)\}")
# What a counter and a histogram are exported as.
SUFFIXES = {"Counter": ("_total",), "CounterMetricFamily": ("_total",), "Histogram": ("_bucket", "_count", "_sum")}


def exported() -> dict[str, set[str]]:
    """Each series that `/metrics` can have, with its labels, as the calls in bot/metrics.py declare them."""
    calls = [node for node in ast.walk(ast.parse(Path(metrics.__file__).read_text())) if isinstance(node, ast.Call)]
    found: dict[str, set[str]] = {}
    for call in calls:
        name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if isinstance(name, str) and name.startswith("countersign_") and isinstance(call.func, ast.Name):
            for suffix in SUFFIXES.get(call.func.id, ("",)):
                found[name + suffix] = labels_of(call)
    return found


def labels_of(call: ast.Call) -> set[str]:
    """The third argument: a list of names, or one name."""
    given = call.args[2] if len(call.args) > 2 else ast.List([])
    names = given.elts if isinstance(given, ast.List) else [given]
    return {str(name.value) for name in names if isinstance(name, ast.Constant)}


EXPORTED = exported()
ALERTS = [pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES]
QUERIES = [pytest.param(target["expr"], id=panel["title"]) for panel in PANELS for target in panel["targets"]]


def labels_in(expression: str) -> set[str]:
    listed = (names or matchers for names, matchers in LABELS.findall(expression))
    return {re.split(r"[=!~]", part)[0].strip() for one in listed for part in one.split(",") if part.strip()}


def test_the_metrics_of_the_code_are_found() -> None:
    assert EXPORTED["countersign_webhooks_received_total"] == {"source", "result"}
    assert EXPORTED["countersign_jobs_parked"] == {"kind"}
    assert "countersign_webhook_duration_seconds_bucket" in EXPORTED
    assert {
        f"{metric.name}_total" for metric in metrics.REGISTRY.collect() if metric.type == "counter"
    } <= EXPORTED.keys()


@pytest.mark.parametrize("expression", [*ALERTS, *QUERIES])
def test_a_query_names_metrics_and_labels_that_exist(expression: str) -> None:
    names = set(NAME.findall(expression))
    known = set().union(*(EXPORTED.get(name, set()) for name in names))

    assert names or "up{" in expression
    assert names - EXPORTED.keys() == set()
    assert labels_in(expression) - known - PROMETHEUS_ADDS == set()


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for panel in PANELS for target in panel["targets"] for name in NAME.findall(target["expr"])}

    assert {name for name in EXPORTED if not name.endswith(("_count", "_sum"))} - shown == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_legend_and_a_description_name_what_exists(panel: dict[str, Any]) -> None:
    alerts = {rule["alert"] for rule in RULES}

    for target in panel["targets"]:
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels_in(target["expr"]) | PROMETHEUS_ADDS
    assert set(re.findall(r"Countersign[A-Z]\w+", panel["description"])) <= alerts


def test_panels_have_their_own_place_and_number() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    said = " ".join(annotations.values())

    assert annotations.keys() == {"summary", "runbook"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(re.findall(r"`countersign ([\w-]+)", said)) <= set(COMMANDS)
    assert set(re.findall(r"\$labels\.(\w+)", said)) <= labels_in(rule["expr"]) | PROMETHEUS_ADDS


def test_the_panel_and_the_alert_of_the_oldest_look_agree_with_the_policys_default() -> None:
    [panel] = [one for one in PANELS if "countersign_evidence_oldest_look" in one["targets"][0]["expr"]]
    [rule] = [one for one in RULES if one["alert"] == "CountersignEvidenceLookLate"]
    query, _, limit = rule["expr"].partition(" > ")
    red = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]

    assert panel["targets"][0]["expr"] == query
    assert timedelta(seconds=red["value"]) == timedelta(seconds=int(limit)) == EvidenceWatch().every


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_raised_by_a_test_of_promtool(rule: dict[str, Any]) -> None:
    assert re.search(rf"\b{rule['alert']}\b", ALERT_TESTS)


@pytest.mark.proof
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's package prometheus) is not installed")
def test_promtool_accepts_the_rules_and_their_tests() -> None:
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        said = subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.proof
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's package prometheus) is not installed")
def test_promtool_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    as_rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": as_rules}]}))

    said = subprocess.run(
        ["promtool", "check", "rules", "queries.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert f"SUCCESS: {len(expressions)} rules found" in said.stdout
