"""The digest's queries. The database counts, because a week may have a hundred thousand entries and an answer has a few rows.

Times are those in the entries, and they decide which week an entry belongs to. The ledger's bodies are canonical JSON: a value is written
in one way only, keys are sorted, and quotes within texts are escaped. So a search for `"by":"rule"` is exact without parsing. Parsing would
cost more than the counting, and fail on a NUL in a text. `handlers.digest.gathering` uses the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest.periods import Period
from bot.domain.model import OPEN, State
from bot.domain.registry.holders import KINDS
from bot.store.tables import OF_REQUEST as OF_ANY_BODY

ENDINGS: Mapping[str, State] = {
    e.TargetMoved.__name__: State.APPLIED,
    e.RequestRejected.__name__: State.REJECTED,
    e.RequestExpired.__name__: State.EXPIRED,
    e.RequestWithdrawn.__name__: State.WITHDRAWN,
    e.RequestSuperseded.__name__: State.SUPERSEDED,
    e.ApprovalStale.__name__: State.STALE,
    e.ApprovalCalledOff.__name__: State.CALLED_OFF,
}
# These end a request after its decision.
OF_THE_APPROVED = (e.TargetMoved.__name__, e.ApprovalStale.__name__, e.ApprovalCalledOff.__name__)
NO_LONGER_WAITS = [e.RequestApproved.__name__, *(kind for kind in ENDINGS if kind not in OF_THE_APPROVED)]
OF_DIGESTS = tuple(kind.__name__ for kind in (e.DigestClosed, e.DigestDelivered, e.DigestSignedOff, e.DigestsLeftOut))
A_FETCH = 500  # rows

IN_THE_WEEK = "at >= :starts and at < :ends"
BY_PEOPLE = """
    (kind = 'RequestApproved' and strpos(body, '"by":"fast_track"') = 0 and strpos(body, '"by":"rule"') = 0
     or kind = 'RequestRejected' and strpos(body, '"person":"policy"') = 0)
"""
REQUEST_ID = """split_part(split_part(ledger.body, '"request_id":"', 2), '"', 1)"""
OF_REQUEST = OF_ANY_BODY.replace("(body)", "(ledger.body)")  # as in the ledger's indexes
RULE_HASH = """split_part(split_part(ledger.body, '"rule_hash":"', 2), '"', 1)"""
DECISIONS = f"""
    select {RULE_HASH} as rule_hash, ledger.at - requests.opened_at as took
    from ledger join requests on requests.id = {REQUEST_ID}
    where ledger.at >= :starts and ledger.at < :ends and {BY_PEOPLE.replace("body", "ledger.body").replace("kind", "ledger.kind")}
"""
# There are few, so they are found among the requests, and their entries by an index.
OPENINGS_OF_ROLLBACKS = f"""
    requests join ledger opening on ({OF_ANY_BODY.replace("(body)", "(opening.body)")}) = requests.id
    where requests.kind = 'rollback' and requests.opened_at >= :starts and requests.opened_at < :ends
    and opening.kind = 'RequestOpened' and opening.at >= :starts and opening.at < :ends
"""
FIGURES = """
    count(*) as decided,
    percentile_cont(0.5) within group (order by took) as median,
    percentile_cont(0.95) within group (order by took) as p95
"""
PASSES = """strpos(body, '"checks":[{') > 0 and strpos(body, '"passed"\\:false') = 0"""


# The name of the registered model whose target moved, as in the JSON body.
MODEL_OF_MOVE = """
    case kind
        when 'TargetMoved' then case when strpos(body, '"target":{"kind":"model"') > 0
            then split_part(split_part(body, '"target":{"kind":"model","name":', 2), '},"version":', 1)
            else split_part(split_part(split_part(body, '"version":{', 2), '"model":', 2), ',"version":', 1) end
        when 'TargetPutBack' then split_part(split_part(body, '"model":', 2), ',"version":', 1)
        when 'MoveObserved' then split_part(split_part(body, '"model":', 2), ',"previous":', 1)
        when 'HolderLeft' then split_part(split_part(body, '"model":', 2), ',"seq":', 1)
        when 'MoveReverted' then split_part(split_part(body, '"model":', 2), ',"seq":', 1)
    end
