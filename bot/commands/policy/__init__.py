"""The policy: check a file and put it in force. `explain` and `replay` are in their own modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands.context import not_loaded, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import say
from bot.commands.policy.explain import explain
from bot.commands.policy.replay import replay
from bot.domain.names import shown
from bot.domain.text import counted
from bot.errors import InvalidSettings, OutsideError, Refused
from bot.links import links_for
from bot.mlflow_addresses import workspace_elsewhere
from config.did_you_mean import guess
from config.policy import Mistake, line_of, notices, policy_text_of, read_policy

if TYPE_CHECKING:
    from bot.domain.policy.rules import Policy
    from config.settings import Settings
    from handlers.policy.logged_metrics import NeverLogged, RegistryKnows

EXAMPLE = "This is the example that comes with Countersign. To name your own: FILE, or COUNTERSIGN_POLICY."
LISTED = 20  # at most this many models without a rule are listed

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group("policy")
def policy_group() -> None:
    """Check policy.yaml, see what it means, and put it in force."""


policy_group.add_command(explain)
policy_group.add_command(replay)


@policy_group.command("check")
@file_argument
@click.option("--offline", is_flag=True, help="Do not compare with what MLflow knows.")
@click.option("--strict", is_flag=True, help="Exit 1 when there is something to notice, or MLflow does not answer.")
@telling_mistakes
def check(file: Path | None, offline: bool, strict: bool) -> None:
    """Report all mistakes of a policy file at once, with line numbers. Default: COUNTERSIGN_POLICY.

    When MLFLOW_TRACKING_URI is set, a file without mistakes is also compared with MLflow: metrics that were never logged, and models
    without a rule. These are warnings: they are printed, and the exit code stays 0 unless you say --strict.
    """
    path, is_example = _path_of(file)
    _say_what_is_not_meant(is_example=is_example)
    text = policy_text_of(path)
    policy = read_policy(text, str(path))
    rules, groups = counted(len(policy.rules), "rule"), counted(len(policy.groups), "group")
    people = "1 person" if len(policy.people) == 1 else f"{len(policy.people)} people"
    say(f"{path}: {rules}, {groups}, {people}. No mistakes.")
    said = _notices_of(policy, text, path)
    for notice in said:
        _print_notice(path, notice)
    has_warnings = _compare_with_mlflow(policy, text, path, offline=offline)
    if strict and (said or has_warnings):
        sys.exit(1)


@policy_group.command("activate")
@file_argument
@telling_mistakes
def activate(file: Path | None) -> None:
    """Put a policy file in force on all replicas at once. Default: COUNTERSIGN_POLICY.

    A file with mistakes is refused: the previous policy stays in force, and its channels are notified. Unless you name it, the example that
    comes with Countersign never replaces another policy. With two database roles it runs as the owner, as `migrate` does: set
    DATABASE_OWNER_URL.
    """
    from handlers.policy.activation import activate_policy

    path, is_example = _path_of(file)
    text = policy_text_of(path)
    with services_for(as_owner=True) as services:
        activated = activate_policy(text, str(path), services, is_example=is_example)
    say(f"{path} is {'now' if activated else 'already'} in force.")
    _say_what_is_not_meant(is_example=is_example)
    for notice in _notices_of(read_policy(text, str(path)), text, path):
        _print_notice(path, notice)


def _path_of(file: Path | None) -> tuple[Path, bool]:
    """And whether it is the example, which nobody has named."""
    if file is not None:
        return file, False
    settings = settings_for()
    return settings.policy_path, settings.has_example_policy


def _say_what_is_not_meant(*, is_example: bool) -> None:
    for sentence in (EXAMPLE if is_example else "", not_loaded()):
        if sentence:
            say(sentence)


def _notices_of(policy: Policy, text: str, path: Path) -> list[Mistake]:
    return [*notices(text, str(path)), *_passkeys_that_cannot_be_used(policy, text)]


def _passkeys_that_cannot_be_used(policy: Policy, text: str) -> list[Mistake]:
    """For rules whose approvals take a passkey, on a bot that has no page where people could use one."""
    wanting = [place for place, rule in enumerate(policy.rules) if rule.approve.wants_passkeys]
    if not wanting:
        return []
    from bot.passkeys import relying_party

    settings = settings_for()
    links = links_for(settings.public_url, [key.get_secret_value() for key in settings.link_keys], settings.home)
    try:
        relying_party(settings.public_url)
        why = "" if links.are_made else "the bot has no key for its links. Set COUNTERSIGN_LINK_KEY"
    except Refused as refusal:
        why = str(refusal)
    said = "the approvals of rule {} take a passkey, and here no one could use one: {}."
    return [
        Mistake(line_of(text, ("rules", place, "approve")), said.format(f'"{policy.rules[place].models}"', why))
        for place in wanting
        if why
    ]


def _compare_with_mlflow(policy: Policy, text: str, path: Path, *, offline: bool) -> bool:
    """Prints the warnings; True when --strict must fail: there are some, or MLflow does not answer."""
    settings = settings_for()
    if offline or not settings.mlflow_tracking_uri:
        say(f"Not compared with MLflow: {'you said --offline' if offline else 'MLFLOW_TRACKING_URI is not set'}.")
        return False
    try:
        known = _registry_knows(policy, settings)
    except OutsideError as trouble:
        say(f"Not compared with MLflow: {str(trouble).removesuffix('.')}.")
        return True
    warnings = list(_warnings(known, text))
    for notice in warnings:
        _print_notice(path, notice)
    for rule in known.unmatched:
        say(f"MLflow has no version of a model that the rule {rule.label} matches, so its metrics were not compared.")
    say(f"Compared with MLflow, which has {counted(known.models, 'registered model')}.")
    return bool(warnings)


def _registry_knows(policy: Policy, settings: Settings) -> RegistryKnows:
    """Raises InvalidSettings when MLflow's client would be led to another workspace than the default one."""
    from bot.assembly import quieten_vendors, registries_of
    from handlers.policy.logged_metrics import ask_registry

    elsewhere = workspace_elsewhere(os.environ.get("MLFLOW_WORKSPACE", ""))
    if elsewhere:
        raise InvalidSettings((f"MLFLOW_WORKSPACE {elsewhere}",))
    quieten_vendors()
    return ask_registry(policy, registries_of(settings, lambda: policy.registries))


