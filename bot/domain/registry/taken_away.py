"""Whether what asked in the registry was taken away by a person. A look and a move both ask here, so their order makes no difference."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.model import Ask, AskKind
from bot.domain.policy.rules import Policy
from bot.domain.registry.diff import OpenAsk, tag_speaks_of
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.language import recorded


def is_taken_away(ask: OpenAsk, seen: ModelSnapshot, *, is_moving: bool) -> bool:
    """Whether a person took it away, rather than our own move (`is_moving`), the version's arrival or another policy."""
    version = seen.version(ask.version.version)
    if version is None or version.id != ask.version:
        return False
    if ask.ask.kind is AskKind.STAGE and is_moving:
        return False  # a version is in one stage only, so that our own move takes it out of the one that asks
    return ask.version not in seen.holders(ask.target) and not _is_there(ask.ask, version, seen)


def why_ended(ask: OpenAsk, seen: ModelSnapshot, policy: Policy) -> str:
    """Why it asks no more: what asked is gone, or it is there still and only the policy takes no notice of it any more."""
    named, version = str(ask.version), seen.version(ask.version.version)
    is_there = version is not None and version.id == ask.version and _is_there(ask.ask, version, seen)
    speaks = (
        ask.ask.kind is not AskKind.TAG
        or version is None
        or tag_speaks_of(version.tags.get(ask.ask.name, ""), ask.target)
    )
    if not (is_there and speaks):
        return recorded("outcome", "{version} no longer asks {ask}", version=named, ask=str(ask.ask))
    if policy.rule_for(ask.version.workspace, ask.version.model, ask.target) is None:
        return recorded(
            "outcome", "no rule covers {version} for {target} any more", version=named, target=str(ask.target)
        )
    return recorded("outcome", "the rule no longer lets {version} ask {ask}", version=named, ask=str(ask.ask))


def last_taken_away(asks: Sequence[OpenAsk], seen: ModelSnapshot | None, *, is_moving: bool) -> Ask | None:
    """The ask, when all that asked for a request were taken away; None while one is there, or went on to a newer version."""
    if seen is None or not asks:
        return None
    if not all(is_taken_away(one, seen, is_moving=is_moving) and not _went_on(one, seen) for one in asks):
        return None
    return max(asks).ask


def _is_there(ask: Ask, version: VersionSnapshot, seen: ModelSnapshot) -> bool:
    match ask.kind:
        case AskKind.ALIAS:
            return seen.aliases.get(ask.name) == version.id.version
        case AskKind.STAGE:
            return version.stage == ask.name
        case AskKind.TAG:
            return ask.name in version.tags
        case _:
            return True


def _went_on(ask: OpenAsk, seen: ModelSnapshot) -> bool:
    newer = (one for one in seen.versions if one.id.version > ask.version.version)
    return any(_is_there(ask.ask, one, seen) for one in newer)
