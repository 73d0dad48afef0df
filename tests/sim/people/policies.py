"""The policies that an admin of the simulation chooses from: one rule with everything that a seed may change about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

ALIAS, STAGE, MODEL = "{alias: champion}", "{stage: Production}", '{model: "prod.{name}"}'
CHANNEL = "#models"

TEXT = """
version: 1
people:
  - {{name: Ana Ruiz, email: ana@example.com, mlflow_user: ana}}
  - {{name: Ben Okafor, email: ben@example.com, mlflow_user: ben}}
  - {{name: Bea Baker, email: bea@example.com, mlflow_user: bea}}
  - {{name: Cy Lindqvist, email: cy@example.com, mlflow_user: cy}}
  - {{name: Dan Reyes, email: dan@example.com, mlflow_user: dan}}
authors_from: [run]
groups:
  leads: {{slack_group: leads}}
  risk: {{people: [cy@example.com, ana@example.com]}}
rules:
  - models: "bike-*"
    target: {target}
    ask_on: {ask_on}
    observed: {observed}
    notify: {{slack: "{channel}"}}
{revert}{ticket}    approve:
      all_of: [{{group: leads, quorum: {quorum}}}]
      unknown_requester: {unknown}
    expire_after: {expire}
    rollback: {rollback}
    freezes: [stop]
{fast_track}{reminders}{freezes}default: {default}
"""
DELETES = "    revert: {copies: delete}\n"
TICKET = "    ticket: {project: GOV, type: Task, approved: Done, rejected: Rejected}\n"
FREEZES = 'freezes:\n  stop: {{deny: [{{from: "{begins:%Y-%m-%d %H:%M}", until: "{ends:%Y-%m-%d %H:%M}"}}]}}\n'
LONG_AGO = (datetime(2025, 12, 24, tzinfo=UTC), datetime(2025, 12, 25, tzinfo=UTC))
FAST_TRACK = """    fast_track:
      mode: {mode}
      metrics: {{mae: {{threshold: 40, greater_is_better: false{compared}}}}}
"""


@dataclass(frozen=True)
class Choices:
    """`freeze` is from when until when, and lies long ago when there is none.

    `deletes` says that copies which no one approved are deleted instead of tagged.
    `compares` says that the fast track also wants a version to be no worse than the champion.
    """

    target: str = ALIAS
    asks: tuple[str, ...] = ("{alias: candidate}", "{tag: countersign.ask}")
    observed: str = "ask"
    deletes: bool = False
    quorum: int = 1
    unknown: str = "author_only"
    expire: str = "3d"
    rollback: str = "at_once"
    freeze: tuple[datetime, datetime] | None = None
    fast_track: str = ""
    compares: bool = False
    tickets: bool = True
    reminds: bool = False
    default: str = "report"

    @property
    def text(self) -> str:
        compared = ", min_relative_change: 0.0" if self.compares else ""
        begins, ends = self.freeze or LONG_AGO
        return TEXT.format(
            target=self.target,
            ask_on=f"[{', '.join(self.asks)}]",
            observed=self.observed,
            channel=CHANNEL,
            revert=DELETES if self.deletes else "",
            ticket=TICKET if self.tickets else "",
            quorum=self.quorum,
            unknown=self.unknown,
            expire=self.expire,
            rollback=self.rollback,
            fast_track=FAST_TRACK.format(mode=self.fast_track, compared=compared) if self.fast_track else "",
            reminders="    remind_after: 4h\n" if self.reminds else "",
            freezes=FREEZES.format(begins=begins, ends=ends),
            default=self.default,
        )


def first_choices(random: Random) -> Choices:
    return Choices(
        target=random.choice([ALIAS, ALIAS, ALIAS, MODEL, MODEL, STAGE]),
        observed=random.choice(["ask", "ask", "revert", "revert", "report"]),
        deletes=random.random() < 0.3,
        quorum=random.choice([1, 1, 2]),
        unknown=random.choice(["author_only", "one_more"]),
        rollback=random.choice(["at_once", "at_once", "by_votes"]),
        fast_track=random.choice(["", "", "shadow", "on", "on"]),
        compares=random.random() < 0.4,
        tickets=random.random() < 0.5,
        reminds=random.random() < 0.3,
        asks=random.choice([Choices.asks, Choices.asks, (*Choices.asks, "{new_version: true}")]),
        default=random.choice(["report", "ignore"]),
    )


def changed(choices: Choices, random: Random, now: datetime, until: datetime) -> tuple[str, Choices]:
    """One thing about the rule changes; the sentence says what. `until` is when a new freeze would end."""
    options = {
        "observed": lambda: replace(choices, observed=_other(random, ("ask", "revert", "report"), choices.observed)),
        "deleting copies": lambda: replace(choices, deletes=not choices.deletes),
        "quorum": lambda: replace(choices, quorum=3 - choices.quorum),
        "target": lambda: replace(choices, target=_other(random, (ALIAS, STAGE, MODEL), choices.target)),
        "fast track": lambda: replace(choices, fast_track=_other(random, ("", "shadow", "on"), choices.fast_track)),
        "freeze": lambda: replace(choices, freeze=None if choices.freeze else (now, until)),
        "reminders": lambda: replace(choices, reminds=not choices.reminds),
        "rollback": lambda: replace(choices, rollback=_other(random, ("at_once", "by_votes"), choices.rollback)),
    }
    what = random.choice(
        ["observed", "deleting copies", "quorum", "target", "fast track", *["freeze"] * 3, "reminders"]
    )
    return what, options[what]()


def _other(random: Random, values: tuple[str, ...], now: str) -> str:
    return random.choice([value for value in values if value != now])
