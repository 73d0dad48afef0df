"""What suits a team's registry, Slack and Jira. Pure: `survey` finds what goes in, a person may choose otherwise."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from difflib import get_close_matches
from itertools import takewhile

from bot.clients.slack.checkup import MemberSeen
from bot.domain.model import Metric
from bot.init.draft import PersonDraft, ThresholdDraft
from bot.init.metric_directions import greater_is_better, is_from_training

EACH_BY_NAME = 5  # more models than this need a pattern
SHORTEST_PREFIX = 3  # letters; "a*" would match by chance
THRESHOLDS = 3
USUAL_TARGET, USUAL_ASK = "champion", "candidate"
TARGETS = ("champion", "production", "prod", "live")
ASKS = ("candidate", "challenger")
APPROVED = re.compile(r"done|approv|accept|complet|resolv|closed", re.IGNORECASE)
REJECTED = re.compile(r"won.?t|reject|declin|cancel|denied|abandon", re.IGNORECASE)
TASK = "Task"
MLFLOW_STORE = "mlflow-artifacts:"
BUCKET = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s%?#]+/)")
DIGITS = re.compile(r"[0-9]+")
NEARLY = 0.8  # of a name; churn-eu is no typo of churn
GLOB = re.compile(r"[*?\[]")


def patterns_for(models: Sequence[str]) -> tuple[str, ...]:
    """One pattern, or a few names, that match all of these models. Empty when a person has to choose."""
    prefix = _prefix(models) if len(models) > 1 else ""
    if len(prefix) >= SHORTEST_PREFIX:
        return (f"{prefix}*",)
    return tuple(sorted(map(as_pattern, models))) if len(models) <= EACH_BY_NAME else ()


def as_pattern(name: str) -> str:
    """A shell pattern that matches this name alone."""
    return GLOB.sub(lambda found: f"[{found.group()}]", name)


def near_name(pattern: str, models: Sequence[str]) -> str:
    """The model that was most likely meant; empty for one that is there, a pattern, and a name that differs in its number alone."""
    if pattern in models or GLOB.search(pattern):
        return ""
    others = [name for name in models if DIGITS.sub("", name) != DIGITS.sub("", pattern)]
    return next(iter(get_close_matches(pattern, others, n=1, cutoff=NEARLY)), "")


def prefixes_of(models: Iterable[str], most: int = 8) -> list[tuple[str, int]]:
    """How names begin, up to the first separator, and how many begin so, the most frequent first."""
    begins = Counter(found.group() for name in models if (found := re.match(r"[^-_./]+[-_./]", name)))
    return [(f"{begin}*", count) for begin, count in begins.most_common(most) if not GLOB.search(begin)]


def target_among(aliases: Iterable[str]) -> str:
    """The alias that serving most likely loads."""
    held = Counter(aliases)
    return next((name for name in TARGETS if held[name]), USUAL_TARGET)


def ask_among(aliases: Iterable[str]) -> str:
    held = set(aliases)
    return next((name for name in ASKS if name in held), USUAL_ASK)


def person_for(user: str, members: Iterable[MemberSeen]) -> MemberSeen | None:
    """The one member whose address, its part before the @, or handle is the name of an MLflow user. None if it could be two."""
    if user != _readable(user):
        return None
    wanted = user.casefold()
    found = [one for one in members if one.email and wanted in _names_of(one)]
    return found[0] if len(found) == 1 else None


def people_for(users: Iterable[str], members: Sequence[MemberSeen]) -> tuple[list[PersonDraft], list[str]]:
    """The people behind these users of MLflow, and the users without a person."""
    matched = [(user, person_for(user, members)) for user in users]
    known: dict[str, PersonDraft] = {}
    unknown = []
    for user, member in matched:
        if member is None or member.email in known:  # the policy has one user for each person
            unknown.append(user)
        else:
            known[member.email] = person_draft(member.email, members, user)
    return list(known.values()), unknown


def person_draft(email: str, members: Iterable[MemberSeen], user: str = "") -> PersonDraft:
    """Under the name that Slack shows, or else that of the address."""
    names = (one.name or one.handle for one in members if one.email.casefold() == email.casefold())
    return PersonDraft(_readable(next(names, "")) or email.partition("@")[0], email, user)


def thresholds_for(
    metrics: Iterable[Metric], said: Mapping[str, bool] | None = None
) -> tuple[tuple[ThresholdDraft, ...], tuple[str, ...]]:
    """From the champion's values, and the names of metrics whose direction is not known. `said` is what a person said of directions.

    Metrics of the training data are left out, unless a person named them.
    """
    said = said or {}
    values = {
        metric.name: metric.value
        for metric in metrics
        if math.isfinite(metric.value) and metric.name == _readable(metric.name)
    }
    directions = {
        name: said.get(name, greater_is_better(name)) for name in values if name in said or not is_from_training(name)
    }
    known = [
        ThresholdDraft(name, _rounded(values[name], up=not direction), direction)
        for name, direction in directions.items()
        if direction is not None and (not said or name in said)
    ]
    undirected = tuple(name for name, direction in directions.items() if direction is None)
    return tuple(known[: len(said) or THRESHOLDS]), undirected


def issue_type_among(types: Iterable[str]) -> str:
    """Empty when a person has to choose."""
    names = list(types)
    return TASK if TASK in names else names[0] if len(names) == 1 else ""


def statuses_among(final: Sequence[str]) -> tuple[str, str]:
    """Where an approved and a rejected ticket go. Empty where a person has to choose; the same one twice where there is only one."""
    if len(final) == 1:
        return final[0], final[0]
    rejected = [name for name in final if REJECTED.search(name)]
    approved = [name for name in final if APPROVED.search(name) and name not in rejected]
    return _first(approved, "Done"), _first(rejected, "Won't Do")


def resolutions_among(known: Sequence[str]) -> tuple[str, str] | None:
    """What tells an approved ticket from a rejected one in the same status. None when no two would."""
    approved, rejected = statuses_among(known)
    return (approved, rejected) if approved and rejected and approved != rejected else None


def stores_for(locations: Iterable[str]) -> tuple[str, ...]:
    """The prefixes that evidence is read from: MLflow's own store, and the buckets of experiments. Folders are left to a person."""
    buckets = {
        found.group() for location in locations if (found := BUCKET.match(location)) and found.group().isprintable()
    }
    return (
        MLFLOW_STORE,
        *sorted(bucket for bucket in buckets if not bucket.startswith(("mlflow-artifacts:", "file:"))),
    )


def group_name(handle: str) -> str:
    """A Slack group's name in the policy."""
    return re.sub(r"[^a-z0-9-]+", "-", handle.casefold()).strip("-") or "approvers"


def _prefix(models: Sequence[str]) -> str:
    """What all names begin with, up to their last separator: bike-demand and bike-duration give "bike-"."""
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*models, strict=False))
    common = "".join(letters[0] for letters in columns)
    whole = re.match(r".*[-_./]", common)
    prefix = whole.group() if whole else common if common in models else ""
    return "" if GLOB.search(prefix) else prefix


def _names_of(member: MemberSeen) -> set[str]:
    email = member.email.casefold()
    return {email, email.partition("@")[0], member.handle.casefold()}


def _rounded(value: float, *, up: bool) -> float:
    """To three digits, never past the champion: it must reach its own threshold."""
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(exact.adjusted() - 2)
    return float((exact / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step)


def _readable(name: str) -> str:
    """As the policy takes it: on one line, without what cannot be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def _first(names: Sequence[str], usual: str) -> str:
    return usual if usual in names else names[0] if len(names) == 1 else ""
