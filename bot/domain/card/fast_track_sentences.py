"""The fast track's result as text: the paragraph on the card, and the metrics in the record of a decision."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.model import Check, FastTrackMode, Judgement
from bot.domain.names import in_one_line
from bot.domain.request.fast_track import Agreement
from bot.language import N_, _, from_record, ngettext, without_ending

HASH_SHOWN = len("sha256:") + 8
LEFT_TO_PEOPLE = (N_(", so a person decides"), N_(": a person decides"))


def checks_text(checks: Iterable[Check]) -> str:
    """What was found, with the metrics: one sentence without a full stop."""
    return "; ".join(from_record(in_one_line(check.sentence).rstrip(".")) for check in checks)


def why_not(check: Check) -> str:
    """What was found, without that it is left to people."""
    sentence = in_one_line(check.sentence).rstrip(".")
    ending = next((one for one in LEFT_TO_PEOPLE if sentence.endswith(one)), None)
    return without_ending(sentence, ending) if ending else from_record(sentence)


def judgement_text(judgement: Judgement, rule: str, rule_hash: str) -> str:
    """The fast track's result and its reasons; empty when it is off. `rule` is the rule's label, empty when it is no longer there."""
    if judgement.mode is FastTrackMode.OFF:
        return ""
    if judgement.mode is FastTrackMode.SHADOW:
        would = (
            _("Fast track (shadow): would have let it through")
            if judgement.passes
            else _("Fast track (shadow): would have held it")
        )
        return _sentence(would, _reasons(judgement))
    if judgement.decides:
        hash_ = f"{rule_hash[:HASH_SHOWN]}…"
        by = (
            _("Auto-approved, all thresholds met: rule {rule} ({hash})", rule=rule, hash=hash_)
            if rule
            else _("Auto-approved, all thresholds met: by a rule that is no longer in the policy ({hash})", hash=hash_)
        )
        return _sentence(by, _reasons(judgement))
    if judgement.passes:
        but = _(
            "Not auto-approved, because {why}; all thresholds are met",
            why=from_record(in_one_line(judgement.held_back)),
        )
        return _sentence(but, _reasons(judgement))
    return _sentence(_("Not auto-approved"), _reasons(judgement))


def agreement_text(agreement: Agreement | None) -> str:
    """How often the fast track in shadow mode and people agreed; empty before people have decided any."""
    if agreement is None or not agreement.decided:
        return ""
    passes = ngettext("{count} false pass", "{count} false passes", agreement.false_passes)
    holds = ngettext("{count} false hold", "{count} false holds", agreement.false_holds)
    return ngettext(
        "It agreed with people on {agreed} of {count} version in 90 days ({passes}, {holds}).",
        "It agreed with people on {agreed} of {count} versions in 90 days ({passes}, {holds}).",
        agreement.decided,
        agreed=agreement.agreed,
        passes=passes,
        holds=holds,
    )


def _reasons(judgement: Judgement) -> str:
    """All reasons when it passed, else only the reasons against it."""
    said = [check for check in judgement.checks if judgement.passes or not check.passed]
    return "; ".join(map(why_not, said))


def _sentence(says: str, why: str) -> str:
    return _("{said}: {why}.", said=says, why=why) if why else _("{said}.", said=says)
