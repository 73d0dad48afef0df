"""Checks of the installation itself: database, ledger, policy, processes, and the public address."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import requests
import sqlalchemy as sa
from slack_sdk.signature import SignatureVerifier

from bot.database.schema import check_schema
from bot.doctor.findings import REGISTRY, Findings, World, failure, failure_as_told, fine, warning
from bot.domain.policy.changes import digest_of
from bot.domain.workspaces import in_workspace
from bot.engine.sweeper import Timing
from bot.errors import WrongSchema
from bot.store import tables
from bot.store.ledger import CheckpointRows, WitnessedRows
from bot.store.roles import powers_of
from config.settings.misspelt import look_alikes
from handlers.ledger.outside import MAY_LACK

CLOCK_MAY_PAUSE = timedelta(minutes=3)  # its slowest regular tick, `expire_requests`, runs every minute
CLOCKS_MAY_DIFFER = 5.0  # seconds
ADDRESS_TIMEOUT = 10.0  # seconds
CHALLENGE = "countersign-doctor"

LIVING_WORKERS = sa.text(
    "select count(*) from procrastinate_workers where last_heartbeat > now() - make_interval(secs => :seconds)"
)


def names_are_known(world: World) -> Findings:
    """Of the environment. A misspelt name of an optional setting leaves its default in force, and nothing else shows it."""
    for name, meant in look_alikes(world.environ).items():
        fix = f"rename it to {meant}, unless another program reads it" if meant else "remove it, or correct its name"
        yield warning("settings", f"{name} is not a setting of this version of Countersign", fix)


def database_answers(world: World) -> Findings:
    with world.services.store.engine.connect() as connection:
        version = connection.execute(sa.text("show server_version")).scalar_one()
        ahead = (
            datetime.now(UTC) - connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        ).total_seconds()
    kind = "DATABASE_URL" if world.settings.database_url.get_secret_value() else "embedded"
    yield fine("database", f"PostgreSQL {version} answers ({kind})")
    try:
        check_schema(world.database_url)
        yield fine("schema", "up to date")
    except WrongSchema as other:
        yield failure_as_told("schema", str(other))
    if abs(ahead) > CLOCKS_MAY_DIFFER:
        yield warning(
            "time",
            f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's, by which Countersign goes",
            "let NTP set the clocks of both machines: beyond five minutes requests that Slack and MLflow signed are refused",
        )


def policy_is_in_force(world: World) -> Findings:
    with world.services.store.transaction() as tx:
        in_force = tx.policies.digest()
    path = world.settings.policy_path
    if in_force is None:
        yield failure("policy", "no policy is in force", f"run `countersign migrate`, which puts {path} in force")
    elif in_force != digest_of(world.policy_text):
        fix = "run `countersign policy activate` if it should be"
        if world.settings.has_example_policy:
            fix = "that is the example that comes with Countersign: set COUNTERSIGN_POLICY to the file of your policy"
        yield warning("policy", f"the one in force is not {path}", fix)
    else:
        yield fine("policy", f"{path} is in force; rules: {len(world.policy.rules)}")


def worker_is_alive(world: World) -> Findings:
    with world.services.store.engine.connect() as connection:
        living = connection.execute(LIVING_WORKERS, {"seconds": Timing().dead_after}).scalar_one()
    if living:
        yield fine("worker", f"{living} alive")
    elif _newest_tick(world) is None:
        yield warning("worker", "none runs yet", "start `countersign serve`, or `countersign worker`")
    else:
        yield failure(
            "worker",
            f"none has shown a sign of life for {Timing().dead_after:g} s, so nothing is asked, moved or announced",
            "start `countersign worker`, and look at the output of the one that ended",
        )


def clock_is_alive(world: World) -> Findings:
    newest = _newest_tick(world)
    if newest is None:
        yield warning("clock", "has not run yet", "start `countersign serve`, or `countersign clock`")
    elif (age := world.services.clock.now() - newest) > CLOCK_MAY_PAUSE:
        yield failure(
            "clock",
            f"last ticked {_ago(age)} ago, so nothing is looked for and nothing expires",
            "start `countersign clock`",
        )
    else:
        yield fine("clock", f"ticked {_ago(age)} ago")


def sweeps_are_recent(world: World) -> Findings:
    """Of a registry that is not believed none ends, which is that registry's failure and no second one."""
    with world.services.store.transaction() as tx:
        last = tx.registry.last_sweeps(world.policy.places)
        doubted = {row.workspace for row in tx.trust.doubted()}
    poll = world.policy.poll
    waiting = [place for place in world.policy.places if place in doubted]
    believed = [place for place in world.policy.places if place not in doubted]
    for kind, interval in (("versions", poll.versions), ("models", poll.aliases)):
        what = f"sweep of {kind}"
        for place in waiting:
            why = f"none ends{in_workspace(place)}, because the registry is not believed"
            yield warning(what, why, f"see the line `{REGISTRY}{in_workspace(place)}`, or `countersign registry show`")
        ended = [last[kind, place] for place in believed if (kind, place) in last]
        never = [place for place in believed if (kind, place) not in last]
        if never:
            where = f" in {', '.join(never)}" if ended else ""
            fix = "wait a minute; if it stays so, look at `countersign jobs list`"
            yield warning(what, f"has not ended well yet{where}", fix)
        elif not ended:
            continue
        elif (age := world.services.clock.now() - min(ended)) > 3 * interval + timedelta(minutes=1):
            yield failure(
                what,
                f"last ended {_ago(age)} ago, and should every {interval.total_seconds():g} s",
                "look at the lines about worker, clock and MLflow, and at `countersign jobs list`",
            )
        else:
            yield fine(what, f"ended {_ago(age)} ago")


