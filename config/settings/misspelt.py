"""Names in the environment that are no setting, and what was probably meant: a misspelt name silently leaves the default in force."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from config.settings.registries import NAMED
from config.settings.table import SETTINGS

PREFIX, OF_THE_GUARD = "COUNTERSIGN_", "COUNTERSIGN_GUARD_"
TYPO_LIKENESS = (
    0.85  # COUNTERSIGN_HOEM is a typo of COUNTERSIGN_HOME; COUNTERSIGN_MAIL_FROM, of a later release, is not
)
MLFLOWS_ACCOUNT = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
MLFLOWS_OTHERS = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_DIR")  # like ours, and MLflow's own
KNOWN = (*(setting.name for setting in SETTINGS), *MLFLOWS_ACCOUNT, *MLFLOWS_OTHERS)
SERVICE_LINK = re.compile(
    r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def typos(environ: Mapping[str, str]) -> Iterator[str]:
    """Of names that begin as ours do. Nobody else reads those, so they are mistakes."""
    for name in _unknown(environ):
        if name.startswith(PREFIX):
            for meant in _near(name, (known for known in KNOWN if known.startswith(PREFIX))):
                yield f"{name} is not a setting of Countersign. Did you mean {meant}?"


def look_alikes(environ: Mapping[str, str]) -> dict[str, str]:
    """By each other name: the unset setting that it looks like, or nothing where it only begins as ours do.

    Another program may read such a name, so it is worth a warning and no more.
    """
    free = [name for name in KNOWN if not environ.get(name, "").strip()]
    found = {name: next(iter(_near(name, free)), "") for name in _unknown(environ)}
    ours = {name for name in found if name.startswith(PREFIX) and not name.startswith(OF_THE_GUARD)}
    return {name: meant for name, meant in found.items() if meant or name in ours}


def meant_by(setting: str, environ: Mapping[str, str]) -> str:
    """The name in the environment that was probably meant to be this setting; empty when there is none."""
    return next((name for name, meant in look_alikes(environ).items() if meant == setting), "")


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name not in KNOWN and not NAMED.fullmatch(name) and not _is_service_link(name, value):
            yield name


def _near(name: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(name, list(known), n=1, cutoff=TYPO_LIKENESS)


def _is_service_link(name: str, value: str) -> bool:
    """What Kubernetes, and Docker before it, sets in each container for a Service that is called countersign, or countersign-web.

    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return bool(SERVICE_LINK.fullmatch(name)) or (name.endswith("_PORT") and bool(SERVICE_ADDRESS.match(value)))
