"""What Kubernetes is answered about pods and inference services, with the real registry and signed approvals."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bot.admission.app import create_app
from bot.admission.judging import MOST, Judge
from bot.admission.objects import MODEL
from bot.admission.plan import Mode, NamespaceRule, Plan
from bot.domain.attestation.sealing import folder_of
from bot.domain.model import Target, VersionId
from bot.domain.seals.places import SealedAt, SealPlan
from bot.gate.checks import proof_of
from bot.gate.keys import read_keys
from tests.admission.reviews import patched, pod, review
from tests.fixtures.mlflow_seed import identity
from tests.gate.approvals import Shelf, approval, tag_of, verdict

CHAMPION = Target.parse("alias:champion")
PLAN = Plan(
    (
        NamespaceRule("models-prod", CHAMPION),
        NamespaceRule("models-strict", CHAMPION, require=True),
        NamespaceRule("models-*", CHAMPION, Mode.AUDIT),
    ),
    frozenset({"http://mlflow.mlflow:5000"}),
)


@pytest.fixture
def kubernetes(shelf: Shelf, key: str) -> Iterator[Kubernetes]:
    environ = {"MLFLOW_TRACKING_URI": shelf.url}
    judge = Judge(PLAN, proof_of(environ, read_keys([Path(key)]), None, None), environ)
    yield Kubernetes(create_app(judge).test_client())
    judge.close()


class Kubernetes:
    """The API server's side of the two webhooks."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def ask(self, content: Mapping[str, object], path: str = "/validate", **said: Any) -> dict[str, Any]:
        answer = self.client.post(f"{path}?timeout=10s", json=review(content, **said))
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        assert answer.json["kind"] == "AdmissionReview"
        response: dict[str, Any] = answer.json["response"]
        assert response["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
        return response

    def refusal(self, content: Mapping[str, object], **said: Any) -> str:
        response = self.ask(content, **said)
        assert response["allowed"] is False
        assert response["status"]["code"] == 403
        return str(response["status"]["message"])


def test_a_pod_with_an_approved_version_runs(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    assert kubernetes.ask(pod(f"models:/{version.model}/{version.version}"))["allowed"] is True


def test_a_pod_with_a_version_that_was_never_approved_is_refused_with_the_command_that_asks(
    kubernetes: Kubernetes, shelf: Shelf
) -> None:
    version = shelf.version()
    said = kubernetes.refusal(pod(f"models:/{version.model}/{version.version}"))
    assert "has no approval for alias:champion" in said
    assert "countersign request-transition" in said


def test_every_model_of_a_pod_must_be_approved(kubernetes: Kubernetes, shelf: Shelf) -> None:
    good, bad = shelf.approved(), shelf.version()
    uris = [f"models:/{one.model}/{one.version}" for one in (good, bad)]
    assert uris[1] in kubernetes.refusal(pod(*uris))


def test_an_approval_for_another_target_does_not_count(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved("alias:staging")
    assert "not for alias:champion" in kubernetes.refusal(pod(f"models:/{version.model}/{version.version}"))


def test_the_targets_own_alias_is_followed_with_a_warning_and_any_other_is_refused(
    kubernetes: Kubernetes, shelf: Shelf
) -> None:
    version = shelf.approved()
    for alias in ("champion", "candidate"):
        shelf.client.set_registered_model_alias(version.model, alias, str(version.version))
    followed = kubernetes.ask(pod(f"models:/{version.model}@champion"))
    assert followed["allowed"] is True
    assert "Write its number" in followed["warnings"][0]
    assert "can hold another version" in kubernetes.refusal(pod(f"models:/{version.model}@candidate"))


@pytest.mark.parametrize(
    "spelling",
    ["models:/{0}/latest", "models:/{0}/{1}/data", 'models:/{0}/{1}"1"', "models:/{0}/$(V)", "models://db/{0}/{1}"],
)
def test_a_name_that_may_mean_another_version_is_refused(kubernetes: Kubernetes, shelf: Shelf, spelling: str) -> None:
    version = shelf.approved()
    assert "names no model version" in kubernetes.refusal(pod(spelling.format(version.model, version.version)))


def test_other_spellings_of_an_approved_version_run(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    for spelling in (f"MODELS:/{version.model}/{version.version}", f"models:///{version.model}/{version.version}"):
        assert kubernetes.ask(pod(spelling))["allowed"] is True, spelling


def test_an_inference_service_runs_from_the_place_of_an_approved_version_alone(
    kubernetes: Kubernetes, shelf: Shelf
) -> None:
    version = shelf.version(source=f"s3://models/{shelf.model}/a")
    shelf.put(version, approval(version), tag_of())

    def service(address: str) -> dict[str, object]:
        return {"metadata": {"name": "bike"}, "spec": {"predictor": {"model": {"storageUri": address}}}}

    assert kubernetes.ask(service(f"s3://models/{shelf.model}/a"), kind="InferenceService")["allowed"] is True
    assert kubernetes.ask(service(f"s3://models/{shelf.model}/a/"), kind="InferenceService")["allowed"] is True
    for other in (f"s3://models/{shelf.model}/b", f"s3://models/{shelf.model}", "s3://evil/m'x", "pvc://a"):
        assert "nothing says that it was approved" in kubernetes.refusal(service(other), kind="InferenceService")


def test_a_sealed_version_runs_from_the_place_where_it_is_sealed_alone(kubernetes: Kubernetes, shelf: Shelf) -> None:
    files, source = "sha256:" + "c" * 64, f"s3://models/{shelf.model}/a"
    version = shelf.version(source=source)
    folder = folder_of(SealPlan("s3://prod-models/"), version, files)
    place = SealedAt("prod-models", folder, f"{folder}seal-1.json", "v1", "ab" * 32)
    shelf.put(version, approval(version, artifacts=files, seal="s3://prod-models/"), tag_of())

    def service(address: str) -> dict[str, object]:
        return {"metadata": {"name": "bike"}, "spec": {"predictor": {"model": {"storageUri": address}}}}

    assert "nothing says that its files are sealed" in kubernetes.refusal(service(place.uri), kind="InferenceService")
    shelf.put(version, verdict(version, artifacts=files, sealed=place), "countersign.verdict.alias.champion")
    assert kubernetes.ask(service(place.uri), kind="InferenceService")["allowed"] is True
    assert kubernetes.ask(pod(f"--model-uri={place.uri}"))["allowed"] is True
    assert kubernetes.ask(pod(f"models:/{version.model}/{version.version}"))["allowed"] is True
    for other in (source, place.uri.replace("prod-models", "evil"), place.uri.replace("c" * 64, "d" * 64)):
        refusal = kubernetes.refusal(service(other), kind="InferenceService")
        assert f"Its files are sealed at {place.uri}, use that." in refusal
    assert "nothing says that it was approved" in kubernetes.refusal(pod(f"sh -c 'load {place.uri}/data'"))


def sealed_at(version: VersionId, shelf: Shelf) -> SealedAt:
    """An approved version with its place in a sealed store."""
    files, plan = "sha256:" + "c" * 64, SealPlan("s3://prod-models/")
    folder = folder_of(plan, version, files)
    place = SealedAt(plan.bucket, folder, f"{folder}seal-1.json", "v1", "ab" * 32)
    shelf.put(version, approval(version, artifacts=files, seal=plan.to), tag_of())
    shelf.put(version, verdict(version, artifacts=files, sealed=place), "countersign.verdict.alias.champion")
    return place


def test_a_sealed_place_is_of_the_registry_and_workspace_in_its_address(
    kubernetes: Kubernetes, shelf: Shelf, key: str
) -> None:
    seen = shelf.version()
    in_eu, in_team_b = (sealed_at(replace(seen, workspace=place), shelf) for place in ("eu/default", "default/team-b"))
    assert "it is sealed from the registry eu, and approvals of the registry default count here" in kubernetes.refusal(
        pod(in_eu.uri)
    )
    assert "there is none called team-b" in kubernetes.refusal(pod(in_team_b.uri))

    sealed_at(replace(seen, workspace="eu/default"), shelf)
    environ = {"MLFLOW_TRACKING_URI": shelf.url, "COUNTERSIGN_REGISTRY": "eu"}
    judge = Judge(PLAN, proof_of(environ, read_keys([Path(key)]), None, None), environ)
    in_their_registry = Kubernetes(create_app(judge).test_client())
    assert in_their_registry.ask(pod(in_eu.uri, env={"MLFLOW_WORKSPACE": "team-b"}))["allowed"] is True
    assert "sealed from the registry default" in in_their_registry.refusal(pod(in_team_b.uri))
    judge.close()


def test_an_annotation_does_not_stand_in_for_an_unapproved_location(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    service = {
        "metadata": {"annotations": {MODEL: f"models:/{version.model}/{version.version}"}},
        "spec": {"predictor": {"model": {"storageUri": "s3://evil/model"}}},
    }
    assert "s3://evil/model" in kubernetes.refusal(service, kind="InferenceService")


def test_a_logged_model_is_found_by_its_id_and_its_place(kubernetes: Kubernetes, shelf: Shelf) -> None:
    made = shelf.client.create_logged_model("0")
    shelf.version()  # makes the registered model
    source = f"models:/{made.model_id}"
    version = identity(
        shelf.client.create_model_version(shelf.model, source, model_id=made.model_id, await_creation_for=0)
    )
    asked = (f"models:/{made.model_id}", made.artifact_location)
    for uri in asked:
        assert "has no approval" in kubernetes.refusal(pod(uri)), uri
    shelf.put(version, approval(version), tag_of())
    for uri in asked:
        assert kubernetes.ask(pod(uri))["allowed"] is True, uri
    elsewhere = f"mlflow-artifacts://evil:1/0/models/{made.model_id}/artifacts"
    assert "nothing says" in kubernetes.refusal(pod(elsewhere))


def test_a_run_has_no_approval(kubernetes: Kubernetes) -> None:
    assert "Register its model" in kubernetes.refusal(pod("runs:/0123/model"))


def test_a_pod_that_loads_from_another_registry_is_refused(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    uri = f"models:/{version.model}/{version.version}"
    assert "http://evil:5000" in kubernetes.refusal(pod(uri, env={"MLFLOW_TRACKING_URI": "http://evil:5000"}))
    for ours in (shelf.url, f"{shelf.url}/", "http://mlflow.mlflow:5000"):
        assert kubernetes.ask(pod(uri, env={"MLFLOW_TRACKING_URI": ours}))["allowed"] is True


def test_a_workspace_that_the_registry_does_not_have_is_no_yes(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    uri = f"models:/{version.model}/{version.version}"
    assert kubernetes.ask(pod(uri, env={"MLFLOW_WORKSPACE": "team-b"}))["allowed"] is False


def test_audit_mode_lets_all_through_and_says_what_it_would_refuse(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.version()
    said = kubernetes.ask(pod(f"models:/{version.model}/{version.version}"), namespace="models-test")
    assert said["allowed"] is True
    assert said["warnings"][0].startswith("Countersign would refuse this: ")
    assert all(len(one) <= 256 for one in said["warnings"])


def test_a_pod_without_a_model_is_refused_only_where_one_is_required(kubernetes: Kubernetes) -> None:
    assert kubernetes.ask(pod())["allowed"] is True
    assert MODEL in kubernetes.refusal(pod(), namespace="models-strict")


def test_other_namespaces_are_not_looked_at(kubernetes: Kubernetes, shelf: Shelf) -> None:
    assert kubernetes.ask(pod(f"models:/{shelf.model}/1"), namespace="kube-system")["allowed"] is True


def test_an_update_is_checked_when_it_names_another_model_and_only_then(kubernetes: Kubernetes, shelf: Shelf) -> None:
    bad, worse = (shelf.version() for _ in range(2))
    before = pod(f"models:/{bad.model}/{bad.version}")
    labelled = {**before, "metadata": {**before["metadata"], "labels": {"a": "b"}}}
    assert kubernetes.ask(labelled, operation="UPDATE", before=before)["allowed"] is True
    after = pod(f"models:/{worse.model}/{worse.version}")
    assert kubernetes.ask(after, operation="UPDATE", before=before)["allowed"] is False


def test_a_deletion_is_never_in_the_way(kubernetes: Kubernetes) -> None:
    assert kubernetes.ask(None, operation="DELETE", before=pod("models:/x/1"))["allowed"] is True  # type: ignore[arg-type]


def test_more_models_than_are_checked_are_refused(kubernetes: Kubernetes, shelf: Shelf) -> None:
    uris = [f"models:/{shelf.model}/{number}" for number in range(1, MOST + 2)]
    assert "Split it" in kubernetes.refusal(pod(*uris))


def test_all_models_of_an_object_are_answered_by_one_deadline(
    kubernetes: Kubernetes, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = threading.Event()
    monkeypatch.setattr(Judge, "_ask", lambda *_: opened.wait(60))
    uris = [f"models:/{shelf.model}/{number}" for number in range(1, MOST + 1)]

    began = time.monotonic()
    said = kubernetes.client.post("/validate?timeout=2s", json=review(pod(*uris))).json
    opened.set()

    assert said is not None
    assert said["response"]["allowed"] is False
    assert time.monotonic() - began < MOST  # and not so long for each


def test_a_registry_that_does_not_answer_is_no_yes(shelf: Shelf, key: str) -> None:
    environ = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    judge = Judge(PLAN, proof_of(environ, read_keys([Path(key)]), None, None), environ)
    said = Kubernetes(create_app(judge).test_client()).refusal(pod(f"models:/{shelf.model}/1"))
    assert "does not answer" in said
    judge.close()


def test_a_pod_gets_the_commit_the_data_and_the_approver_of_its_model(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    for written in (None, {}, {"a/b": "c", "countersign.io/commit": "a lie"}):
        asked = pod(f"models:/{version.model}/{version.version}", annotations=written)
        response = kubernetes.ask(asked, "/annotate")
        assert response["allowed"] is True
        annotated = patched(asked, response)["metadata"]["annotations"]
        assert annotated["countersign.io/version"] == f"models:/{version.model}/{version.version}"
        assert annotated["countersign.io/approved-by"].startswith("Cy Lindqvist")
        assert annotated["countersign.io/commit"]
        assert annotated["countersign.io/data"]
        assert kubernetes.ask(patched(asked, response))["allowed"] is True


def test_an_annotation_that_claims_another_commit_is_refused(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.approved()
    claimed = pod(f"models:/{version.model}/{version.version}", annotations={"countersign.io/commit": "a lie"})
    assert "countersign.io/commit is not what was approved" in kubernetes.refusal(claimed)


def test_nothing_is_annotated_on_what_is_not_approved(kubernetes: Kubernetes, shelf: Shelf) -> None:
    version = shelf.version()
    assert "patch" not in kubernetes.ask(pod(f"models:/{version.model}/{version.version}"), "/annotate")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"[" * 100_000,
        b'{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "1"}}',
        b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
        b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": 7}}',
    ],
)
def test_what_is_no_review_gets_a_400_and_no_answer(kubernetes: Kubernetes, body: bytes) -> None:
    answer = kubernetes.client.post("/validate", data=body)
    assert answer.status_code == 400
    assert "response" not in (answer.json or {})


def test_a_body_without_end_is_not_read(kubernetes: Kubernetes) -> None:
    assert kubernetes.client.post("/validate", data=b" " * (8 * 2**20 + 1)).status_code == 413
