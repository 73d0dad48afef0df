"""Many requests find their places at once: one worker decides, and the others keep to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from bot.domain.calm.grouping import CardGroup
from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.store.calm.groups import GroupRows
from bot.store.transaction import Transaction
from handlers.notify.grouped.places import group_for
from handlers.notify.render_context import context_for
from handlers.registry.reconcile import reconcile_model
from tests.e2e.notify.test_shared_cards import EIGHT, ask_for, counts
from tests.fixtures.installation import Installation, policy_text
from tests.fixtures.workers import eventually


def test_workers_that_find_a_crowd_at_once_make_one_list_and_one_of_them_decides_for_all(
    installation: Installation,
) -> None:
    ask_for(installation, EIGHT)
    for number in range(EIGHT):
        reconcile_model(f"default/{installation.model}-{number}", installation.s)
    first, second, *others = installation.requests()
    with ThreadPoolExecutor() as threads:
        with installation.s.store.transaction() as tx:
            decided = group_in(tx, first, installation)
            later = threads.submit(place, second, installation)
            eventually(lambda: waits_for_a_lock(installation))
        joined = later.result()
    with installation.s.store.transaction() as tx:
        groups = GroupRows(tx.connection)

        assert decided is not None
        assert joined == decided.id
        assert {groups.is_placed(one.id) for one in others} == {True}
        assert {one.id for one in groups.members(decided.id)} == {one.id for one in (first, second, *others)}


def test_a_list_whose_channel_was_archived_before_it_was_posted_goes_to_the_one_of_the_policy_by_then(
    installation: Installation,
) -> None:
    ask_for(installation, EIGHT)
    installation.slack.workspace.channel("model-approvals").is_archived = True
    installation.sweep()
    installation.activate(policy_text(f"{installation.model}*").replace("#model-approvals", "#compliance"))
    installation.settle()
    installation.s.store.jobs.replay_all()
    installation.settle()

    (posted,) = {one.card.thread for one in installation.requests(State.PENDING) if one.card}
    (told,) = [one for one in installation.slack.messages("compliance") if one.ts == posted]
    assert counts(told)[1] == EIGHT
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []


def group_in(tx: Transaction, request: TransitionRequest, installation: Installation) -> CardGroup | None:
    now = installation.s.clock.now()
    return group_for(request, context_for(request, tx, now), tx, now)


def place(request: TransitionRequest, installation: Installation) -> str | None:
    with installation.s.store.transaction() as tx:
        group = group_in(tx, request, installation)
    return group.id if group else None


def waits_for_a_lock(installation: Installation) -> bool:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with installation.s.store.engine.connect() as connection:
        return bool(connection.execute(sa.text(query)).scalar())
