"""The report's sections about what it covers: sign-off, rules, people, scope and controls, and the glossary."""

from __future__ import annotations

from bot.domain.digest.control import Earlier, Gap, RuleInForce, Watched
from bot.domain.digest.figures import FindingKind
from bot.domain.digest.sentences import is_counted
from bot.domain.digest.sign_off import sign_off_text
from bot.language import N_, _, ngettext, pgettext, sentences
from bot.reports.shape import Cell, Column, Look, Section, Table
from bot.reports.values import Writer, digest_of, legible, number, text

RULES = (
    Column(_("Rule"), 1.6),
    Column(_("What it demands"), 4),
    Column(_("Since"), 1.1),
    Column(_("Until"), 1.1),
    Column(_("Hash"), 1.1),
)
PEOPLE = (Column(_("Name"), 1.4), Column(_("E-mail"), 2), Column(_("In this report as"), 2))
PLACES = (
    Column(_("Registry"), 1.3),
    Column(_("Models"), 0.7, Look.NUMBER),
    Column(_("Under a rule"), 0.8, Look.NUMBER),
    Column(_("Targets"), 0.7, Look.NUMBER),
    Column(_("Watched since"), 1.2),
    Column(_("Last read"), 1.2),
    Column(_("Models under a rule"), 2.2),
)
APPROVER, TRAINER, REQUESTER, REJECTED = N_("approver"), N_("trainer"), N_("requester"), "rejected"
GAPS = (Column(_("What"), 3), Column(_("From"), 1.1), Column(_("Until"), 1.1))
EARLIER = (Column(pgettext("weekly", "Digest"), 1), Column(_("Closed"), 1.2), Column(_("Sign-off"), 3))
TERMS = (Column(_("Term"), 1), Column(_("Meaning"), 4))
GLOSSARY = (
    (_("Target"), _("Where a version is used: an alias, a stage, or another registered model.")),
    (_("Transition"), _("A request that a version moves to a target, from its opening to its end.")),
    (_("Applied"), _("Approved, and the target was moved.")),
    (
        _("Approved, never applied"),
        _("Stale: something that the approval was based on changed before the move, so it no longer counted."),
    ),
    (_("Held (fast track)"), _("The thresholds were not all met, or a check failed, so people decide.")),
    (
        _("The rule"),
        _(
            "What the policy demands for a model and a target. Decided by the rule: no vote was needed, for example for a rollback."
        ),
    ),
    (_("Restored by rollback"), _("An earlier version is in use again, on the approval that it had before.")),
    (_("Baseline"), _("What was in use when Countersign began to watch. It needs no approval, and is listed.")),
    (_("Ratified"), _("Approved after the fact: a move by hand, or a version of the baseline.")),
    (
        _("Fast track"),
        _(
            "Approval by thresholds, without a person. Agreed, false pass and false hold compare it with what people decided."
        ),
    ),
    (_("Lineage"), _("Where a version comes from: commit, data, run and files, and whether they fit together.")),
    (_("Parked"), _("A job failed for good and waits for a person: countersign jobs list.")),
    (_("Checkpoint"), _("The signed state of the ledger. With it, anyone can check later that no entry was changed.")),
    (_("Signed off"), _("A member of the policy's group confirmed that they have read a digest.")),
)
OUTAGES = _(
    "Times when Countersign itself did not run are not recorded. What changed in a registry meanwhile was seen at the next reading, and "
    "is in this report with the time when it was seen."
)
COVERED = _("Registries, models, targets and gaps are as they were known when the week was closed.")


def sign_off(w: Writer, signed: str) -> Section | None:
    """`signed` is the sentence about this digest's sign-off. None when the policy wants none and there is none."""
    control = w.digest.control
    if not control.sign_off and not signed:
        return None
    asked = _(
        "To be signed off by a member of {group}, with the button on the digest's card in Slack. The ledger records it.",
        group=control.sign_off,
    )
    rows = tuple(_earlier(one, w) for one in control.earlier)
    tables = (Table(_("Earlier digests, when this week was closed"), EARLIER, rows),) if rows else ()
    return Section("sign-off", _("Sign-off"), (legible(f"{signed}." if signed else asked),), tables=tables)


