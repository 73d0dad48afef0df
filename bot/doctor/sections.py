"""`countersign doctor`: the table of all checks, run so that one broken vendor does not hide another.

A check yields findings and changes nothing. The checks are in the modules of this folder; their calls to the vendors are in the clients'
`checkup` modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.database.embedded import NoDatabase
from bot.doctor import (
    digest,
    evidence_data,
    guard,
    installation,
    jira,
    keys,
    mlflow,
    passkeys,
    past_mlflow,
    sealed_store,
    slack,
    ticket_decisions,
    traces,
)
from bot.doctor.findings import Check, Finding, Findings, Section, Status, World, failure, fine, not_tried, warning
from bot.domain.policy.rules import Policy
from bot.domain.workspaces import DEFAULT, Workspace, in_workspace
from bot.errors import InvalidSettings, OutsideError, without_retries
from config.policy import PolicyMistakes, opens_tickets, policy_text_of, read_policy, sends_mail
from config.settings import Need, Process, Settings, needs_of, policy_path_in, read_settings

DATABASE = "database"
MLFLOW = Section(
    (
        Check("mlflow", mlflow.mlflow_answers, "check MLFLOW_TRACKING_URI, and that the server runs"),
        Check("mlflow models", mlflow.models_can_be_read),
        Check("mlflow workspaces", mlflow.other_workspaces_are_known),
        Check("mlflow registry", mlflow.registry_is_believed),
        Check("mlflow writing", mlflow.models_can_be_written),
        Check("mlflow guard", guard.guard_refuses_others),
        Check("mlflow guard", guard.guard_is_up_to_date),
        Check("mlflow sign-in", guard.strangers_must_sign_in),
        Check("mlflow account", guard.account_is_the_bots_alone),
        Check("mlflow uploads", guard.files_pass_the_guard),
        Check("mlflow elsewhere", guard.other_servers_are_guarded),
        Check("mlflow database", past_mlflow.database_is_out_of_reach),
        Check("mlflow files", past_mlflow.files_are_out_of_reach),
        Check("mlflow webhook", mlflow.webhook_points_here),
    )
)
"""Run for each watched workspace of each registry."""

SECTIONS = (
    Section((Check("settings", installation.names_are_known),)),
    Section(
        (
            Check(DATABASE, installation.database_answers),
            Check("policy", installation.policy_is_in_force),
            Check("ledger", installation.ledger_is_out_of_reach),
            Check("checkpoints", keys.checkpoints_are_signed),
            Check("witnesses", installation.witnesses_keep_up),
            Check("worker", installation.worker_is_alive),
            Check("clock", installation.clock_is_alive),
            Check("sweeps", installation.sweeps_are_recent),
            Check("jobs", installation.no_job_is_parked),
            Check("signing key", keys.signing_key_is_ready),
        )
    ),
    Section(
        (
            Check("address", installation.address_leads_here),
            Check("slack door", installation.slack_door_knows_the_secret),
        ),
    ),
    Section((Check("proxies", installation.proxies_are_named),)),
    Section((Check("traces", traces.traces_arrive),)),
    MLFLOW,
    Section(
        (
            Check("slack", slack.slack_knows_the_bot, "check SLACK_BOT_TOKEN, SLACK_API_URL and the way out to Slack"),
            Check("slack scopes", slack.scopes_are_complete),
            Check("slack channels", slack.channels_are_joined),
            Check("slack groups", slack.groups_have_members),
            Check("slack cards", slack.cards_are_taken),
            Check("slack home", slack.home_is_offered),
            Check("slack people", slack.people_are_found),
            Check(
                "sign-in",
                slack.people_can_sign_in,
                "check SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and the way out to Slack",
            ),
            Check("slack way in", slack.way_in_is_open, "check SLACK_APP_TOKEN and its scope connections:write"),
        )
    ),
    Section(
        (
            Check("passkeys", passkeys.passkeys_can_be_used),
            Check("passkeys of approvers", passkeys.approvers_have_passkeys),
        )
    ),
    Section((Check("sealed store", sealed_store.stores_are_ready, "check the AWS environment of the worker"),)),
    Section((Check("evidence data", evidence_data.data_is_looked_after),)),
    Section(
        (
            Check("jira", jira.jira_knows_the_bot, "check JIRA_URL and the account's token"),
            Check("jira projects", jira.projects_are_ready),
            Check("jira decisions", ticket_decisions.people_can_decide),
        )
    ),
    Section(
        (
            Check("digest", digest.digest_is_planned),
            Check("digest report", digest.report_can_be_made),
            Check("digest mail", digest.mail_server_takes_us, "check SMTP_URL, and the way out to the mail server"),
            Check("digest", digest.digests_are_delivered),
        )
    ),
)
SHORTEST_SECRET = 4  # characters; hiding shorter ones would garble every sentence
TO_THE_WORKERS_READER = (
    "Then replay the job.",
    ", and replay the job",
)
MLFLOWS_OWN_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def examine(environ: Mapping[str, str], *, register_webhook: bool = False) -> list[Finding]:
    """Runs all checks. Raises InvalidSettings with the mistakes of settings and policy file, which come first."""
    world = read_world(environ)
    secrets = _secrets_in(world.settings, environ)
    try:
        found = [fine("settings", f"complete for {', '.join(_processes(world.settings))}")]
        if register_webhook:
            for place in world.policy.places:
                found += _in(
                    place, _run(Check("register webhook", mlflow.register_webhook), replace(world, place=place))
                )
        for section in SECTIONS:
            found += _examined_everywhere(world) if section is MLFLOW else _examined(section, world)
    finally:
        world.close()
    return [_without(secrets, finding) for finding in _each_cause_once(found)]


def _each_cause_once(found: Sequence[Finding]) -> Findings:
    """A database that does not answer fails the checks of other sections that read it, in the same words: they were not tried."""
    of_the_database = {one.why for one in found if one.status is Status.FAIL and one.what == DATABASE}
    for one in found:
        if one.status is Status.FAIL and one.what != DATABASE and one.why in of_the_database:
            yield not_tried(one.what, "it reads the database", f"see the line `{DATABASE}`")
        else:
            yield one


def read_world(environ: Mapping[str, str]) -> World:
    """Raises InvalidSettings with all mistakes of the settings for all processes and of the policy file."""
    mistakes: list[str] = []
    policy = None
    text = ""
    path = policy_path_in(environ)
    try:
        text = policy_text_of(path)
        policy = read_policy(text, str(path))
    except PolicyMistakes as wrong:
        mistakes += str(wrong).splitlines()
    try:
        settings = read_settings(environ, _all_needs(environ, policy))
    except InvalidSettings as wrong:
        raise InvalidSettings((*wrong.mistakes, *mistakes)) from None
    if policy is None:
        raise InvalidSettings(tuple(mistakes))
    return World(settings, policy, text, environ=environ)


def _all_needs(environ: Mapping[str, str], policy: Policy | None) -> frozenset[Need]:
    tickets = policy is not None and opens_tickets(policy)
    mail = policy is not None and sends_mail(policy)
    processes = [Process.WEB, Process.WORKER, Process.CLOCK]
    if environ.get("SLACK_APP_TOKEN", "").strip():
        processes.append(Process.SOCKET)
    return frozenset[Need]().union(*(needs_of(process, tickets=tickets, mail=mail) for process in processes))


def _processes(settings: Settings) -> list[str]:
    return ["web", "worker", "clock", *(["socket"] if settings.slack_app_token.get_secret_value() else [])]


def _examined(section: Section, world: World) -> Findings:
    door, *others = section.checks
    found = list(_run(door, world))
    yield from found
    if not any(finding.status is Status.FAIL for finding in found):
        for check in others:
            yield from _run(check, world)


def _examined_everywhere(world: World) -> Findings:
    for place in world.policy.places:
        there = replace(world, place=place)
        try:
            yield from _in(place, _examined(MLFLOW, there))
        finally:
            there.close()


def _in(place: str, found: Findings) -> Findings:
    """Says which place a finding is about, where it is not the default one."""
    name = Workspace.parse(place).registry
    for one in found:
        fix = one.fix if name == DEFAULT else one.fix.replace("MLFLOW_TRACKING_URI", f"the uri of {name} in the policy")
        yield replace(one, what=f"{one.what}{in_workspace(place)}", fix=fix)


def _run(check: Check, world: World) -> Iterator[Finding]:
    """An error from outside fails only this check, and keeps what the check found before."""
    try:
        yield from check.look(world)
    except NoDatabase as trouble:
        if not world.is_new:
            yield failure(check.what, str(trouble), check.fix)
        elif check.what == DATABASE:
            yield warning(DATABASE, "not made yet, so what it will hold was not checked", "start `countersign serve`")
    except OutsideError as trouble:
        yield failure(check.what, _for_a_person(str(trouble)), check.fix)
    except DBAPIError as trouble:
        yield failure(
            check.what, f"the database says: {trouble.orig}", "check DATABASE_URL, and run `countersign migrate`"
        )
    except PoolTimeout:
        yield failure(check.what, "the database gives out no more connections", "raise its max_connections")


def _for_a_person(sentence: str) -> str:
    """Removes the advice that only applies to a job, such as replaying it."""
    sentence = without_retries(sentence)
    for addressed in TO_THE_WORKERS_READER:
        sentence = sentence.replace(addressed, "")
    return sentence.strip()


def _secrets_in(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Longest first, so that a secret that contains another one is hidden completely."""
    held: set[str] = {environ.get(name, "") for name in MLFLOWS_OWN_SECRETS}
    held.update(_password_in(environ.get(name, "")) for name in past_mlflow.STORES)
    for one in settings.registries.values():
        held.update(
            secret.get_secret_value() for secret in (one.password, one.token, one.guard_secret, *one.webhook_secrets)
        )
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        secrets = value if isinstance(value, tuple) else (value,)
        held.update(secret.get_secret_value() for secret in secrets if isinstance(secret, SecretStr))
    held.update(_password_in(text) for text in tuple(held) if text.startswith("postgresql://"))
    return tuple(sorted((text for text in held if len(text) >= SHORTEST_SECRET), key=len, reverse=True))


def _password_in(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def _without(secrets: tuple[str, ...], finding: Finding) -> Finding:
    """Hides secrets, because vendors and drivers may put anything into their errors."""

    def hidden(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())

    return replace(finding, why=hidden(finding.why), fix=hidden(finding.fix))
