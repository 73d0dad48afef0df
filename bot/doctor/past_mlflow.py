"""Checks of what lies behind an MLflow server with a guard: who reaches its database or its object store needs no MLflow.

Only this machine and this environment are looked at; what others have is not seen from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from bot.clients.bucket_rights import may_write
from bot.clients.mlflow.tracking_database import may_change, reach_of
from bot.doctor.findings import Findings, World, fine, not_tried, warning
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import NotTried

DATABASE, FILES = "mlflow database", "mlflow files"
STORES = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI")
SERVED = ("mlflow-artifacts",)
TO_THE_SERVER = "give these credentials to the MLflow server alone"
THEIR_KEYS = "to try them, run `countersign doctor` with such keys in the environment, such as by AWS_PROFILE"
FEW = "let few people sign in on that machine"
MOST = 5  # stores that are tried


def database_is_out_of_reach(world: World) -> Findings:
    """By what the environment names, and by the bot's own database, which may be MLflow's too."""
    if not _is_asked(world):
        return
    with world.services.store.engine.connect() as connection:
        if may_change(connection):
            yield warning(
                DATABASE,
                "the bot's role in DATABASE_URL may change MLflow's tables there: one update moves any alias past the guard",
                "give MLflow a database of its own, or take the rights on its tables from the bot's role",
            )
    named = {name: text for name in STORES if (text := world.environ.get(name, "").strip())}
    for name, address in named.items():
        yield from _reached(name, address)
    if not named:
        yield not_tried(
            DATABASE, f"its tables, because {STORES[0]} is not set here. Who has its credentials needs no MLflow"
        )
    yield not_tried(DATABASE, "`mlflow gc` and `mlflow db` on the server's machine: they ask no guard", FEW)


def _reached(name: str, address: str) -> Findings:
    try:
        reach = reach_of(address)
    except NotTried as why:
        yield not_tried(DATABASE, f"{name}: {why}")
        return
    if not reach.opens:
        yield fine(DATABASE, f"{name} ({reach.shown}) does not open from here: {reach.why}")
    elif reach.may_write is False:
        yield fine(DATABASE, f"{name} ({reach.shown}) opens from here, and may only be read")
    else:
        may = "may be changed" if reach.may_write else "opens (whether it may be changed was not tried)"
        yield warning(
            DATABASE,
            f"{name} ({reach.shown}) {may} from here: one update of registered_model_aliases moves any alias past the guard",
            f"take {name} out of this environment; {TO_THE_SERVER}",
        )


def files_are_out_of_reach(world: World) -> Findings:
    """Where the experiments and the policy say that files are."""
    if not _is_asked(world):
        return
    experiments = _stores(world.mlflow.artifact_locations())
    past = [store for store in experiments if _scheme(store) not in SERVED]
    if past:
        yield warning(
            FILES,
            f"experiments keep their files in {_listed(past)}: who trains has keys to them, "
            "and can replace an approved version's files past the guard",
            "let the server hand out the files (`mlflow server --artifacts-destination`), give the keys to it alone, "
            "and keep old versions of objects",
        )
    elif experiments:
        yield fine(FILES, f"experiments keep their files at {_listed(experiments)}, where the guard sees each write")
    stores = [one for one in dict.fromkeys((*past, *world.policy.artifact_stores)) if _scheme(one) not in SERVED]
    for store in stores[:MOST]:
        yield from _writable(store, world.environ.get("MLFLOW_S3_ENDPOINT_URL", ""))
    if stores:
        yield not_tried(FILES, f"{_listed(stores)} with other people's keys", THEIR_KEYS)


def _writable(store: str, endpoint: str) -> Findings:
    try:
        is_open = _may_write(store, _scheme(store), endpoint)
    except NotTried as why:
        yield not_tried(FILES, f"whether {store} may be written from here: {why}")
        return
    if is_open:
        yield warning(
            FILES,
            f"{store} may be written with what this environment has: who gets at it can replace an approved version's files past the guard",
            f"the bot only reads (s3:GetObject, s3:ListBucket): take the right to write away; {TO_THE_SERVER}",
        )
    else:
        yield fine(FILES, f"{store} cannot be written from here")


def _may_write(store: str, scheme: str, endpoint: str) -> bool:
    """Raises NotTried."""
    if scheme == "s3":
        return may_write(store, endpoint)
    if scheme in ("", "file"):
        return os.access(Path(urlsplit(store).path), os.W_OK)
    raise NotTried(f"there is no way to try {scheme}: without writing")


def _stores(locations: Iterable[str]) -> list[str]:
    """The bucket, the folder or MLflow's own service behind them, each once."""
    return list(dict.fromkeys(_store(location) for location in locations))


def _store(location: str) -> str:
    """An experiment has a folder of its own there."""
    if _scheme(location) in SERVED:
        return f"{_scheme(location)}:"
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}/" if parts.netloc else location.rpartition("/")[0]


def _scheme(store: str) -> str:
    return store.partition(":")[0] if ":" in store else ""


def _listed(stores: list[str]) -> str:
    return ", ".join(stores[:MOST]) + (f" and {len(stores) - MOST} more" if len(stores) > MOST else "")


def _is_asked(world: World) -> bool:
    """Of the default registry, whose variables the environment has, and only when it has a guard."""
    first = next((place for place in world.policy.places if Workspace.parse(place).registry == DEFAULT), "")
    return bool(world.guard_secret.get_secret_value()) and world.place == first
