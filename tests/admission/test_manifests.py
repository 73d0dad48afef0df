"""deploy/kubernetes/admission agrees with the program and with itself: paths, ports, options, names, the plan, the image."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

import bot
from bot.admission.app import LONGEST, create_app
from bot.admission.judging import Judge
from bot.admission.plan import Mode, Plan
from bot.commands.operating.admission import admission
from bot.gate.checks import Proof
from config.admission import read_plan

ROOT = Path(bot.__file__).parents[1]
FOLDER = ROOT / "deploy" / "kubernetes" / "admission"
DOCUMENTS = [one for path in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]


def the(kind: str) -> dict[str, Any]:
    (found,) = [one for one in DOCUMENTS if one["kind"] == kind]
    return dict(found)


def webhooks() -> list[dict[str, Any]]:
    both = (the("ValidatingWebhookConfiguration"), the("MutatingWebhookConfiguration"))
    return [hook for one in both for hook in one["webhooks"]]


def test_the_webhooks_ask_routes_that_exist_at_the_service() -> None:
    judge = Judge(Plan(()), Proof(), {})
    routes = {rule.rule for rule in create_app(judge).url_map.iter_rules() if "POST" in (rule.methods or ())}
    judge.close()
    service = the("Service")

    asked = [hook["clientConfig"]["service"] for hook in webhooks()]

    assert {one["path"] for one in asked} == routes
    assert {(one["namespace"], one["name"]) for one in asked} == {("countersign", service["metadata"]["name"])}
    assert {one["port"] for one in asked} == {service["spec"]["ports"][0]["port"]}


def test_a_webhook_waits_no_longer_than_the_program_needs_and_changes_nothing_outside() -> None:
    assert {hook["timeoutSeconds"] for hook in webhooks()} == {LONGEST}
    assert {hook["sideEffects"] for hook in webhooks()} == {"None"}
    assert {tuple(hook["admissionReviewVersions"]) for hook in webhooks()} == {("v1",)}


def test_only_what_refuses_stops_pods_when_nothing_answers() -> None:
    validating, mutating = webhooks()

    assert (validating["failurePolicy"], mutating["failurePolicy"]) == ("Fail", "Ignore")


def test_no_webhook_looks_at_a_namespace_without_the_label() -> None:
    labels = {"countersign.io/admission": "enabled"}

    assert [hook["namespaceSelector"]["matchLabels"] for hook in webhooks()] == [labels, labels]


def test_the_container_is_started_with_options_that_exist_and_files_that_are_mounted() -> None:
    spec = the("Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    command, *options = [argument.split("=") for argument in container["args"]]
    known = {option for parameter in admission.params for option in parameter.opts}
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}

    assert command == ["admission"]
    assert {name for name, _ in options} <= known
    assert {str(Path(file).parent) for _, file in options} <= mounts.keys()
    assert set(mounts.values()) == {one["name"] for one in spec["volumes"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_service_and_budget_select_the_deployment() -> None:
    labels = the("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert the("Service")["spec"]["selector"].items() <= labels.items()
    assert the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_plan_that_we_ship_is_read_and_refuses_nothing_yet(tmp_path: Path) -> None:
    maps = the("ConfigMap")["data"]
    file = tmp_path / "plan.yaml"
    file.write_text(maps["plan.yaml"])

    assert {rule.mode for rule in read_plan(file).rules} == {Mode.AUDIT}


def test_the_plan_of_the_docs_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    file = tmp_path / "plan.yaml"
    file.write_text(page.split("```yaml\n", 1)[1].split("```", 1)[0])

    assert len(read_plan(file).rules) == 2


def test_the_image_is_of_this_version_and_every_file_is_applied() -> None:
    kustomization = the("Kustomization")

    assert [one["newTag"] for one in kustomization["images"]] == [version("mlflow-countersign")]
    assert set(kustomization["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
