"""`countersign people` and what ends an approval, on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.database.connect import create_engine
from bot.sandbox.jira import JiraSandbox
from bot.sandbox.serving import serving
from bot.store.people import PeopleRows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def countersign(url: str, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, env={"DATABASE_URL": url}, catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def with_ana(database_url: str) -> str:
    engine = create_engine(database_url, pooled=False)
    with engine.begin() as connection:
        people = PeopleRows(connection)
        people.bind(people.get_or_add("ana@example.com", "Ana Ruiz"), "U1", "policy", NOON)
    return database_url


def test_the_list_says_whose_account_it_is_since_when_and_how(with_ana: str) -> None:
    code, printed = countersign(with_ana, "people", "list", "--json")

    (ana,) = json.loads(printed)
    assert (code, ana["email"], ana["account"], ana["bound"], ana["since"]) == (
        0,
        "ana@example.com",
        "U1",
        "policy",
        "2026-03-02T12:00:00+00:00",
    )


def test_unbinding_says_how_to_bind_again_and_keeps_what_was(with_ana: str) -> None:
    code, said = countersign(with_ana, "people", "unbind", "ana@example.com", "--by", "cy@example.com")

    _, printed = countersign(with_ana, "people", "list", "--json")
    ana = next(row for row in json.loads(printed) if row["email"] == "ana@example.com")
    assert (code, "countersign people bind ana@example.com ACCOUNT" in said) == (0, True)
    assert (ana["account"], ana["earlier_accounts"]) == (None, "U1")


def test_an_address_that_is_unknown_and_a_request_that_is_not_there_are_refused(with_ana: str) -> None:
    unknown = countersign(with_ana, "people", "unbind", "eve@example.com", "--by", "cy@example.com")
    missing = [
        countersign(with_ana, "requests", *words)[0]
        for words in (
            ("show", "3f1c9a70"),
            ("call-off", "3f1c9a70", "--reason", "it leaks", "--by", "cy@example.com"),
            ("list", "--after", "3f1c9a70"),
            ("list", "--requester", "eve@example.com"),
        )
    ]

    assert (unknown[0], missing) == (4, [4, 4, 4, 4])


def test_an_account_of_jira_is_bound_and_unbound_with_in_tickets(database_url: str) -> None:
    jira = JiraSandbox()
    with serving(jira) as url:
        here = {
            "DATABASE_URL": database_url,
            "JIRA_URL": url,
            "JIRA_EMAIL": jira.email,
            "JIRA_API_TOKEN": jira.api_token,
        }

        def run(*words: str) -> tuple[int, str]:
            done = CliRunner().invoke(main, ("people", *words, "--in-tickets"), env=here, catch_exceptions=False)
            return done.exit_code, done.output

        bound = run("bind", "ana@example.com", "ana", "--by", "cy@example.com")
        nameless = run("bind", "ana@example.com")
        unbound, again = (run("unbind", "ana@example.com") for _ in range(2))

    assert bound == (0, "ana@example.com is bound to the Jira account ana (Ana Ruiz) now.\n")
    assert (nameless[0], "name the account" in nameless[1]) == (2, True)
    assert (unbound[1], again[1]) == (
        "ana@example.com is bound to no Jira account now.\n",
        "ana@example.com was bound to no Jira account.\n",
    )
