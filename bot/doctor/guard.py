"""Checks of the guard of an MLflow server (docs/guard.md): does it refuse others and let the bot through, what does it lack, and which ways
lead around it. The ways behind MLflow are in `past_mlflow`. A registry without a guard gets one line, and no more questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from bot.clients.mlflow.checkup import TRIED_ALIAS, MlflowCheckup
from bot.clients.mlflow.guard_checkup import GuardSeen, Met, ReportsSeen, tried_without_account
from bot.clients.signers import read_signer
from bot.doctor.findings import Finding, Findings, World, failure, fine, not_tried, warning
from bot.doctor.mlflow import twins
from bot.domain.model import Target, TargetKind
from bot.domain.names import shown
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import InvalidKey, OutsideError
from bot.signatures import payload_of

GUARD, SIGN_IN, ACCOUNT, SERVED, ELSEWHERE = (
    *("mlflow guard", "mlflow sign-in", "mlflow account", "mlflow uploads", "mlflow elsewhere"),
)
ALIAS, STAGE = TargetKind.ALIAS, TargetKind.STAGE
MAY_WAIT = timedelta(minutes=2)  # a report is sent at once, and again for up to a minute
ITS_LOG = "look into the MLflow server's log for countersign-guard"
ITS_KEYS = "in the file that COUNTERSIGN_GUARD_KEYS names on the MLflow server, and restart that server"
OTHERS = "COUNTERSIGN_GUARD_TRY_URLS"


def guard_refuses_others(world: World) -> Findings:
    """By asking for what changes nothing: to set a governed alias, or stage, on version 0."""
    governed = next(_governed_targets(world), None)
    if governed is None:
        if _has_secret(world):
            yield not_tried(GUARD, "no registered model is under a rule with an alias or a stage yet")
        return
    model, target = governed
    if not world.mlflow.guard_stops_others(model, target):
        if _has_secret(world):
            yield failure(
                GUARD,
                f"COUNTERSIGN_GUARD_SECRET is set, but all who may write to {model} may still move {target}",
                "run the MLflow server with --app-name countersign (docs/guard.md), and look into its log",
            )
        else:
            yield fine(GUARD, "none, so others can move what is governed, and the bot acts afterwards; docs/guard.md")
    elif world.mlflow.guard_stops_the_bot(model, target):
        yield failure(
            GUARD,
            f"the server's guard refuses the bot too: it could move nothing, such as {target} of {model}",
            "give COUNTERSIGN_GUARD_SECRET to the bot and to the MLflow server, the same one",
        )
    else:
        yield fine(GUARD, f"others cannot move {target} of {model}, and the bot can; tried so that nothing was changed")


def guard_is_up_to_date(world: World) -> Findings:
    """As the process of the server that answers says it."""
    if not _is_asked(world):
        return
    seen = world.mlflow.guard_state()
    if seen is None:
        governed = next(_governed_targets(world), None)
        if governed is not None and not world.mlflow.guard_stops_others(*governed):
            return  # said above
        fix = "see the line above; if others are refused there, upgrade mlflow-countersign-guard on the MLflow server"
        yield warning(GUARD, "says nothing about itself, so its list, keys and reports were not looked at", fix)
        return
    yield from list_is_fresh(seen, world)
    yield from keys_are_ours(seen, world)
    yield from reports_arrive(seen.reports)


def list_is_fresh(seen: GuardSeen, world: World) -> Findings:
    name = world.registry.name
    if seen.registry != name:
        yield failure(
            GUARD,
            f'goes by the rules of the registry "{shown(seen.registry)}", and the policy calls this one "{name}"',
            f"set COUNTERSIGN_GUARD_REGISTRY={name} on the MLflow server and restart it",
        )
    if seen.governed is None:
        yield failure(
            GUARD,
            "has no list of what is governed: versions are created in target models, and nothing else that could be governed moves. "
            f"{shown(seen.trouble)}",
            f"check COUNTERSIGN_URL, COUNTERSIGN_API_TOKEN and COUNTERSIGN_GUARD_KEYS on the MLflow server; {ITS_LOG}",
        )
        return
    issued, is_old = f"{seen.governed.issued:%Y-%m-%d %H:%M} UTC", seen.governed.expires < datetime.now(UTC)
    if seen.trouble or is_old:
        why = f": {shown(seen.trouble)}" if seen.trouble else ""
        yield warning(
            GUARD,
            f"goes by the list of {issued}, and does not get a newer one{why}. What was approved since then can be deleted and changed",
            f"let the MLflow server reach COUNTERSIGN_URL; {ITS_LOG}",
        )
    else:
        yield fine(
            GUARD, f"goes by the list of {issued}: rules: {seen.governed.rules}, versions: {seen.governed.versions}"
        )


def keys_are_ours(seen: GuardSeen, world: World) -> Findings:
    """Who has the private part of one of them can sign a list that governs nothing."""
    try:
        now = read_signer(world.settings.signing_key_location, world.settings.hsm_pin.get_secret_value()).key.id
    except InvalidKey:
        yield not_tried(GUARD, "which keys it believes, because the signing key cannot be read here")
        return
    if now not in seen.keys:
        yield failure(
            GUARD,
            f"does not believe the key {now[:12]}, which signs now: it takes no newer list",
            f"put its public key (`countersign keys list --json`) {ITS_KEYS}",
        )
    with world.services.store.transaction() as tx:
        known = {one: tx.keys.find(one) for one in seen.keys}
    for one, key in known.items():
        if one != now and (key is None or key.retired_seq is not None):
            kind = "which was retired" if key else "which is none of the bot's"
            yield warning(
                GUARD,
                f"believes the key {one[:12]}, {kind}: who has it can sign a list by which nothing is governed",
                f"take it out {ITS_KEYS}",
            )
    if set(known) == {now}:
        yield fine(GUARD, f"believes the key {now[:12]} alone, which signs now")


def reports_arrive(reports: ReportsSeen) -> Findings:
    fix = f"let the MLflow server reach COUNTERSIGN_URL, with the same COUNTERSIGN_GUARD_SECRET as the web process; {ITS_LOG}"
    since = reports.since
    if reports.waiting is None:
        yield failure(
            GUARD, f"cannot keep who wrote what: {shown(reports.trouble)}", "check COUNTERSIGN_GUARD_DIR there"
        )
    elif since is not None and datetime.now(UTC) - since > MAY_WAIT:
        why = f" ({shown(reports.trouble)})" if reports.trouble else ""
        yield warning(
            GUARD,
            f"has not reported {reports.waiting} writes, the oldest of {since:%Y-%m-%d %H:%M} UTC{why}, so who made them is not known yet",
            fix,
        )
    else:
        yield fine(GUARD, "has reported who wrote what")


def strangers_must_sign_in(world: World) -> Findings:
    """By asking, as somebody without an account, for what changes nothing."""
    if not _is_asked(world):
        return
    model = next(iter(world.model_names), TRIED_ALIAS)
    tried = tried_without_account(world.server_address, model, Target(ALIAS, TRIED_ALIAS))
    match tried.met:
        case Met.SIGN_IN:
            yield fine(SIGN_IN, f"without an account nothing is written (answered with {tried.said})")
        case Met.NO_ANSWER | Met.UNKNOWN:
            said = tried.said or tried.met
            yield not_tried(
                SIGN_IN, f"asked without an account, the server answers otherwise than MLflow does ({said})"
            )
        case _:
            yield warning(
                SIGN_IN,
                "not asked for: everyone who reaches the MLflow server writes all that no rule governs, "
                "and the guard reports it without a name",
                "set COUNTERSIGN_GUARD_BASIC_AUTH=true on the MLflow server (docs/guard.md), or let a proxy ask for a sign-in",
            )


def account_is_the_bots_alone(world: World) -> Findings:
    """The bot's own writes show the guard's secret and are not reported, so a reported one with its account was made by another."""
    if not _is_asked(world):
        return
    yield not_tried(
        ACCOUNT,
        "who else knows COUNTERSIGN_GUARD_SECRET: with it everything may be changed",
        "give it to the bot and that server alone",
    )
    user = world.mlflow_user
    if not user:
        yield not_tried(ACCOUNT, "who else uses the bot's account, because MLFLOW_TRACKING_USERNAME is not set")
        return
    places = [place for place in world.policy.places if Workspace.parse(place).registry == world.registry.name]
    with world.services.store.transaction() as tx:
        others = tx.writes.signed_in_as(user, places)
    if others:
        last = others[0]
        yield warning(
            ACCOUNT,
            f"others use the bot's account \"{shown(user)}\": {len(others)} writes without the guard's secret, the last one "
            f"{last.act} of {shown(last.model)} at {last.at:%Y-%m-%d %H:%M} UTC. The ledger names the bot's account for them",
            "give the bot a new password that no one else has, and each person an account of their own",
        )
    else:
        yield fine(ACCOUNT, f'no one else has written with the bot\'s account "{shown(user)}" in the last 90 days')


def files_pass_the_guard(world: World) -> Findings:
    """By asking, without the guard's secret, for what changes nothing: to end an upload that never began."""
    if not _is_asked(world):
        return
    found = next(_served_files(world), None)
    if found is None:
        yield not_tried(SERVED, "no version whose files MLflow's server keeps waits for an approval or has one")
        return
    name, path = found
    tried = world.mlflow.upload_by_others(f"{path}/{TRIED_ALIAS}")
    match tried.met:
        case Met.GUARD:
            yield fine(
                SERVED,
                f"others cannot write files of {name} through MLflow's server; tried so that nothing was changed",
            )
        case Met.NOTHING:
            yield failure(
                SERVED,
                f"others can write files of {name} through MLflow's server (answered with {tried.said})",
                f"wait a minute and try again, when it was asked for just now; then {ITS_LOG}",
            )
        case _:
            yield not_tried(
                SERVED, f"whether others can write files of {name} through MLflow's server (answered with {tried.said})"
            )


