"""Which models a Kubernetes object names, however it writes them."""

from __future__ import annotations

import pytest

from bot.admission.objects import MODEL, UNSEEN, Named, TooDeep, named_in
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
    assert (found.registries, found.workspaces) == (("http://evil:5000",), ())


def workspaces_of(*containers: dict[str, object], **metadata: object) -> tuple[str, ...]:
    return named_in("Pod", {"metadata": metadata, "spec": {"containers": list(containers)}}).workspaces


def container(*args: str, workspace: str | None = None, **env: object) -> dict[str, object]:
    variables = [] if workspace is None else [{"name": "MLFLOW_WORKSPACE", "value": workspace}]
    more = [
        {"name": name, **value} if isinstance(value, dict) else {"name": name, "value": value}
        for name, value in env.items()
    ]
    return {"name": "c", "image": "i", "args": list(args), "env": [*variables, *more]}


def test_the_workspace_is_that_of_the_container_that_names_the_model() -> None:
    model, sidecar = "models:/bike/7", container(workspace="team-a")
    assert workspaces_of(container(model, workspace="team-b")) == ("team-b",)
    assert workspaces_of(container(model), sidecar) == ()
    assert workspaces_of(container(model, NOTE='{"name":"MLFLOW_WORKSPACE","value":"team-a"}')) == ()
    assert workspaces_of(container(model), container(model, workspace="team-a")) == ("", "team-a")
    assert workspaces_of(container(), sidecar, annotations={MODEL: model}) == ("team-a",)


def test_a_workspace_from_elsewhere_is_told_from_none() -> None:
    found = workspaces_of(container("models:/bike/7", MLFLOW_WORKSPACE={"valueFrom": {"configMapKeyRef": {}}}))
    assert found == (UNSEEN,)


@pytest.mark.parametrize("where", ["annotations", "labels"])
def test_a_name_that_a_container_can_read_from_its_metadata_is_found(where: str) -> None:
    content = {"metadata": {where: {"team/model": "models:/bike/7"}}, "spec": {"containers": [container()]}}
    assert named_in("Pod", content).mentions == ("models:/bike/7",)


def test_both_values_of_a_key_that_comes_twice_in_json_are_found() -> None:
    assert mentions('{"uri": "models:/evil/1", "uri": "models:/bike/7"}') == ("models:/evil/1", "models:/bike/7")


def test_a_name_too_long_to_be_one_is_not_cut_to_a_good_one() -> None:
    (found,) = mentions("models:/bike/1" + '""' * 4_200 + "7")
    with pytest.raises(Refused):
        Wanted.parse(found)


def test_what_kserve_loads_is_found_in_its_service_and_in_its_pod() -> None:
    initializer = {"name": "storage-initializer", "image": "i", "args": ["s3://models/a", "/mnt/models"]}
    assert named_in("Pod", {"spec": {"initContainers": [initializer]}}).locations == ("s3://models/a",)
    service = {"spec": {"predictor": {"model": {"storage": {"key": "k", "path": "models/a"}}}}}
    assert named_in("InferenceService", service).locations == ("storage.path models/a",)


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


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("models:/bike/7\t1", "models:/bike/71"),
        ("models:/bike/7\n1", "models:/bike/71"),
        ("--model-uri=models:/bike/7\r1", "models:/bike/71"),
        ("mo\tdels:/bike/8", "models:/bike/8"),
        ("-mmodels:/bi\nke/8", "models:/bike/8"),
        ('"models:\\/bike\\/8"', "models:/bike/8"),
        ("models:/bike@champion x/8", "models:/bike@champion x/8"),
        ("--model-uri=models:/bike@champion x@y", "models:/bike@champion x@y"),
        ("exec serve -m 'models:/bike@champion x/8' --port 80", "models:/bike@champion x/8"),
        ("exec serve -m models:/bike@champion' 'x\" \"y/8", "models:/bike@champion x y/8"),
        ('python -c \\"load(\\"models:/bike@champion x/8\\")', "models:/bike@champion x/8"),
        ("exec serve -m models:/bike@champion\u00a0x/8", "models:/bike@champion\u00a0x/8"),
        ("mlflow-artifacts:/1/models/m-1/artifacts x", "mlflow-artifacts:/1/models/m-1/artifacts x"),
    ],
)
def test_a_name_is_checked_as_mlflows_client_reads_it(text: str, read_as: str) -> None:
    assert read_as in mentions(text)


@pytest.mark.parametrize(
    "text",
    [
        "models:/bike/7\n",
        "\tmodels:/bike/7",
        "exec serve -m models:/bike/7\r\necho done",
        "models:/a/1\nmodels:/b/2\n",
        "models:/a/1 models:/b/2",
        "models:/bike/7 --port 80",
        "exec serve -m 'models:/bike/7' && cat 'a b/8'",
        """python -c 'load("models:/bike/7"); print("it is there")' a/8""",
        "don't stop models:/bike/7 or it's over/8",
    ],
)
def test_what_comes_after_a_name_makes_no_other_name_of_it(text: str) -> None:
    assert set(mentions(text)) <= {"models:/bike/7", "models:/a/1", "models:/b/2"}


@pytest.mark.parametrize("last", ["", "team-b"])
def test_a_workspace_that_is_set_twice_is_two_workspaces(last: str) -> None:
    twice = [{"name": "MLFLOW_WORKSPACE", "value": "team-a"}, {"name": "MLFLOW_WORKSPACE", "value": last}]
    assert workspaces_of({"name": "c", "args": ["models:/bike/7"], "env": twice}) == tuple(sorted(["team-a", last]))
