"""Signing a digest off: a member of the policy's group says that they have read a closed week, with or without a remark. Pure.

A sign-off names the sha256 of the week's frozen figures, so it never counts for other figures of the same week.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.domain.digest.periods import Period
from bot.domain.names import in_one_line
from bot.domain.policy.rules import DigestPlan
from bot.domain.text import format_local, person_name
from bot.errors import Refused
from bot.language import _, sentences

SIGN_OFF = "sign_off"  # the button's action
REMARK_LIMIT = 1_000  # characters; as many as a reason on a card may have


@dataclass(frozen=True)
class SignOff:
    """Who signed which figures off, and when. `entries` is the number of the last ledger entry that the digest covers."""

    week: str
    digest: str
    entries: int
    person: str
    at: datetime
    remark: str = ""


@dataclass(frozen=True)
class ClosedWeek:
    """A closed week: the sha256 of the figures that are stored, and the one that the ledger recorded when the week was closed."""

    period: Period
    digest: str
    recorded: str
    entries: int


@dataclass(frozen=True)
class Signer:
    """Who wants to sign off. `ids` are all ids of this person; `is_member` says whether they are in the policy's group now."""

    person: str
    ids: frozenset[str]
    is_member: bool


def signed(
    week: str,
    digest: str,
    remark: str,
    signer: Signer,
    closed: ClosedWeek | None,
    earlier: SignOff | None,
    now: datetime,
    names: Mapping[str, str],
) -> SignOff:
    """The sign-off to record; `earlier` itself when this repeats it, and then nothing is recorded.

    `digest` is what the person saw, as the card or the page says. Raises Refused: not a member, not closed, or other figures than those.
    """
    if not signer.is_member:
        raise Refused(
            _(
                "only members of the group that the policy names in digest.sign_off may sign a digest off. Ask one of them"
            )
        )
    if closed is None:
        raise Refused(_("{week} is not closed, so there is no digest to sign off yet", week=week))
    if closed.digest != closed.recorded:
        raise Refused(
            _(
                "the figures of {week} are not those that the ledger recorded when the week was closed. Run `countersign audit verify`",
                week=week,
            )
        )
    if digest != closed.digest:
        raise Refused(
            _(
                "you read another digest of {week} than the one on record now. Open the newest one, read it, and sign that off",
                week=week,
            )
        )
    if earlier is None:
        return SignOff(week, closed.digest, closed.entries, signer.person, now, remark)
    if earlier.person in signer.ids and remark in ("", earlier.remark):
        return earlier
    said = sign_off_text(earlier, closed.period, names)
    already = _("the digest of {week} has a sign-off already, so nothing was recorded.", week=week)
    raise Refused(sentences(already, said))


def checked_remark(text: str) -> str:
    """One line of visible characters: it goes into the ledger, into a channel, and onto paper. Raises Refused when it is too long."""
    remark = in_one_line(text)
    if len(remark) > REMARK_LIMIT:
        raise Refused(
            _("the remark has {count} characters; {limit} fit. Shorten it", count=len(remark), limit=REMARK_LIMIT)
        )
    return remark


def sign_off_text(one: SignOff, period: Period, names: Mapping[str, str]) -> str:
    """Who and when, and the remark: what every form of the digest says about it."""
    who, when = person_name(one.person, names), format_local(one.at, ZoneInfo(period.timezone))
    if one.remark:
        return _("Signed off by {who} on {when}, with a remark: {remark}", who=who, when=when, remark=one.remark)
    return _("Signed off by {who} on {when}, without remarks", who=who, when=when)


@dataclass(frozen=True)
class Wanted:
    """That a digest is to be signed off: by a member of `group`, until `due`. `digest` is the sha256 of its figures."""

    group: str
    due: datetime
    digest: str


def wanted(plan: DigestPlan, digest: str, closed_at: datetime) -> Wanted | None:
    """None when the plan names no group."""
    return Wanted(plan.sign_off, closed_at + plan.sign_off_within, digest) if plan.sign_off else None


def wanted_text(one: Wanted, period: Period) -> str:
    due = format_local(one.due, ZoneInfo(period.timezone))
    return _("needed from a member of {group} by {due}", group=one.group, due=due)
