"""The metrics behind `/metrics`: counters of this process, and gauges that `Housekeeping` reads from the database at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import ProgrammingError

from bot.domain.workspaces import DEFAULT
from bot.engine.rows import parked_by_subject
from bot.errors import InvalidPolicy
from bot.store.evidence_watch import EvidenceWatchRows
from bot.store.ledger import WitnessedRows

if TYPE_CHECKING:
    from bot.store.transaction import Store, Transaction

REGISTRY = CollectorRegistry()
SWEEPS = ("models", "versions")

webhooks_received = Counter(
    "countersign_webhooks_received",
    "Webhooks that were believed; result is recorded, duplicate or no_news.",
    ["source", "result"],
    registry=REGISTRY,
)
webhooks_rejected = Counter(
    "countersign_webhook_rejected",
    "Webhooks and clicks that were not believed, and why.",
    ["source", "reason"],
    registry=REGISTRY,
)
webhook_duration = Histogram(
    "countersign_webhook_duration_seconds",
    "Seconds from a webhook's arrival to its answer; Slack's are clicks, forms and commands.",
    ["source"],
    registry=REGISTRY,
)
clicks = Counter(
    "countersign_clicks", "Pressed buttons; result is recorded, asked or refused.", ["result"], registry=REGISTRY
)
passkeys_refused = Counter(
    "countersign_passkeys_refused",
    "Signatures by passkey, and passkeys to enrol, that were refused, and why.",
    ["reason"],
    registry=REGISTRY,
)
web_refused = Counter(
    "countersign_web_refused",
    "Connections and requests that the web server ended before a door saw them, and why.",
    ["reason"],
    registry=REGISTRY,
)
web_connections = Gauge("countersign_web_connections", "Open connections of the web server.", registry=REGISTRY)


class Housekeeping(Collector):
    """Requests by state, waiting and parked jobs, the age of the last sweeps, and weekly digests, which `owed` lists."""

    def __init__(self, store: Store, owed: Callable[[Transaction], Sequence[str]]) -> None:
        self.store = store
        self.owed = owed

    def collect(self) -> Iterator[Metric]:
        with self.store.transaction() as tx:
            places = _places(tx)
            requests, sweeps = tx.requests.count(), tx.registry.last_sweeps(places)
            entries, refused = tx.ledger.count(), tx.ledger.refused_votes()
        jobs = self.store.jobs.counts()
        yield _gauge("countersign_requests", "Transition requests by state.", "state", requests)
        yield _gauge("countersign_jobs_pending", "Jobs that wait, by effect.", "kind", jobs.waiting)
        yield _gauge("countersign_jobs_parked", "Jobs that a person must look at, by effect.", "kind", jobs.parked)
        oldest = GaugeMetricFamily("countersign_jobs_oldest_age_seconds", "Age of the oldest job that waits.")
        oldest.add_metric([], jobs.oldest_waiting)
        yield oldest
        by_kind = {kind: [at.timestamp() for (its, _), at in sweeps.items() if its == kind] for kind in SWEEPS}
        moments = {kind: min(ended) for kind, ended in by_kind.items() if ended}
        said = "When a sweep last ended well, of the workspace whose sweep is the longest ago."
        yield _gauge("countersign_poll_last_success_timestamp_seconds", said, "sweep", moments)
        never = {kind: len(places) - len(ended) for kind, ended in by_kind.items()}
        said = "Watched workspaces of which no sweep has ever ended well."
        yield _gauge("countersign_workspaces_never_swept", said, "sweep", never)
        total = GaugeMetricFamily("countersign_ledger_entries", "Entries in the ledger.")
        total.add_metric([], entries)
        yield total
        unproven = CounterMetricFamily(
            "countersign_votes_refused", "Votes on record that nothing proves, and that were therefore not signed."
        )
        unproven.add_metric([], refused)
        yield unproven
        yield from self._registry()
        yield from self._evidence()
        yield from self._witnesses()
        yield from self._digests()

    def _registry(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self.store.transaction() as tx:
                doubted, unreadable = tx.trust.doubted(), tx.trust.unreadable()
        except ProgrammingError:  # no such table: the migration that makes it is still to come, which /readyz says
            return
        doubts = GaugeMetricFamily("countersign_registry_doubted", "1 while the registry is not believed.")
        doubts.add_metric([], len(doubted))
        yield doubts
        models = GaugeMetricFamily("countersign_models_unreadable", "Registered models that cannot be looked at.")
        models.add_metric([], len(unreadable))
        yield models

    def _evidence(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self.store.transaction() as tx:
                rows = EvidenceWatchRows(tx.connection)
                (lost, unseen), oldest = rows.counts(), rows.oldest_look()
        except ProgrammingError:  # a table is missing because a migration is pending, which /readyz reports
            return
        said = "Parts of the evidence of approvals that are gone, and that nobody has acknowledged."
        yield _gauge("countersign_evidence_lost", said, "part", lost)
        said = "Parts of the evidence of approvals that could not be looked at several times in a row."
        yield _gauge("countersign_evidence_out_of_sight", said, "part", unseen)
        looked = GaugeMetricFamily(
            "countersign_evidence_oldest_look_timestamp_seconds",
            "When that target's approvals were looked after whose look is the longest ago.",
        )
        if oldest is not None:
            looked.add_metric([], oldest.timestamp())
        yield looked

    def _witnesses(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self.store.transaction() as tx:
                sizes = WitnessedRows(tx.connection).sizes()
                refused = parked_by_subject(tx.connection, "send_to_witness")
        except ProgrammingError:  # a table is missing because a migration is pending, which /readyz reports
            return
        said = "Entries of the ledger that are in the newest checkpoint that a witness outside has signed."
        yield _gauge("countersign_witnessed_entries", said, "witness", sizes)
        said = "Jobs that are parked because a witness outside refused a checkpoint, or did not take it for three days."
        yield _gauge("countersign_witness_refusals", said, "witness", refused)

    def _digests(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self.store.transaction() as tx:
                newest, owed = tx.digests.newest(), self.owed(tx)
        except ProgrammingError:  # a table is missing because a migration is pending, which /readyz reports
            return
        waiting = GaugeMetricFamily(
            "countersign_digests_undelivered", "Weekly digests that are due and not with everybody."
        )
        waiting.add_metric([], len(owed))
        yield waiting
        ends = {newest.week: newest.ends.timestamp()} if newest else {}
        yield _gauge("countersign_digest_last_week", "When the newest week ended that was closed.", "week", ends)


def _places(tx: Transaction) -> Sequence[str]:
    """While this release cannot read the policy, as in the middle of an upgrade, the other figures are still asked for."""
    try:
        return tx.places()
    except InvalidPolicy:
        return (DEFAULT,)


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
