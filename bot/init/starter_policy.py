"""The starter policy's text: the strict defaults, the fast track in shadow, and comments that explain each part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.domain.names import storable
from bot.init.draft import GroupDraft, MeasuresDraft, PersonDraft, PolicyDraft, ThresholdDraft, TicketDraft

SCHEMA_FILE = "policy.schema.json"
LISTED = 12  # names in one comment
PLAIN_KEY = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LAST_OF_FOUR_DIGITS = 0xFFFF
WORDS_OF_YAML = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})

HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
#
# Who approves what. Written once by `countersign init`; from now on it is yours: `init` keeps your changes.
# Check it with `countersign policy check`, and see what a change would do with `countersign policy explain` and `policy replay`.
# Keep it in git. Each key is explained by your editor, through {SCHEMA_FILE}.

version: 1

"""
PEOPLE = """\
# `mlflow_user` is the name that MLflow writes on a run (its tag mlflow.user). With it the bot knows who trained a version: an author
# never approves their own work. Each trainer needs one; without it, every request takes one vote more.
"""
AUTHORS = """\
# Whose word counts on who trained a version and made its commit. Left out, no name bars anyone, and every request takes one vote more.
authors_from: [run, commit_tag]

"""
GROUPS = """\
# Who may approve: a Slack user group by its handle, or people by e-mail. Membership is checked at each click.
groups:
"""
STORES = """\
# Where evidence is read from, by the beginning of its location. End a bucket with a slash.
"""
CALENDAR = """\
# When people are at work: reminders count only this time. Left out, it is Monday to Friday, 09:00 to 18:00 in UTC.
#calendar: {timezone: Europe/Madrid, days: [mon, tue, wed, thu, fri], hours: "09:00-18:00"}

# Other MLflow servers and workspaces. Without it, the default workspace of MLFLOW_TRACKING_URI alone is watched.
#registries: {eu: {uri: "https://mlflow.eu.example.com"}}

# The first rule that matches model and target applies.
rules:
"""
OBSERVED = """\
    # When someone moves the target by hand, people are asked afterwards. `revert` puts it back, `report` only announces it.
    observed: ask

"""
NO_TICKET = """\
    # A ticket for each request; it needs JIRA_URL.
    #ticket: {project: GOV, type: Task, approved: Done, rejected: "Won't Do"}

"""
TICKET = """\
    # Each request gets a ticket. `approved` and `rejected` name a transition, its id, or the status that it leads to.
    ticket:
"""
APPROVE = """\
    approve:
      # Every entry must be met, by different people. No one approves what they trained or requested.
"""
STRICT = """\
      # MLflow does not record who sets an alias or a tag. Then one more approver is needed. `author_only` would not ask for one,
      # `refuse` would allow no approval.
      unknown_requester: one_more

      # To reject takes a reason. `on_approve` and `always` are the other choices.
      reason: on_reject

    # Reminders, in working time; a request without a decision expires, nights included; a rollback goes to an approved version at once.
    remind_after: 4h
    expire_after: 7d
    rollback: at_once

"""
SHADOW = """\
    # What the fast track would have decided is shown on the card and recorded, and people decide. After some weeks read
    # `countersign fast-track report`; only then consider `mode: on`, where versions that pass need no person.
"""
TAIL = """\
# What to do about moves of targets that no rule matches: report or ignore.
default: report

# The weekly report for compliance.
#digest: {cron: "0 9 * * mon", timezone: Europe/Madrid, notify: {slack: "#compliance"}}
"""


def starter_policy(draft: PolicyDraft) -> str:
    return "".join(
        [
            HEAD,
            *_people(draft),
            AUTHORS,
            GROUPS,
            *map(_group, draft.groups),
            "\n",
            STORES,
            f"artifact_stores: [{_listed(draft.stores)}]\n\n",
            CALENDAR,
            "\n".join(_rule(pattern, draft) for pattern in draft.models),
            "\n",
            TAIL,
        ]
    )


