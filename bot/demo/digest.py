"""The end of the demo's week: compliance gets the digest of everything that happened, as it would on Monday.

This one step runs with the clock put forward, because a demo cannot wait until Monday. The bot's own worker does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.demo.evidence import run
from bot.demo.world import Say, World
from bot.domain.digest.periods import period_at
from bot.errors import DemoFailed, Refused
from bot.services import Services
from handlers.digest.closing import close_week
from handlers.digest.schedule import due_at

CHANNEL = "compliance"
LONGEST_WAY = timedelta(days=7, hours=9)  # by which the clock is put forward


def end_week(s: Services) -> str:
    """Closes the current week and returns its name. Raises Refused the second time, because no digest would cover later events."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        plan, closed = tx.policy().digest, tx.digests.newest()
    if plan is None:
        raise DemoFailed("the demo's policy plans no digest")
    if closed is not None and closed.ends > now:
        raise Refused(
            f"{closed.week} has ended already, which a demo's week does once: what happens now still belongs to it, and its figures "
            "stand. Start the demo again to end another"
        )
    period = period_at(now, plan.timezone)
    close_week(period.week, replace(s, clock=_ClockAt(due_at(plan, period))))
    return period.week


def compliance_is_told(world: World, s: Services, say: Say) -> None:
    """The digest in Slack and as a ticket. Reprinted, its files have exactly the bytes whose hashes are in the ledger."""
    say("9. The week ends; the clock is put forward to Monday, and compliance gets its digest.")
    week = end_week(s)
    world.wait_for("the digest's delivery", lambda: is_delivered(week, s))
    messages = world.slack.messages(CHANNEL)
    say(f"   {next(message.text for message in messages if not message.is_reply)}")
    shared = [file.name for message in messages for file in message.files]
    say(f"   #{CHANNEL} has {len(messages) - 1} answers below it, and the files {', '.join(shared)}")
    ticket = next(issue for issue in world.jira.issues() if issue.attachments)
    say(f"   {ticket.key} has {len(ticket.attachments)} attachments: {ticket.summary}")

    out = world.home / "digest"
    say(f"   The same week told again: countersign digest --week {week} --out {out.name}")
    told = run(world, ["digest", "--week", week, "--out", str(out)], world.environment)
    for line in told.stdout.splitlines():
        say(f"   {line}")
    if told.returncode or told.stderr.strip():
        raise DemoFailed(f"the digest of {week} cannot be told again as it was: {told.stderr.strip()}")
    in_slack = "\n".join(message.all_text for message in messages)
    same = [name for sha256, name in map(_written, told.stdout.splitlines()) if name in shared and sha256 in in_slack]
    if sorted(same) != sorted(shared):
        raise DemoFailed(f"of {shared}, only {same} came out in the bytes that Slack was told of")
    say(f"checked: all {len(shared)} files are the very bytes whose sha256 stands in Slack and in the ledger")


@dataclass(frozen=True)
class _ClockAt:
    moment: datetime

    def now(self) -> datetime:
        return self.moment


def is_delivered(week: str, s: Services) -> bool:
    with s.store.transaction() as tx:
        return tx.digests.find(week) is not None and not tx.digests.undelivered()


def _written(line: str) -> tuple[str, str]:
    """Parses a line of `sha256sum`: the hash, and the file's name without its directory."""
    sha256, path = line.split(maxsplit=1)
    return sha256, Path(path).name
