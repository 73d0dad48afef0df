"""No body, header or path, signed or not, makes a door answer 500."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import postgres
from tests.fuzz.doors import Doors, each_door, open_doors
from tests.fuzz.seeds import DOOR_SEEDS, json_mutations, mutations

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_JSON = ("mlflow", "jira", "slack-payload", "slack-event", "api-requests", "api-rollbacks", "confirm", "enrol")
OF_TEXT = tuple(name for name in DOOR_SEEDS if name not in OF_JSON)
VENDOR_AWAY = (502, 503)


@pytest.fixture(scope="module")
def doors(postgres_uri: str) -> Iterator[Doors]:
    with postgres._database(postgres_uri) as url, open_doors(url) as opened:
        yield opened


def is_answered(status: int) -> bool:
    """MLflow and Slack are not there, which a door may say."""
    return status < 500 or status in VENDOR_AWAY


@pytest.mark.parametrize("name", OF_JSON)
@settings(max_examples=60)
@given(data=st.data())
def test_no_json_body_is_answered_500(doors: Doors, name: str, data: st.DataObject) -> None:
    body = data.draw(json_mutations(DOOR_SEEDS[name]) | st.binary(max_size=60))

    assert is_answered(each_door(doors)[name](body))


@pytest.mark.parametrize("name", OF_TEXT)
@settings(max_examples=60)
@given(data=st.data())
def test_no_other_input_is_answered_500(doors: Doors, name: str, data: st.DataObject) -> None:
    text = data.draw(
        mutations([seed.decode() for seed in DOOR_SEEDS[name]]).map(lambda t: t.encode("utf-8", "replace"))
        | st.binary(max_size=60)
    )

    assert is_answered(each_door(doors)[name](text))


@pytest.mark.parametrize("name", DOOR_SEEDS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff\xfe",
        b"payload=",
        b"payload=7",
        b"payload=%ff",
        b"command=%2Fcountersign",
    ],
    ids=range(14),
)
def test_bodies_that_break_parsers_are_answered(doors: Doors, name: str, body: bytes) -> None:
    assert is_answered(each_door(doors)[name](body))


@pytest.mark.parametrize(
    "form", [{"ssl_check": "1"}, {"ssl_check": "1", "token": "x"}, {"type": "url_verification", "challenge": "x"}]
)
def test_nothing_unsigned_is_answered_as_if_slack_had_sent_it(doors: Doors, form: dict[str, str]) -> None:
    body = urlencode(form).encode()

    assert doors.slack_unsigned(body) == 401
    assert doors.client.post("/slack/events", data=body).status_code == 401


def test_the_seeds_get_past_the_parsers(doors: Doors) -> None:
    """Else the mutations would start from what is refused at once, and find nothing."""
    answers = {name: [each_door(doors)[name](seed) for seed in DOOR_SEEDS[name]] for name in DOOR_SEEDS}

    assert answers["mlflow"] == [202]
    assert answers["jira"] == [200]
    assert answers["slack-payload"][:2] == [200, 200]
    assert answers["slack-form"][0] == 200
    assert answers["confirm"] == [409]  # signed by the passkey, and the request is not there
    assert answers["enrol"] == [403]  # made for the page, and the account is not bound
    assert answers["slack-event"][1] == 200
    assert answers["gate"][0] in VENDOR_AWAY
    assert answers["api-requests"][0] in VENDOR_AWAY


@pytest.mark.parametrize("door", ["gate", "unsigned-page"])
def test_a_query_that_is_not_utf_8_is_answered_400(doors: Doors, door: str) -> None:
    assert each_door(doors)[door](b"bike-demand/1?target=a\xba&expires=\xff") == 400


@pytest.mark.parametrize("length", [257, 3_000, 10_000, 20_000])
def test_a_signed_name_longer_than_any_model_has_is_answered(doors: Doors, length: int) -> None:
    """An index of the job engine takes 2,704 bytes, and compression makes room for a text that repeats itself."""
    name = secrets.token_hex(length)[:length]
    body = json.dumps({"entity": "registered_model", "action": "created", "data": {"name": name}}).encode()

    assert is_answered(doors.mlflow(body))
