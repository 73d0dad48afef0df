"""`countersign demo`: the main workflow on one machine, to click through or, with --auto, played and checked automatically."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

import click

from bot.commands.context import Mistake, settings_for, telling_mistakes
from bot.commands.output.terminal import is_terminal
from bot.commands.output.text import printable

if TYPE_CHECKING:
    from bot.demo.world import World
    from bot.services import Services

EXTRA = 'the demo needs more than the bot itself. Install it with: pip install "mlflow-countersign[demo]"'


@click.command()
@click.option("--auto", is_flag=True, help="Play the approver too, print the story, and check that it came true.")
@click.option(
    "--home", type=click.Path(path_type=Path), help="Where the demo may live. Default: COUNTERSIGN_HOME/demo."
)
@telling_mistakes
def demo(auto: bool, home: Path | None) -> None:
    """Show the main job: a real pipeline, a real registry, and a Slack and a Jira to click on."""
    try:
        from bot.demo.digest import compliance_is_told
        from bot.demo.passkeys import chromium, with_passkeys
        from bot.demo.play import play
        from bot.demo.world import demo_world, services_of
        from bot.errors import DemoFailed
        from bot.supervisor import only_one
    except ImportError as missing:
        raise Mistake(f"{missing.name} is not installed: {EXTRA}") from None
    try:
        place = (home or settings_for().home / "demo").resolve()
        browser = chromium() if auto else None
        if auto and browser is None:
            _say(
                "the passkey is left out: that step needs Chromium, and Playwright (pip install playwright) to drive it"
            )
        with (
            only_one(place.parent / f"{place.name}.lock", f"a demo runs in {place}"),
            demo_world(place, _say, browser, with_passkeys if browser else str) as world,
        ):
            if auto:
                play(world, _say)
                with services_of(world) as services:
                    compliance_is_told(world, services, _say)
                    _tell(world, services)
                _say(AUTO_DONE)
            else:
                _show(world)
    except DemoFailed as failure:
        raise click.ClickException(str(failure)) from None
    except KeyboardInterrupt:
        click.echo("stopped; nothing is left running")
        sys.exit(130 if auto else 0)


AUTO_DONE = (
    "done: every step came out as it should. To click through it yourself: `countersign demo`. "
    "To connect your own MLflow, Slack and Jira: docs/guide.md"
)


def _show(world: World) -> None:
    """Trains a version, then prints what happens while people click, until Ctrl-C."""
    from bot.demo.world import train

    _say("training bike-demand with git, DVC and MLflow; its author is Bea Baker")
    train(world, _say)
    _print_addresses(world)
    _follow(world)


def _print_addresses(world: World) -> None:
    from bot.demo.play import BAD, BETTER
    from bot.demo.world import EXAMPLE

    next_version = f"{sys.executable} {EXAMPLE}/run.py --workdir {world.home}/bike-demand --params"
    countersign = Path(sys.executable).with_name("countersign")
    click.echo(
        f"""
  Slack   {world.addresses["slack"]}/
  Jira    {world.addresses["jira"]}/
  MLflow  {world.addresses["mlflow"]}/
  Pages   {world.environment["COUNTERSIGN_URL"]}/   (sign in as anyone, such as Ana Ruiz)
  Metrics {world.addresses["metrics"]}/metrics

  1. The first version waits for two people. In Slack, press Approve as Ana Ruiz (ml-leads) and as Cy Lindqvist (risk).
     For the rest, open a second terminal:

       . {world.home}/env

  2. A better version: the fast track lets it through, and its card offers Undo instead of Approve.

       {next_version} {" ".join(BETTER)}

  3. A bad version: the fast track holds it. Press Approve as Bea Baker, who trained it and is refused; then Reject as Ana Ruiz.

       {next_version} {" ".join(BAD)}

  4. By hand: {_hand_move(world)}

  5. Without a button: in Slack, press the lightning bolt beside Countersign as Ben Okafor, and ask for version 1 with the form. Then decide
     in Jira: open the new ticket, act as Ana Ruiz, press Decline, choose the Resolution "Won't Do", which Jira demands, and say why.

  6. The week's end, once and last: press Enter here, and compliance gets the digest of all this in #compliance and as a ticket.

  7. Passkeys: in Slack, say /countersign passkey as Cy Lindqvist, and open the link in a browser that has passkeys. Ana Ruiz confirms it.
     No rule of this demo asks for one. `countersign demo --auto` has a rule that does, where Chromium and Playwright are installed.

  What the bot says of it:

       {countersign} policy explain models:/bike-demand/3     # after step 3
       {countersign} history bike-demand
       {countersign} describe models:/bike-demand@champion
       {countersign} gate check models:/bike-demand@champion --key {world.home}/countersign.pub
       {countersign} audit verify
       {countersign} digest                                   # after step 6
       {countersign} doctor

  In Slack, /countersign help lists what can be typed. Ctrl-C ends everything; the next demo starts from the beginning again.
"""
    )


def _hand_move(world: World) -> str:
    from bot.demo.guard import HOW

    if world.guard is None:
        return f"left out, because the guard of MLflow is not installed; for the next demo: {HOW}"
    page = f"{world.addresses['mlflow']}/#/models/bike-demand/versions/3"
    return f"""open {page}
     and give the version the alias champion. MLflow refuses it, and says why and how to ask."""


def _follow(world: World) -> None:
    from bot.demo.story import story
    from bot.demo.world import services_of

    with services_of(world) as services:
        shown = 0
        enter = _presses()
        while not world.supervisor.stopping.is_set():
            lines = story(world, services)
            for line in lines[shown:]:
                click.echo(printable(line))
            shown = len(lines)
            world.supervisor.supervise()
            world.supervisor.stopping.wait(0.5)
            if not enter.empty() and enter.get():
                _end_week(services)
    click.echo("stopping")


def _end_week(services: Services) -> None:
    from bot.demo.digest import end_week
    from bot.errors import Refused

    try:
        _say(f"week {end_week(services)} ends: its digest comes to #compliance and into a ticket")
    except Refused as once:
        _say(str(once))


def _presses() -> SimpleQueue[str]:
    """Receives an item for each Enter; stays empty when standard input is not a terminal."""
    presses: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            presses.put(line)

    if is_terminal(sys.stdin):
        Thread(target=listen, daemon=True).start()
    return presses


def _tell(world: World, services: Services) -> None:
    from bot.demo.story import story

    click.echo("\nWhat happened, from the ledger:")
    for line in story(world, services):
        click.echo(printable(line))
    click.echo("")


def _say(line: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {printable(line)}")
