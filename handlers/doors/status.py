"""Doors for probes and monitoring. Strangers learn only whether the process is up and ready; the rest is on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Response
from prometheus_client import generate_latest

from bot import metrics
from bot.database.schema import needs_migrate
from bot.errors import Rejected
from bot.services import Services
from bot.store.transaction import Transaction

READY, NOT_READY = 200, 503


def probes(s: Services, url: str) -> Blueprint:
    """For the public port."""
    door = Blueprint("probes", __name__)

    @door.get("/readyz")
    def readyz() -> tuple[dict[str, bool], int]:
        """Whether this process can record what it is sent; the details are on METRICS_PORT."""
        with s.store.transaction() as tx:
            ready = tx.policies.digest() is not None
        ready = ready and not needs_migrate(url)
        return {"ready": ready}, READY if ready else NOT_READY

    @door.get("/metrics")
    def elsewhere() -> Response:
        raise Rejected("not_public", "metrics are not public. Set METRICS_PORT, and read them there", 404)

    _add_liveness(door)
    return door


def status(s: Services, url: str, owed: Callable[[Transaction], Sequence[str]]) -> Blueprint:
    """For METRICS_PORT. `owed` lists the weekly digests that are due and not delivered."""
    door = Blueprint("status", __name__)
    housekeeping = metrics.Housekeeping(s.store, owed)

    @door.get("/readyz")
    def readyz() -> tuple[dict[str, object], int]:
        """Ready when the database answers, its schema matches this release, and a policy is in force."""
        pending = needs_migrate(url)
        with s.store.transaction() as tx:
            policy = tx.policies.digest()
            undelivered = [] if pending else list(owed(tx))
            doubted = [] if pending else tx.trust.doubted()
        counts = s.store.jobs.counts()
        parked = sum(counts.parked.values())
        ready = not pending and policy is not None
        said = {"ready": ready, "pending_migrations": pending, "policy": policy, "parked_jobs": parked}
        registry = {"believed": not doubted, "why": " ".join(row.doubt for row in doubted)}
        degraded = "degraded" if parked or undelivered or doubted else "ok"
        more = {"undelivered_digests": undelivered, "registry": registry, "status": degraded}
        return {**said, **more}, READY if ready else NOT_READY

    @door.get("/metrics")
    def metrics_page() -> Response:
        text = generate_latest(metrics.REGISTRY) + generate_latest(housekeeping)
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    _add_liveness(door)
    return door


def _add_liveness(door: Blueprint) -> None:
    @door.get("/healthz")
    def healthz() -> dict[str, str]:
        """This process answers; checks nothing else."""
        return {"status": "ok"}
