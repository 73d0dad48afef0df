"""`countersign requests`: list, show and call off. The commands are in modules of their own."""

from __future__ import annotations

import click

from bot.commands.asking.calling_off import call_off
from bot.commands.reading.requests_list import list_requests
from bot.commands.reading.requests_show import show


@click.group("requests")
def requests_group() -> None:
    """List and show requests, or call an approval off."""


for command in (list_requests, show, call_off):
    requests_group.add_command(command)
