"""What `countersign doctor` and `countersign init` ask MLflow: its version, whether we may write, who trains, its webhooks to us.

Everything reads but `create_webhook`, `fix_webhook` and `delete_webhook`, which `doctor --register-webhook` calls. The registry's own
reads and writes are in `registry`, the reading of a delivery in `webhook`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import requests

from bot.clients.mlflow.access import Access
from bot.clients.mlflow.guard_checkup import GUARD, NO_VERSION, GuardSeen, Tried, guard_in, tried_to_end_an_upload
from bot.clients.mlflow.http import (
    GUARD_STATE,
    OF_DATABRICKS,
    Grant,
    NotThere,
    get,
    has_workspaces,
    open_client,
    plainly,
    reading,
    writing,
)
from bot.clients.mlflow.webhook import MODEL_NEWS
from bot.domain.model import Target, TargetKind
from bot.errors import Permanent, Temporary
from bot.mlflow_addresses import DATABRICKS, not_supported

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.webhook import Webhook

OLDEST, TOO_NEW = (2, 22), (4, 0)
EVENTS = frozenset(f"{entity}.{action}" for entity, action in MODEL_NEWS)
NAME = "countersign"
TIMEOUT = 10.0
DELIVERY_TIMEOUT = 50.0  # seconds: MLflow answers a test only when it has given up on us, after 30 s by default
TRIED_ALIAS = "countersign-doctor"
RUN_USER = "mlflow.user"
EXPERIMENTS_LOOKED_AT, RUNS_LOOKED_AT = 500, 1000


@dataclass(frozen=True)
class Feature:
    """What MLflow has since a release, and what is different for us on an older server."""

    name: str
    since: tuple[int, int]
    without: str


LOGGED_MODELS = Feature(
    "logged models",
    (3, 0),
    "metrics, parameters and files come from the run alone, and no metric names the data set that it was measured on",
)
WEBHOOKS = Feature("webhooks", (3, 3), "only the poller finds the news")
FEATURES = (LOGGED_MODELS, WEBHOOKS)  # not those that we make no use of, such as workspaces (3.10)


@dataclass(frozen=True)
class Training:
    """Who trains, the most frequent first, and where experiments store their files, each location once."""

    users: tuple[str, ...]
    locations: tuple[str, ...]


@dataclass(frozen=True)
class WebhookSeen:
    """`events` as MLflow writes them, such as `model_version.created`."""

    id: str
    url: str
    active: bool
    events: frozenset[str]


@dataclass(frozen=True)
class DeliverySeen:
    """What became of MLflow's example event: the HTTP status that it got, or None and why there was none."""

    status: int | None
    trouble: str


class WebhooksUnreadable(Permanent):
    """MLflow answers 500 to all calls about webhooks, as it does when it cannot decrypt a secret."""


