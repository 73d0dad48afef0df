"""How much of a version's evidence is kept: the ledger keeps everything for ever, and whoever trains a model chooses what is in it.

A text that is too long is cut and ends in the digest of the whole, so that a later change is noticed. Of too many entries the first by name
are kept. What was cut is in `Evidence.cut`, and the card says so; the whole is on the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from bot.domain.figures import OMIT_EMPTY, DataSet
from bot.domain.grounds import Cut
from bot.domain.model import Champion, Evidence, Metric
from bot.language import N_, _

VALUE_LIMIT = 1_000  # characters of a param, a tag or a name
DESCRIPTION_LIMIT = 10_000
SIGNATURE_LIMIT = 60_000
MOST_PARAMS = 500
MOST_TAGS = 200
MOST_METRICS = 1_000
MOST_DATASETS = 100
WHAT = (  # what `Cut.what` may be
    *(N_("metrics"), N_("data sets"), N_("params"), N_("tags"), N_("description")),
    *(N_("values of params"), N_("values of tags")),
)
DIGEST_SHOWN = 16  # hex digits

Kept = TypeVar("Kept", Metric, DataSet)


def capped(evidence: Evidence) -> Evidence:
    """The same evidence within the limits; unchanged when it is within them already."""
    metrics, cut_metrics = _first("metrics", evidence.metrics, MOST_METRICS)
    datasets, cut_datasets = _first("data sets", evidence.datasets, MOST_DATASETS)
    params, cut_params = _mapping("params", evidence.params, MOST_PARAMS)
    tags, cut_tags = _mapping("tags", evidence.tags, MOST_TAGS)
    description = _text(evidence.description, DESCRIPTION_LIMIT)
    texts = [("description", description != evidence.description)]
    cut = [*evidence.cut, *cut_metrics, *cut_datasets, *cut_params, *cut_tags]
    cut += [Cut(what, 1, 0, "") for what, is_cut in texts if is_cut]
    return replace(
        evidence,
        metrics=metrics,
        datasets=tuple(_short_data_set(one) for one in datasets),
        params=params,
        tags=tags,
        description=description,
        signature=_signature(evidence.signature),
        source=_text(evidence.source, VALUE_LIMIT),
        original_source=_text(evidence.original_source, VALUE_LIMIT),
        author=_text(evidence.author, VALUE_LIMIT) if evidence.author else evidence.author,
        commit_author=_text(evidence.commit_author, VALUE_LIMIT) if evidence.commit_author else evidence.commit_author,
        data_md5=_text(evidence.data_md5, VALUE_LIMIT),
        artifacts_unread=_text(evidence.artifacts_unread, VALUE_LIMIT),
        champion=_champion(evidence.champion),
        cut=tuple(cut),
    )


def cut_text(cuts: Sequence[Cut]) -> str:
    """For the card; empty when nothing was cut."""
    said = [
        _("{count} of {all} {what}", count=one.count - one.kept, all=one.count, what=_(one.what))
        if one.kept
        else _("the end of long {what}", what=_(one.what))
        for one in cuts
    ]
    if not said:
        return ""
    parts = ", ".join(said)
    return _("Too large for the record, and left out of it: {parts}. The whole is on the run.", parts=parts)


def _first(what: str, entries: tuple[Kept, ...], most: int) -> tuple[tuple[Kept, ...], list[Cut]]:
    if len(entries) <= most:
        return entries, []
    in_order = sorted(entries, key=lambda one: json.dumps(_values(one), default=str))
    return tuple(in_order[:most]), [Cut(what, len(entries), most, _digest_of(map(_values, in_order)))]


def _values(entry: Kept) -> list[object]:
    """What older releases did not have counts only where it is there, so that the digests of their cuts stay."""
    said = {field: getattr(entry, field.name) for field in fields(entry)}
    return [value for field, value in said.items() if value or OMIT_EMPTY not in field.metadata]


def _mapping(what: str, entries: Mapping[str, str], most: int) -> tuple[Mapping[str, str], list[Cut]]:
    short = {_text(name, VALUE_LIMIT): _text(entries[name], VALUE_LIMIT) for name in sorted(entries)[:most]}
    if len(entries) > most:
        return short, [Cut(what, len(entries), most, _digest_of(sorted(entries.items())))]
    if short != entries:
        return short, [Cut(f"values of {what}", 1, 0, "")]
    return entries, []


def _champion(champion: Champion | None) -> Champion | None:
    if champion is None:
        return None
    metrics, _ = _first("metrics", champion.metrics, MOST_METRICS)
    params, _ = _mapping("params", champion.params, MOST_PARAMS)
    return replace(champion, metrics=metrics, params=params, signature=_signature(champion.signature))


def _signature(signature: str | None) -> str | None:
    """Still JSON, which is compared part by part."""
    if signature is None or len(signature) <= SIGNATURE_LIMIT:
        return signature
    return json.dumps({"inputs": f"too long: {_sha256(signature)}"})


def _short_data_set(found: DataSet) -> DataSet:
    name, digest, context = (_text(text, VALUE_LIMIT) for text in (found.name, found.digest, found.context))
    table = found.table
    if table is not None:
        table = replace(table, path=_text(table.path, VALUE_LIMIT), name=_text(table.name, VALUE_LIMIT))
    return replace(found, name=name, digest=digest, context=context, table=table)


def _text(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = f"… (cut; sha256 {_sha256(text)[:DIGEST_SHOWN]})"
    return text[: limit - len(end)] + end


def _digest_of(entries: Iterable[object]) -> str:
    return "sha256:" + _sha256(json.dumps(list(entries), default=str))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
