"""What administrators and operators do. Each returns whether it was possible."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from bot.domain.model import DEFAULT_WORKSPACE
from bot.domain.policy.changes import digest_of
from bot.errors import InvalidPolicy
from bot.store.policies import ActivePolicy
from handlers.policy.activation import activate_policy
from handlers.policy.kill_switch import person_named, switch_fast_track
from handlers.registry import sweeps
from handlers.request import calling_off
from handlers.request.accounts import bind_by_hand, unbind_by_hand
from handlers.request.adopting import adopt
from handlers.request.calling_off import ITS_JOBS
from tests.fixtures.mortal import Killed
from tests.sim.people.policies import changed
from tests.sim.world import InForce, World


def change_policy(world: World, random: Random) -> bool:
    until = world.clock.now() + timedelta(hours=random.choice([1, 8, 30]))
    what, choices = changed(world.choices, random, world.clock.now(), until)
    begun = len(world.registry.history)

    def body() -> None:
        before = world.policies[-1].policy
        try:
            active = activate_policy(choices.text, "policy.yaml", world.s)
        except InvalidPolicy as broken:
            world.violate("the simulation's own policy is broken", str(broken))
            return
        except Killed:  # it is in force if they died after the commit
            with world.plain.store.transaction() as tx:
                active = tx.policies.active()
            if active.digest == digest_of(choices.text) and active.policy != before:
                world.choices = choices
                note(active)
            raise
        world.choices = choices
        if active is not None:
            note(active)

    def note(active: ActivePolicy) -> None:
        """Of two admins at once, the one who commits first may be the last to hear of it."""
        later = [one for one in world.policies if one.id > active.id]
        at = min([world.clock.now(), *(one.at for one in later)])
        place = len(world.policies) - len(later)
        world.policies.insert(place, InForce(active.id, begun, len(world.registry.history), at, active.policy))

    how = "the freeze begins" if choices.freeze else "the freeze ends early"
    world.begin(f"the admin changes the policy: {how if what == 'freeze' else what}", body)
    return True


def switch(world: World, random: Random) -> bool:
    on = random.random() < 0.5
    world.begin(
        f"cy switches the fast track {'on' if on else 'off'}",
        lambda: switch_fast_track(on, person_named(world.humans["cy"].email, world.s), "as agreed", world.s),
    )
    return True


def adopt_all(world: World, random: Random) -> bool:
    world.begin("the admin adopts what is held without an approval", lambda: adopt(world.s))
    return True


def change_address(world: World, random: Random) -> bool:
    """Somebody gets a new address in Slack, and the admin unbinds the old one, binds the account, or does not notice."""
    human = world.humans[random.choice(["ana", "ben", "bea"])]
    if len(human.emails) > 1:
        return False
    old = human.email
    human.emails.append(f"{human.name}.new@example.com")
    world.notifier.join(human.account, human.email, human.name)
    what, body = random.choice(
        [
            ("unbinds the old one", lambda: unbind_by_hand(old, "", world.s)),
            ("binds the account to the person", lambda: bind_by_hand(old, human.account, "", world.s)),
            ("does not notice", lambda: None),
        ]
    )
    world.begin(f"{human.name} has a new address, and the admin {what}", body)
    return True


def drop_job(world: World, random: Random) -> bool:
    """An operator gives up on a promotion that does not get on; its approval ends with it."""
    stuck = [row for row in world.workers.unfinished() if row["args"]["name"] in ITS_JOBS and row["attempts"]]
    stuck = [row for row in stuck if row["status"] in ("todo", "failed")]
    if not stuck:
        return False
    row = random.choice(stuck)

    def body() -> None:
        calling_off.drop_job(row["id"], "it does not get on", person_named(world.humans["cy"].email, world.s), world.s)

    world.begin(f"the operator drops job {row['id']}, {row['args']['name']}", body)
    return True


def accept_registry(world: World, random: Random) -> bool:
    """What a doubted registry holds now is right, says an administrator, who looked before it was back or after."""
    with world.store.transaction() as tx:
        if tx.trust.find(DEFAULT_WORKSPACE).doubted_since is None:
            return False
    world.begin(
        "cy accepts the registry as it is",
        lambda: sweeps.accept_registry("as agreed", person_named(world.humans["cy"].email, world.s), world.s),
    )
    return True
