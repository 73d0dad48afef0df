"""Reads a registered model for those who act on it, also where MLflow hides more of its versions than can be read one by one."""

from __future__ import annotations

from bot.domain.registry.snapshot import ModelSnapshot
from bot.errors import TooManyHidden
from bot.services import Services


def read_model(workspace: str, name: str, s: Services) -> ModelSnapshot | None:
    """As the registry shows it now; None when it does not exist. With too many hidden versions it has those that hold a target or are
    on record, which is what moves are judged by, and says in `unread` why the others are missing.
    """
    registry = s.registry_at(workspace)
    try:
        return registry.find_model(workspace, name)
    except TooManyHidden:
        with s.store.transaction() as tx:
            known = tx.custody.numbers_on_record(workspace, name)
        return registry.find_model_in_part(workspace, name, known)
