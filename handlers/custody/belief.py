"""May we act on what the registry shows? Asked before a look, a move or a verdict; how it is judged is in `handlers.registry.trust`."""

from __future__ import annotations

from bot.domain.model import DEFAULT_WORKSPACE
from bot.domain.workspaces import in_workspace, option_for
from bot.errors import Temporary
from bot.services import Services
from bot.store.transaction import Transaction
from bot.store.trust import RegistryRow

ACCEPT = "countersign registry accept --reason TEXT"


class Doubted(Temporary):
    """What the registry shows is ignored until it is believed again."""

    def __init__(self, why: str, workspace: str, *, is_restored: bool = False) -> None:
        said = f"{doubt_begins(workspace)} {why.rstrip('.')}."
        command = f"`{accept_command(workspace)}`"
        ends = (
            f"It goes on after {command}."
            if is_restored
            else f"It goes on by itself when all is back, or after {command}."
        )
        super().__init__(f"{said} {ends}")


def doubt_begins(workspace: str) -> str:
    """How the error of each job begins that waits because of the doubt: by it they are found when the doubt has ended."""
    return f"The registry{in_workspace(workspace)} is not believed, so nothing is moved in it:"


def accept_command(workspace: str) -> str:
    """What an admin runs when the registry is right as it is now."""
    return f"{ACCEPT}{option_for(workspace)}"


def is_doubted(workspace: str, tx: Transaction) -> bool:
    return tx.trust.find(workspace).doubted_since is not None


def is_watched(workspace: str, tx: Transaction) -> bool:
    """A job may come after a policy that has taken its place out of `registries`."""
    return workspace == DEFAULT_WORKSPACE or workspace in tx.policy().places


def check_believed(workspace: str, s: Services) -> None:
    """Before a move: a sweep comes once a minute, and a database can be emptied in between. Raises Doubted."""
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace)
    check_row_believed(row, s)


def check_row_believed(row: RegistryRow, s: Services) -> None:
    """As `check_believed`, on what was read with the rest. Asks the registry which one it is, so no transaction may be open."""
    check_not_doubted(row)
    if not is_same(row, s):
        raise Doubted("it is another registry than before", row.workspace)


def check_not_doubted(row: RegistryRow) -> None:
    """For what harms nothing in another registry than ours. Asks the registry nothing. Raises Doubted."""
    if row.doubted_since is not None:
        raise Doubted(row.doubt, row.workspace, is_restored=row.backup_of is not None)


def is_same(row: RegistryRow, s: Services) -> bool:
    """Asks the registry for its identity; one that does not give it may be the same."""
    identity = s.registry_at(row.workspace).identity() if row.identity is not None else None
    return identity is None or identity == row.identity
