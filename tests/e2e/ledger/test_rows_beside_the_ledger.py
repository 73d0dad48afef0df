"""`audit verify` finds rows that somebody with the database's password inserted, edited or deleted beside the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot.domain.model import Evidence, State
from bot.domain.policy.rules import Policy
from bot.domain.request import lifecycle
from bot.errors import ChainBroken, InvalidPolicy
from bot.store.record_checks import differences
from handlers.effects import effects_of
from handlers.ledger.audit import audit
from handlers.ledger.old_records import list_old_records
from handlers.request.accounts import unbind_by_hand
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
    "a backup accepted that was never restored": (
        "update registries set accepted_backup = now()",
        "row of the registry",
    ),
    "a backup that waits and was never restored": ("update registries set backup_of = now()", "row of the registry"),
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

    with pytest.raises(ChainBroken) as broken:
        audit(installation.s.store.engine)

    first, *lines = str(broken.value).splitlines()
    assert first == "2 rows were changed beside the ledger:"
    assert ["switch was edited" in lines[0], "list of files" in lines[1]] == [True, True]


def found(installation: Installation, deed: str, **values: object) -> str:
    """What the audit says after this statement, which is undone."""
    with installation.s.store.engine.connect() as connection, connection.begin() as transaction:
        assert connection.execute(sa.text(deed), values).rowcount > 0
        said = "; ".join(differences(connection, installation.s.store.parse_policy))
        transaction.rollback()
    return said


def test_a_list_of_files_that_no_evidence_names_is_no_fault_while_its_digest_fits(installation: Installation) -> None:
    digest = "sha256:" + hashlib.sha256(b"left over").hexdigest()

    assert found(installation, "insert into manifests values (:digest, 'left over')", digest=digest) == ""


def test_evidence_that_is_not_frozen_any_more_leaves_no_list_of_files(installation: Installation) -> None:
    version = installation.register()
    installation.ask(version)

    class Slow:
        """The request is withdrawn while its files are read."""

        def __getattr__(self, name: str) -> object:
            return getattr(installation.s.registry, name)

        def read_evidence(self, *words: object, **more: object) -> Evidence:
            evidence = installation.s.registry.read_evidence(*words, **more)  # type: ignore[arg-type]
            with installation.s.store.transaction() as tx:
                request = tx.requests.find(states=(State.COLLECTING,))[0]
                tx.record(lifecycle.withdraw(request, "no longer asked for", installation.clock.now()))
            return evidence

    with installation.s.store.transaction() as tx:
        tx.defer("sweep_versions", "", "clock:sweep_versions", once=True)
    installation.s.store.jobs.drain(dict(effects_of(replace(installation.s, registry=Slow()))))  # type: ignore[arg-type]

    assert installation.request(version).state is State.WITHDRAWN
    with installation.s.store.engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from manifests")).scalar_one() == 0


def test_a_name_from_a_policy_that_this_release_cannot_read_is_no_fault(installation: Installation) -> None:
    installation.promoted()

    def read_policy(text: str) -> Policy:
        raise InvalidPolicy("written for another release")

    with undone(installation, "update people set name = 'Ana Ruiz-Mora' where email = 'ana@example.com'") as connection:
        unread, unknown = list(differences(connection, read_policy)), list(differences(connection))

    assert unread == unknown == []


def test_our_own_move_that_a_sweep_sees_before_it_is_recorded_is_no_fault(installation: Installation) -> None:
    installation.promoted()
    second = installation.asked(installation.register())
    installation.click("ana", second, "approve")
    assert installation.reread(second).state is State.APPROVED

    move = "update placements set version = 2, version_created = :created, request_id = null"

    assert found(installation, move, created=second.version.created) == ""


def test_what_an_older_release_bound_after_our_migration_may_be_unbound(installation: Installation) -> None:
    """It writes the person's account and no row of the binding."""
    installation.promoted()
    with installation.s.store.engine.begin() as connection:
        bound = sa.text("update people set account = 'U0BEA000004' where email = 'bea@example.com'")
        assert connection.execute(bound).rowcount == 1

    unbound = unbind_by_hand("bea@example.com", "", installation.s)

    with installation.s.store.engine.connect() as connection:
        assert (unbound, list(differences(connection))) == ("U0BEA000004", [])
