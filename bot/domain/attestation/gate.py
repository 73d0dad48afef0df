"""The gate's decision: may this version ship to this target? Used by the bot's route, and by CI and serving offline.

Signatures are verified before, in `bot.signatures`. Here the content of the statements is compared with the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.attestation import in_toto
from bot.domain.attestation.answers import CannotTell as CannotTell
from bot.domain.attestation.answers import Denied as Denied
from bot.domain.attestation.answers import GateQuery as GateQuery
from bot.domain.attestation.answers import GateResult as GateResult
from bot.domain.attestation.answers import NotAllowed as NotAllowed
from bot.domain.attestation.answers import Reason as Reason
from bot.domain.attestation.answers import ReasonCode as ReasonCode
from bot.domain.attestation.answers import denied as denied
from bot.domain.attestation.in_toto import ARTIFACTS, identity_digest, uri_of
from bot.domain.attestation.passkey_votes import NO_DEMAND, ByPasskey, Demand, demand_in, signed_vote, unmet
from bot.domain.model import DECISION, VOTE, DecidedBy, Target, TargetKind, Verdict, VersionId
from bot.domain.registry.snapshot import VersionSnapshot
from bot.domain.text import exact_duration
from bot.domain.workspaces import option_for
from bot.errors import InvalidStatement, Refused

WITHOUT_PEOPLE = {DecidedBy.FAST_TRACK: "the fast track", DecidedBy.RULE: "the rule"}


@dataclass(frozen=True)
class VerifiedStatement:
    """The content of one verified approval. `where` says where it was found; `by` says who decided and why.

    Of a vote, `passkey` says whose passkey was verified to have signed it; None without one. `demand` is what a decision says of passkeys.
    `seal` is where a decision's rule seals the files to (`s3://...`); empty when it seals nothing.
    """

    where: str
    about: str
    version: VersionId
    target: Target
    verdict: Verdict
    by: str
    at: datetime
    artifacts: str
    size: int | None
    identity: str
    outside: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    passkey: ByPasskey | None = None
    demand: Demand = NO_DEMAND
    seal: str = ""


def read_claim(statement: Mapping[str, object], where: str, passkey: str = "") -> VerifiedStatement:
    """`passkey` is the digest of what its passkey has signed, once that is verified. Raises InvalidStatement."""
    predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
    version = in_toto.identity(predicate, "version")
    digests = in_toto.digests_of(statement)
    try:
        target, verdict = (
            Target.parse(in_toto.text(predicate, "target")),
            Verdict(in_toto.text(predicate, "verdict")),
        )
    except (Refused, ValueError):
        raise InvalidStatement("speaks of no target or verdict that Countersign knows") from None
    about = in_toto.text(predicate, "about")
    if about not in (VOTE, DECISION):
        raise InvalidStatement("is about neither a vote nor a decision")
    files = digests.get(ARTIFACTS, "")
    return VerifiedStatement(
        where=where,
        about=about,
        version=version,
        target=target,
        verdict=verdict,
        by=_by(predicate, about),
        at=in_toto.moment(predicate, "at"),
        artifacts=f"sha256:{files}" if files else "",
        size=_size(predicate) if files else None,
        identity=digests.get(uri_of(version), ""),
        outside=_listed(predicate, "leadsOut"),
        uncovered=_listed(predicate, "notCovered"),
        passkey=signed_vote(predicate, passkey) if about == VOTE else None,
        demand=demand_in(predicate) if about == DECISION else NO_DEMAND,
        seal=_seal_in(predicate),
    )


def judge(
    question: GateQuery,
    claims: Sequence[VerifiedStatement],
    doubts: Sequence[Reason] = (),
    *,
    now: datetime,
    max_age: timedelta | None = None,
) -> GateResult:
    """The newest decision for exactly this version and target counts. `doubts` are reasons why other findings prove nothing."""
    misfits = {claim.where: found for claim in claims if (found := misfit(claim, question)) is not None}
    newest = newest_decision(question, claims)
    if newest is None:
        fitting = [claim for claim in claims if claim.where not in misfits]
        return denied(question, _without_decision(question, fitting), *misfits.values(), *doubts)
    if newest.verdict is Verdict.REJECT:
        return denied(question, _rejected(newest, question))
    if newest.outside:
        return denied(question, leads_out(uri_of(question.version), newest.outside))
    unsigned = without_passkey(question, claims)
    if unsigned:
        return denied(question, *unsigned, *doubts)
    if max_age is not None and in_toto.is_older(newest.at, max_age, now):
        return denied(question, _too_old(newest, max_age, now))
    uri = uri_of(question.version)
    reasons = (_approved(newest), *not_covered(newest.uncovered))
    return GateResult(True, reasons, uri, question.target, newest.artifacts, size=newest.size)


def without_passkey(question: GateQuery, claims: Sequence[VerifiedStatement]) -> list[Reason]:
    """Why the newest decision lacks its people's own signatures: those by passkey that it rests on, and that its rule took."""
    newest = newest_decision(question, claims)
    if newest is None:
        return []
    votes = [one for one in claims if one.verdict is Verdict.APPROVE and misfit(one, question) is None]
    found = {one.passkey for one in votes if one.passkey is not None}
    return [Reason(ReasonCode.NO_PASSKEY, sentence) for sentence in unmet(newest.where, newest.demand, found)]


