"""The command line, `countersign`. Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, 4 nothing found; 3 is the gate's.

A command's module is imported only when that command is called, because the gate must answer without Flask, MLflow or a database. So the
help's sentences are here, and `countersign --help` imports none of them.
"""

from __future__ import annotations

import atexit
import gc
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from bot.commands.file_troubles import told
from bot.commands.output.terminal import columns, current_colour_choice


@dataclass(frozen=True)
class Named:
    """Where a command is, as module:function, and its sentence in the list of all commands."""

    where: str
    sentence: str


GROUPS: Mapping[str, Mapping[str, Named]] = {
    "Run": {
        "init": Named("init:init", "Set up your first card: policy, settings and keys."),
        "serve": Named("processes:serve", "Run everything in one place, for a small team."),
        "web": Named("processes:web", "Serve webhooks, Slack, the API, health and pages."),
        "worker": Named("processes:worker", "Do the work: cards, tickets, moves and sweeps."),
        "clock": Named("processes:clock", "Run the scheduler: sweeps, reminders, expiry, digest."),
        "socket": Named("processes:socket", "Listen to Slack without a public address."),
        "migrate": Named("processes:migrate", "Update the database and put the policy in force."),
        "demo": Named("demo:demo", "Show all of it on this machine, from training to digest."),
        "sandbox": Named("sandbox:sandbox", "Run a local Slack and Jira, to try your own card."),
    },
    "Ask and decide": {
        "request-transition": Named("asking.transition:request_transition", "Ask for a version to reach a target."),
        "register": Named("asking.register:register", "Register a trained run as a version, and ask for it."),
        "rollback": Named("asking.rollback:roll_back", "Take a target back to the version approved before."),
        "adopt": Named("asking.adopt:adopt", "Ask people to approve what is in place already."),
        "gate": Named("bot.gate.command:gate", "Ask whether a version may ship; for CI and serving."),
    },
    "Look up": {
        "list": Named("reading.placements:list_placements", "List what holds each target, and who approved it."),
        "requests": Named("reading.requests:requests_group", "List and show requests, or call an approval off."),
        "describe": Named("reading.describe:describe", "Describe a version: its run, data, votes, signatures."),
        "history": Named("reading.history:history", "List everything that happened to a model's targets."),
        "evidence": Named(
            "reading.evidence:evidence_group", "List what approvals rest on and is gone; acknowledge it."
        ),
        "digest": Named("digest:digest", "Print the audit digest of a week."),
    },
    "Policy": {
        "policy": Named("policy:policy_group", "Check, explain, replay and activate policy.yaml."),
        "fast-track": Named("policy.fast_track:fast_track_group", "Switch the fast track on or off, and judge it."),
        "people": Named("people:people_group", "Manage which Slack account belongs to whom."),
        "passkeys": Named("people.passkeys:passkeys_group", "List and revoke the passkeys that sign approvals."),
    },
    "Keys and proofs": {
        "keys": Named("proofs.keys:keys_group", "Manage the keys that sign approvals and the ledger."),
        "attestation": Named("proofs.attestation:attestation", "Print the signed votes and decision of a request."),
        "seal": Named("proofs.seal:seal_group", "List and verify what is in the sealed store."),
        "audit": Named("proofs.audit:audit_group", "Verify, export and sign the ledger, and prove entries."),
        "witness": Named("bot.witness.command:witness", "Cosign the checkpoints of another installation."),
    },
    "Operate": {
        "doctor": Named("doctor:doctor", "Check every setting against the real systems."),
        "admission": Named("operating.admission:admission", "Let Kubernetes refuse pods with unapproved models."),
        "jobs": Named("operating.jobs:jobs_group", "List, show, replay and drop jobs."),
        "registry": Named("operating.registry:registry_group", "Show whether MLflow is believed, or accept its state."),
        "backup": Named("operating.backups:backup", "Write the whole database into one file."),
        "restore": Named("operating.backups:restore", "Load a backup into an empty database."),
    },
}
"""By subject, in the order of the help."""

COMMANDS: Mapping[str, Named] = {name: named for group in GROUPS.values() for name, named in group.items()}


WRONG_USAGE = 2
NO_COMMAND = re.compile(r"No such command '(.*)'\.")
NEW_OBJECTS = 50_000  # at which garbage is looked for


class Commands(click.Group):
    """Lists commands by subject, and imports only the one that is called."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Looks for garbage less often: imports make none, and Python's threshold of 700 costs a tenth of a command's processor time.

        When it ends, not at all: Python would go through all that was loaded, which took another seventh, only to give the memory back.
        """
        gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
        atexit.register(gc.freeze)
        try:
            return super().main(*args, **kwargs)
        except OSError as trouble:  # here, for a file of `--out` is put in its place after its command has ended
            said = told(trouble)
            if not said:
                raise
            from bot.commands.output.text import readable

            click.echo(readable(said, columns(err=True)), err=True)
            sys.exit(WRONG_USAGE)

    def invoke(self, ctx: click.Context) -> Any:
        """Names the command that was perhaps meant, also one of a group."""
        try:
            return super().invoke(ctx)
        except click.UsageError as mistake:
            word = NO_COMMAND.fullmatch(mistake.message)
            if word and mistake.ctx and isinstance(mistake.ctx.command, click.Group):
                from config.did_you_mean import guess

                meant = guess(word[1], mistake.ctx.command.list_commands(mistake.ctx))
                raise click.UsageError(f"{mistake.message}{meant}", mistake.ctx) from None
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click hands it in
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click hands it in
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].where.partition(":")
        path = module if module.startswith("bot.") else f"bot.commands.{module}"
        command: click.Command = getattr(import_module(path), name)
        if isinstance(command, click.Group):
            for child in command.commands.values():
                child.short_help = _sentence_of(child)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click hands it in
        room = max(map(len, COMMANDS))
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(f"{name:<{room}}", named.sentence) for name, named in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """click's own would import every command that begins so, for its help."""
        found = [CompletionItem(name, help=COMMANDS[name].sentence) for name in sorted(COMMANDS)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(one for one in found if one.value.startswith(incomplete)), *options]


def _sentence_of(command: click.Command) -> str:
    """The first sentence of its help. click would cut it at the terminal's width."""
    paragraph = " ".join((command.help or "").split("\n\n")[0].split())
    return f"{paragraph.split('. ')[0].removesuffix('.')}."


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlflow-countersign")
@click.pass_context
def main(context: click.Context) -> None:
    """Countersign: model promotions that a team can trust."""
    context.color = current_colour_choice()
    if context.invoked_subcommand != "gate":  # the gate writes no logs, and should not spend time on them
        from bot.logs import write_logs

        write_logs(
            sys.stderr
        )  # logs go to stderr, so that a command's output stays clean; processes log to standard output


if __name__ == "__main__":
    main()
