"""The command line, `countersign`: exit codes are 0 done, 1 refused or failed, 2 wrong usage or settings.

A command's module is imported only when that command is called, because the gate must answer without Flask, MLflow or a database.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

import click

COMMANDS: Mapping[str, str] = {
    "init": "bot.commands.init:init",
    "serve": "bot.commands.processes:serve",
    "web": "bot.commands.processes:web",
    "worker": "bot.commands.processes:worker",
    "clock": "bot.commands.processes:clock",
    "socket": "bot.commands.processes:socket",
    "migrate": "bot.commands.processes:migrate",
    "backup": "bot.commands.backups:backup",
    "restore": "bot.commands.backups:restore",
    "demo": "bot.commands.demo:demo",
    "doctor": "bot.commands.doctor:doctor",
    "request-transition": "bot.commands.requests:request_transition",
    "rollback": "bot.commands.rollback:roll_back",
    "describe": "bot.commands.describe:describe",
    "history": "bot.commands.rollback:history",
    "adopt": "bot.commands.requests:adopt",
    "register": "bot.commands.register:register",
    "requests": "bot.commands.requests:requests_group",
    "list": "bot.commands.requests:list_placements",
    "people": "bot.commands.people:people_group",
    "passkeys": "bot.commands.people.passkeys:passkeys_group",
    "policy": "bot.commands.policy:policy_group",
    "registry": "bot.commands.registry:registry_group",
    "fast-track": "bot.commands.fast_track:fast_track_group",
    "jobs": "bot.commands.jobs:jobs_group",
    "keys": "bot.commands.keys:keys_group",
    "attestation": "bot.commands.attestation:attestation",
    "audit": "bot.commands.audit:audit_group",
    "witness": "bot.witness.command:witness",
    "digest": "bot.commands.digest:digest",
    "gate": "bot.gate.command:gate",
}
"""Each command's name and its module and function."""


class Commands(click.Group):
    """Lists commands by name, and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click hands it in
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click hands it in
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlflow-countersign")
@click.pass_context
def main(context: click.Context) -> None:
    """Countersign: model promotions that a team can trust."""
    if context.invoked_subcommand != "gate":  # the gate writes no logs, and should not spend time on them
        from bot.logs import write_logs

        write_logs(
            sys.stderr
        )  # logs go to stderr, so that a command's output stays clean; processes log to standard output


if __name__ == "__main__":
    main()
