"""How it reads that evidence is gone, is back, or could not be looked at. What counts as that: `losses`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.evidence.losses import ERASED, Kept, Part, logged_model_of
from bot.domain.model import Artifacts, Evidence, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.text import version_name
from bot.language import N_, _, ngettext, sentences

NAMES_SHOWN = 3
NO_FILES = Artifacts("", 0, 0)
TITLES = {
    Part.VERSION: N_("version"),
    Part.RUN: N_("run"),
    Part.LOGGED_MODEL: N_("logged model"),
    Part.FILES: N_("model files"),
    Part.SIZE: N_("size of the model files"),
    Part.DATA: N_("data"),
    Part.COMMIT: N_("commit"),
}


def lost_text(part: Part, names: Sequence[str], count: int, request: TransitionRequest) -> str:
    """What is gone, as a clause. `names` are the first of the `count` things."""
    evidence = request.evidence
    if part is Part.RUN:
        return _run_text(names, evidence)
    if part is Part.FILES:
        return _files_text(names, count, evidence)
    if part is Part.DATA:
        return ngettext(
            "{count} file or folder that its dvc.lock names is gone from the DVC remote: {names}",
            "{count} files and folders that its dvc.lock names are gone from the DVC remote: {names}",
            count,
            names=_first(names, count),
        )
    if part is Part.SIZE:
        return _(
            "its files have {now} bytes in all, and those that were approved had {approved}",
            now=names[-1] if names else "?",
            approved=str(evidence.artifacts.size if evidence and evidence.artifacts else "?"),
        )
    if part is Part.COMMIT:
        commit = (evidence.commit or "")[:12] if evidence else ""
        return _("its commit {commit} is in no branch of the git remote", commit=commit)
    if part is Part.LOGGED_MODEL:
        return _("its logged model {id} is gone from MLflow", id=logged_model_of(evidence) if evidence else "")
    return _("it is gone from the registry")


def kept_text(kept: Kept, request: TransitionRequest) -> str:
    """What is on record of a part that is lost or out of sight: what, since when, and who knows of it."""
    if kept.lost_since is not None:
        return _(
            "{what}; gone since {since}, last seen on {seen}",
            what=lost_text(kept.part, kept.lost, len(kept.lost), request),
            since=kept.lost_since,
            seen=kept.seen_at,
        )
    said = out_of_sight_text(kept.part, kept.unread)
    return _("{said} (since {since})", said=said, since=kept.unread_since) if kept.unread_since else said


def out_of_sight_text(part: Part, why: str) -> str:
    return _("its {part} cannot be looked at: {why}", part=_(TITLES[part]), why=in_one_line(why).rstrip("."))


def found_text(part: Part) -> str:
    return _("its {part} is there again", part=_(TITLES[part]))


def way_back_warning(request: TransitionRequest, kept: Sequence[Kept]) -> str:
    """Before a rollback to the version of this request; empty when nothing is known to be gone."""
    lost = [one for one in kept if one.lost_since is not None]
    return _careful(request, [kept_text(one, request) for one in lost], [one.part for one in lost])


def gone_text(request: TransitionRequest, gone: Mapping[Part, Sequence[str]]) -> str:
    """The same, of what a look has just found: the names of what is gone, by part."""
    said = [lost_text(part, names, len(names), request) for part, names in gone.items()]
    return _careful(request, said, list(gone))


def _careful(request: TransitionRequest, said: Sequence[str], parts: Sequence[Part]) -> str:
    if not said:
        return ""
    careful = _("Careful with {version}: {what}.", version=version_name(request.version), what="; ".join(said))
    if Part.FILES in parts or Part.SIZE in parts:
        return sentences(careful, _("These are not the files that were approved, so going back takes votes."))
    return careful


def _run_text(names: Sequence[str], evidence: Evidence | None) -> str:
    run = evidence.run_id or "" if evidence else ""
    if ERASED in names:
        return _("its run {run} is gone from MLflow for good", run=run)
    return _("its run {run} was deleted in MLflow; until `mlflow gc` takes it, it can be restored", run=run)


def _files_text(names: Sequence[str], count: int, evidence: Evidence | None) -> str:
    total = (evidence.artifacts or NO_FILES).files if evidence else 0
    if count >= total > 0:
        return ngettext("its only file is gone", "all of its {count} files are gone", total)
    return ngettext(
        "{count} of its {total} files is gone: {names}",
        "{count} of its {total} files are gone: {names}",
        count,
        total=str(total),
        names=_first(names, count),
    )


def _first(names: Sequence[str], count: int) -> str:
    shown = ", ".join(in_one_line(name) for name in names[:NAMES_SHOWN])
    return _("{names} and {count} more", names=shown, count=count - NAMES_SHOWN) if count > NAMES_SHOWN else shown
