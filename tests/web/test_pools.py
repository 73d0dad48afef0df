"""Whose turn it is, and whose request it is."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.clients import Clients
from bot.web.limits import PLACES, POOLS, pool_for
from bot.web.pools import Waiting
from handlers.doors import api, slack_actions, web_frame, webhooks

PROXIES = Clients([ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")])


@dataclass(frozen=True)
class Request:
    client: str
    number: int

    def service(self) -> None: ...
    def cancel(self) -> None: ...


def test_clients_take_turns() -> None:
    waiting = Waiting(10)
    for request in (Request("a", 1), Request("a", 2), Request("a", 3), Request("b", 1), Request("c", 1)):
        waiting.add(request.client, request)

    order = [waiting.take() for _ in range(5)]

    assert order == [Request("a", 1), Request("b", 1), Request("c", 1), Request("a", 2), Request("a", 3)]


def test_when_all_places_are_taken_the_newest_request_of_the_greediest_client_goes() -> None:
    waiting = Waiting(3)
    for number in (1, 2, 3):
        waiting.add("a", Request("a", number))

    refused = waiting.add("b", Request("b", 1))

    assert refused == Request("a", 3)
    assert [waiting.take() for _ in range(3)] == [Request("a", 1), Request("b", 1), Request("a", 2)]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 10))
def test_nothing_is_lost_and_no_more_wait_than_may(clients: list[str], most: int) -> None:
    waiting, refused = Waiting(most), 0
    for number, client in enumerate(clients):
        refused += waiting.add(client, Request(client, number)) is not None
        assert len(waiting) <= most

    assert len([waiting.take() for _ in range(len(waiting))]) + refused == len(clients)


@pytest.mark.parametrize(
    ("address", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:2::7]:4711", "2001:db8:2::/64"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8:2::7", "", "2001:db8:2::/64"),
        ("2001:db8:2::8", "", "2001:db8:2::/64"),
    ],
)
def test_only_a_trusted_proxy_says_who_the_client_is(address: str, forwarded: str, client: str) -> None:
    assert PROXIES.who(address, forwarded) == client


@given(st.text(max_size=80))
def test_any_header_names_some_client(forwarded: str) -> None:
    assert PROXIES.who("10.0.0.1", forwarded)


def test_each_door_takes_bodies_as_large_as_the_server_lets_through() -> None:
    limits = {
        "/slack/events": slack_actions.BODY_LIMIT,
        "/webhooks/mlflow": webhooks.MLFLOW_BODY_LIMIT,
        "/webhooks/jira": webhooks.JIRA_BODY_LIMIT,
        "/api/requests": api.BODY_LIMIT,
        "/api/rollbacks": api.BODY_LIMIT,
        "/digests/2026-W47/sign-off": web_frame.FORM_LIMIT,
    }

    assert {path: pool_for(path).body for path in limits} == limits


@pytest.mark.parametrize(
    "path", ["/slack/events", "/webhooks/mlflow", "/webhooks/jira", "/gate/x", "/", "/models/x", "/confirm/x"]
)
def test_a_request_that_waits_for_a_vendor_leaves_a_thread_to_the_next(path: str) -> None:
    assert pool_for(path).threads > 1


def test_all_waiting_requests_have_places_and_all_threads_a_database_connection() -> None:
    assert sum(pool.waiting for pool in POOLS) < PLACES
    assert sum(pool.threads for pool in POOLS) <= 20


@pytest.mark.parametrize("path", ["", "/healthz", "//slack/events", "/slack", "/gate", "*", "\x00", "/metrics"])
def test_every_other_path_goes_to_the_last_pool(path: str) -> None:
    assert pool_for(path) is POOLS[-1]
