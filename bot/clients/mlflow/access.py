"""How one workspace of one MLflow server is reached beside the default one, in a process that MLflow's own variables lead to another.

MLflow's client takes credentials and workspace from the environment, for the whole process. So each place gets an address of its own, a
path below the server's that only an adapter of the session knows: it takes the path out again, and puts the workspace and the
credentials in. A call that misses the adapter reaches a path that no server has, and never another workspace.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass

import requests

from bot.domain.workspaces import DEFAULT, Workspace

HEADER = "X-MLFLOW-WORKSPACE"  # mlflow/utils/workspace_utils.py
PLACE = re.compile(r"/_countersign_/[a-z0-9-]+/[a-z0-9-]+(?=/|$)")
PASSED_ON = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "range", "transfer-encoding"),
        "user-agent",
    }
)
"""The headers of a request that another server than the default one may see: none that MLflow's variables or plugins have put there."""


@dataclass(frozen=True)
class Credentials:
    """Of a registry that the policy names. A user name takes precedence over a token, as in MLflow's client."""

    username: str = ""
    password: str = ""
    token: str = ""

    @property
    def header(self) -> str:
        """The value for Authorization; empty when there are none."""
        if self.username and self.password:
            return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()
        return f"Bearer {self.token}" if self.token else ""

    def __repr__(self) -> str:
        return "Credentials(...)"


def of_registry_named(registry: str) -> str:
    """How the variables of a registry end, such as `_EU`."""
    return f"_{registry.upper().replace('-', '_')}"


@dataclass(frozen=True)
class Access:
    """`credentials` is None for the default registry, whose requests MLflow's client signs itself."""

    place: Workspace
    credentials: Credentials | None = None

    def address(self, server: str) -> str:
        """The address that stands for this place of the server in MLflow's client."""
        return f"{server.rstrip('/')}/_countersign_/{self.place.registry}/{self.place.name}"

    def admit(self, request: requests.PreparedRequest) -> None:
        """Turns a request to the place's address into one to the server."""
        request.url = PLACE.sub("", request.url or "", count=1)
        if self.credentials is not None:
            for name in [name for name in request.headers if name.lower() not in PASSED_ON]:
                del request.headers[name]
            if self.credentials.header:
                request.headers["Authorization"] = self.credentials.header
        if self.place.name == DEFAULT:
            request.headers.pop(HEADER, None)
        else:
            request.headers[HEADER] = self.place.name
