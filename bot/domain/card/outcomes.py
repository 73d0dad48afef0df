"""What a vote brings about, and what became of a request: for its card, its ticket, and the forms that ask why."""

from __future__ import annotations

from bot.domain.card.context import CardContext
from bot.domain.model import Kind, State, TargetKind, TransitionRequest, VersionId, Vote
from bot.domain.names import in_one_line
from bot.domain.registry.comparisons import compared_with
from bot.domain.text import target_label, version_name
from bot.language import N_, Value, _, from_record, sentences


def what_reject_does(request: TransitionRequest) -> str:
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.PROMOTION:
        return _("{version} does not become {target}.", version=version, target=target)
    if request.kind is Kind.ROLLBACK:
        if request.away_from is None:
            return _("{target} does not go back to {version}.", target=target, version=version)
        return _("{target} stays with {holder}.", target=target, holder=version_name(request.away_from))
    if request.is_adopted:
        return _("{version} stays {target}, without an approval.", version=version, target=target)
    if request.target.kind is TargetKind.MODEL:
        return _(
            "{version} is put back: tagged countersign.denied and denied by the gate, or deleted if the rule deletes copies.",
            version=version,
        )
    if request.previous is None:
        return _("{target} is removed from {version} and is unassigned, as before.", target=target, version=version)
    return _("{target} goes back to {before}.", target=target, before=version_name(request.previous))


def what_approve_does(request: TransitionRequest) -> str:
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.OBSERVED:
        return _("{version} stays {target}.", version=version, target=target)
    if request.kind is not Kind.ROLLBACK:
        before = replaced_by(request)
        if before is None:
            return _("{version} becomes {target}.", version=version, target=target)
        old, new = f"v{before.version}", f"v{request.version.version}"
        return _("{target} moves from {old} to {new}.", target=target, old=old, new=new)
    if request.away_from is None:
        return _("{target} goes back to {version}.", target=target, version=version)
    return _(
        "{target} goes back from {away} to {version}.",
        target=target,
        away=version_name(request.away_from),
        version=version,
    )


def replaced_by(request: TransitionRequest) -> VersionId | None:
    """The other version of the same model that the promoted one replaces."""
    before = compared_with(request)
    if before is None or before.model != request.version.model or before == request.version:
        return None
    return before


def outcome_of(request: TransitionRequest) -> str:
    """Why it ended, as a phrase without its full stop; what a person wrote stays as it is."""
    said = in_one_line(request.outcome).rstrip(".")
    is_ours = not request.ended_by and not (request.state is State.REJECTED and request.votes)
    return from_record(said) if is_ours else said


def called_off(request: TransitionRequest, context: CardContext) -> str:
    """That an approval was taken back before it was applied, by whom, when and why."""
    why, when = outcome_of(request), request.ended_at or request.opened_at
    if request.ended_by:
        person = context.name(request.ended_by)
        said = _("Called off by {person} on {when}: {why}.", person=person, when=when, why=why)
    else:
        said = _("Called off on {when}: {why}.", when=when, why=why)
    version, target = version_name(request.version), target_label(request)
    if request.kind is Kind.OBSERVED:
        return sentences(said, _("{version} keeps {target} without an approval.", version=version, target=target))
    return sentences(said, _("Countersign does not move {target}.", target=target))


def held_text(request: TransitionRequest) -> str:
    """For an approval that waits for the end of a freeze."""
    until = request.frozen_until or request.opened_at
    return _(
        "{target} moves when the freeze ({freeze}) ends, on {until}.",
        target=target_label(request),
        freeze=request.frozen_by,
        until=until,
    )


def freeze_text(context: CardContext) -> str:
    """That an approval has to wait for the end of the freeze in force; empty without one."""
    if context.freeze is None:
        return ""
    return _(
        "Freeze ({freeze}) until {until}: an approval takes effect after that.",
        freeze=context.freeze.name,
        until=context.freeze.until,
    )


