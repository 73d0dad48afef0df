"""The card's facts about changes since the holder, about the version's origin, and about missing lineage."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from bot.domain.card.card import Fact
from bot.domain.card.context import CardContext
from bot.domain.evidence import lineage
from bot.domain.evidence.lineage import CheckState
from bot.domain.model import (
    PERSON,
    Artifacts,
    AuthorSource,
    Champion,
    DataSet,
    Evidence,
    LineageCheck,
    Table,
    TransitionRequest,
)
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Demand
from bot.domain.text import version_name
from bot.language import N_, _, ngettext

# Before evidence is collected, and before the run of a version that was put back at once is read.
NOT_READ = N_("not read")
SHOWN = 8
ROOM = 400  # characters; a line on a card is cut at 500
NAME_SHOWN = 60
VALUE_SHOWN = 30
COMMIT_SHOWN = 12
DIGEST_SHOWN = 12
SOURCES: Mapping[str, str] = {
    AuthorSource.GIT: N_("as the git mirror says"),
    AuthorSource.RUN: N_("as the run says"),
    AuthorSource.COMMIT_TAG: N_("as a tag of the run says"),
}
NO_LINEAGE = N_("No DVC lineage recorded (optional)")
SIGNATURE_PARTS = {
    "inputs": N_("inputs {changes}"),
    "outputs": N_("outputs {changes}"),
    "params": N_("params {changes}"),
}


def change_facts(request: TransitionRequest, context: CardContext) -> list[Fact]:
    """One line for each known fact. Unknown facts have no line, except those that a complete lineage needs."""
    evidence = request.evidence
    if evidence is None:
        return []
    lines = [
        (_("Commit"), _commit(request, evidence, context)),
        (_("Parameters"), _parameters(evidence.params, evidence.champion)),
        (_("Model signature"), _signature(evidence.signature, evidence.champion)),
        (_("Artifacts"), _artifacts(evidence.artifacts, evidence.artifacts_unread)),
        (_("Not covered"), _bounded(list(evidence.uncovered), "; ")),
        (_("Data sets"), _bounded([_data_set(found) for found in evidence.datasets])),
        (_("Lineage"), _lineage(evidence)),
        (_("Missing"), _missing(evidence, context)),
    ]
    return [Fact(label, text) for label, text in lines if text]


def trained_by(request: TransitionRequest, context: CardContext) -> str:
    seen = request.evidence
    if seen is not None:
        return _author(request.author, seen.author, seen.author_from, seen.not_believed, context)
    if request.origin is None:
        return _(NOT_READ)
    if request.origin.unread:
        return _("not read: {why}", why=in_one_line(request.origin.unread))
    origin = request.origin
    return _author(origin.author, origin.claimed, origin.source, origin.not_believed, context)


def _author(
    person_id: str | None, claimed: str | None, source: str, not_believed: Collection[str], context: CardContext
) -> str:
    """A known person's name, else the name that a source gave, marked as unknown here; and which source it is."""
    if person_id is None and claimed and claimed.startswith(PERSON):
        claimed = context.name(claimed.removeprefix(PERSON))
    claimed = in_one_line(claimed) if claimed else claimed
    words = _(SOURCES[source]) if source in SOURCES else ""
    if person_id is None and claimed and source in not_believed:
        return _("{person} ({source}, which the policy does not believe)", person=claimed, source=words)
    if person_id is None and claimed and words:
        return _("{person} ({source}, not in the policy's people)", person=claimed, source=words)
    if person_id is None and claimed:
        return _("{person} (not in the policy's people)", person=claimed)
    if words and person_id is not None:
        return _("{person} ({source})", person=context.name(person_id), source=words)
    return context.name(person_id)


def _lineage(evidence: Evidence) -> str:
    """The numbers, and the titles of what did not pass. The full sentences are on the page and in the approver's reply."""
    if not evidence.lineage:
        return ""
    failed = sorted(lineage.failed(evidence), key=lambda check: not check.blocks)
    if not any(check.blocks for check in failed) and not _has_lock(evidence):
        return _(NO_LINEAGE)
    blocked = _bounded([lineage.title_text(check) for check in failed if check.blocks])
    found = [
        _("cannot be approved without: {checks}", checks=blocked) if blocked else "",
        lineage.checks_text(evidence.lineage),
        *(_noted(failed, state) for state in CheckState),
        _("confirmed by the git mirror")
        if evidence.vouched_by == lineage.GIT_MIRROR
        else _("self-reported by the trainer"),
    ]
    return "; ".join(filter(None, found))


def _has_lock(evidence: Evidence) -> bool:
    """Whether the run keeps a dvc.lock, or may keep one that could not be read."""
    return not any(check.sentence.startswith(f"{lineage.NO_LOCK}.") for check in evidence.lineage)


def _missing(evidence: Evidence, context: CardContext) -> str:
    """Only where there is a lineage, or the rule asks for one: it is optional."""
    track, demand = (context.rule.fast_track, context.rule.lineage) if context.rule else (None, None)
    is_asked = bool(demand and demand.block) or bool(track and Demand.LINEAGE in track.require)
    if not is_asked and not _has_lock(evidence):
        return ""
    return _bounded([_(part.name) for part in lineage.PARTS if not part.is_there(evidence)])


