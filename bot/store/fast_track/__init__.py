"""How the fast track has done by the ledger, counted by the database: rule by rule, and where it and people agree.

Bodies are canonical JSON, in which a value is written in one way only, so it is looked for as text: parsing a body costs more than all the
counting. The kinds are written out: with bound values PostgreSQL would not use the index `fast_track_entries`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import rfc8785
import sqlalchemy as sa

from bot.domain.request.evolution import BY_RULE
from bot.domain.request.fast_track import Agreement
from bot.store.tables import OF_REQUEST

REQUEST_ID = """split_part(split_part(body, '"request_id":"', 2), '"', 1)"""
# Without a person's say: an older entry does not say who decided, and then it was people.
DECIDED_BY = f"""
    case when kind = 'RequestApproved' then coalesce(nullif(split_part(split_part(body, '"by":"', 2), '"', 1), ''), 'people')
        when strpos(body, '"person":"{BY_RULE}"') > 0 then 'rule' else 'people' end
"""
SWITCHED = """
    select seq, strpos(body, '"on"\\:true') > 0 as is_on from ledger where kind = 'FastTrackSwitched' order by seq
"""
TALLIES = f"""
with judged as materialized (
    select seq, {REQUEST_ID} as request_id,
        split_part(split_part(body, '"rule":', 2), ',"rule_hash":', 1) as rule,
        strpos(body, '"checks":[{{') > 0 and strpos(body, '"passed"\\:false') = 0 as passes,
        strpos(body, '"held_back":"') > 0 and strpos(body, '"held_back":""') = 0 as is_held_back
    from ledger where kind = 'FastTrackJudged' and at >= :since
),
decided as (
    select distinct on (decision.seq) decision.*, judged.rule
    from (
        select seq, at, {REQUEST_ID} as request_id, {DECIDED_BY} as decided_by
        from ledger where kind in ('RequestApproved', 'RequestRejected') and at >= :since
    ) decision
    join judged on judged.request_id = decision.request_id and judged.seq < decision.seq
    where decision.decided_by in ('people', 'fast_track')
    order by decision.seq, judged.seq desc
),
taken as materialized (
    select decided.*, decided.at - requests.opened_at as took
    from decided left join requests on requests.id = decided.request_id and requests.opened_at >= :since
),
undone as (
    select taken.rule, count(*) as undone
    from requests undo
    join ledger on ({OF_REQUEST.replace("(body)", "(ledger.body)")}) = undo.id and ledger.kind = 'RequestOpened'
    join taken on taken.request_id = split_part(split_part(ledger.body, '"follows":"', 2), '"', 1) and taken.seq < ledger.seq
    where undo.kind = 'rollback' and undo.opened_at >= :since and taken.decided_by = 'fast_track'
    group by taken.rule
)
select judged.rule, judged.judged, judged.passed, judged.sampled, coalesce(undone.undone, 0) as undone,
    coalesce(decided.without_people, 0) as without_people, decided.with_people, decided.alone
from (
    select rule, count(*) as judged, count(*) filter (where passes) as passed,
        count(*) filter (where is_held_back and not exists (
            select from unnest(cast(:off_from as bigint[]), cast(:off_until as bigint[])) as pause (since, until)
            where judged.seq between pause.since and pause.until
        )) as sampled
    from judged group by rule
) judged
left join (
    select rule, count(*) filter (where decided_by = 'fast_track') as without_people,
        percentile_cont(0.5) within group (order by took) filter (where decided_by = 'people') as with_people,
        percentile_cont(0.5) within group (order by took) filter (where decided_by = 'fast_track') as alone
    from taken group by rule
) decided on decided.rule = judged.rule
left join undone on undone.rule = judged.rule
"""
COMPARED = """
    select split_part(split_part(body, '"rule":', 2), ',"seq":', 1) as rule,
        split_part(split_part(body, '"outcome":"', 2), '"', 1) as outcome, count(*) as times
    from ledger where kind = 'FastTrackCompared' and at >= :since group by 1, 2
"""
UNDER_RULE = """
    select split_part(split_part(body, '"outcome":"', 2), '"', 1) as outcome, count(*) as times
    from ledger where kind = 'FastTrackCompared' and at >= :since and strpos(body, :rule) > 0 group by 1
"""
ALWAYS = 2**63 - 1  # above every number of an entry


@dataclass(frozen=True)
class Tally:
    """What came of one rule's judgements. `sampled` were sent to people while the fast track was switched on.

    The medians run from asking to the decision, and leave out what was asked for before the time that is looked at.
    """

    judged: int = 0
    passed: int = 0
    sampled: int = 0
    undone: int = 0
    without_people: int = 0
    with_people: timedelta | None = None
    alone: timedelta | None = None


class FastTrackRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def tallies(self, since: datetime) -> Mapping[str, Tally]:
        """By the rule's label. A decision counts for the rule of the request's last judgement before it."""
        off = self._switched_off()
        values = {"since": since, "off_from": [one for one, _ in off], "off_until": [until for _, until in off]}
        rows = self._connection.execute(sa.text(TALLIES), values)
        return {json.loads(rule): Tally(*figures) for rule, *figures in rows}

    def agreements(self, since: datetime) -> Mapping[str, Agreement]:
        """By the label of each rule under which the fast track was compared with people."""
        found: dict[str, dict[str, int]] = {}
        for row in self._connection.execute(sa.text(COMPARED), {"since": since}):
            found.setdefault(json.loads(row.rule), {})[row.outcome] = row.times
        return {rule: Agreement.of(outcomes) for rule, outcomes in found.items()}

    def agreement(self, rule: str, since: datetime) -> Agreement:
        """Under the rule with this label."""
        values = {"since": since, "rule": f'"rule":{rfc8785.dumps(rule).decode()},"seq":'}
        return Agreement.of({row.outcome: row.times for row in self._connection.execute(sa.text(UNDER_RULE), values)})

    def _switched_off(self) -> list[tuple[int, int]]:
        """From which entry to which the kill switch was off: it is on until somebody first uses it."""
        found: list[tuple[int, int]] = []
        since: int | None = None
        for row in self._connection.execute(sa.text(SWITCHED)):
            if not row.is_on and since is None:
                since = row.seq
            elif row.is_on and since is not None:
                found.append((since, row.seq))
                since = None
        return found if since is None else [*found, (since, ALWAYS)]
