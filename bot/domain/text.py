"""Text that all subjects format the same way: counts, durations, times and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.model import TargetKind, TransitionRequest, VersionId
from bot.domain.names import shown
from bot.domain.workspaces import DEFAULT
from bot.errors import Refused
from bot.language import N_, _, listed, ngettext, pgettext

REASON_LIMIT = 1_000  # characters; as many as a reason on a card may have
SECONDS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True)
class DurationStyle:
    """A duration's format: how so many of each unit are said, largest first, how two are joined, and less than the smallest."""

    units: Sequence[tuple[str, Callable[[int], str]]]
    joined: Callable[[Sequence[str]], str]
    below: str


def _days(count: int) -> str:
    return ngettext("{count} day", "{count} days", count)


def _hours(count: int) -> str:
    return ngettext("{count} hour", "{count} hours", count)


def _minutes(count: int) -> str:
    return ngettext("{count} minute", "{count} minutes", count)


IN_TABLES = DurationStyle(
    (("day", _days), ("hour", "{} h".format), ("minute", "{} min".format)), " ".join, N_("under 1 min")
)
IN_PROSE = DurationStyle((("day", _days), ("hour", _hours), ("minute", _minutes)), listed, N_("less than a minute"))
AS_OPTION = DurationStyle(
    (("day", "{:,}d".format), ("hour", "{}h".format), ("minute", "{}m".format), ("second", "{}s".format)),
    " ".join,
    "0s",
)


def duration_text(length: timedelta | None, style: DurationStyle = IN_TABLES) -> str:
    """In the two largest units that are not zero, such as "2 days 3 h"; "–" for None. A negative duration counts as zero."""
    if length is None:
        return "–"
    left, parts = max(int(length.total_seconds()), 0), []
    for unit, said in style.units:
        count, left = divmod(left, SECONDS[unit])
        if count:
            parts.append(said(count))
    return style.joined(parts[:2]) if parts else _(style.below)


def exact_duration(length: timedelta) -> str:
    """In the largest unit without a remainder, as the policy and options write it: 30d, 36h, 90s."""
    seconds = int(length.total_seconds())
    return next(f"{seconds // size}{unit[0]}" for unit, size in SECONDS.items() if seconds % size == 0)


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 entry", "1,200 entries"."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def format_utc(at: datetime) -> str:
    """To the minute, such as 2026-11-28 12:31 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def format_seconds(at: datetime) -> str:
    """To the second, such as 2026-11-28 12:31:07 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_local(at: datetime, zone: ZoneInfo) -> str:
    """To the minute on the wall clock of that zone, with its distance from UTC then: 2026-11-28 13:31 UTC+01:00."""
    offset = f"{at.astimezone(zone):%z}"
    ahead = f"{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else ""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} UTC{ahead}"


def person_name(person: str, names: Mapping[str, str]) -> str:
    """The name of the person with this id."""
    return names.get(person) or pgettext("person", "unknown")


def target_label(request: TransitionRequest) -> str:
    """The target for people: champion, stage Production, model prod.x."""
    if request.target.kind is TargetKind.ALIAS:
        return request.target.name
    if request.target.kind is TargetKind.STAGE:
        return _("stage {name}", name=request.target.name)
    return _("model {name}", name=request.target.name)


def model_name(model: str, workspace: str) -> str:
    """The model for people; in a workspace that is not the default one, with the workspace."""
    return model if workspace == DEFAULT else _("{model} in {workspace}", model=model, workspace=workspace)


def version_name(version: VersionId) -> str:
    """The version for people, such as bike-demand v7; as `model_name`."""
    return model_name(f"{shown(version.model)} v{version.version}", version.workspace)


def check_reason_fits(why: str, limit: int = REASON_LIMIT) -> None:
    """Raises Refused when it has more characters."""
    if len(why) > limit:
        raise Refused(_("the reason has {count} characters; {limit} fit. Shorten it", count=len(why), limit=limit))
