"""What each way in which MLflow can fail means to us, proved on a real server behind a proxy that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug import Response

from bot.clients.mlflow.http import LONGEST_WAIT
from bot.clients.mlflow.registry import MlflowRegistry
from bot.errors import OutcomeUnknown, Permanent, Temporary
from bot.sandbox.faults import Faults
from bot.sandbox.serving import serving
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.mlflow_seed import client_of, new_model

READ = {"path": "registered-models/get", "method": "GET"}
WRITE = {"path": "registered-models/alias", "method": "POST"}
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def model(mlflow_server: str, model_name: str) -> str:
    new_model(client_of(mlflow_server), model_name)
    return model_name


@pytest.fixture
def proxy(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    with fault_proxy(mlflow_server) as opened:
        yield opened


@pytest.fixture
def faults(proxy: tuple[str, Faults]) -> Faults:
    return proxy[1]


@pytest.fixture
def registry(proxy: tuple[str, Faults]) -> MlflowRegistry:
    return MlflowRegistry(proxy[0], webhook_secrets=[])


@pytest.fixture
def impatient(proxy: tuple[str, Faults]) -> MlflowRegistry:
    return MlflowRegistry(proxy[0], webhook_secrets=[], timeout=1.5)


@pytest.mark.parametrize("kind", ["down", "cut", "malformed"])
def test_a_read_without_an_answer_is_tried_again_later(registry, faults, model, kind):
    faults.add(kind, **READ)

    with pytest.raises(Temporary, match=f'reading model "{model}"'):
        registry.find_model("default", model)

    assert registry.find_model("default", model) is not None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_read_that_finds_the_server_in_trouble_is_tried_again_later(registry, faults, model, status):
    faults.add("status", status=status, **READ)

    with pytest.raises(Temporary, match=f"MLflow answered {status}"):
        registry.find_model("default", model)


def test_a_read_that_is_too_slow_is_tried_again_later(impatient, faults, model):
    faults.add("slow", seconds=4.0, **READ)

    with pytest.raises(Temporary, match="did not answer in time"):
        impatient.find_model("default", model)


def test_retry_after_is_told(registry, faults, model):
    faults.add("status", status=429, seconds=17, **READ)

    with pytest.raises(Temporary) as trouble:
        registry.find_model("default", model)

    assert trouble.value.retry_after == 17


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("90", 90),
        ("9" * 400, LONGEST_WAIT),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_WAIT),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after_is_understood_as_seconds_and_as_a_date(header, seconds):
    busy = Response(status=503, headers={"Retry-After": header})
    with serving(busy) as url, pytest.raises(Temporary) as trouble:
        MlflowRegistry(url, webhook_secrets=[]).find_model("default", "bike-demand")

    assert trouble.value.retry_after == seconds


@pytest.mark.parametrize("answer", ['["not", "an", "answer"]', "not JSON"])
def test_an_answer_of_another_shape_is_not_believed(answer: str):
    with serving(Response(answer, mimetype="application/json")) as url:
        registry = MlflowRegistry(url, webhook_secrets=[])

        with pytest.raises(Temporary, match="cannot be read"):
            registry.find_model("default", "bike-demand")
        with pytest.raises(OutcomeUnknown, match="cannot be read"):
            registry.set_alias("bike-demand", "champion", 1)


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (302, "Set MLFLOW_TRACKING_URI"),
        (400, "change what is asked for"),
        (401, "MLFLOW_TRACKING_TOKEN"),
        (403, "Give the account that Countersign uses (READ|EDIT)"),
        (404, "check MLFLOW_TRACKING_URI"),
        (413, "Look at the MLflow server"),
        (501, "Look at the MLflow server"),
    ],
)
@pytest.mark.parametrize("call", ["read", "write"])
def test_a_refusal_waits_for_a_person_and_says_how_to_mend_it(registry, faults, model, call, status, mend):
    faults.add("status", status=status, **(READ if call == "read" else WRITE))

    with pytest.raises(Permanent, match=mend):
        registry.set_alias(model, "champion", 1) if call == "write" else registry.find_model("default", model)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, '{"message": "Unauthorized"}', "401): Unauthorized. Check MLFLOW_TRACKING_USERNAME"),
        (403, '{"message": "Forbidden"}', "403): Forbidden. Give the account"),
        (403, '{"error": "access_denied", "status": 403}', "403): access_denied. Give the account"),
        (401, '{"detail": ["not", "a", "text"]}', "401): UNAUTHORIZED. Check MLFLOW_TRACKING_USERNAME"),
        (401, "{}", "401): UNAUTHORIZED. Check MLFLOW_TRACKING_USERNAME"),
        (403, "[]", "403): FORBIDDEN. Give the account"),
        (404, "null", "404): NOT FOUND. It may have been deleted"),
        (401, "Unauthorized", "401): Unauthorized. Check MLFLOW_TRACKING_USERNAME"),
        (404, "<html>no such route</html>", "404): <html>no such route</html>. It may have been deleted"),
    ],
)
def test_a_refusal_by_what_stands_before_mlflow_is_one_too_and_is_not_tried_for_days(status: int, body: str, said: str):
    with serving(Response(body, status=status)) as url:
        registry = MlflowRegistry(url, webhook_secrets=[])

        for call in (lambda: registry.find_model("default", "bike"), lambda: registry.set_alias("bike", "champion", 1)):
            with pytest.raises(Permanent) as refusal:
                call()
            assert said in str(refusal.value)


@pytest.mark.parametrize("kind", ["cut", "malformed"])
def test_a_write_whose_answer_was_lost_has_an_unknown_outcome_and_may_have_happened(registry, faults, model, kind):
    faults.add(kind, **WRITE)

    with pytest.raises(OutcomeUnknown, match=f"setting alias champion of {model} to v1"):
        registry.set_alias(model, "champion", 1)

    assert registry.find_model("default", model).aliases == {"champion": 1}


def test_a_write_that_never_arrived_looks_just_like_one_whose_answer_was_lost(registry, faults, model):
    faults.add("down", **WRITE)

    with pytest.raises(OutcomeUnknown):
        registry.set_alias(model, "champion", 1)

    assert registry.find_model("default", model).aliases == {}


def test_a_write_that_is_too_slow_has_an_unknown_outcome(impatient, faults, model):
    faults.add("slow", seconds=4.0, **WRITE)

    with pytest.raises(OutcomeUnknown, match="did not answer in time"):
        impatient.set_alias(model, "champion", 1)


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_write_that_the_server_broke_off_has_an_unknown_outcome(registry, faults, model, status):
    faults.add("status", status=status, **WRITE)

    with pytest.raises(OutcomeUnknown, match=f"answered {status}"):
        registry.set_alias(model, "champion", 1)


@pytest.mark.parametrize("status", [429, 503])
def test_a_write_that_the_server_did_not_take_is_tried_again_later(registry, faults, model, status):
    faults.add("status", status=status, **WRITE)

    with pytest.raises(Temporary, match=f"MLflow answered {status}"):
        registry.set_alias(model, "champion", 1)


def test_a_copy_whose_answer_was_lost_is_made_once(registry, faults, model):
    faults.add("cut", path="model-versions/create")

    with pytest.raises(OutcomeUnknown):
        registry.copy_version(model, 1, f"prod.{model}", {"countersign.request_id": "r1"})

    (copy,) = registry.find_model("default", f"prod.{model}").versions
    assert copy.tags == {"countersign.request_id": "r1"}


def test_a_server_that_is_not_there_was_never_asked_so_even_a_write_is_just_tried_again():
    registry = MlflowRegistry(NOBODY, webhook_secrets=[])

    with pytest.raises(Temporary, match=f"cannot be reached at {NOBODY}"):
        registry.find_model("default", "bike-demand")
    with pytest.raises(Temporary, match="setting alias champion"):
        registry.set_alias("bike-demand", "champion", 1)


def test_no_sentence_shows_the_address_password():
    registry = MlflowRegistry("http://bot:hunter2@127.0.0.1:1", webhook_secrets=[])

    with pytest.raises(Temporary) as trouble:
        registry.find_model("default", "bike-demand")

    assert "hunter2" not in str(trouble.value)


@pytest.mark.parametrize(
    "address", ["", "http://", "http://[bad", "http://.mlflow", "gopher://mlflow", "sqlite:///mlflow.db", "var/mlruns"]
)
def test_an_address_that_is_none_waits_for_a_person(address):
    registry = MlflowRegistry(address, webhook_secrets=[])

    with pytest.raises(Permanent, match="MLFLOW_TRACKING_URI"):
        registry.find_model("default", "bike-demand")
