"""Compares the evidence that people decided on with the evidence when the decision is applied.

The version's identity and the champion are compared elsewhere. Description, tags and addresses are ignored, because no decision depends on
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.domain.evidence.caps import capped
from bot.domain.model import DataSet, Evidence, Metric
from bot.language import recorded

MOST_SENTENCES = 6
BY_DIGEST = {
    "metrics": recorded("outcome", "the metrics that were too large for the record are others now"),
    "params": recorded("outcome", "the params that were too large for the record are others now"),
    "data sets": recorded("outcome", "the data sets that were too large for the record are others now"),
}
UNKNOWN = "unknown"
LONGEST_VALUE = 60  # characters


def changes(decided_on: Evidence, now: Evidence) -> tuple[str, ...]:
    """One sentence for each difference that a decision depends on; empty without any. After six, the number of the others."""
    decided_on = capped(decided_on)  # evidence of older releases was kept whole
    found = [
        *_artifacts(decided_on, now),
        *_signature(decided_on.signature, now.signature),
        *_metrics(decided_on.metrics, now.metrics),
        *_params(decided_on.params, now.params),
        *_data_sets(decided_on.datasets, now.datasets),
        *_cut(decided_on, now),
        *_lock(decided_on, now),
        *_commit(decided_on.commit or UNKNOWN, now.commit or UNKNOWN),
        *_run(decided_on.run_id or UNKNOWN, now.run_id or UNKNOWN),
        *_source(decided_on.source or UNKNOWN, now.source or UNKNOWN),
    ]
    more = len(found) - MOST_SENTENCES
    return (*found[:MOST_SENTENCES], recorded("outcome", "and {count} more", count=more)) if more > 0 else tuple(found)


def are_other_files(decided_on: Evidence, now: Evidence) -> bool:
    """Whether the files are others than were decided on, or may be: they could not be compared, or lead out of their folder now."""
    signature = capped(decided_on).signature
    found = [*_artifacts(decided_on, now), *_signature(signature, now.signature)]
    return bool(found) or decided_on.outside != now.outside


def _artifacts(before: Evidence, now: Evidence) -> Iterator[str]:
    if before.artifacts and now.artifacts:
        if before.artifacts.digest != now.artifacts.digest:
            yield recorded("outcome", "the artifacts are other bytes now")
    elif before.artifacts:
        yield recorded(
            "outcome",
            "the artifacts cannot be compared, because they were not read this time: {reason}",
            reason=now.artifacts_unread.rstrip("."),
        )
    elif now.artifacts:
        yield recorded("outcome", "the artifacts were not read when this was decided and can be read now")


def _signature(before: str | None, now: str | None) -> Iterator[str]:
    if before == now:
        return
    if now is None:
        yield recorded("outcome", "the model signature is gone")
    else:
        yield (
            recorded("outcome", "the model has a signature now")
            if before is None
            else recorded("outcome", "the model signature is another one now")
        )


def _cut(before: Evidence, now: Evidence) -> Iterator[str]:
    """What is compared by its digest alone, because it was too large for the record."""
    was, are = ({one.what: one.digest for one in seen.cut} for seen in (before, now))
    yield from (sentence for what, sentence in BY_DIGEST.items() if was.get(what) != are.get(what))


def _metrics(before: tuple[Metric, ...], now: tuple[Metric, ...]) -> Iterator[str]:
    for name in sorted({metric.name for metric in (*before, *now)}):
        yield from _figures_of(name, _by_source(name, before), _by_source(name, now))


def _by_source(name: str, metrics: tuple[Metric, ...]) -> dict[str, Metric]:
    return {metric.source: metric for metric in metrics if metric.name == name}


def _figures_of(name: str, before: dict[str, Metric], now: dict[str, Metric]) -> Iterator[str]:
    """A name has one metric, or one per data set. When both sides have exactly one, these are compared, from any source."""
    if len(before) == len(now) == 1:
        yield from _figure(name, *before.values(), *now.values())
        return
    for source in sorted({*before, *now}):
        called = f"{name} ({source})"
        if source not in now:
            yield recorded(
                "outcome", "{metric} was {before} and is gone", metric=called, before=_number(before[source].value)
            )
        elif source not in before:
            yield recorded("outcome", "{metric} was added: {after}", metric=called, after=_number(now[source].value))
        else:
            yield from _figure(called, before[source], now[source])


def _figure(called: str, before: Metric, now: Metric) -> Iterator[str]:
    """At most one sentence, about the most important difference."""
    was, is_now = _number(before.value), _number(now.value)
    if was != is_now:
        yield recorded("outcome", "{metric} was {before} and is {after} now", metric=called, before=was, after=is_now)
    elif _digest(before.measured_on) != _digest(now.measured_on):
        yield recorded(
            "outcome",
            "{metric} was measured on {before} and is measured on {after} now",
            metric=called,
            before=_named(before.measured_on),
            after=_named(now.measured_on),
        )
    elif before.source != now.source:
        yield recorded(
            "outcome",
            "{metric} was read from the {before} and is read from the {after} now",
            metric=called,
            before=before.source,
            after=now.source,
        )
    elif before.logged_at and now.logged_at and before.logged_at != now.logged_at:
        yield recorded("outcome", "{metric} was logged again", metric=called)


def _number(value: float) -> str:
    """All digits, so that different values print differently; NaN equals NaN."""
    return repr(value).removesuffix(".0")


def _digest(data_set: DataSet | None) -> tuple[str, str] | None:
    return (data_set.name, data_set.digest) if data_set else None


def _named(data_set: DataSet | None) -> str:
    if data_set is None:
        return recorded("outcome", "no known data set")
    if data_set.name and data_set.digest:
        return recorded("outcome", "data set {name} ({digest})", name=data_set.name, digest=data_set.digest)
    if data_set.name:
        return recorded("outcome", "data set {name} (no digest)", name=data_set.name)
    return recorded("outcome", "data set without a name ({digest})", digest=data_set.digest or "no digest")


def _params(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name not in now:
            yield recorded(
                "outcome", "parameter {name} was {before} and is gone", name=name, before=_short(before[name])
            )
        elif name not in before:
            yield recorded("outcome", "parameter {name} was added: {after}", name=name, after=_short(now[name]))
        elif before[name] != now[name]:
            yield recorded(
                "outcome",
                "parameter {name} was {before} and is {after} now",
                name=name,
                before=_short(before[name]),
                after=_short(now[name]),
            )


def _data_sets(before: tuple[DataSet, ...], now: tuple[DataSet, ...]) -> Iterator[str]:
    """A decision without a table, as older releases froze it, does not depend on one."""
    was, are = ({replace(one, table=None): one.table for one in seen} for seen in (before, now))
    for known, table in was.items():
        if known not in are:
            yield recorded("outcome", "{what} is no longer among the run's data sets", what=_used_for(known))
        elif table is not None and table != are[known]:
            now_from = are[known]
            yield recorded(
                "outcome",
                "{what} was read from {before} and is read from {after} now",
                what=_used_for(known),
                before=str(table),
                after=str(now_from) if now_from else recorded("outcome", "no table"),
            )
    for known in are:
        if known not in was:
            yield recorded("outcome", "{what} was added to the run's data sets", what=_used_for(known))


def _lock(before: Evidence, now: Evidence) -> Iterator[str]:
    """A decision without a lock, or without source data, does not depend on them."""
    if before.lock_sha256 and not now.lock_sha256:
        yield recorded("outcome", "the run keeps no dvc.lock any more that may be read")
    elif before.lock_sha256 and before.lock_sha256 != now.lock_sha256:
        yield recorded(
            "outcome",
            "dvc.lock had the sha256 {before} and has {after} now",
            before=before.lock_sha256[:12],
            after=now.lock_sha256[:12],
        )
    if before.data_md5 and before.data_md5 != now.data_md5:
        yield recorded("outcome", "the run names other source data now (tag data_md5)")


def _used_for(data_set: DataSet) -> str:
    named = _named(data_set)
    if not data_set.context:
        return named
    return recorded("outcome", "{what} for {context}", what=named, context=data_set.context)


def _commit(before: str, now: str) -> Iterator[str]:
    if before != now:
        yield recorded(
            "outcome", "the commit was {before} and is {after} now", before=_short(before), after=_short(now)
        )


def _run(before: str, now: str) -> Iterator[str]:
    if before != now:
        yield recorded("outcome", "the run was {before} and is {after} now", before=_short(before), after=_short(now))


def _source(before: str, now: str) -> Iterator[str]:
    if before != now:
        yield recorded(
            "outcome", "the source was {before} and is {after} now", before=_short(before), after=_short(now)
        )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
