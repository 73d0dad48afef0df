"""What holds a target, and by what right. Looks, moves, put-backs, the fast track, `countersign list` and the gate use this one answer.

Its facts (`facts.Facts`) are about one place. Requests have identity (number and creation time, under the present name), content and
copies; baseline, watch and names are in separate rows, which survive renames and absences. `steps` says what to do about the answer.
The laws are listed in docs/decisions/0002-one-law-for-a-target.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.model import EVER_APPROVED, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.facts import Facts, Handling, Intent, came_by, is_a_no, last_word, rejected_by_review, when


class Basis(StrEnum):
    """By what right a version holds a place."""

    APPROVED = "approved"
    RATIFIED = "ratified"
    ADOPTED = "adopted"
    BASELINE = "baseline"
    IN_FLIGHT = "in flight"
    FOREIGN = "foreign"

    @property
    def is_lawful(self) -> bool:
        return self is not Basis.FOREIGN


@dataclass(frozen=True)
class Holding:
    """`request_id` is the request that approved it or asks about it; None when no request ever did."""

    version: VersionId
    basis: Basis
    since: datetime | None
    request_id: str | None

    @property
    def approved_by(self) -> str | None:
        """The applied request by which it is there; None where a request only asks about it."""
        return self.request_id if self.basis in (Basis.APPROVED, Basis.RATIFIED) else None


@dataclass(frozen=True)
class Custody:
    """`holdings`: newest first. `lawful`: who holds the place by right, or should, the latest last."""

    holdings: tuple[Holding, ...]
    lawful: tuple[VersionId, ...]

    @property
    def way_back(self) -> VersionId | None:
        """Who the target goes back to; None when no one ever held it by right."""
        return self.lawful[-1] if self.lawful else None

    def of(self, version: VersionId) -> Holding | None:
        return next((one for one in self.holdings if one.version == version), None)

    @property
    def champion(self) -> VersionId | None:
        """What the fast track compares with: the newest lawful holder, else the one that the target should go back to."""
        lawful = (one.version for one in self.holdings if one.basis.is_lawful and one.basis is not Basis.IN_FLIGHT)
        return next(lawful, self.way_back)


def custody_of(facts: Facts) -> Custody:
    return Custody(tuple(_holding(version, facts) for version in facts.holders), lawful_holders(facts))


def lawful_holders(facts: Facts) -> tuple[VersionId, ...]:
    """Who held the place by right, the latest last: approved or ratified and not rejected since; without any, the newest baseline.

    After a restore from a backup it is what an admin has accepted, also where that is no version, and what was approved since.
    """
    approved, backup = [version for version in _history(facts) if not _gave_way(version, facts)], facts.accepted_backup
    if not approved or backup is None:
        return tuple(approved) or _floor(facts)
    since = [version for version in approved if _came_at(version, facts) > backup]
    accepted = [one for one in _floor(facts) if facts.baseline[one] > backup and one not in since]
    return (*(version for version in approved if version not in (*accepted, *since)), *accepted, *since)


def may_hold(version: VersionId, facts: Facts) -> bool:
    """Whether it holds, or would hold, the place by right: approved for it, or baseline, and neither replaced nor rejected since."""
    return version in _rightful(facts) or _is_baseline(version, facts)


def way_back_from(version: VersionId, facts: Facts) -> VersionId | None:
    """Who takes the place of `version` when it is put back; None when no other ever held it by right.

    Where another holds a stage by right still, it is that one: a version that has left the stage stays out.
    """
    others = [one for one in lawful_holders(facts) if one != version]
    stay = [one for one in others if one in facts.holders and may_hold(one, facts)]
    return next(reversed(stay or others), None)


def brought_by(version: VersionId, facts: Facts) -> TransitionRequest | None:
    """The request that brought it to the place last; None for what was there before."""
    return max((one for one in facts.about(version) if one.state is State.APPLIED), key=when, default=None)


def is_waiting(version: VersionId, facts: Facts) -> TransitionRequest | None:
    """The approval of the version that is not applied yet: it is being signed, or a freeze holds it."""
    waiting = (one for one in facts.about(version) if one.state is State.APPROVED)
    return next(waiting, None)


def left_by(request: TransitionRequest, intent: Intent | None, facts: Facts) -> tuple[VersionId, ...]:
    """What an approval that has ended would have let stay, and no other right does: the version itself, or what may be its copies.

    A copy's number is not known before: it is newer than all that was there when its intent said so.
    """
    is_copied = facts.target.kind is TargetKind.MODEL and request.version.model != facts.model
    if is_copied:
        newest = (intent.from_version or 0) if intent else None
        came = [held for held in facts.holders if newest is not None and held.version > newest]
    else:
        came = [held for held in facts.holders if held == request.version]
    return tuple(held for held in came if not may_hold(held, facts) and not _is_asked_about(held, facts))


def is_unapproved(version: VersionId, facts: Facts) -> bool:
    """It arrived by hand, and people were asked: they are asked still or, while the rule asks, have rejected it or never answered."""
    asked = _disputes(facts.about(version))
    if facts.handling is not Handling.ASK:
        return bool(asked) and asked[-1].state.is_open
    return bool(asked) and (_is_disputed(asked) or asked[-1].state is State.EXPIRED)


def _is_asked_about(version: VersionId, facts: Facts) -> bool:
    return any(one.version == version and one.kind is Kind.OBSERVED and one.state.is_open for one in facts.decisions)


def ever_approved(version: VersionId, facts: Facts) -> bool:
    """Whether it, or the version it is a copy of, was ever approved for this place, also if it was rejected later or never applied."""
    origin = facts.sources.get(version)
    requests = [*facts.about(version), *(facts.about(origin) if origin else ())]
    return any(one.state in EVER_APPROVED for one in requests)


def _history(facts: Facts) -> list[VersionId]:
    held: dict[VersionId | None, None] = {}  # in this order
    for one in sorted(facts.decisions, key=when):
        if one.state is State.APPLIED:
            came = came_by(one)
            for gone in (*came, one.away_from) if facts.target.kind is not TargetKind.MODEL else came:
                held.pop(gone, None)
            held.update(dict.fromkeys(came))
        elif is_a_no(one):
            held.pop(one.version, None)
    taken_back = _taken_back(facts)
    return [version for version in held if version is not None and version not in taken_back]


def _taken_back(facts: Facts) -> frozenset[VersionId]:
    """The review of a broken glass rejected them, and they have left the place, though they may be back by hand. While one has stayed
    there, only the rollback takes it away.
    """
    newest: dict[VersionId, TransitionRequest] = {}
    for one in facts.decisions:
        if one.state is State.APPLIED and (
            one.version not in newest or last_word(one) > last_word(newest[one.version])
        ):
            newest[one.version] = one
    reviews = {version: rejected_by_review(one) for version, one in newest.items()}
    return frozenset(v for v, review in reviews.items() if review is not None and not _has_stayed(v, review.at, facts))


def _has_stayed(version: VersionId, since: datetime, facts: Facts) -> bool:
    came = facts.seen.get(version)
    return version in facts.holders and came is not None and came <= since


def _rightful(facts: Facts) -> frozenset[VersionId]:
    """By approval: an alias has one rightful holder, a stage those since it was last moved to one alone, a target model all."""
    held = [version for version in _history(facts) if not _gave_way(version, facts)]
    if facts.target.kind is TargetKind.ALIAS:
        return frozenset(held[-1:])
    if facts.target.kind is TargetKind.STAGE:
        alone = _last_alone(facts)
        return frozenset(version for version in held if alone is None or _came_at(version, facts) >= when(alone))
    return frozenset(held)


def _gave_way(version: VersionId, facts: Facts) -> bool:
    """It was approved before the backup, and did not hold the place when an admin accepted the registry."""
    backup = facts.accepted_backup
    return backup is not None and _is_left_out(version, facts) and _came_at(version, facts) <= backup


def _is_left_out(version: VersionId, facts: Facts) -> bool:
    """It is not among what an admin accepted after a restore: it may have failed since the backup. In a target model all stay."""
    backup = facts.accepted_backup
    if backup is None or facts.target.kind is TargetKind.MODEL:
        return False
    return facts.baseline.get(version, backup) <= backup


def _is_baseline(version: VersionId, facts: Facts) -> bool:
    """Baseline lasts until the place is moved on a decision; in a target model, where nothing gives way, for good.

    What people rejected there stays where it stands, but does not come back by hand.
    """
    since, came = facts.baseline.get(version), facts.seen.get(version)
    if since is None or _is_left_out(version, facts):
        return False
    if _is_rejected(version, facts) and (came is None or came > since):
        return False
    if facts.target.kind is TargetKind.MODEL:
        return True
    moved = _last_alone(facts) if facts.target.kind is TargetKind.STAGE else _last_applied(facts)
    return moved is None or since >= when(moved)


def _last_applied(facts: Facts) -> TransitionRequest | None:
    return max((one for one in facts.decisions if one.state is State.APPLIED), key=when, default=None)


def _last_alone(facts: Facts) -> TransitionRequest | None:
    """The last request that we moved a stage for, which archived the versions in it."""
    moved = [one for one in facts.decisions if one.state is State.APPLIED and one.settled_by_us]
    return max(moved, key=when, default=None)


def _came_at(version: VersionId, facts: Facts) -> datetime:
    brought = brought_by(version, facts)
    assert brought is not None, f"no request brought {version} there"
    return when(brought)


def _is_rejected(version: VersionId, facts: Facts) -> bool:
    """Also before it became baseline, unless an admin has accepted since, after a restore, that it is there."""
    since, backup = facts.baseline.get(version), facts.accepted_backup
    accepted = since if since is not None and backup is not None and since > backup else None
    return any(is_a_no(one) and (accepted is None or last_word(one) > accepted) for one in facts.about(version))


def _floor(facts: Facts) -> tuple[VersionId, ...]:
    """Baseline counts only while nothing was approved; a version that people rejected cannot be restored."""
    kept = [one for one in facts.baseline if not _is_rejected(one, facts) and not _is_left_out(one, facts)]
    latest = max((facts.baseline[version] for version in kept), default=None)
    return tuple(sorted(version for version in kept if facts.baseline[version] == latest))


def _holding(version: VersionId, facts: Facts) -> Holding:
    basis, request = _basis(version, facts)
    return Holding(version, basis, facts.seen.get(version), request.id if request else None)


def _basis(version: VersionId, facts: Facts) -> tuple[Basis, TransitionRequest | None]:
    about = facts.about(version)
    approval = max((one for one in about if one.state is State.APPLIED), key=when, default=None)
    if approval is not None and version in _rightful(facts):
        return Basis.RATIFIED if approval.kind is Kind.OBSERVED else Basis.APPROVED, approval
    disputed = _disputes(about)
    if _is_baseline(version, facts) and not _is_disputed(disputed):
        adopted = [one for one in about if one.is_adopted and one.state is not State.REJECTED]
        return (Basis.ADOPTED, adopted[-1]) if adopted else (Basis.BASELINE, None)
    moving = _in_flight(version, facts)
    if moving is not None:
        return Basis.IN_FLIGHT, moving
    return Basis.FOREIGN, disputed[-1] if disputed else None


def _disputes(about: Iterable[TransitionRequest]) -> list[TransitionRequest]:
    return [one for one in about if one.kind is Kind.OBSERVED and not one.is_adopted]


def _is_disputed(asked: list[TransitionRequest]) -> bool:
    """It arrived by hand, and people are asked about it or have rejected it."""
    return bool(asked) and (asked[-1].state.is_open or is_a_no(asked[-1]))


def _in_flight(version: VersionId, facts: Facts) -> TransitionRequest | None:
    announced = {intent.request_id: intent for intent in facts.intents}
    origin, is_copied = facts.sources.get(version, version), facts.target.kind is TargetKind.MODEL
    for one in facts.decisions:
        intent = announced.get(one.id)
        is_newer = intent is not None and version.version > (intent.from_version or 0)
        is_its = intent is not None and (intent.to_version == version.version or (is_copied and is_newer))
        if is_its and one.state is State.APPROVED and one.version == origin:
            return one
    return None
