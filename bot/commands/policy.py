"""The policy: check a file, put it in force."""

from __future__ import annotations

from pathlib import Path

import click

from bot.commands.context import services_for, settings_for, telling_mistakes
from config.policy import policy_text_of, read_policy

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group("policy")
def policy_group() -> None:
    """Check policy.yaml and put it in force."""


@policy_group.command("check")
@file_argument
@telling_mistakes
def check(file: Path | None) -> None:
    """Report all mistakes of a policy file at once, with line numbers. Default: COUNTERSIGN_POLICY."""
    path = file or settings_for().policy_path
    policy = read_policy(policy_text_of(path), str(path))
    click.echo(
        f"{path}: {len(policy.rules)} rules, {len(policy.groups)} groups, {len(policy.people)} people. No mistakes."
    )


@policy_group.command("activate")
@file_argument
@telling_mistakes
def activate(file: Path | None) -> None:
    """Put a policy file in force on all replicas at once. Default: COUNTERSIGN_POLICY."""
    from handlers.policies import activate_policy

    path = file or settings_for().policy_path
    text = policy_text_of(path)
    read_policy(text, str(path))
    with services_for() as services:
        activated = activate_policy(text, str(path), services)
    click.echo(f"{path} is {'now' if activated else 'already'} in force.")
