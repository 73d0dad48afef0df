"""Checks of MLflow: does it answer, may we read and write, and do its webhooks reach us with a secret that we know?

Missing webhooks are no failure, since the poller finds the same changes. `register_webhook` fixes them.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.clients.mlflow.checkup import EVENTS, WEBHOOKS, WebhookSeen, WebhooksUnreadable, missing, supported
from bot.doctor.findings import REGISTRY, Findings, World, failure, fine, warning
from bot.domain.names import shown
from bot.domain.policy.rules import Observed
from bot.domain.workspaces import DEFAULT, Workspace, is_covered, option_for
from bot.errors import OutsideError, Permanent
from bot.store.trust import RegistryRow
from handlers.custody.belief import accept_command

PROBED = 10  # registered models; permissions are given for each, but thousands of calls would take too long
REGISTER = "run `countersign doctor --register-webhook`"
WHAT = "mlflow webhook"

ENCRYPTION_MEND = (
    "set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY on the MLflow server to one Fernet key and restart it (without one, each of its processes "
    "makes up its own); a webhook stored before that must be deleted from the server's table `webhooks` and registered again"
)
REACH_MEND = (
    "let the MLflow server reach COUNTERSIGN_URL; for an http address it needs MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https, "
    "for a private one MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true"
)


def mlflow_answers(world: World) -> Findings:
    version = world.mlflow.server_version()
    if supported(version):
        yield fine("mlflow", f"version {version} answers")
    else:
        yield warning("mlflow", f"version {version} answers, outside of what was tried: 2.22 up to, not including, 4.0")
    for feature in missing(version):
        since = ".".join(map(str, feature.since))
        yield warning(
            "mlflow",
            f"version {version} has no {feature.name}, so {feature.without}",
            f"{feature.name} need MLflow {since}; all else works without",
        )


def models_can_be_read(world: World) -> Findings:
    names, ruled = world.model_names, world.ruled_models
    yield from _models_that_a_rule_names(world)
    if names and not ruled:
        patterns = ", ".join(f'"{rule.models}"' for rule in world.policy.rules)
        yield warning(
            "mlflow models", f"none of {len(names)} matches a rule: {patterns}", "check `models` in the policy"
        )
    elif not names:
        why = "none is shown to the bot: none is registered, or its account may read none"
        yield warning("mlflow models", why, "with MLflow's basic auth, grant READ on the models")
    else:
        yield fine("mlflow models", f"{len(names)} registered, {len(ruled)} under a rule")


def other_workspaces_are_known(world: World) -> Findings:
    registry, there = world.registry, world.mlflow.workspaces()
    others = [name for name in there if name not in registry.workspaces]
    if others:
        named = ", ".join(others[:PROBED]) + (f" and {len(others) - PROBED} more" if len(others) > PROBED else "")
        own = ", ".join(f'"{name}"' for name in registry.workspaces)
        is_one = len(registry.workspaces) == 1
        why = f"only the workspace{'' if is_one else 's'} {own} {'is' if is_one else 'are'} watched, and the server has others: {named}"
        fix = "no promotion in those takes an approval; to watch one, add it to registries in the policy"
        yield warning("mlflow workspaces", why, fix)


def _models_that_a_rule_names(world: World) -> Findings:
    """MLflow's lists leave out what the account may not read, without a word; asked for such a model by its name, it refuses."""
    plain = (
        rule.models
        for rule in world.policy.rules
        if not set("*?[") & set(rule.models) and is_covered(world.place, rule.workspace)
    )
    for name in sorted(set(plain) - set(world.model_names)):
        try:
            world.there.find_model(world.place, name)
        except Permanent as refusal:
            yield failure("mlflow models", str(refusal))


def registry_is_believed(world: World) -> Findings:
    """As the last sweep left it: what the address shows now may be another registry than the worker's."""
    with world.services.store.transaction() as tx:
        row, unreadable = tx.trust.find(world.place), tx.trust.unreadable(world.place)
        watched = [one for one in tx.trust.all() if one.workspace in tx.places()]
    if row.doubted_since is not None:
        yield failure(
            REGISTRY, f"is not believed since {row.doubted_since:%Y-%m-%d %H:%M} UTC: {row.doubt}", _accept(row)
        )
    elif not _is_same(row, world):
        yield failure(REGISTRY, f"this is another registry than the one that is known: {row.identity}", _accept(row))
    else:
        yield fine(REGISTRY, "the one that is known" if row.identity else "no sweep has seen it yet")
    for one in unreadable:
        why = f"{shown(one.name)} cannot be looked at since {one.since:%Y-%m-%d %H:%M} UTC"
        yield warning(REGISTRY, why, "the channel was told why; every sweep tries again")
    for twin in twins(row, watched):
        why = f"{row.workspace} and {twin} say that they are one database: the same server under two addresses, or a copy of it"
        fix = "if it is one server, keep one of its registries in the policy: a move approved in one is a move by hand in the other"
        yield warning(REGISTRY, why, fix)


def _accept(row: RegistryRow) -> str:
    """After a restore of our own database nothing is wrong with the registry: people look at what has moved since, and accept it."""
    look = "check MLFLOW_TRACKING_URI and the database behind it"
    if row.doubted_since is not None and row.backup_of is not None:
        look = f"run `countersign registry accept --dry-run{option_for(row.workspace)}`, which shows what has moved since the backup"
    return f"{look}; when what is there now is right, run `{accept_command(row.workspace)}`"


