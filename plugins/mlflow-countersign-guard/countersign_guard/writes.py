"""What a request would write, as `decide` judges it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Act(Enum):
    """The kinds of writes that can concern a governed target or what an approval rests on."""

    SET_ALIAS = auto()
    DELETE_ALIAS = auto()
    SET_STAGE = auto()
    DELETE_MODEL = auto()
    RENAME_MODEL = auto()
    CREATE_MODEL = auto()
    CREATE_VERSION = auto()
    DELETE_VERSION = auto()
    TAG_MODEL = auto()
    TAG_VERSION = auto()
    WRITE_WEBHOOK = auto()
    WRITE_RUN = auto()  # or a logged model
    DELETE_RUN = auto()
    CREATE_EXPERIMENT = auto()
    DELETE_EXPERIMENT = auto()
    WRITE_FILE = auto()
    WRITE_FILE_OF = auto()  # a run or a logged model: the path begins in its own folder
    DELETE_FILE = auto()
    DELETE_WORKSPACE = auto()


# What only the list can judge is refused without one; the rest is open, so that training goes on.
CLOSED_WITHOUT_LIST = frozenset(
    {
        Act.SET_ALIAS,
        Act.DELETE_ALIAS,
        Act.SET_STAGE,
        Act.DELETE_MODEL,
        Act.RENAME_MODEL,
        Act.DELETE_VERSION,
        Act.DELETE_RUN,
        Act.DELETE_EXPERIMENT,
        Act.DELETE_FILE,
        Act.DELETE_WORKSPACE,
    }
)


# Whose author the bot is told.
REPORTED = frozenset(
    {
        Act.SET_ALIAS,
        Act.DELETE_ALIAS,
        Act.SET_STAGE,
        Act.DELETE_MODEL,
        Act.RENAME_MODEL,
        Act.CREATE_MODEL,
        Act.CREATE_VERSION,
        Act.DELETE_VERSION,
        Act.TAG_MODEL,
        Act.TAG_VERSION,
    }
)


@dataclass(frozen=True)
class Write:
    """`ids` are of the runs and logged models that it changes; `path` is an artifact's, `url` a webhook's."""

    act: Act
    workspace: str
    model: str = ""
    number: str = ""
    name: str = ""  # of the alias, stage or workspace, or the model's new name
    tags: tuple[str, ...] = ()  # the names of those that are set or deleted
    ids: tuple[str, ...] = ()
    path: str = ""
    url: str = ""
    experiment: str = ""
    removes: bool = False  # a tag
    takes_models: bool = False  # when a workspace is deleted: its models are deleted too, or move into the default one
