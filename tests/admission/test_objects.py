"""Which models a Kubernetes object names, however it writes them."""

from __future__ import annotations

import pytest

from bot.admission.objects import MODEL, Named, TooDeep, named_in
from bot.errors import Refused
from bot.gate.uris import Wanted


def pod(**container: object) -> dict[str, object]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", **container}]}}


def mentions(*args: str) -> tuple[str, ...]:
    return named_in("Pod", pod(args=list(args))).mentions


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("models:/bike/7", "models:/bike/7"),
        ("--model-uri=models:/bike/7", "models:/bike/7"),
        ("-mmodels:/bike/7", "models:/bike/7"),
        ("MODELS:/bike/7", "MODELS:/bike/7"),
        ("models:///bike/7", "models:///bike/7"),
        ('mlflow models serve -m "models:/bike/7" --port 5000', "models:/bike/7"),
        ("see models:/bike/7.", "models:/bike/7"),
        ("(models:/bike/7)", "models:/bike/7"),
        ('{"uri":"models:/bike/7","port":1}', "models:/bike/7"),
        ('["a",{"b":["models:/bike/7"]}]', "models:/bike/7"),
        ("models:/bike/$(VERSION)", "models:/bike/$(VERSION"),
        ("mlflow-artifacts:/1/models/m-1/artifacts", "mlflow-artifacts:/1/models/m-1/artifacts"),
        ("runs:/abc/model", "runs:/abc/model"),
    ],
)
def test_a_model_is_found_in_an_argument(argument: str, expected: str) -> None:
    assert mentions(argument) == (expected,)


@pytest.mark.parametrize(
    "argument", ['models:/bike/7"1"', "models:/bike/7'1'", "models:/bike/7;evil", "models:/bike/7,8"]
)
def test_what_a_shell_would_join_to_another_name_is_no_name(argument: str) -> None:
    (found,) = mentions(argument)
    with pytest.raises(Refused):
        Wanted.parse(found)


@pytest.mark.parametrize("text", ["models: none", "my models", "https://example.com/models/7", "s3://models/7"])
def test_a_text_that_names_no_model_has_none(text: str) -> None:
    assert named_in("Pod", pod(args=[text])).is_empty


def test_every_part_of_a_workload_is_read() -> None:
    deployment = {
        "metadata": {"annotations": {MODEL: "models:/a/1, models:/b/2"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {MODEL: "models:/c/3"}},
                "spec": {
                    "initContainers": [{"command": ["sh", "-c", "load models:/d/4"]}],
                    "containers": [{"env": [{"name": "MODEL_URI", "value": "models:/e/5"}]}],
                    "volumes": [{"csi": {"volumeAttributes": {"model": "models:/f/6"}}}],
                },
            }
        },
        "status": {"note": "models:/ignored/1"},
    }
    found = named_in("Deployment", deployment)
    assert set(found.mentions) == {f"models:/{name}/{number}" for number, name in enumerate("abcdef", start=1)}


def test_an_ephemeral_container_is_read_too() -> None:
    spec = {"spec": {"ephemeralContainers": [{"args": ["models:/bike/7"]}]}}
    assert named_in("Pod", spec).mentions == ("models:/bike/7",)


def test_an_inference_service_names_a_location_wherever_it_may() -> None:
    spec = {
        "spec": {
            "predictor": {"model": {"storageUri": "s3://models/a"}},
            "transformer": {"containers": [{"env": []}]},
            "explainer": {"sklearn": {"storageUri": "models:/bike/7"}},
            "extra": {"storageUris": [{"uri": "s3://models/b", "mountPath": "/m"}]},
        }
    }
    found = named_in("InferenceService", spec)
    assert (found.locations, found.mentions) == (("s3://models/a", "s3://models/b"), ("models:/bike/7",))


def test_the_registry_and_workspace_of_its_containers_are_known() -> None:
    env = [
        {"name": "MLFLOW_TRACKING_URI", "value": "http://evil:5000"},
        {"name": "MLFLOW_WORKSPACE", "value": "team-b"},
        {"name": "MLFLOW_REGISTRY_URI", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}},
    ]
    found = named_in("Pod", pod(env=env))
    assert (found.registries, found.workspaces) == (("http://evil:5000",), ("team-b",))


def test_our_own_annotations_are_told_from_the_one_that_names_the_model() -> None:
    annotations = {MODEL: "models:/a/1", "countersign.io/commit": "abc", "other/commit": "x"}
    assert named_in("Pod", {"metadata": {"annotations": annotations}}).provenance == {"countersign.io/commit": "abc"}


def test_an_object_nested_without_end_is_refused() -> None:
    spec: object = "models:/bike/7"
    for _ in range(100):
        spec = [spec]
    with pytest.raises(TooDeep):
        named_in("Pod", {"spec": spec})


@pytest.mark.parametrize(
    "spec", [None, [], 7, {"containers": None}, {"containers": [None, 3, "x"]}, {"env": [{"name": 7}]}]
)
def test_an_object_of_another_shape_names_nothing_and_breaks_nothing(spec: object) -> None:
    assert named_in("Pod", {"metadata": 7, "spec": spec}) == Named("Pod", provenance={})