def twins(row: RegistryRow, watched: Iterable[RegistryRow]) -> list[str]:
    """The same workspace of other registries that give the same identity."""
    here = Workspace.parse(row.workspace)
    others = [(Workspace.parse(one.workspace), one) for one in watched if one.identity and one.identity == row.identity]
    return [one.workspace for place, one in others if place.name == here.name and place.registry != here.registry]


def _is_same(row: RegistryRow, world: World) -> bool:
    identity = world.there.identity() if row.identity is not None else None
    return identity is None or identity == row.identity


def models_can_be_written(world: World) -> Findings:
    """By asking for what changes nothing: an alias on version 0, and, where moves are reverted, to delete an alias that is not there."""
    ruled = world.ruled_models
    if not ruled:
        yield warning("mlflow writing", "not tried, because no registered model is under a rule yet")
        return
    for model in ruled[:PROBED]:
        try:
            world.mlflow.try_writing(model)
            if any(rule.observed is Observed.REVERT for rule in world.policy.rules_for(world.place, model)):
                world.mlflow.try_deleting(model)
        except Permanent as refusal:
            yield failure("mlflow writing", str(refusal))
            return
    more = f" (the first {PROBED} of {len(ruled)})" if len(ruled) > PROBED else ""
    yield fine("mlflow writing", f"allowed on {', '.join(ruled[:PROBED])}{more}; tried so that nothing was changed")


def webhook_points_here(world: World) -> Findings:
    if WEBHOOKS in missing(world.mlflow.server_version()):
        return  # said beside the version
    if not world.webhook_secrets:
        yield warning(
            WHAT,
            "MLFLOW_WEBHOOK_SECRET is not set, so webhooks are refused and only the poller finds the news",
            f"set it to a long random text and {REGISTER}, or leave it so",
        )
        return
    if not world.settings.public_url:
        yield warning(WHAT, "cannot be looked for while COUNTERSIGN_URL is not set", f"set it and {REGISTER}")
        return
    try:
        found = world.mlflow.webhooks_to(_door(world))
    except WebhooksUnreadable as broken:
        yield failure(WHAT, str(broken), ENCRYPTION_MEND)
        return
    except Permanent as refusal:
        yield warning(
            WHAT,
            str(refusal),
            "webhooks take an SQL store, and an admin of MLflow to see them: let one run this command; polling goes on",
        )
        return
    yield from _judged(found, world)


def register_webhook(world: World) -> Findings:
    """Creates or fixes the one webhook that points at us, and deletes others that do so too: MLflow does not check for duplicates."""
    secrets, url = world.webhook_secrets, _door(world)
    if not secrets or not world.settings.public_url:
        yield failure(
            "register webhook",
            "COUNTERSIGN_URL and MLFLOW_WEBHOOK_SECRET are needed for it",
            "set both and run it again",
        )
        return
    version = world.mlflow.server_version()
    if WEBHOOKS in missing(version):
        yield failure("register webhook", f"MLflow {version} has no webhooks", "leave it so; the poller finds the news")
        return
    try:
        found = world.mlflow.webhooks_to(url)
        if not found:
            world.mlflow.create_webhook(url, secrets[0].get_secret_value())
            yield fine("register webhook", f"made one to {url}")
            return
        world.mlflow.fix_webhook(found[0], secrets[0].get_secret_value())
        for double in found[1:]:
            world.mlflow.delete_webhook(double.id)
    except WebhooksUnreadable as broken:
        yield failure("register webhook", str(broken), ENCRYPTION_MEND)
    except OutsideError as trouble:
        yield failure("register webhook", str(trouble), f"it takes an admin of MLflow; {REACH_MEND}")
    else:
        gone = f", deleted {len(found) - 1} that did the same" if found[1:] else ""
        yield fine("register webhook", f"set secret, events and status of the one to {url}{gone}")


def _judged(found: list[WebhookSeen], world: World) -> Findings:
    active = [webhook for webhook in found if webhook.active]
    if not active:
        state = "is switched off" if found else "does not exist"
        yield warning(WHAT, f"one to {_door(world)} {state}, so only the poller finds the news", REGISTER)
        return
    if found[1:]:
        yield warning(WHAT, f"{len(found)} point at {_door(world)}, so all news comes more than once", REGISTER)
    missing = EVENTS - frozenset[str]().union(*(webhook.events for webhook in active))
    if missing:
        yield warning(WHAT, f"does not send {', '.join(sorted(missing))}; the poller finds these", REGISTER)
    for webhook in active:
        yield from _delivered(webhook, world)


def _delivered(webhook: WebhookSeen, world: World) -> Findings:
    delivery = world.mlflow.test_delivery(webhook.id)
    if delivery.status is None:
        yield failure(WHAT, f"MLflow could not send a test delivery: {delivery.trouble}", REACH_MEND)
    elif delivery.status in (200, 202):
        yield fine(WHAT, f"a test delivery to {webhook.url} was accepted")
    elif delivery.status == 401:
        yield failure(
            WHAT,
            "a test delivery was refused: its secret is not the web process's MLFLOW_WEBHOOK_SECRET",
            f"{REGISTER}, which gives MLflow this one; restart the web process if its own differs",
        )
    else:
        yield failure(
            WHAT,
            f"a test delivery to {webhook.url} was answered with {delivery.status}",
            "look at the web process and at the proxy before it",
        )


def _door(world: World) -> str:
    name = world.registry.name
    return f"{world.settings.public_url}/webhooks/mlflow{'' if name == DEFAULT else f'/{name}'}"