def _served_files(world: World) -> Iterator[tuple[str, str]]:
    """The governed versions of the default workspace, as they were signed last, with the path of their files on the server."""
    with world.services.store.transaction() as tx:
        signed = tx.governed.find(world.registry.name)
    said = json.loads(payload_of(signed.envelope))["predicate"]["versions"] if signed else []
    for one in said:
        name, logged, source = f"{one['model']} v{one['number']}", one["logged_model"], urlsplit(one["source"])
        if one["workspace"] != Workspace.parse(world.place).name:
            continue
        if logged:
            yield name, f"0/models/{logged}/artifacts"
        elif source.scheme == "mlflow-artifacts" and source.path.strip("/"):
            yield name, source.path.strip("/")


def other_servers_are_guarded(world: World) -> Findings:
    """Other addresses of the same tables: those that are named for it, and registries of the policy that give the same identity."""
    governed = next(_governed_targets(world), None)
    if not _is_asked(world) or governed is None:
        return
    model, target = governed
    named = world.settings.guard_try_urls if world.registry.name == DEFAULT else ()
    others = list(_twins_of(world))
    for address in named:
        yield from _found_at(address, model, target)
    for place in others:
        there = replace(world, place=place)
        yield from _judged_there(place, there.mlflow.guard_stops_others(model, target), model, target)
    if not named and not others:
        yield not_tried(
            ELSEWHERE,
            "another MLflow server on the same database, and another address of this one: none is known",
            f"name such addresses in {OTHERS}, if there are any",
        )


