"""The report's sections about what it covers: sign-off, rules, people, scope and controls, and the glossary."""

from __future__ import annotations

from bot.domain.digest.control import Earlier, Gap, RuleInForce, Watched
from bot.domain.digest.figures import FindingKind
from bot.domain.digest.sentences import is_counted
from bot.domain.digest.sign_off import sign_off_text
from bot.domain.text import counted
from bot.reports.shape import Cell, Column, Look, Section, Table
from bot.reports.values import Writer, digest_of, legible, number, text

RULES = (
    Column("Rule", 1.6),
    Column("What it demands", 4),
    Column("Since", 1.1),
    Column("Until", 1.1),
    Column("Hash", 1.1),
)
PEOPLE = (Column("Name", 1.4), Column("E-mail", 2), Column("In this report as", 2))
PLACES = (
    Column("Registry", 1.3),
    Column("Models", 0.7, Look.NUMBER),
    Column("Under a rule", 0.8, Look.NUMBER),
    Column("Targets", 0.7, Look.NUMBER),
    Column("Watched since", 1.2),
    Column("Last read", 1.2),
    Column("Models under a rule", 2.2),
)
GAPS = (Column("What", 3), Column("From", 1.1), Column("Until", 1.1))
EARLIER = (Column("Digest", 1), Column("Closed", 1.2), Column("Sign-off", 3))
TERMS = (Column("Term", 1), Column("Meaning", 4))
GLOSSARY = (
    ("Target", "Where a version is used: an alias, a stage, or another registered model."),
    ("Transition", "A request that a version moves to a target, from its opening to its end."),
    ("Applied", "Approved, and the target was moved."),
    (
        "Approved, never applied",
        "Stale: something that the approval was based on changed before the move, so it no longer counted.",
    ),
    ("Held (fast track)", "The thresholds were not all met, or a check failed, so people decide."),
    (
        "The rule",
        "What the policy demands for a model and a target. Decided by the rule: no vote was needed, for example for a rollback.",
    ),
    ("Restored by rollback", "An earlier version is in use again, on the approval that it had before."),
    ("Baseline", "What was in use when Countersign began to watch. It needs no approval, and is listed."),
    ("Ratified", "Approved after the fact: a move by hand, or a version of the baseline."),
    (
        "Fast track",
        "Approval by thresholds, without a person. Agreed, false pass and false hold compare it with what people decided.",
    ),
    ("Lineage", "Where a version comes from: commit, data, run and files, and whether they fit together."),
    ("Parked", "A job failed for good and waits for a person: countersign jobs list."),
    ("Checkpoint", "The signed state of the ledger. With it, anyone can check later that no entry was changed."),
    ("Signed off", "A member of the policy's group confirmed that they have read a digest."),
)
OUTAGES = (
    "Times when Countersign itself did not run are not recorded. What changed in a registry meanwhile was seen at the next reading, and "
    "is in this report with the time when it was seen."
)
COVERED = "Registries, models, targets and gaps are as they were known when the week was closed."


def sign_off(w: Writer, signed: str) -> Section | None:
    """`signed` is the sentence about this digest's sign-off. None when the policy wants none and there is none."""
    control = w.digest.control
    if not control.sign_off and not signed:
        return None
    asked = f"To be signed off by a member of {control.sign_off}, with the button on the digest's card in Slack. The ledger records it."
    rows = tuple(_earlier(one, w) for one in control.earlier)
    tables = (Table("Earlier digests, when this week was closed", EARLIER, rows),) if rows else ()
    return Section("sign-off", "Sign-off", (legible(f"{signed}." if signed else asked),), tables=tables)


def rules(w: Writer) -> Section:
    found = w.digest.control.rules
    if not found:
        return Section(
            "rules",
            "Rules in force",
            ("No rule was in force, or the release that closed this week did not record them.",),
        )
    table = Table(
        f"{counted(len(found), 'rule')} in force at some time of the week", RULES, tuple(_rule(one, w) for one in found)
    )
    return Section("rules", "Rules in force", tables=(table,))


def people(w: Writer) -> Section:
    roles: dict[str, dict[str, None]] = {}
    for person, role in _roles(w):
        roles.setdefault(person, {})[role] = None
    if not roles:
        return Section("people", "People", ("No person appears in the lists of this report.",))
    rows = tuple(_person(one, ", ".join(roles[one]), w) for one in sorted(roles, key=lambda one: (w.person(one), one)))
    return Section("people", "People", tables=(Table("The people in the lists of this report", PEOPLE, rows),))


def scope(w: Writer) -> Section:
    control = w.digest.control
    tables = (
        Table("Watched registries", PLACES, tuple(_place(one, w) for one in control.places)),
        Table("Gaps in this week", GAPS, tuple(_gap(one, w) for one in control.gaps), _more_gaps(w)),
    )
    release = f"Closed by Countersign {control.release}. " if control.release else ""
    parked = w.digest.concerns.get(FindingKind.PARKED_JOBS, 0)
    gaps = "" if control.gaps else "No gap is known. "
    if not is_counted(w.digest):
        gaps = "Gaps are not known, because entries of the ledger were changed. "
    said = (
        f"{release}{COVERED}",
        f"{gaps}{counted(parked, 'job')} {'was' if parked == 1 else 'were'} parked when the week was closed. {OUTAGES}",
    )
    return Section("scope", "Scope and controls", said, tables=tuple(table for table in tables if table.rows))


def glossary() -> Section:
    rows = tuple((Cell(term), Cell(meaning)) for term, meaning in GLOSSARY)
    return Section("glossary", "Glossary", tables=(Table("Words of this report", TERMS, rows),))


def _more_gaps(w: Writer) -> str:
    hidden = w.digest.control.gaps_total - len(w.digest.control.gaps)
    return f"And {hidden:,} more, in {w.files.csv}." if hidden else ""


def _earlier(one: Earlier, w: Writer) -> tuple[Cell, ...]:
    said = sign_off_text(one.signed, w.digest.period, w.digest.names) if one.signed else "not signed off"
    return text(one.week), w.moment(one.closed_at), text(said)


def _rule(one: RuleInForce, w: Writer) -> tuple[Cell, ...]:
    return text(one.label), text(one.words), w.moment(one.since), w.moment(one.until), digest_of(one.hash)


def _person(one: str, roles: str, w: Writer) -> tuple[Cell, ...]:
    return Cell(w.person(one)), text(w.digest.emails.get(one, "no address on record")), Cell(roles)


def _roles(w: Writer) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for held in w.digest.inventory.shown:
        found += [(person, "approver") for person in held.by]
        found += [
            (person, role) for person, role in ((held.author, "trainer"), (held.restored_by, "requester")) if person
        ]
    for moved in w.digest.transitions.shown:
        found += [(person, "rejected" if moved.outcome == "rejected" else "approver") for person in moved.by]
        found += [(person, "approver") for person in (moved.earlier.by if moved.earlier else ())]
        found += [
            (person, role) for person, role in ((moved.author, "trainer"), (moved.requester, "requester")) if person
        ]
    return found


def _place(one: Watched, w: Writer) -> tuple[Cell, ...]:
    more = one.ruled - len(one.names)
    names = ", ".join((*one.names, *((f"{more:,} more",) if more else ())))
    return (
        text(one.place),
        number(one.models),
        number(one.ruled),
        number(one.targets),
        w.moment(one.since, "not yet"),
        w.moment(one.swept_at, "not yet"),
        text(names),
    )


def _gap(one: Gap, w: Writer) -> tuple[Cell, ...]:
    return text(one.sentence), w.moment(one.at), w.moment(one.until, "still so")
