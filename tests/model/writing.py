"""The changes of the registry, one call at a time, as `handlers/registry/apply.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.model import TargetKind, TransitionRequest, VersionId
from bot.domain.registry import steps
from bot.domain.registry.facts import Facts, copies_of
from tests.model.world import Rows, World, version


@dataclass(frozen=True)
class Write:
    """What the bot did to the registry, and for which request or restore."""

    kind: str
    version: VersionId | None
    cause: str


def change_for(world: World, request: TransitionRequest, facts: Facts, step: steps.Step) -> Write | None:
    kind = facts.target.kind
    if isinstance(step, steps.Move):
        if kind is TargetKind.MODEL:
            return None if copies_of(request, facts) else Write("copy", request.version, request.id)
        if request.version not in facts.holders:
            return Write("set", request.version, request.id)
        leaving = next((one for one in step.archive if one in facts.holders), None)
        return Write("archive", leaving, request.id) if leaving else None
    assert isinstance(step, steps.PutBack)
    if step.how is steps.How.DELETE:
        return Write("delete", step.away_from, request.id)
    if step.to is not None and (kind is TargetKind.ALIAS or step.to not in facts.holders):
        return Write("set", step.to, request.id)
    if kind is TargetKind.ALIAS:
        return Write("remove", None, request.id)
    return Write("archive", step.away_from, request.id)


def apply_write(world: World, change: Write) -> World:
    """Changes the registry as it is now, which may differ from what was read before."""
    held, one = world.holders, change.version
    if change.kind == "copy" and one is not None:
        made = version(max((copy.version for copy in world.sources), default=0) + 1, world.place_model)
        made = replace(made, created=world.now)
        sources = Rows({**world.sources, made: one})
        return replace(world, holders=(made, *held), sources=sources)
    if change.kind == "set" and one is not None:
        rest = () if world.setting.target.kind is TargetKind.ALIAS else tuple(v for v in held if v != one)
        return replace(world, holders=tuple(sorted((one, *rest), reverse=True)))
    if change.kind == "remove":
        return replace(world, holders=())
    return replace(world, holders=tuple(v for v in held if v != one))  # archived or deleted
