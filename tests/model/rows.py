"""What is written about intents and placements, as `bot/store/registry.py` does it."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.model import TransitionRequest, VersionId
from bot.domain.registry import custody
from bot.domain.registry.facts import RESTORE, Intent
from tests.model.world import Placed, World, facts_of


def is_open(world: World, request_id: str) -> bool:
    return any(one.request_id == request_id and one.done_at is None for one in world.intents)


def put_intent(world: World, intent: Intent) -> World:
    """An announcement that was made before stays, unless it was called off since."""
    if is_open(world, intent.request_id):
        return world.ticked()
    kept = tuple(one for one in world.intents if one.request_id != intent.request_id)
    return replace(world, intents=(*kept, intent)).ticked()


def close_intent(world: World, request_id: str) -> World:
    return _close(world, {request_id})


def call_off_intent(world: World, request_id: str) -> World:
    return close_intent(world, request_id)


def close_intents(world: World) -> World:
    return _close(world, {one.request_id for one in world.intents})


def _close(world: World, ids: set[str]) -> World:
    """What is closed means nothing any more, but for restores, which are counted."""
    kept = tuple(
        replace(one, done_at=one.done_at or world.now) if one.request_id in ids else one
        for one in world.intents
        if one.request_id not in ids or one.request_id.startswith(RESTORE)
    )
    return replace(world, intents=kept)


def place_ours(
    world: World, holders: tuple[VersionId, ...], ours: tuple[VersionId, ...], request_id: str | None
) -> World:
    known = {one.version: one for one in world.on_record}
    anew = {one.version: one for one in world.placements if not one.is_judged and one.version not in ours}
    stay = [held for held in holders if held in known or held in ours or held in anew]
    placed = (known.get(held) or anew.get(held) or Placed(held, world.now, request_id) for held in stay)
    approved = (replace(one, request_id=request_id) if request_id and one.version in ours else one for one in placed)
    return replace(world, placements=tuple(approved), mark=None)


def judge_anew(world: World, request: TransitionRequest) -> World:
    """As `handlers/request/calling_off.py`: what came while its approval waited is there without one now."""
    on_record = tuple(one.version for one in world.on_record)
    facts = replace(facts_of(world, on_record), there=frozenset(on_record))
    intent = next((one for one in world.intents if one.request_id == request.id), None)
    left = custody.left_by(request, intent, facts)
    if not left:
        return world
    anew = (replace(one, is_judged=False, request_id=None) if one.version in left else one for one in world.placements)
    return replace(world, placements=tuple(anew), mark=None)
