"""The command line, `countersign`: exit codes are 0 done, 1 refused or failed, 2 wrong usage or settings."""

from __future__ import annotations

import sys

import click

from bot.commands.demo import demo
from bot.commands.doctor import doctor
from bot.commands.fast_track import fast_track_group
from bot.commands.jobs import jobs_group
from bot.commands.policy import policy_group
from bot.commands.processes import clock, migrate, serve, socket, web, worker
from bot.commands.requests import adopt, list_placements, people_group, request_transition, requests_group
from bot.commands.rollback import history, roll_back
from bot.logs import write_logs


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlflow-countersign")
def main() -> None:
    """Countersign: model promotions that a team can trust."""
    write_logs(sys.stderr)  # what a reading command prints must stay clean; processes write theirs to standard output


for command in (
    serve,
    web,
    worker,
    clock,
    socket,
    migrate,
    demo,
    doctor,
    request_transition,
    roll_back,
    history,
    adopt,
    requests_group,
    list_placements,
    people_group,
    policy_group,
    fast_track_group,
    jobs_group,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
