"""`audit verify` finds rows that somebody with the database's password inserted, edited or deleted beside the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from bot.errors import ChainBroken
from bot.store.record_checks import differences
from handlers.ledger.audit import audit
from handlers.ledger.old_records import list_old_records
from tests.fixtures.installation import Installation

DEEDS = {
    "a policy edited": (
        "update policies set text = replace(text, 'expire_after: 3d', 'expire_after: 9d')",
        "policy 1 was edited",
    ),
    "a policy inserted": (
        "insert into policies (digest, source, text, activated_at) select digest, source, text, now() from policies",
        "policy 2 was inserted",
    ),
    "a policy deleted": ("delete from policies", "policy 1 was deleted"),
    "a person renamed": (
        "update people set name = 'Ben Okafor' where email = 'ana@example.com'",
        "gives them the name",
    ),
    "an address changed": ("update people set email = 'x@example.com' where email = 'ana@example.com'", "address"),
    "a person deleted": ("delete from people where email = 'ana@example.com'", "was deleted"),
    "an account swapped": ("update people set account = 'U0' where email = 'ana@example.com'", "their account is not"),
    "a binding inserted": (
        "insert into accounts (account, person, how, bound_at, unbound_at) select 'U9', id, 'before', now(), now() from people limit 1",
        "",
    ),
    "a binding edited": ("update accounts set account = 'U9' where account = 'U0ANA000001'", "binding of account U9"),
    "a binding ended": ("update accounts set unbound_at = now() where account = 'U0ANA000001'", "was edited"),
    "a binding deleted": ("delete from accounts where account = 'U0ANA000001'", "was deleted"),
    "the switch turned": ("update switches set is_on = false, reason = 'x'", "switch was edited"),
    "the switch deleted": ("delete from switches", "switch was deleted"),
    "an absence inserted": (
        "insert into absences (person, delegate, since, until) select id, id, now(), now() from people limit 1",
        "absence of person",
    ),
    "a placement's request taken away": ("update placements set request_id = null", "moved it there"),
    "a placement's request made up": ("update placements set request_id = 'mine'", "no applied request"),
    "a placement moved": ("update placements set version = 9", "was edited"),
    "a placement deleted": ("delete from placements", "was deleted"),
    "a verdict edited": ("update verdicts set envelope = 'x'", "verdict on models:/"),
    "a verdict deleted": ("delete from verdicts", "was deleted"),
    "a verdict inserted": (
        "insert into verdicts select workspace, model, 9, target, envelope, expires_at from verdicts",
        "",
    ),
    "a list of files edited": ("update manifests set text = 'nothing'", "list of files"),
    "a list of files deleted": ("delete from manifests", "list of files"),
    "a list of files inserted": ("insert into manifests (digest, text) values ('sha256:x', 'y')", "list of files"),
    "a signed request edited": ("update signed_requests set body = 'x'", "signed request"),
    "a signed request deleted": ("delete from signed_requests", "signed request"),
}
NEED_A_LIST = {"a binding inserted": "no entry lists it", "a verdict inserted": "was inserted"}


@contextmanager
def undone(installation: Installation, deed: str) -> Iterator[sa.Connection]:
    with installation.s.store.engine.connect() as connection, connection.begin() as transaction:
        assert connection.execute(sa.text(deed)).rowcount > 0
        yield connection
        transaction.rollback()


def test_every_row_beside_the_ledger_is_found(installation: Installation) -> None:
    list_old_records(installation.s)
    installation.promoted()
    installation.settle()
    read_policy = installation.s.store.parse_policy
    assert audit(installation.s.store.engine, read_policy=read_policy).requests == 1

    for what, (deed, said) in DEEDS.items():
        with undone(installation, deed) as connection:
            found = "; ".join(differences(connection, read_policy))
        assert (said or NEED_A_LIST[what]) in found, (what, found)


def test_all_differences_are_told_at_once(installation: Installation) -> None:
    installation.promoted()
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("update switches set is_on = false"))
        connection.execute(sa.text("delete from manifests"))

    with pytest.raises(
        ChainBroken, match=r"2 rows were changed beside the ledger:\n  .*switch was edited.*\n  .*list of files"
    ):
        audit(installation.s.store.engine)
