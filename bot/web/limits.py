"""How much one client, one route and one connection may take. docs/decisions/0009-the-web-server.md says why."""

from __future__ import annotations

import resource
from dataclasses import dataclass

KIB = 1024
PLACES = 1000  # open connections
SPARE_FILES = 200  # descriptors for the database, MLflow, Slack and log files
MANY_FILES = 4096

HEADER_LIMIT = 16 * KIB  # bytes


@dataclass(frozen=True)
class Limits:
    """Numbers of connections, and seconds.

    `whole_request` is from the first byte to the last, and from connecting to the first byte. `idle` is between two requests of one
    connection; load balancers commonly keep one for 60. `answer_taken` is until the client has read all of an answer. After SIGTERM,
    which may take 10, requests in progress have `leave_within`, and those of which only a part has arrived `half_sent`.
    """

    places: int
    places_of_one: int = 64  # a trusted proxy has no limit, and each client behind it this one
    whole_request: float = 10.0
    idle: float = 75.0
    answer_taken: float = 30.0
    leave_within: float = 8.0
    half_sent: float = 2.0
    look_every: float = 1.0  # between two looks at the deadlines


@dataclass(frozen=True)
class Pool:
    """Threads for the routes below these paths, and for those that are `exact`, which no other route can take.

    `waiting` is how many requests may wait for a thread; `body` is the largest body in bytes.
    """

    name: str
    paths: tuple[str, ...]
    threads: int
    waiting: int
    body: int
    exact: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        return path in self.exact or path.startswith(self.paths)


PAGES = (
    *("/models", "/workspaces/", "/pages/", "/search", "/requests/", "/ledger", "/digests"),
    *("/sign-in", "/sign-out"),
)
# Together no more threads than the pool of database connections has (20), and fewer waiting requests than PLACES.
POOLS = (
    Pool("slack", ("/slack/events",), threads=6, waiting=300, body=1024 * KIB),
    Pool("mlflow", ("/webhooks/mlflow",), threads=2, waiting=150, body=64 * KIB),
    Pool("jira", ("/webhooks/jira",), threads=2, waiting=100, body=1024 * KIB),
    Pool("calls", ("/gate/", "/api/"), threads=4, waiting=150, body=16 * KIB),
    Pool("pages", PAGES, threads=2, waiting=50, body=16 * KIB, exact=("/",)),
    Pool("passkeys", ("/confirm/", "/passkeys/"), threads=2, waiting=50, body=32 * KIB),
    Pool("ready", ("/readyz",), threads=1, waiting=20, body=KIB),
    Pool("others", ("",), threads=1, waiting=100, body=64 * KIB),
)
STATUS_POOLS = (
    Pool("ready", ("/readyz", "/metrics"), threads=2, waiting=20, body=KIB),
    Pool("others", ("",), threads=1, waiting=20, body=KIB),
)


def pool_for(path: str, pools: tuple[Pool, ...] = POOLS) -> Pool:
    """The last of `pools` takes every path."""
    return next(pool for pool in pools if pool.takes(path))


def usual_limits() -> Limits:
    """As many connections as this process may open files for, at most PLACES. Raises the soft limit of open files if it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    free = PLACES if soft == resource.RLIM_INFINITY else soft - SPARE_FILES
    return Limits(places=max(50, min(PLACES, free)))
