"""What must be true in the end, when vendors are healthy, every job is done and the sweeps came by."""

from __future__ import annotations

from bot.domain.ledger.chain import Entry, first_fault
from tests.sim.laws.after_sweeps import Broken
from tests.sim.laws.messages import Messages, rule_of, waits_for_people
from tests.sim.laws.places import Places
from tests.sim.laws.votes import Votes
from tests.sim.world import World


def check_all(world: World) -> None:
    """Tells the world of each law that does not hold."""
    with world.store.transaction() as tx:
        requests, entries = tx.requests.find(), list(tx.ledger.entries())
        for_people = {request.id for request in requests if rule_of(request, tx.policy()) is None}
        for_people |= {request.id for request in requests if waits_for_people(request, world)}
        broken = [*_check_jobs(world, for_people), *_check_ledger(entries)]
        for laws in (Votes(world), Places(world), Messages(world)):
            broken += laws.check(requests, entries, tx)
    for law, how in broken:
        world.violate(law, how)


def _check_jobs(world: World, for_people: set[str]) -> Broken:
    """What the policy speaks of no more waits for a person who puts its rule back, and what has no way back for one who chooses another."""
    for row in world.workers.unfinished():
        if row["status"] == "failed" and row["args"]["request_id"] in for_people:
            continue
        about = f"{row['args']['name']} {row['args']['request_id'][:40]!r}"
        yield "a job is left over", f"{about} is {row['status']}: {world.workers.errors_of(row['id'])[:160]}"


def _check_ledger(entries: list[Entry]) -> Broken:
    fault = first_fault(entries)
    if fault:
        yield "the ledger does not hold", fault