def _warnings(known: RegistryKnows, text: str) -> Iterator[Mistake]:
    for one in known.never_logged:
        yield Mistake(line_of(text, ("rules", one.place, "fast_track", "metrics", one.metric)), _never_logged(one))
    for model, alike in known.lookalikes[:LISTED]:
        yield Mistake(
            None,
            f"{shown(model)} v{alike.version} has the {alike.kind} {shown(alike.name)!a}, and the rule waits for "
            f"{shown(alike.meant)!a}. To MLflow these are two names, so nothing is asked. Set the name that the rule has, or correct "
            "the rule.",
        )
    if known.unruled:
        named = ", ".join(known.unruled[:LISTED])
        more = f" and {len(known.unruled) - LISTED} more" if len(known.unruled) > LISTED else ""
        yield Mistake(
            None,
            f"No rule speaks of {counted(len(known.unruled), 'registered model')}: {named}{more}. "
            "Write a rule for those whose promotions matter; moves of the others are only reported.",
        )


def _never_logged(one: NeverLogged) -> str:
    hint = guess(one.metric, one.logged) or " Correct its name, or log it when you train."
    return (
        f'the fast track of rule {one.rule.label} wants the metric "{one.metric}", which was never logged by '
        f"{counted(one.versions, 'version')} of {counted(one.models, 'model')} that were looked at, the newest first, "
        f"so it will let nothing pass.{hint}"
    )


def _print_notice(path: Path, notice: Mistake) -> None:
    place = f"{path} line {notice.line}" if notice.line else str(path)
    say(f"{place}: {notice.sentence}")