def _noted(failed: Sequence[LineageCheck], state: CheckState) -> str:
    """The checks in this state that do not block."""
    titles = [_(lineage.TITLES[one.code]) for one in failed if not one.blocks and lineage.state_of(one) is state]
    return _("{state}: {checks}", state=_(state), checks=_bounded(titles)) if titles else ""


def _commit(request: TransitionRequest, evidence: Evidence, context: CardContext) -> str:
    if not evidence.commit:
        return ""
    known = request.commit_author is not None or bool(evidence.commit_author)
    source, claimed = evidence.commit_author_from, evidence.commit_author
    commit = evidence.commit[:COMMIT_SHOWN]
    if not known:
        return commit
    author = _author(request.commit_author, claimed, source, evidence.not_believed, context)
    return _("{commit}, by {person}", commit=commit, person=author)


def _parameters(params: Mapping[str, str], champion: Champion | None) -> str:
    if champion is None or not champion.params:
        return ""
    return _bounded(_differences(champion.params, params)) or _(
        "the same as {version}", version=version_name(champion.version)
    )


def _signature(signature: str | None, champion: Champion | None) -> str:
    if champion is None or (signature is None and champion.signature is None):
        return ""
    if signature is None or champion.signature is None:
        before = version_name(champion.version)
        if signature is None:
            return _("none, but {version} has one", version=before)
        return _("there is one now; {version} has none", version=before)
    if signature == champion.signature:
        return _("unchanged")
    was, now = _parts(champion.signature), _parts(signature)
    changed = [(part, _differences(was[part], now[part])) for part in SIGNATURE_PARTS]
    told = _bounded([_(SIGNATURE_PARTS[part], changes=", ".join(found)) for part, found in changed if found], "; ")
    return _("changed: {changes}", changes=told) if told else _("changed")


def _artifacts(artifacts: Artifacts | None, unread: str) -> str:
    if artifacts is None:
        return _("not read: {why}", why=in_one_line(unread)) if unread else ""
    if artifacts.files == 0:
        return _("no files")
    files = ngettext("{count} file", "{count} files", artifacts.files)
    return f"{files}, {size_of(artifacts.size)}, sha256 {artifacts.digest.removeprefix('sha256:')[:DIGEST_SHOWN]}"


def size_of(size: int) -> str:
    if size < 1000:
        return ngettext("{count} byte", "{count} bytes", size)
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"


def _data_set(found: DataSet) -> str:
    used_for = f" ({found.context})" if found.context else ""
    named = f"{_short(found.name, NAME_SHOWN)} {found.digest}{used_for}"
    return f"{named}, {_table(found.table)}" if found.table else named


def _table(table: Table) -> str:
    """The version is never cut off, and of a long path the beginning and the end are shown."""
    called = _middle_out(table.path) or _middle_out(table.name)
    if table.version is None:
        if not called:
            return _("Delta table that is not named, version not known")
        return _("Delta table {table}, version not known", table=called)
    return _(
        "version {version} of Delta table {table}", version=str(table.version), table=called or _("without a name")
    )


def _middle_out(text: str) -> str:
    half = NAME_SHOWN // 2
    return text if len(text) <= NAME_SHOWN else f"{text[: half - 1]}…{text[-half:]}"


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Changed values first, then added ones, then removed ones."""
    changed = [name for name in sorted(after) if name in before and before[name] != after[name]]
    added, removed = sorted(set(after) - set(before)), sorted(set(before) - set(after))
    return [
        *(f"{_short(name, NAME_SHOWN)} {_value(before[name])} → {_value(after[name])}" for name in changed),
        *(f"+{_short(name, NAME_SHOWN)} {_value(after[name])}" for name in added),
        *(f"−{_short(name, NAME_SHOWN)}" for name in removed),
    ]


def _bounded(items: Sequence[str], between: str = ", ") -> str:
    """As many as fit into one line, then the number of the others."""
    shown = len(items)
    while shown > 1 and (shown > SHOWN or len(between.join(items[:shown])) > ROOM):
        shown -= 1
    said = in_one_line(between.join(items[:shown]))
    return _("{items} and {count} more", items=said, count=len(items) - shown) if shown < len(items) else said


def _value(text: str) -> str:
    return _short(text, VALUE_SHOWN)


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _parts(signature: str) -> dict[str, dict[str, str]]:
    """The column types by name, for each part; empty for a part that cannot be read."""
    whole = _read(signature)
    parts = whole if isinstance(whole, dict) else {}
    return {part: _columns(_read(parts.get(part))) for part in SIGNATURE_PARTS}


def _read(text: object) -> object:
    """MLflow stores each part as JSON in a text."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return None


def _columns(part: object) -> dict[str, str]:
    columns: Iterable[object] = part if isinstance(part, list) else ()
    return dict(_column(number, column) for number, column in enumerate(columns, start=1))


def _column(number: int, column: object) -> tuple[str, str]:
    if not isinstance(column, dict):
        return _("column {number}", number=number), str(column)
    tensor = column.get("tensor-spec")
    kind = f"{tensor.get('dtype')} {tensor.get('shape')}" if isinstance(tensor, dict) else column.get("type")
    text = kind if isinstance(kind, str) else json.dumps(kind, sort_keys=True)
    named = str(column.get("name") or _("column {number}", number=number))
    return named, _("{type}, optional", type=text) if column.get("required") is False else text
