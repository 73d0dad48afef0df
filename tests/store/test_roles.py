"""What the bot's own database role may write: it appends, and what it may correct is held against the ledger."""

from __future__ import annotations

import psycopg
import pytest

REFUSED = [
    "insert into policies (text, digest, source, activated_at) values ('rules: []', '', 'weaker.yaml', now())",
    "update policies set text = ''",
    "delete from policies",
    "update signed_requests set body = ''",
    "delete from signed_requests",
    "update manifests set text = ''",
    "update attestations set envelope = ''",
    "delete from accounts",
    "update accounts set person = ''",
    "delete from people",
    "update people set email = ''",
    "delete from switches",
    "update keys set pem = ''",
    "delete from pending_votes",
    "update pending_votes set statement = ''",
    "truncate accounts",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_the_bots_role_cannot_rewrite_what_a_vote_rests_on(limited_url: str, statement: str) -> None:
    with psycopg.connect(limited_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
