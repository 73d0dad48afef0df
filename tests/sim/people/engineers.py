"""What engineers do in the registry with their own hands. Each returns whether it was possible."""

from __future__ import annotations

from random import Random

from bot.domain.model import Target, TargetKind, VersionId
from tests.sim.people.picks import (
    BIKE,
    CHURN,
    OLD,
    PROD,
    a_version,
    aliases_of,
    by_hand,
    mae_of,
    target_text,
)
from tests.sim.world import World


def register(world: World, random: Random) -> bool:
    """A version with content of its own, or once more what was there before under another number."""
    model = random.choice([BIKE, BIKE, BIKE, BIKE, CHURN])
    contents = sorted({(text, mae_of(world, text)) for text in world.registry.contents.values()})
    if contents and random.random() < 0.25:
        content, mae = random.choice(contents)
    else:
        content, mae = f"c{random.getrandbits(32):08x}", random.choice([30.0, 35.0, 38.0, 45.0, 50.0])
    return by_hand(
        world, lambda: world.registry.hand_register(random.choice(["bea", "dan", "ana"]), model, content, mae)
    )


def ask_by_alias(world: World, random: Random) -> bool:
    version = a_version(world, random, BIKE)
    if version is None:
        return False
    return by_hand(world, lambda: world.registry.hand_alias("dan", version.model, "candidate", version.version))


def stop_asking(world: World, random: Random) -> bool:
    if "candidate" not in aliases_of(world, BIKE):
        return False
    return by_hand(world, lambda: world.registry.hand_alias("dan", BIKE, "candidate", None))


def ask_by_tag(world: World, random: Random) -> bool:
    version = a_version(world, random, BIKE)
    if version is None:
        return False
    world.tell(f"dan tags {version} to ask")
    return by_hand(
        world, lambda: world.registry.hand_tag(version.model, version.version, {"countersign.ask": target_text(world)})
    )


def move_by_hand(world: World, random: Random) -> bool:
    """To whatever the rule's target is; there and back is two of these."""
    version = a_version(world, random, BIKE)
    return version is not None and _move(world, random, version)


def move_to_asked(world: World, random: Random) -> bool:
    """Somebody does not wait for the votes."""
    with world.store.transaction() as tx:
        live = [request.version for request in tx.requests.find() if request.settled_at is None]
    there = [version for version in live if world.registry.is_there(version)]
    return bool(there) and _move(world, random, random.choice(there))


def empty_target(world: World, random: Random) -> bool:
    if "champion" not in aliases_of(world, BIKE):
        return False
    return by_hand(world, lambda: world.registry.hand_alias("dan", BIKE, "champion", None))


def delete_version(world: World, random: Random) -> bool:
    version = a_version(world, random, random.choice([BIKE, PROD, PROD]))
    if version is None:
        return False
    return by_hand(world, lambda: world.registry.hand_delete_version("dan", version.model, version.version))


def rename(world: World, random: Random) -> bool:
    """Away and perhaps back, or another model onto the ruled name."""
    names = [name for name in (BIKE, OLD, CHURN, PROD) if name in world.registry.models]
    if not names:
        return False
    model = random.choice(names)
    name = random.choice([one for one in (BIKE, OLD, f"{model}-2") if one != model])
    return by_hand(world, lambda: world.registry.hand_rename("dan", model, name))


def swap_names(world: World, random: Random) -> bool:
    """The ruled model goes, and another that carries the alias takes its name, before any sweep comes by."""
    if BIKE not in world.registry.models or CHURN not in world.registry.models or OLD in world.registry.models:
        return False
    version = a_version(world, random, CHURN)
    if version is None:
        return False

    def swap() -> None:
        world.registry.hand_alias("dan", CHURN, "champion", version.version)
        world.registry.hand_rename("dan", BIKE, OLD)
        world.registry.hand_rename("dan", CHURN, BIKE)

    return by_hand(world, swap)


def copy_by_hand(world: World, random: Random) -> bool:
    version = a_version(world, random, BIKE)
    if version is None:
        return False
    return by_hand(world, lambda: world.registry.hand_copy("dan", version.model, version.version, PROD, {}))


def odd_name(world: World, random: Random) -> bool:
    """MLflow takes almost any name for a model."""
    name = random.choice(["odd\nname", "odd\0name", "odd'name", "odd/name"])
    return name not in world.registry.models and by_hand(
        world, lambda: world.registry.hand_register("dan", name, f"c{random.getrandbits(32):08x}", 38.0)
    )


def _move(world: World, random: Random, version: VersionId) -> bool:
    target, by = Target.parse(target_text(world)), random.choice(["dan", "ana", "another program"])
    if target.kind is TargetKind.ALIAS:
        return by_hand(world, lambda: world.registry.hand_alias(by, version.model, target.name, version.version))
    if target.kind is TargetKind.STAGE:
        stage = random.choice([target.name, target.name, "Archived"])
        return by_hand(world, lambda: world.registry.hand_stage(by, version.model, version.version, stage))
    return by_hand(world, lambda: world.registry.hand_copy(by, version.model, version.version, target.name, {}))