def leads_out(uri: str, outside: Sequence[str]) -> Reason:
    """Files that the model runs and that are not among those approved can be swapped at any time."""
    sentence = (
        f"{uri} runs files that are not among those approved: {'; '.join(outside)}. "
        "Log the model again with all its files in its own folder, and have it approved."
    )
    return Reason(ReasonCode.UNSAFE_PATH, sentence)


def not_covered(uncovered: Sequence[str]) -> tuple[Reason, ...]:
    """What runs with the model and is named, but not contained, in the approved files. It denies nothing."""
    if not uncovered:
        return ()
    return (Reason(ReasonCode.NOT_COVERED, f"The approval does not cover {'; '.join(uncovered)}."),)


def newest_decision(question: GateQuery, claims: Sequence[VerifiedStatement]) -> VerifiedStatement | None:
    """Of two at the same time, the rejection."""
    decisions = [claim for claim in claims if claim.about == DECISION and misfit(claim, question) is None]
    return max(decisions, key=lambda claim: (claim.at, claim.verdict is Verdict.REJECT), default=None)


def misfit(claim: VerifiedStatement, question: GateQuery) -> Reason | None:
    """Why the claim does not apply to the question; None when it does."""
    version, said = question.version, claim.version
    is_this = said == version or _is_copied_from(said, question)
    if not is_this and _named(said) == _named(version):
        sentence = (
            f"{claim.where} is about an earlier {said}, created {_at(said.created)}; this one was created "
            f"{_at(version.created)} under the same number. Ask for an approval of this one."
        )
        return Reason(ReasonCode.CREATED_AGAIN, sentence)
    if not is_this:
        sentence = (
            f"{claim.where} is about {said}, not about {version}: it was copied from there and counts only there."
        )
        return Reason(ReasonCode.OTHER_VERSION, sentence)
    if claim.identity != identity_digest(said):
        return Reason(ReasonCode.NOT_OURS, f"{claim.where} names another subject than the version it speaks of.")
    if claim.target != question.target:
        sentence = f"{claim.where} is for {claim.target}, not for {question.target}. Ask for {question.target} as well."
        return Reason(ReasonCode.OTHER_TARGET, sentence)
    return None


def may_be_copy(version: VersionId, target: Target) -> bool:
    """A copy is covered by its original's approval only in the target model itself."""
    return target.kind is TargetKind.MODEL and target.name == version.model


def original_of(copy: VersionSnapshot, found: VersionSnapshot | None) -> VersionId | None:
    """`found` has the name and number that the copy's source gives; None if it cannot be what was copied.

    Names and numbers are used again. A copy has the run of its original, which is older.
    """
    if found is None or found.run_id != copy.run_id or found.id.created > copy.id.created:
        return None
    return found.id