def no_job_is_parked(world: World) -> Findings:
    parked = world.services.store.jobs.counts().parked
    if parked:
        listed = ", ".join(f"{count} {effect}" for effect, count in sorted(parked.items()))
        yield warning(
            "jobs",
            f"parked, waiting for a person: {listed}",
            "`countersign jobs list --status parked` says why; fix it, then `countersign jobs replay --all`",
        )
    else:
        yield fine("jobs", "none is parked")


def address_leads_here(world: World) -> Findings:
    url = world.settings.public_url
    if not url and world.settings.slack_app_token.get_secret_value():
        yield fine("address", "none is needed: Slack is reached by Socket Mode, and MLflow is polled")
        return
    if not url:
        yield warning(
            "address",
            "COUNTERSIGN_URL is not set, so webhooks and Slack's way in were not checked",
            "set it to the address of the web process",
        )
        return
    fix = "start the web process, and check COUNTERSIGN_URL, DNS, the proxy and the firewall before it"
    try:
        answer = requests.get(f"{url}/healthz", timeout=ADDRESS_TIMEOUT, allow_redirects=False)
    except requests.RequestException as trouble:
        said = f"{url} cannot be reached from here ({type(trouble).__name__})"
        if world.is_new:  # the web process has never run
            yield warning("address", said, "start `countersign serve`, then run it again")
        else:
            yield failure("address", said, fix)
        return
    if answer.status_code == 200 and answer.text.replace(" ", "").strip() == '{"status":"ok"}':
        yield fine("address", f"{url}/healthz answers")
    else:
        yield failure("address", f"{url}/healthz answers {answer.status_code}, and not as Countersign does", fix)


def proxies_are_named(world: World) -> Findings:
    """The web process speaks no TLS, so with an https address something in front of it does. Says nothing without one."""
    if not world.settings.public_url.startswith("https:"):
        return
    if world.settings.proxies:
        yield fine("proxies", f"X-Forwarded-For is believed from {', '.join(map(str, world.settings.proxies))}")
    else:
        yield warning(
            "proxies",
            "COUNTERSIGN_URL is https, so a proxy is in front, and to the web process all its clients are one: they share 64 connections",
            "set COUNTERSIGN_PROXIES to the address from which the proxy connects, such as 127.0.0.1",
        )


def slack_door_knows_the_secret(world: World) -> Findings:
    """Calls our own address as Slack does to verify it: signed with our secret. Nothing is recorded."""
    secrets = world.settings.slack_signing_secrets
    by_socket = bool(world.settings.slack_app_token.get_secret_value())
    if not secrets or not world.settings.public_url or by_socket or world.is_new:
        return
    secret = secrets[0].get_secret_value()
    body = f'{{"type": "url_verification", "challenge": "{CHALLENGE}"}}'
    now = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": now,
        "X-Slack-Signature": SignatureVerifier(secret).generate_signature(timestamp=now, body=body) or "",
    }
    url = f"{world.settings.public_url}/slack/events"
    try:
        answer = requests.post(url, data=body, headers=headers, timeout=ADDRESS_TIMEOUT, allow_redirects=False)
    except requests.RequestException as trouble:
        yield failure(
            "slack door", f"{url} cannot be reached ({type(trouble).__name__})", "see the line about the address"
        )
        return
    if answer.status_code == 200 and CHALLENGE in answer.text:
        yield fine("slack door", f"{url} accepts requests signed with SLACK_SIGNING_SECRET")
    elif answer.status_code == 401:
        yield failure(
            "slack door",
            f"{url} does not believe what SLACK_SIGNING_SECRET signs",
            "give the web process the same SLACK_SIGNING_SECRET and restart it; check the clocks of both machines",
        )
    else:
        yield failure(
            "slack door",
            f"{url} answers {answer.status_code} to a signed request",
            "check that the proxy passes POST, its body and its X-Slack headers on unchanged",
        )


def _newest_tick(world: World) -> datetime | None:
    with world.services.store.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.max(tables.clock_ticks.c.at))).scalar()


def _ago(age: timedelta) -> str:
    """In one unit, such as `40 s`, `12 min`, `3 h` or `9 d`."""
    seconds = max(0.0, age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ledger_is_out_of_reach(world: World) -> Findings:
    with world.services.store.engine.connect() as connection:
        powers = powers_of(connection)
    if powers.owns or powers.changes:
        yield warning(
            "ledger",
            f'the bot\'s own role "{powers.role}" could change it, for one role owns all',
            "give DATABASE_URL a separate role, put the owner's into DATABASE_OWNER_URL, and run `countersign migrate`",
        )
    else:
        yield fine("ledger", f'"{powers.role}" can append to it, and neither change nor cut it')


def witnesses_keep_up(world: World) -> Findings:
    """Says nothing when there is none."""
    fix = "`countersign jobs list` says why; fix it, then `countersign jobs replay --all`, or `countersign audit checkpoint`"
    with world.services.store.transaction() as tx:
        rows, newest = WitnessedRows(tx.connection), CheckpointRows(tx.connection).newest()
        sizes = rows.sizes()
        names = [one.name for one in world.services.outside]
        lacks = {name: rows.waits_since(name, sizes.get(name, 0)) for name in names}
    for name, missing in lacks.items():
        if newest is None:
            yield fine("witnesses", f"{name} gets the first checkpoint, after the first decision")
        elif missing is None:
            yield fine("witnesses", f"{name} has signed the newest checkpoint of {sizes.get(name, 0)} entries")
        elif world.services.clock.now() - missing > MAY_LACK:
            yield failure("witnesses", f"{name} has signed no checkpoint since {missing:%Y-%m-%d %H:%M} UTC", fix)
        else:
            yield warning("witnesses", f"{name} has not signed the newest checkpoint of {newest.size} entries yet", fix)
