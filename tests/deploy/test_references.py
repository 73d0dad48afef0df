"""The files in deploy/ agree with the program and with each other: commands, ports, paths, settings, secrets, selectors, users, images."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

import bot
from bot.__main__ import COMMANDS
from config.settings import NEEDS, SETTINGS, VARIABLES_OF, Process
from docs.write_reference import every_route

VERSION = version("mlflow-countersign")
ROOT = Path(bot.__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("countersign:")}
EXAMPLE = set(re.findall(r"^([A-Z_]+)=$", (DEPLOY / "env.example").read_text(), re.MULTILINE))

NAMES = {setting.name for setting in SETTINGS}
FOR_MLFLOWS_CLIENT = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}
FOR_PYTHON = {"PATH", "HOME", "MPLCONFIGDIR", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
SECRETS = re.compile(r"TOKEN|SECRET|PASSWORD|LINK_KEY|DATABASE\w*_URL|SMTP_URL")


DOCUMENTS = [one for path in sorted(KUBERNETES.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]


def templates() -> dict[str, dict[str, Any]]:
    return {
        one["metadata"]["name"]: one["spec"]["template"] for one in DOCUMENTS if one["kind"] in {"Deployment", "Job"}
    }


PODS = templates()
NO_SELECTORS = [one for one in DOCUMENTS if one["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy"}]


def containers(pod: str) -> list[dict[str, Any]]:
    return [*PODS[pod]["spec"].get("initContainers", []), *PODS[pod]["spec"]["containers"]]


def main_container(pod: str) -> dict[str, Any]:
    (container,) = PODS[pod]["spec"]["containers"]
    return dict(container)


def known(names: set[str]) -> set[str]:
    return names - NAMES - FOR_MLFLOWS_CLIENT - FOR_PYTHON


# commands


def test_every_process_of_the_procfile_is_deployed_each_way() -> None:
    processes = {command.split()[1] for name, command in PROCFILE.items() if name != "socket"}

    assert {one["command"][0] for one in OURS.values()} == processes
    assert {main_container(pod)["args"][0] for pod in PODS} == processes


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_exists(unit: Path) -> None:
    (started,) = re.findall(r"^ExecStart=/opt/countersign/bin/countersign (\S+)$", unit.read_text(), re.MULTILINE)

    instances = {process.value for process in Process} if started == "%i" else {started}

    assert instances <= set(COMMANDS)


def test_the_image_runs_the_web_process_by_default() -> None:
    assert 'ENTRYPOINT ["countersign"]' in DOCKERFILE
    assert re.findall(r'^CMD \["(\w+)"\]$', DOCKERFILE, re.MULTILINE) == ["web"]


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.*")), ids=lambda path: path.name)
def test_every_command_in_a_comment_exists(path: Path) -> None:
    named = re.findall(r"(?:`|exec worker |run --rm --no-deps worker |bin/)countersign ([a-z][\w-]*)", path.read_text())

    assert set(named) <= set(COMMANDS)


# settings


@pytest.mark.parametrize("name", OURS)
def test_compose_passes_settings_that_exist_and_all_that_the_process_needs(name: str) -> None:
    given: Mapping[str, str] = OURS[name]["environment"]
    needed = {variable for need in NEEDS[Process(name)] for variable in VARIABLES_OF[need]}

    assert known(set(given)) == set()
    assert needed <= given.keys()


def test_every_value_of_compose_comes_from_the_example_and_is_used() -> None:
    named = set(re.findall(r"(?<!\$)\$\{?([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))

    assert named == EXAMPLE


def test_only_migrate_gets_the_owners_address() -> None:
    with_it = {name for name, one in OURS.items() if "DATABASE_OWNER_URL" in one["environment"]}
    from_secret = {pod for pod in PODS if "countersign-database-owner" in str(main_container(pod)["envFrom"])}

    assert with_it == {"migrate"}
    assert from_secret == {"countersign-migrate"}


@pytest.mark.parametrize(
    "path", [*sorted(KUBERNETES.glob("*.yaml")), *UNITS, DEPLOY / "Dockerfile"], ids=lambda path: path.name
)
def test_a_file_names_settings_that_exist_and_has_no_secret(path: Path) -> None:
    text = path.read_text()
    ours = {
        name
        for name in re.findall(r"\b[A-Z]+_[A-Z_]+\b", text)
        if name.split("_")[0] in {"COUNTERSIGN", "MLFLOW", "SLACK", "JIRA", "DATABASE"}
    }
    assigned = re.findall(r"^\s*(?:- name: |Environment=)?([A-Z_]+)[:=] ?\S", text, re.MULTILINE)

    assert known(ours) == set()
    assert [name for name in assigned if SECRETS.search(name)] == []


def test_the_settings_of_kubernetes_are_no_secrets() -> None:
    (settings,) = [one["data"] for one in DOCUMENTS if one["kind"] == "ConfigMap"]

    assert known(set(settings)) == set()
    assert [name for name in settings if SECRETS.search(name)] == []


def test_no_value_of_the_example_is_filled_in() -> None:
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if line and not line.startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[A-Z_]+=", line)] == []


# ports and probes


def test_ports_agree() -> None:
    port = next(setting.default for setting in SETTINGS if setting.name == "PORT")
    web = main_container("countersign-web")

    assert f"EXPOSE {port}" in DOCKERFILE
    assert f"PORT={port}" in DOCKERFILE
    assert COMPOSE["services"]["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert {one["name"]: one["containerPort"] for one in web["ports"]} == {"http": int(port), "metrics": 9464}
    assert {one["value"] for one in web["env"]} == {OURS["web"]["environment"]["METRICS_PORT"]} == {"0.0.0.0:9464"}


def test_probes_ask_routes_that_exist() -> None:
    web = main_container("countersign-web")
    asked = {web[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    of_the_image = set(re.findall(r"']\}(/\w+)", DOCKERFILE))

    assert asked | of_the_image == {"/healthz", "/readyz"}
    assert {f"GET {path}" for path in asked | of_the_image} <= set(every_route())


def test_processes_without_http_have_no_health_check_over_http() -> None:
    assert {name for name, one in OURS.items() if not one.get("healthcheck", {}).get("disable")} == {"web"}


# images, users, files


def test_one_image_and_its_version() -> None:
    (kustomization,) = [one for one in DOCUMENTS if one["kind"] == "Kustomization"]
    (image,) = kustomization["images"]
    used = {one["image"] for pod in PODS if pod != "countersign-migrate" for one in containers(pod)}

    assert {one["image"] for one in OURS.values()} == {f"countersign:{VERSION}"}
    assert used == {image["name"]}
    assert main_container("countersign-migrate")["image"] == f"{image['newName']}:{image['newTag']}"
    assert image["newTag"] == VERSION
    assert {path for path in kustomization["resources"] if not (KUBERNETES / path).exists()} == set()


def test_the_build_copies_files_that_exist_and_that_are_not_ignored() -> None:
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in shlex.split(line)[:-1]
    ]
    allowed = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)

    assert sorted(copied) == sorted(allowed)
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_build_uses_the_uv_of_the_constraints() -> None:
    (of_uv,) = re.findall(r"^uv==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)

    assert f"uv=={of_uv}" in DOCKERFILE


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_is_the_images_user_and_can_write_only_to_its_volumes(pod: str) -> None:
    spec = PODS[pod]["spec"]
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)

    assert spec["securityContext"]["runAsUser"] == int(user)
    assert spec["automountServiceAccountToken"] is False
    for container in containers(pod):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert {one["name"] for one in container["volumeMounts"]} <= {one["name"] for one in spec["volumes"]}


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_compose_can_write_only_to_its_volumes(name: str) -> None:
    one = OURS[name]

    assert one["read_only"]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert {mount.split(":")[0] for mount in one["volumes"]} <= {"./policy.yaml", *COMPOSE["volumes"]}
    assert "/tmp" in str([one["tmpfs"], one["volumes"]])


@pytest.mark.parametrize("one", NO_SELECTORS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_a_selector_finds_pods(one: dict[str, Any]) -> None:
    spec = one["spec"]
    selector = spec.get("podSelector") or spec["selector"]
    wanted = selector.get("matchLabels", selector)

    found = [pod for pod, template in PODS.items() if wanted.items() <= template["metadata"]["labels"].items()]

    assert found != []


def test_keys_are_where_the_worker_looks_for_them() -> None:
    worker = main_container("countersign-worker")
    (copying,) = PODS["countersign-worker"]["spec"]["initContainers"]
    named = {one["value"] for one in worker["env"]}

    assert named == {"/keys/bot/approvals.pem", "/keys/bot/checkpoints.pem"}
    assert copying["command"][-1].endswith("/secret/*.pem /keys/bot/")
    assert "approvals.pem --from-file=checkpoints.pem" in (KUBERNETES / "kustomization.yaml").read_text()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_is_locked_down_in_the_same_way(unit: Path) -> None:
    locks = [
        line
        for line in unit.read_text().splitlines()
        if re.match(r"(Protect|Private|Restrict|System|NoNew|Capab|Lock|UMask)", line)
    ]
    others = [line for line in UNITS[0].read_text().splitlines() if line in locks]

    assert len(locks) > 20
    assert locks == others