def _people(draft: PolicyDraft) -> Iterator[str]:
    yield PEOPLE
    if draft.unknown_users:
        yield _comment("Trained, and no one's yet", draft.unknown_users)
    yield "people:\n" if draft.people else "people: []\n"
    yield from map(_person, draft.people)
    yield "\n"


def _person(person: PersonDraft) -> str:
    user = f", mlflow_user: {_text(person.mlflow_user)}" if person.mlflow_user else ""
    return f"  - {{name: {_text(person.name)}, email: {_text(person.email)}{user}}}\n"


def _group(group: GroupDraft) -> str:
    members = f"slack_group: {_text(group.slack_group)}" if group.slack_group else f"people: [{_listed(group.people)}]"
    return f"  {_key(group.name)}: {{{members}}}\n"


def _rule(pattern: str, draft: PolicyDraft) -> str:
    needed = ", ".join(f"{{group: {_key(group.name)}, quorum: 1}}" for group in draft.groups)
    return "".join(
        [
            f"  - models: {_text(pattern)}\n\n",
            "    # The alias that serving loads, and what makes a version ask for it.\n",
            f"    target: {{alias: {_text(draft.target)}}}\n",
            f"    ask_on: [{{alias: {_text(draft.ask)}}}, {{tag: countersign.ask}}]\n\n",
            OBSERVED,
            "    # Keep the quotes: without them # begins a comment.\n",
            f"    notify: {{slack: {_text(draft.channel)}}}\n\n",
            _ticket(draft.ticket),
            APPROVE,
            f"      all_of: [{needed}]\n\n",
            STRICT,
            *_fast_track(draft.measures_for(pattern)),
        ]
    )


def _ticket(ticket: TicketDraft | None) -> str:
    if ticket is None:
        return NO_TICKET
    lines = [
        TICKET,
        f"      project: {_text(ticket.project)}\n      type: {_text(ticket.type)}\n",
        f"      approved: {_text(ticket.approved)}\n      rejected: {_text(ticket.rejected)}\n",
    ]
    if ticket.resolutions:
        approved, rejected = map(_text, ticket.resolutions)
        lines.append(f"      resolution: {{approved: {approved}, rejected: {rejected}}}\n")
    return "".join(lines) + "\n"


def _fast_track(draft: MeasuresDraft) -> Iterator[str]:
    if draft.undirected:
        yield _comment("Not known which way these are better, so they have no threshold", draft.undirected, indent=4)
    if not draft.thresholds:
        yield "    # No metric was found to propose thresholds from. People decide; this would be a fast track in shadow:\n"
        yield "    #fast_track: {mode: shadow, metrics: {mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}}}\n"
        return
    yield SHADOW
    yield "    fast_track:\n      mode: shadow\n"
    yield f"      # From {_text(draft.measured_on)}. A change of 0.01 is 1 % better than the champion, measured on the same data set.\n"
    yield "      metrics:\n"
    yield from map(_threshold, draft.thresholds)


def _threshold(one: ThresholdDraft) -> str:
    better = str(one.greater_is_better).lower()
    change = ", min_relative_change: 0.01" if one.improves else ""
    return f"        {_text(one.metric)}: {{threshold: {_number(one.value)}, greater_is_better: {better}{change}}}\n"


def _number(value: float) -> str:
    """YAML 1.1 takes 1e+06 for a text, so never with an exponent."""
    return f"{value:.12f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:.1f}"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(_text, texts))


def _key(name: str) -> str:
    """Without quotes where YAML takes it for a text anyway."""
    return name if PLAIN_KEY.fullmatch(name) and name not in WORDS_OF_YAML else _text(name)


def _text(text: str) -> str:
    """A text from outside, in quotes and on one line: the only way for one into a scalar or a comment.

    A line break or an invisible character is written as its escape, so it ends no comment. Half of a surrogate pair becomes U+FFFD.
    """
    return f'"{"".join(map(_escaped, storable(text)))}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= LAST_OF_FOUR_DIGITS else f"\\U{ord(letter):08x}"


def _comment(what: str, names: tuple[str, ...], indent: int = 0) -> str:
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    shown = ", ".join(_text(name) for name in names[:LISTED])
    return f"{' ' * indent}# {what}: {shown}{more}.\n"
