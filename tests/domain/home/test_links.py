"""Which version a link names; every other address stays an address."""

from __future__ import annotations

import pytest

from bot.domain.home.links import LinkedRequest, LinkedVersion, Server, read_link
from bot.domain.workspaces import DEFAULT

SERVERS = (Server("https://mlflow.example.com", DEFAULT), Server("http://eu.example.com:5000/ml", "eu"))
OWN = "https://bot.example.com"
BIKE = LinkedVersion(DEFAULT, "bike demand/1", 7)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://mlflow.example.com/#/models/bike%20demand%2F1/versions/7", BIKE),
        ("https://MLFLOW.example.com:443/#/models/bike%20demand%2F1/versions/7/", BIKE),
        (
            "https://mlflow.example.com/#/models/bike/versions/7?workspace=team-a",
            LinkedVersion("default/team-a", "bike", 7),
        ),
        ("http://eu.example.com:5000/ml/#/models/bike/versions/12", LinkedVersion("eu/default", "bike", 12)),
        ("https://bot.example.com/models/bike%20demand%2F1/7?expires=1&signature=x", BIKE),
        ("https://bot.example.com/workspaces/eu/team-b/models/bike/7", LinkedVersion("eu/team-b", "bike", 7)),
        ("https://bot.example.com/requests/0123456789ab", LinkedRequest("0123456789ab")),
    ],
)
def test_a_link_names_a_version_or_a_request(url: str, named: object) -> None:
    assert read_link(url, SERVERS, OWN) == named


@pytest.mark.parametrize(
    "url",
    [
        "https://mlflow.example.com/#/models/bike",
        "https://mlflow.example.com/#/models/bike/versions/0",
        "https://mlflow.example.com/#/models/bike/versions/12345678901",
        "https://mlflow.example.com/#/models/bike/versions/7?workspace=No%20Such",
        "https://mlflow.example.com.evil.example/#/models/bike/versions/7",
        "https://mlflow.example.com@evil.example/#/models/bike/versions/7",
        "https://bot.example.com.evil.example/models/bike/7",
        "https://bot.example.com/ledger",
        "https://elsewhere.example/models/bike/7",
        "https://[broken/#/models/bike/versions/7",
        "https://mlflow.example.com/#/models/" + "b" * 3_000 + "/versions/7",
    ],
)
def test_any_other_address_names_nothing(url: str) -> None:
    assert read_link(url, SERVERS, OWN) is None


def test_without_an_address_of_ours_no_page_is_ours() -> None:
    assert read_link("https://bot.example.com/models/bike/7", SERVERS, "") is None
