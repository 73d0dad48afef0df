"""Who wrote what in the registry, as the guard of its server reports it, and which requests come of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.model import Ask, AskKind, Kind, Target, TargetKind, TransitionRequest, VersionId

CLOCKS_DIFFER = timedelta(minutes=5)  # between bot and server
MOST_NAMES = 100  # that a guard reports of one write


class WriteAct(StrEnum):
    """The writes that a guard reports, in its own words."""

    SET_ALIAS = "SET_ALIAS"
    DELETE_ALIAS = "DELETE_ALIAS"
    SET_STAGE = "SET_STAGE"
    CREATE_MODEL = "CREATE_MODEL"
    RENAME_MODEL = "RENAME_MODEL"
    DELETE_MODEL = "DELETE_MODEL"
    CREATE_VERSION = "CREATE_VERSION"
    DELETE_VERSION = "DELETE_VERSION"
    TAG_MODEL = "TAG_MODEL"
    TAG_VERSION = "TAG_VERSION"
    UNTAG_MODEL = "UNTAG_MODEL"
    UNTAG_VERSION = "UNTAG_VERSION"


@dataclass(frozen=True)
class RegistryWrite:
    """`user` is who signed in to the server, and `vouched_by` what says so; `at` is the server's time before the write.

    `version` is None where the write has none, or where the server ended before it knew the new version's number (`is_certain` False).
    `names` are the alias, stage or new name, or the tags.
    """

    id: str
    at: datetime
    user: str
    vouched_by: str
    act: WriteAct
    workspace: str
    model: str
    version: int | None
    names: tuple[str, ...] = ()
    is_certain: bool = True


def since_the_last(requests: Iterable[TransitionRequest], kind: Kind) -> datetime | None:
    """What was written before the last request of that kind was opened had asked for that one."""
    return max((one.opened_at for one in requests if one.kind is kind), default=None)


def asks(write: RegistryWrite, version: VersionId, target: Target, ask: Ask, kind: Kind) -> bool:
    """Whether this write asked for the target, or moved it there by hand. One that may not have happened names no one."""
    if not write.is_certain or (write.workspace, write.model) != (version.workspace, version.model):
        return False
    if write.at < version.created - CLOCKS_DIFFER or write.version != version.version:
        return False
    if kind is Kind.OBSERVED and _moves(write, target):
        return True
    match ask.kind:
        case AskKind.TAG:
            return write.act in (WriteAct.TAG_VERSION, WriteAct.CREATE_VERSION) and _names(write, ask.name)
        case AskKind.ALIAS:
            return write.act is WriteAct.SET_ALIAS and _names(write, ask.name)
        case AskKind.STAGE:
            return write.act is WriteAct.SET_STAGE and _names(write, ask.name)
        case AskKind.NEW_VERSION:
            return write.act is WriteAct.CREATE_VERSION
        case _:
            return False


def _moves(write: RegistryWrite, target: Target) -> bool:
    match target.kind:
        case TargetKind.ALIAS:
            return write.act is WriteAct.SET_ALIAS and _names(write, target.name)
        case TargetKind.STAGE:
            return write.act is WriteAct.SET_STAGE and _names(write, target.name)
        case TargetKind.MODEL:
            return write.act is WriteAct.CREATE_VERSION


def _names(write: RegistryWrite, wanted: str) -> bool:
    """MLflow takes `production` for the stage Production, and some databases ignore case and accents. Of a write with more tags than a
    guard reports, any may be among those that it left out.
    """
    return len(write.names) >= MOST_NAMES or _plain(wanted) in map(_plain, write.names)


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "MCZ")