class MlflowCheckup:
    """Makes no call until a method is used."""

    def __init__(self, tracking_uri: str, access: Access | None = None, guard_secret: str = "") -> None:
        self._tracking_uri = tracking_uri.rstrip("/")
        self._access = access
        self._guard_secret = guard_secret

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(self._tracking_uri, TIMEOUT, self._access, self._guard_secret)

    def server_version(self) -> str:
        """Such as `3.17.2`. Raises Permanent when what answers is no MLflow server."""
        answer = get(self._client.tracking_uri, "/version", "asking for its version")
        if any(name.lower().startswith(OF_DATABRICKS) for name in answer.headers):
            raise Permanent(f"MLFLOW_TRACKING_URI {not_supported(DATABRICKS)}")
        version = str(answer.text).strip()
        if answer.status_code != 200 or not re.fullmatch(r"\d+\.\d+[\w.+-]{0,30}", version):
            raise Permanent(
                f"{self._tracking_uri.rpartition('@')[2]} answers {answer.status_code} to /version, but not as MLflow does. "
                "Check MLFLOW_TRACKING_URI, the credentials, and any proxy before the server."
            )
        return version

    def workspaces(self) -> tuple[str, ...]:
        """As far as the account sees them; none on a server without workspaces."""
        if not has_workspaces(self._client.tracking_uri):
            return ()
        try:
            with reading("listing the workspaces"):
                found = self._client.list_workspaces()
        except Permanent:
            return ()
        return tuple(sorted(one.name for one in found))

    def training(self) -> Training:
        """From the newest experiments and runs that the account may read."""
        with reading("listing the experiments"):
            found = self._client.search_experiments(max_results=EXPERIMENTS_LOOKED_AT)
        if not found:
            return Training((), ())
        ids = [one.experiment_id for one in found]
        with reading("listing the newest runs"):
            runs = self._client.search_runs(ids, max_results=RUNS_LOOKED_AT, order_by=["attributes.start_time DESC"])
        users = Counter(user for run in runs if (user := run.data.tags.get(RUN_USER)))
        locations = dict.fromkeys(str(one.artifact_location) for one in found if one.artifact_location)
        return Training(tuple(user for user, _ in users.most_common()), tuple(locations))

    def try_writing(self, model: str) -> None:
        """Asks to set an alias on version 0, which never exists: MLflow checks the permission first, and then finds nothing to change.

        Raises Permanent when the account may not write.
        """
        try:
            with writing(f'trying to set an alias of "{model}"'):
                self._client.set_registered_model_alias(model, TRIED_ALIAS, NO_VERSION)
        except NotThere:
            return

    def try_deleting(self, model: str) -> None:
        """Asks to delete an alias that never exists: MLflow checks the permission first. Its webhook brings a look that finds nothing new.

        Raises Permanent when the account may not delete.
        """
        with writing(f'trying to delete an alias of "{model}"', Grant.MANAGE), suppress(NotThere):
            self._client.delete_registered_model_alias(model, TRIED_ALIAS)

    def guard_stops_others(self, model: str, target: Target) -> bool:
        """Asks without the guard's secret to set a governed alias or stage on version 0, which never exists: only a guard refuses that."""
        with self._without_the_secret():
            return self._guard_stops(model, target)

    def guard_stops_the_bot(self, model: str, target: Target) -> bool:
        """The same with our secret."""
        return self._guard_stops(model, target)

    def _guard_stops(self, model: str, target: Target) -> bool:
        try:
            with writing(f'trying to move {target} of "{model}"'):
                if target.kind is TargetKind.ALIAS:
                    self._client.set_registered_model_alias(model, target.name, NO_VERSION)
                else:
                    client = plainly(self._client)
                    client.transition_model_version_stage(model, NO_VERSION, target.name)  # type: ignore[no-untyped-call]  # MLflow has no types
        except NotThere:
            return False
        except Permanent as refusal:
            return GUARD in str(refusal)
        return False

    def upload_by_others(self, path: str) -> Tried:
        """Asks without the guard's secret to end an upload that never began, into a file that MLflow's server keeps."""
        with self._without_the_secret():
            return tried_to_end_an_upload(self._client.tracking_uri, path)

    @contextmanager
    def _without_the_secret(self) -> Iterator[None]:
        _ = self._client  # which opens it with the secret, when nothing was asked before
        open_client(self._tracking_uri, TIMEOUT, self._access)
        try:
            yield
        finally:
            open_client(self._tracking_uri, TIMEOUT, self._access, self._guard_secret)

    def guard_state(self) -> GuardSeen | None:
        """None when no guard that knows our secret says anything about itself."""
        return guard_in(get(self._client.tracking_uri, GUARD_STATE, "asking the guard about itself"))

    def artifact_locations(self) -> tuple[str, ...]:
        """Where the newest experiments keep their files, each location once, as far as the account may read them."""
        with reading("listing the experiments"):
            found = self._client.search_experiments(max_results=EXPERIMENTS_LOOKED_AT)
        return tuple(dict.fromkeys(str(one.artifact_location) for one in found if one.artifact_location))

    def webhooks_to(self, url: str) -> list[WebhookSeen]:
        """Those that point at this very address, oldest first. Raises WebhooksUnreadable."""
        with _decrypting():
            return [seen for seen in map(_as_seen, self._all_webhooks()) if seen.url.rstrip("/") == url]

    def test_delivery(self, webhook_id: str) -> DeliverySeen:
        """Has MLflow send its example event, of the model `example_model`, which the bot takes as no news."""
        patient = open_client(self._tracking_uri, DELIVERY_TIMEOUT, self._access, self._guard_secret)
        try:
            with _decrypting(), reading("sending a test delivery", Grant.ADMIN):
                result = patient.test_webhook(webhook_id)
        finally:
            open_client(
                self._tracking_uri, TIMEOUT, self._access, self._guard_secret
            )  # the timeout belongs to the address, not to the client
        return DeliverySeen(result.response_status, " ".join((result.error_message or "").split())[:300])

    def create_webhook(self, url: str, secret: str) -> None:
        with _decrypting(), writing("creating the webhook", Grant.ADMIN):
            self._client.create_webhook(NAME, url, sorted(EVENTS), secret=secret)  # type: ignore[arg-type]  # MLflow's Literal

    def fix_webhook(self, webhook: WebhookSeen, secret: str) -> None:
        """Sets the secret, switches it on, and adds the events that it lacks."""
        events = sorted(webhook.events | EVENTS)
        with _decrypting(), writing("fixing the webhook", Grant.ADMIN):
            self._client.update_webhook(webhook.id, events=events, secret=secret, status="ACTIVE")  # type: ignore[arg-type]  # as above

    def delete_webhook(self, webhook_id: str) -> None:
        with _decrypting(), writing("deleting a second webhook", Grant.ADMIN):
            self._client.delete_webhook(webhook_id)

    def _all_webhooks(self) -> Iterator[Webhook]:
        token = None
        while True:
            with reading("listing the webhooks", Grant.ADMIN):
                page = self._client.list_webhooks(page_token=token)
            yield from page
            if not page.token:
                return
            token = page.token


def supported(version: str) -> bool:
    return OLDEST <= _numbers(version) < TOO_NEW


def missing(version: str) -> tuple[Feature, ...]:
    """What a server of that version lacks."""
    return tuple(feature for feature in FEATURES if _numbers(version) < feature.since)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _as_seen(webhook: Webhook) -> WebhookSeen:
    events = frozenset(str(event) for event in webhook.events)
    return WebhookSeen(webhook.webhook_id, webhook.url, webhook.status.is_active(), events)


@contextmanager
def _decrypting() -> Iterator[None]:
    """https://github.com/mlflow/mlflow/issues/19896: one secret that cannot be decrypted breaks all calls about webhooks."""
    try:
        yield
    except Temporary as trouble:
        if _status_behind(trouble) == 500:
            raise WebhooksUnreadable("MLflow answers 500 to calls about webhooks.") from trouble
        raise


def _status_behind(trouble: Temporary) -> int | None:
    cause = trouble.__cause__.__context__ if trouble.__cause__ else None
    if not isinstance(cause, requests.HTTPError) or cause.response is None:
        return None
    return cause.response.status_code