def _is_copied_from(said: VersionId, question: GateQuery) -> bool:
    """A copy older than the approved version was made from an earlier version with the same number."""
    return (
        may_be_copy(question.version, question.target)
        and said == question.source
        and question.version.created >= said.created
    )


def _named(version: VersionId) -> tuple[str, str, int]:
    return version.workspace, version.model, version.version


def _by(predicate: Mapping[str, object], about: str) -> str:
    if about == VOTE:
        return in_toto.text(in_toto.mapping(predicate, "person"), "name")
    decided_by = in_toto.text(predicate, "decidedBy")
    if decided_by in set(WITHOUT_PEOPLE):
        return WITHOUT_PEOPLE[DecidedBy(decided_by)]
    found = predicate.get("approvers")
    if not isinstance(found, list) or not found:
        raise InvalidStatement("names nobody who decided it")
    names = ", ".join(_with_reason(approver) for approver in found)
    return f"{names}, who broke the glass" if decided_by == DecidedBy.BREAK_GLASS else names


def _with_reason(approver: object) -> str:
    name, reason = in_toto.text(approver, "name"), in_toto.text(approver, "reason")
    return f'{name} ("{reason}")' if reason else name


def _listed(predicate: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Approvals from before these were looked for have none."""
    evidence = predicate.get("evidence")
    found = evidence.get(name) if isinstance(evidence, Mapping) else None
    if found is not None and not isinstance(found, list):
        raise InvalidStatement(f"has no list of texts as {name}")
    return tuple(str(one) for one in found or ())


def _seal_in(predicate: Mapping[str, object]) -> str:
    """Approvals under a rule that seals nothing have none."""
    return in_toto.text(predicate["seal"], "to") if predicate.get("seal") is not None else ""


def _size(predicate: Mapping[str, object]) -> int:
    found = in_toto.mapping(in_toto.mapping(predicate, "evidence"), "artifacts").get("size")
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise InvalidStatement("names files and not how many bytes they have")
    return found


def _approved(claim: VerifiedStatement) -> Reason:
    return Reason(ReasonCode.APPROVED, f"Approved for {claim.target} by {claim.by} on {_at(claim.at)}.")


def _rejected(claim: VerifiedStatement, question: GateQuery) -> Reason:
    sentence = (
        f"{question.version} was rejected for {claim.target} by {claim.by} on {_at(claim.at)}. Ship another version."
    )
    return Reason(ReasonCode.REJECTED, sentence)


def _too_old(claim: VerifiedStatement, max_age: timedelta, now: datetime) -> Reason:
    if claim.at > now:
        return from_the_future(claim.where, claim.at)
    sentence = (
        f"{claim.where} is from {_at(claim.at)}, which is longer ago than the {exact_duration(max_age)} that --max-age allows, "
        "and no verdict vouches for it since. Ask the bot with --bot, or allow more."
    )
    return Reason(ReasonCode.TOO_OLD, sentence)


def from_the_future(where: str, at: datetime) -> Reason:
    when = f"{where} is from {_at(at)}, which is in the future, so its age is unknown."
    sentence = f"{when} Set the clock of this machine, or of the bot's database."
    return Reason(ReasonCode.TOO_OLD, sentence)


def _without_decision(question: GateQuery, votes: Sequence[VerifiedStatement]) -> Reason:
    version = question.version
    if votes:
        voters = ", ".join(dict.fromkeys(vote.by for vote in votes))
        sentence = f"{version} has no signed decision for {question.target} yet, only the vote of {voters}. Wait for the decision."
        return Reason(ReasonCode.NO_APPROVAL, sentence)
    sentence = (
        f"{version} has no approval for {question.target}. Ask for one: countersign request-transition "
        f"--name {version.model} --version {version.version} --to {question.target} "
        f"--comment WHY{option_for(version.workspace)}."
    )
    return Reason(ReasonCode.NO_APPROVAL, sentence)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