def _found_at(address: str, model: str, target: Target) -> Findings:
    tried = tried_without_account(address, model, target)
    match tried.met:
        case Met.GUARD:
            yield _guarded(address, target, model)
        case Met.NOTHING:
            yield _unguarded(address, target, model, "without an account")
        case Met.SIGN_IN:
            yield from _with_the_account(address, model, target)
        case Met.ANOTHER_REGISTRY:
            yield warning(ELSEWHERE, f"{address} has no model {model}, so it is another registry", f"check {OTHERS}")
        case Met.NO_ANSWER:
            yield fine(ELSEWHERE, f"{address} does not answer from here ({tried.said})")
        case _:
            yield not_tried(ELSEWHERE, f"{address} answers otherwise than MLflow does ({tried.said})")


def _with_the_account(address: str, model: str, target: Target) -> Findings:
    """The bot's own, without the guard's secret."""
    try:
        is_guarded = MlflowCheckup(address).guard_stops_others(model, target)
    except OutsideError as trouble:
        yield not_tried(ELSEWHERE, f"{address} refuses the bot's account ({trouble})")
        return
    yield from _judged_there(address, is_guarded, model, target)


def _judged_there(address: str, is_guarded: bool, model: str, target: Target) -> Findings:
    yield _guarded(address, target, model) if is_guarded else _unguarded(address, target, model, "with an account")


def _guarded(address: str, target: Target, model: str) -> Finding:
    return fine(ELSEWHERE, f"{address} refuses to move {target} of {model} too")


def _unguarded(address: str, target: Target, model: str, how: str) -> Finding:
    return failure(
        ELSEWHERE,
        f"{address} has no guard: everyone who reaches it {how} moves {target} of {model} there, in the same database",
        "run that server with --app-name countersign too, or end it",
    )


def _twins_of(world: World) -> Iterator[str]:
    with world.services.store.transaction() as tx:
        row, places = tx.trust.find(world.place), tx.places()
        watched = [one for one in tx.trust.all() if one.workspace in places]
    yield from twins(row, watched)


def _governed_targets(world: World) -> Iterator[tuple[str, Target]]:
    for kind in (ALIAS, STAGE):
        for model in world.ruled_models:
            for rule in world.policy.rules_for(world.place, model):
                if rule.target.kind is kind:
                    yield model, rule.target


def _has_secret(world: World) -> bool:
    return bool(world.guard_secret.get_secret_value())


def _is_asked(world: World) -> bool:
    """Whether the registry has a guard, as far as the settings say; its server is asked once, not for each workspace."""
    name = Workspace.parse(world.place).registry
    first = next(place for place in world.policy.places if Workspace.parse(place).registry == name)
    return _has_secret(world) and world.place == first