def rules(w: Writer) -> Section:
    found = w.digest.control.rules
    if not found:
        return Section(
            "rules",
            _("Rules in force"),
            (_("No rule was in force, or the release that closed this week did not record them."),),
        )
    table = Table(
        ngettext(
            "{count} rule in force at some time of the week",
            "{count} rules in force at some time of the week",
            len(found),
        ),
        RULES,
        tuple(_rule(one, w) for one in found),
    )
    return Section("rules", _("Rules in force"), tables=(table,))


def people(w: Writer) -> Section:
    roles: dict[str, dict[str, None]] = {}
    for person, role in _roles(w):
        roles.setdefault(person, {})[role] = None
    if not roles:
        return Section("people", _("People"), (_("No person appears in the lists of this report."),))
    rows = tuple(
        _person(one, ", ".join(map(_role, roles[one])), w)
        for one in sorted(roles, key=lambda one: (w.person(one), one))
    )
    return Section("people", _("People"), tables=(Table(_("The people in the lists of this report"), PEOPLE, rows),))


def scope(w: Writer) -> Section:
    control = w.digest.control
    tables = (
        Table(_("Watched registries"), PLACES, tuple(_place(one, w) for one in control.places)),
        Table(_("Gaps in this week"), GAPS, tuple(_gap(one, w) for one in control.gaps), _more_gaps(w)),
    )
    release = _("Closed by Countersign {release}.", release=control.release) if control.release else ""
    parked = w.digest.concerns.get(FindingKind.PARKED_JOBS, 0)
    gaps = "" if control.gaps else _("No gap is known.")
    if not is_counted(w.digest):
        gaps = _("Gaps are not known, because entries of the ledger were changed.")
    jobs = ngettext(
        "{count} job was parked when the week was closed.", "{count} jobs were parked when the week was closed.", parked
    )
    said = (sentences(release, COVERED), sentences(gaps, jobs, OUTAGES))
    return Section("scope", _("Scope and controls"), said, tables=tuple(table for table in tables if table.rows))


def glossary() -> Section:
    rows = tuple((Cell(term), Cell(meaning)) for term, meaning in GLOSSARY)
    return Section("glossary", _("Glossary"), tables=(Table(_("Words of this report"), TERMS, rows),))


def _more_gaps(w: Writer) -> str:
    hidden = w.digest.control.gaps_total - len(w.digest.control.gaps)
    return _("And {count} more, in {file}.", count=hidden, file=w.files.csv) if hidden else ""


def _earlier(one: Earlier, w: Writer) -> tuple[Cell, ...]:
    said = sign_off_text(one.signed, w.digest.period, w.digest.names) if one.signed else _("not signed off")
    return text(one.week), w.moment(one.closed_at), text(said)


def _rule(one: RuleInForce, w: Writer) -> tuple[Cell, ...]:
    return text(one.label), text(one.words), w.moment(one.since), w.moment(one.until), digest_of(one.hash)


def _person(one: str, roles: str, w: Writer) -> tuple[Cell, ...]:
    return Cell(w.person(one)), text(w.digest.emails.get(one, _("no address on record"))), Cell(roles)


def _role(role: str) -> str:
    return pgettext("person", "rejected") if role == REJECTED else _(role)


def _roles(w: Writer) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for held in w.digest.inventory.shown:
        found += [(person, APPROVER) for person in held.by]
        found += [(person, role) for person, role in ((held.author, TRAINER), (held.restored_by, REQUESTER)) if person]
    for moved in w.digest.transitions.shown:
        found += [(person, REJECTED if moved.outcome == "rejected" else APPROVER) for person in moved.by]
        found += [(person, APPROVER) for person in (moved.earlier.by if moved.earlier else ())]
        found += [(person, role) for person, role in ((moved.author, TRAINER), (moved.requester, REQUESTER)) if person]
    return found


def _place(one: Watched, w: Writer) -> tuple[Cell, ...]:
    more = one.ruled - len(one.names)
    names = ", ".join((*one.names, *((_("{count} more", count=more),) if more else ())))
    return (
        text(one.place),
        number(one.models),
        number(one.ruled),
        number(one.targets),
        w.moment(one.since, _("not yet")),
        w.moment(one.swept_at, _("not yet")),
        text(names),
    )


def _gap(one: Gap, w: Writer) -> tuple[Cell, ...]:
    return text(one.sentence), w.moment(one.at), w.moment(one.until, _("still so"))
