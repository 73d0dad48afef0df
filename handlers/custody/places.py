"""Which watched workspace a job outside means: the place that it names, or the one that its MLflow client would talk to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.workspaces import DEFAULT, Registry, Workspace, same_server
from bot.errors import Refused
from bot.services import Services
from bot.store.transaction import Transaction


@dataclass(frozen=True)
class Named:
    """What the job says. `workspace` is a place such as `eu/team-a`, or a name that MLFLOW_WORKSPACE has; `tracking_uri` its server's."""

    workspace: str = ""
    registry: str = ""
    tracking_uri: str = ""


def place_of(named: Named, s: Services, tx: Transaction) -> str:
    """The place that is watched. Raises Refused rather than to guess: a model of the same name may be in each."""
    registries = tx.registries()
    if "/" in named.workspace:
        place = Workspace.parse(named.workspace)
    else:
        registry = _registry_of(named, registries, s)
        place = Workspace.parse(f"{registry}/{named.workspace or DEFAULT}")
    there = next((one for one in registries if one.name == place.registry), None)
    if there is None or place.name not in there.workspaces:
        known = ", ".join(place for one in registries for place in one.places[:5])
        raise Refused(f'the workspace "{place}" is not watched; {known} are. Add it to registries in the policy')
    return str(place)


def _registry_of(named: Named, registries: Sequence[Registry], s: Services) -> str:
    """With one registry every address is its own: jobs may reach it by another name than the bot."""
    if len(registries) == 1:
        return named.registry or DEFAULT
    address = same_server(named.tracking_uri) if named.tracking_uri else ""
    at_address = {
        one.name
        for one in registries
        if address and address in {same_server(own) for own in s.registries.addresses(one) if own}
    }
    if named.registry:
        if at_address and named.registry not in at_address:
            raise Refused(
                f'the registry "{named.registry}" is not at {address}, which is that of {_named(at_address)}. Correct COUNTERSIGN_REGISTRY '
                "or MLFLOW_TRACKING_URI"
            )
        return named.registry
    if len(at_address) == 1:
        return at_address.pop()
    where = f"{address} is the address of none of them" if address else "the address of yours was not sent"
    raise Refused(
        f"this bot watches several registries ({', '.join(one.name for one in registries)}), and {where}. Set COUNTERSIGN_REGISTRY to the "
        "name of the one that MLFLOW_TRACKING_URI leads to"
    )


def _named(names: set[str]) -> str:
    return " and ".join(f'"{one}"' for one in sorted(names))