"""


@dataclass(frozen=True)
class KindCounts:
    """The number of entries of each kind in the week, and the numbers of its first and last entry."""

    counts: Mapping[str, int]
    first: int
    last: int

    @property
    def news(self) -> int:
        """The number of entries, without those about digests."""
        return sum(times for kind, times in self.counts.items() if kind not in OF_DIGESTS)

    def of(self, *kinds: str) -> int:
        return sum(self.counts.get(kind, 0) for kind in kinds)


@dataclass(frozen=True)
class Decided:
    """The time from request to decision by people; None without such decisions."""

    decided: int
    median: timedelta | None
    p95: timedelta | None


@dataclass(frozen=True)
class Told:
    """A ledger entry. `request` is the body of its request's row, if it has one."""

    seq: int
    at: datetime
    kind: str
    body: str
    request: str | None = None


class DigestFigures:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    # The week's entries

    def kinds(self, period: Period) -> KindCounts:
        query = f"select kind, count(*) as times, min(seq) as first, max(seq) as last from ledger where {IN_THE_WEEK} group by kind"
        rows = self._rows(query, period)
        first, last = min((row.first for row in rows), default=0), max((row.last for row in rows), default=0)
        return KindCounts({row.kind: row.times for row in rows}, first, last)

    def began_at(self) -> datetime | None:
        """The time of the first ledger entry; None without entries."""
        found: datetime | None = self.connection.execute(sa.text("select at from ledger where seq = 1")).scalar()
        return found

    def count_at(self, moment: datetime) -> int:
        """The number of entries at that time."""
        query = "select coalesce(max(seq), 0) from ledger where at < :moment"
        return int(self.connection.execute(sa.text(query), {"moment": moment}).scalar_one())

    def told(self, period: Period, kinds: Sequence[str], limit: int) -> list[Told]:
        """The first entries of these kinds, each with its request's row."""
        query = f"""
            select entry.*, requests.body as request
            from (select seq, at, kind, body from ledger where {IN_THE_WEEK} and kind = any(:kinds) order by seq limit :limit) entry
            left join requests on requests.id = {REQUEST_ID.replace("ledger.", "entry.")}
            order by entry.seq
        """
        return [_entry_of(row) for row in self._rows(query, period, kinds=list(kinds), limit=limit)]

    # Decisions and the fast track

    def latency(self, period: Period) -> Mapping[str, Decided]:
        """By the hash of the rule in force at the decision; the empty hash has all rules together."""
        query = f"""
            select grouping(rule_hash) as overall, rule_hash, {FIGURES} from ({DECISIONS}) decisions
            group by grouping sets ((), (rule_hash)) order by 1 desc, 2
        """
        rows = self._rows(query, period)
        return {"" if row.overall else row.rule_hash: Decided(row.decided, row.median, row.p95) for row in rows}

    def latency_under(self, hashes: Sequence[str], period: Period) -> Decided:
        """For several hashes together, such as those of one rule that changed in the week."""
        query = f"select {FIGURES} from ({DECISIONS}) decisions where rule_hash = any(:hashes)"
        [row] = self._rows(query, period, hashes=list(hashes))
        return Decided(row.decided, row.median, row.p95)

    def decided(self, period: Period) -> Decided:
        """All rules together."""
        [row] = self._rows(f"select {FIGURES} from ({DECISIONS}) decisions", period)
        return Decided(row.decided, row.median, row.p95)

    def judged(self, period: Period) -> Mapping[str, tuple[int, int]]:
        """By the rule's label: the number that passed, and the number that was held."""
        query = f"""
            select split_part(split_part(body, '"rule":', 2), ',"rule_hash":', 1) as rule,
                count(*) filter (where {PASSES}) as passed, count(*) filter (where not ({PASSES})) as held
            from ledger where {IN_THE_WEEK} and kind = 'FastTrackJudged' group by 1
        """
        return {json.loads(row.rule): (row.passed, row.held) for row in self._rows(query, period)}

    def compared(self, period: Period) -> Mapping[str, Mapping[str, int]]:
        """By the rule's label: the count of each outcome when the fast track is compared with people."""
        query = f"""
            select split_part(split_part(body, '"rule":', 2), ',"seq":', 1) as rule,
                split_part(split_part(body, '"outcome":"', 2), '"', 1) as outcome, count(*) as times
            from ledger where {IN_THE_WEEK} and kind = 'FastTrackCompared' group by 1, 2
        """
        found: dict[str, dict[str, int]] = {}
        for row in self._rows(query, period):
            found.setdefault(json.loads(row.rule), {})[row.outcome] = row.times
        return found

    def undone(self, period: Period) -> Mapping[str, int]:
        """The number of fast-track decisions that someone started to take back, by Undo or by a rollback, by the hash of their rule."""
        query = f"""
            select {RULE_HASH} as rule_hash, count(*) as times
            from (
                select split_part(split_part(opening.body, '"follows":"', 2), '"', 1) as follows from {OPENINGS_OF_ROLLBACKS}
            ) undo join ledger on ({OF_REQUEST}) = undo.follows
            where ledger.kind = 'RequestApproved' and strpos(ledger.body, '"by":"fast_track"') > 0 group by 1
        """
        return {row.rule_hash: row.times for row in self._rows(query, period)}

    def rollbacks_asked_by(self, period: Period, people: Sequence[str], limit: int) -> tuple[list[Told], int]:
        """The first rollbacks that these people asked for, by their ids, and the number of all."""
        query = f"""
            select opening.seq, opening.at, opening.kind, opening.body, requests.body as request, count(*) over () as total
            from {OPENINGS_OF_ROLLBACKS}
            and strpos(opening.body, '"kind":"reopened"') = 0
            and split_part(split_part(opening.body, '"requester":"', 2), '"', 1) = any(:people)
            order by opening.seq limit :limit
        """
        rows = self._rows(query, period, people=list(people), limit=limit)
        return [_entry_of(row) for row in rows], rows[0].total if rows else 0

    def rollbacks_applied(self, period: Period, limit: int) -> tuple[list[Told], int]:
        """The first rollbacks that moved a target in the week, each with its request's row, and the number of all."""
        query = f"""
            select ledger.seq, ledger.at, ledger.kind, ledger.body, requests.body as request, count(*) over () as total
            from requests join ledger on ({OF_REQUEST}) = requests.id
            where ledger.at >= :starts and ledger.at < :ends and ledger.kind = 'TargetMoved'
            and requests.kind = 'rollback' and requests.opened_at < :ends
            order by ledger.seq limit :limit
        """
        rows = self._rows(query, period, limit=limit)
        return [_entry_of(row) for row in rows], rows[0].total if rows else 0

    def frozen_trend(self, weeks: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The last trend value in each of these weeks' digests, so that they need not be counted again."""
        query = """
            select week, split_part(split_part(figures, '"trend":[', 2), ']', 1) as trend from digests where week = any(:weeks)
        """
        rows = self.connection.execute(sa.text(query), {"weeks": list(weeks)})
        return {row.week: json.loads(f"[{row.trend}]")[-1] for row in rows if row.trend}

    # Requests

    def waiting(self, period: Period) -> Iterator[str]:
        """The rows of requests that were undecided when the week ended, oldest first; streamed."""
        query = sa.text(
            f"""
            select body from requests
            where opened_at < :ends and (state = any(:open) or id in (
                select {REQUEST_ID} from ledger where at >= :ends and kind = any(:kinds)))
            order by opened_at, id
            """
        )
        values = {"ends": period.ends, "open": [str(state) for state in OPEN], "kinds": NO_LONGER_WAITS}
        with self.connection.execute(query.execution_options(yield_per=A_FETCH), values) as rows:
            yield from rows.scalars()

    def requests(self, ids: Sequence[str]) -> Iterator[str]:
        query = sa.text("select body from requests where id = any(:ids)")
        yield from self.connection.execute(query, {"ids": list(ids)}).scalars()

    def observed(self, moments: Sequence[datetime]) -> Iterator[str]:
        """The requests opened by moves that were observed at these times."""
        query = sa.text("select body from requests where kind = 'observed' and opened_at = any(:moments)")
        yield from self.connection.execute(query, {"moments": list(moments)}).scalars()

    def about(self, workspace: str, model: str, version: int, target: str) -> Iterator[str]:
        """Every request for this transition, oldest first."""
        query = """
            select body from requests
            where workspace = :workspace and model = :model and version = :version and target = :target
            order by opened_at
        """
        values = {"workspace": workspace, "model": model, "version": version, "target": target}
        yield from self.connection.execute(sa.text(query), values).scalars()

    # Moves

    def moves_since(self, moment: datetime) -> Iterator[Told]:
        """Oldest first; streamed, because a week that is closed late may be followed by months of moves."""
        return self._moves("at >= :moment", moment=moment)

    def renames(self) -> Iterator[Told]:
        return self._moves("kind = 'ModelRenamed'")

    def moves_about(self, models: Iterable[str]) -> Iterator[Told]:
        """All recorded moves of these registered models, and every rename and deletion, oldest first; streamed."""
        about = f"(kind in ('ModelRenamed', 'ModelGone') or {MODEL_OF_MOVE} in (select unnest(cast(:names as text[]))))"
        return self._moves(about, names=[json.dumps(name, ensure_ascii=False) for name in models])

    def _moves(self, condition: str, **values: object) -> Iterator[Told]:
        query = sa.text(
            f"select seq, at, kind, body, null as request from ledger where kind = any(:kinds) and {condition} order by seq"
        )
        bound = {"kinds": [kind.__name__ for kind in KINDS], **values}
        with self.connection.execute(query.execution_options(yield_per=A_FETCH), bound) as rows:
            for row in rows:
                yield _entry_of(row)

    def baselines_at(self) -> dict[str, datetime]:
        """When each workspace's first baseline was taken. What it found has been there for an unknown time."""
        query = (
            "select distinct on (body::jsonb ->> 'workspace') body::jsonb ->> 'workspace', at from ledger "
            "where kind = 'BaselineTaken' order by body::jsonb ->> 'workspace', seq"
        )
        return {str(workspace): at for workspace, at in self.connection.execute(sa.text(query))}

    # Policies, and earlier digests

    def policy_texts(self, until: datetime) -> Iterator[tuple[datetime, str]]:
        """The policies that came into force before then, newest first, each with that time."""
        query = sa.text("select activated_at, text from policies where activated_at < :until order by id desc")
        for row in self.connection.execute(query, {"until": until}):
            yield row.activated_at, row.text

    def ever(self, kinds: Sequence[str], until: datetime) -> list[Told]:
        """All entries of these kinds before then. For kinds of which there are few."""
        query = sa.text(
            "select seq, at, kind, body, null as request from ledger where kind = any(:kinds) and at < :until order by seq"
        )
        return [_entry_of(row) for row in self.connection.execute(query, {"kinds": list(kinds), "until": until})]

    def left_out(self, period: Period) -> list[Told]:
        """The entries about weeks without a digest since the previous digest was closed."""
        query = """
            select seq, at, kind, body, null as request from ledger
            where kind = 'DigestsLeftOut'
            and at >= coalesce((select max(closed_at) from digests where week < :week), :ends)
            order by seq
        """
        return [_entry_of(row) for row in self._rows(query, period, week=period.week)]

    def _rows(self, query: str, period: Period, **values: object) -> Sequence[sa.Row[Any]]:
        bound = {"starts": period.starts, "ends": period.ends, **values}
        return self.connection.execute(sa.text(query), bound).all()


def _entry_of(row: sa.Row[Any]) -> Told:
    return Told(row.seq, row.at, row.kind, row.body, row.request)
