"""Which model version, or which request, an address of the web names: on the pages of an MLflow server, or on ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from bot.domain.workspaces import DEFAULT, Workspace, same_server
from bot.errors import Refused

# https://mlflow.example.com/#/models/NAME/versions/7?workspace=team-a
OF_MLFLOW = re.compile(r"/models/(?P<model>[^/?#]+)/versions/(?P<version>[1-9][0-9]{0,8})/?")
OF_VERSION = re.compile(
    r"(/workspaces/(?P<registry>[^/]+)/(?P<workspace>[^/]+))?/models/(?P<model>[^/]+)/(?P<version>[1-9][0-9]{0,8})/?"
)
OF_REQUEST = re.compile(r"/requests/(?P<beginning>[0-9A-Za-z]{8,64})/?")
LONGEST = 2_000  # characters of an address


@dataclass(frozen=True)
class Server:
    """An MLflow server by one of its addresses, and the registry that it is in the policy."""

    address: str
    registry: str


@dataclass(frozen=True)
class LinkedVersion:
    workspace: str
    model: str
    version: int


@dataclass(frozen=True)
class LinkedRequest:
    """By the first characters of its id."""

    beginning: str


def read_link(url: str, servers: Sequence[Server], own: str) -> LinkedVersion | LinkedRequest | None:
    """`own` is our public address, empty when there is none. None for any other address."""
    if len(url) > LONGEST:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    here = same_server(f"{parts.scheme}://{parts.netloc}{parts.path}")
    for server in servers:
        if here == same_server(server.address):
            return _version_on_mlflow(parts.fragment, server.registry)
    base = same_server(own) if own else ""
    return _on_our_page(here.removeprefix(base) or "/") if base and here.startswith(f"{base}/") else None


def _version_on_mlflow(fragment: str, registry: str) -> LinkedVersion | None:
    path, _mark, query = fragment.partition("?")
    found = OF_MLFLOW.fullmatch(path)
    if found is None:
        return None
    workspace = parse_qs(query).get("workspace", [DEFAULT])[0]
    return _linked(registry, workspace, found["model"], found["version"])


def _on_our_page(path: str) -> LinkedVersion | LinkedRequest | None:
    request = OF_REQUEST.fullmatch(path)
    if request is not None:
        return LinkedRequest(request["beginning"])
    found = OF_VERSION.fullmatch(path)
    if found is None:
        return None
    return _linked(found["registry"] or DEFAULT, found["workspace"] or DEFAULT, found["model"], found["version"])


def _linked(registry: str, workspace: str, model: str, version: str) -> LinkedVersion | None:
    try:
        place = Workspace.parse(f"{registry}/{workspace}")
    except Refused:
        return None
    return LinkedVersion(str(place), unquote(model), int(version))
