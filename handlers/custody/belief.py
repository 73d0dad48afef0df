"""May we act on what the registry shows? Asked before a look, a move or a verdict; how it is judged is in `handlers.registry.trust`."""

from __future__ import annotations

from bot.errors import Temporary
from bot.services import Services
from bot.store.transaction import Transaction
from bot.store.trust import RegistryRow

ACCEPT = "countersign registry accept --reason TEXT"


class Doubted(Temporary):
    """What the registry shows is ignored until it is believed again."""

    def __init__(self, why: str) -> None:
        said = f"The registry is not believed, so nothing is moved in it: {why.rstrip('.')}."
        super().__init__(f"{said} It goes on by itself when all is back, or after `{ACCEPT}`.")


def is_doubted(workspace: str, tx: Transaction) -> bool:
    return tx.trust.find(workspace).doubted_since is not None


def check_believed(workspace: str, s: Services) -> None:
    """Before a move: a sweep comes once a minute, and a database can be emptied in between. Raises Doubted."""
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace)
    if row.doubted_since is not None:
        raise Doubted(row.doubt)
    if not is_same(row, s):
        raise Doubted("it is another registry than before")


def is_same(row: RegistryRow, s: Services) -> bool:
    """Asks the registry for its identity; one that does not give it may be the same."""
    identity = s.registry.identity() if row.identity is not None else None
    return identity is None or identity == row.identity