def unreadable_text(request: TransitionRequest, why: str) -> str:
    """Why the vote cannot open, or an approval is not applied."""
    keeps = _("Countersign keeps trying; `countersign jobs list` shows the attempts.")
    if request.state is State.APPROVED:
        stays = _(
            "{target} does not move while {version} cannot be checked: {why}",
            target=target_label(request),
            version=version_name(request.version),
            why=in_one_line(why),
        )
        return sentences(stays, keeps)
    return sentences(_("The vote cannot open, because the evidence cannot be read: {why}", why=in_one_line(why)), keeps)


def unsealed_text(request: TransitionRequest) -> str:
    """Why an approval is not applied: its files cannot be sealed."""
    stays = _(
        "{target} does not move while the files of {version} cannot be sealed: {why}",
        target=target_label(request),
        version=version_name(request.version),
        why=in_one_line(request.sealing.hindered),
    )
    return sentences(stays, _("`countersign jobs list` shows the attempts."))


def sealed_text(request: TransitionRequest) -> str:
    """Where the approved files are sealed; empty when they are not."""
    seal = request.sealing.seal
    if seal is None:
        return ""
    if seal.lock is None:
        return _("The files are sealed in {place}.", place=seal.at.uri)
    return _("The files are sealed in {place}, locked until {until}.", place=seal.at.uri, until=seal.lock.until)


def applied(request: TransitionRequest) -> str:
    """For a version that holds the target by this request."""
    names: dict[str, Value] = {"version": version_name(request.version), "target": target_label(request)}
    if request.kind is Kind.OBSERVED:
        return _("{version} stays {target}.", **names)
    since = request.settled_at or request.opened_at
    is_back = request.kind is Kind.ROLLBACK
    before = request.away_from if is_back else request.previous
    if before is None:
        said = N_("{version} has been {target} since {since}.")
        return _(N_("{version} has been {target} again since {since}.") if is_back else said, **names, since=since)
    said = N_("{version} has been {target} since {since}; it replaced {before}.")
    back = N_("{version} has been {target} again since {since}; it replaced {before}.")
    return _(back if is_back else said, **names, since=since, before=version_name(before))


def rejected(request: TransitionRequest) -> str:
    version, target = version_name(request.version), target_label(request)
    if request.kind is not Kind.OBSERVED or request.settled_at is None:
        return what_reject_does(request)
    is_copy = request.target.kind is TargetKind.MODEL
    if is_copy and request.settled_by_us:
        return _because(_("{version} was deleted from {target}", version=version, target=target), request)
    if is_copy and request.settled_holder == request.version and not request.is_adopted:
        stays = _(
            "{version} stays in {target}, tagged countersign.denied, and the gate denies it",
            version=version,
            target=target,
        )
        return _because(stays, request)
    if request.settled_by_us and request.settled_holder is None:
        return _because(_("{target} is unassigned again", target=target), request)
    holder = version_name(request.settled_holder) if request.settled_holder else _("no version")
    if request.settled_by_us:
        return _because(_("{target} went back to {holder}", target=target, holder=holder), request)
    return _("{target} is held by {holder} now; Countersign did not move it.", target=target, holder=holder)


def _because(said: str, request: TransitionRequest) -> str:
    """With the reason, where no vote gives one."""
    if request.votes or not request.outcome:
        return _("{said}.", said=said)
    return _("{said}: {why}.", said=said, why=outcome_of(request))


def lapsed(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """After the decision, compares with the rule it was made under, because the rule may change again."""
    is_open = request.state is State.PENDING
    if vote.ids & request.parties:
        if is_open:
            return _("They have asked for it themselves since, so this vote no longer counts.")
        return _("They have asked for it themselves since, so this vote did not count any more.")
    if vote.rule_hash == (context.rule_hash if is_open else request.rule_hash):
        return ""
    if is_open:
        return _("The rule has changed since, so this vote no longer counts.")
    return _("The rule has changed since, so this vote did not count any more.")
