"""Who may post next in a channel, over all workers: one message in each `spacing` seconds, the most urgent first.

Among equally urgent ones the people on whose behalf they are posted take turns: in each round one message of each. A message that has to
wait keeps its place in the queue by its key, and its job goes back to its lane until it is its turn. A job that is late, as after a crash,
does not hold up those behind it. Nor does a time that is further ahead than can be: the database's clock was set back since.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.engine.patience import LONGEST_WAIT
from bot.engine.rows import metadata

LATE = 3.0  # seconds after which one that has not come back for its turn is passed over
LONGEST = 60.0  # seconds, or half of the wait if that is longer: those before it may have been withdrawn meanwhile
AHEAD = 60.0  # seconds that a turn or an answer may be ahead; a fast clock noted what is further, which counts as now
EARLY = 1.2  # seconds; a worker finds a job that became due within a second, so it comes back before its turn and waits for the rest
UNANSWERED = 10.0  # seconds after which a message that was sent holds up the next one no longer: its worker has died
ASK_AGAIN = 0.05  # seconds until the next look whether the one before is answered
OWN_WORK = 0.75  # of the shortest time that an answer took
UNSURE = 0.02  # seconds that are left out of it: so much may another answer's own work be shorter
ENOUGH = 10  # answers, until the shortest is one that came without delay: the first has to connect

# When each channel is free for the next message, in seconds since the epoch, and who waits for a turn in it.
paces = sa.Table(
    "paces",
    metadata,
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("free_at", sa.Float, nullable=False),
    sa.Column("leads_to", sa.Text),  # a name, such as "#ml", leads to the channel's id
    sa.Column("round", sa.BigInteger, nullable=False, server_default="0"),  # of the last message that had to wait
    sa.Column("left_at", sa.Float, nullable=False, server_default="0"),  # see `leave`
)
waiting_posts = sa.Table(
    "waiting_posts",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),
    sa.Column("back_at", sa.Float, nullable=False),
    sa.Column("asker", sa.Text, nullable=False, server_default=""),
    sa.Column("round", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("waiting_posts_by_place", "place", sa.text("urgency desc"), "round", "id"),
    sa.Index("waiting_posts_by_asker", "place", "asker", "urgency", "round"),
)


@dataclass(frozen=True)
class Departure:
    """When it `is_granted`, the caller sends its message in `seconds`; otherwise it asks again then.

    `left_at` is how `PaceRows.arrive` knows it again; None where the channel is forgotten, as nothing was posted there for an hour.
    """

    seconds: float
    is_granted: bool
    left_at: float | None = None


@dataclass(frozen=True)
class PostTurn:
    """When it `is_granted`, the caller may post in `seconds`; otherwise it asks again then."""

    seconds: float
    is_granted: bool


AT_ONCE = PostTurn(0.0, is_granted=True)


class PaceRows:
    """Times are the database's, so that the workers' clocks need not agree."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def take(self, place: str, key: str, urgency: int, spacing: float, patience: float, *, asker: str = "") -> PostTurn:
        """Asks for the next turn in `place`; the caller can wait for `patience` seconds. Locks the place until the transaction ends.

        `asker` is on whose behalf it is posted; messages on nobody's behalf share a turn.
        """
        place, now, free_at = self._lock(place)
        row = _Waiting(key, place, urgency, asker)
        number, turn = self._turn_of(row)
        before = self._before(row, number, turn, now)
        free_at = max(now, free_at) if free_at <= now + AHEAD else now
        wait = free_at - now + before * spacing
        if before == 0 and wait <= patience:
            self._grant(row, turn if number is not None else None, free_at + spacing)
            return PostTurn(wait, is_granted=True)
        again = min(max(wait - EARLY, spacing / 2), max(LONGEST, wait / 2), LONGEST_WAIT)
        self._queue(row, turn, now + again)
        return PostTurn(again, is_granted=False)

    def leave(self, place: str, spacing: float) -> Departure:
        """When a message whose turn has come may be sent, which is then noted.

        The other side counts messages when they arrive, so the one before has to be answered first. The row's `left_at` is when it
        arrived by its answer, and until then in the future. The turns after this one are put off by as much as it is late.
        """
        rows, here = paces.c, _queue_of(place)
        now = _seconds(sa.func.clock_timestamp())
        is_past, is_too_far = rows.left_at <= now, rows.left_at > now + AHEAD
        leaves_at = sa.case((is_too_far, now), else_=sa.func.greatest(now, rows.left_at + spacing))
        # Another message may give the place its other name meanwhile; then this one asks again, and finds the queue that both lead to.
        left = sa.update(paces).where(rows.place == here, rows.leads_to.is_(None), sa.or_(is_past, is_too_far))
        left = left.values(left_at=leaves_at + UNANSWERED, free_at=sa.func.greatest(rows.free_at, leaves_at + spacing))
        noted = self.connection.execute(left.returning(rows.left_at, rows.left_at - UNANSWERED - now)).first()
        if noted is not None:
            left_at, seconds = noted
            return Departure(max(0.0, seconds), is_granted=True, left_at=left_at)
        is_known = self.connection.execute(sa.select(sa.exists().where(rows.place == here))).scalar()
        return Departure(ASK_AGAIN, is_granted=False) if is_known else Departure(0.0, is_granted=True)

    def arrive(self, place: str, departure: Departure, ago: float = 0.0) -> None:
        """The message was answered, or refused: it arrived `ago` seconds ago, from when the next one keeps its distance.

        When another has left meanwhile, as after UNANSWERED seconds, the next one keeps its distance from that one.
        """
        rows = paces.c
        answered = sa.update(paces).where(rows.place == _queue_of(place), rows.left_at == departure.left_at)
        self.connection.execute(answered.values(left_at=_seconds(sa.func.clock_timestamp()) - ago))

    def name(self, name: str, place: str) -> None:
        """Both lead to one queue from now on: cards go to the channel's name in the policy, replies to its id."""
        if self.connection.execute(sa.select(_queue_of(name))).scalar() == place:
            return
        known = self.connection.execute(
            sa.select(paces.c.free_at, paces.c.left_at).where(paces.c.place == name).with_for_update()
        ).first()
        free_at, left_at = known or (0.0, 0.0)
        row = insert(paces).values(place=place, free_at=free_at, left_at=left_at)
        later = {one: sa.func.greatest(paces.c[one], row.excluded[one]) for one in ("free_at", "left_at")}
        self.connection.execute(row.on_conflict_do_update(index_elements=["place"], set_=later))
        leads = insert(paces).values(place=name, free_at=0.0, leads_to=place)
        self.connection.execute(leads.on_conflict_do_update(index_elements=["place"], set_={"leads_to": place}))

    def prune(self) -> None:
        """Forgets the places of jobs that were parked or dropped, and channels in which nothing was posted for an hour."""
        now, back_at = _seconds(sa.func.clock_timestamp()), waiting_posts.c.back_at
        long_ago, too_far = now - 3_600, now + 3_600
        quiet = sa.and_(paces.c.free_at < long_ago, paces.c.leads_to.is_(None))
        self.connection.execute(sa.delete(paces).where(quiet))  # first, as `take` locks first
        self.connection.execute(sa.delete(waiting_posts).where(sa.or_(back_at < long_ago, back_at > too_far)))

    def _lock(self, place: str) -> tuple[str, float, float]:
        """The queue that the place leads to, the database's time once it is locked, and when it is free, in seconds."""
        row = insert(paces).values(place=_queue_of(place), free_at=0.0)
        row = row.on_conflict_do_update(index_elements=["place"], set_={"place": row.excluded.place})
        now = _seconds(sa.func.clock_timestamp())
        queue, at, free_at = self.connection.execute(row.returning(paces.c.place, now, paces.c.free_at)).one()
        return queue, at, free_at

    def _turn_of(self, row: _Waiting) -> tuple[int | None, int]:
        """Its number in the queue, None when it is new there, and its round, which it keeps: one after the asker's message before it."""
        rows = waiting_posts.c
        mine = sa.and_(rows.key == row.key, rows.place == row.place, rows.urgency == row.urgency)
        waits = self.connection.execute(sa.select(rows.id, rows.round).where(mine)).first()
        if waits is not None:
            return waits.id, waits.round
        own = sa.and_(
            rows.place == row.place, rows.asker == row.asker, rows.urgency == row.urgency, rows.key != row.key
        )
        last = sa.select(sa.func.max(rows.round) + 1).where(own).scalar_subquery()
        now = sa.select(paces.c.round).where(paces.c.place == row.place).scalar_subquery()
        return None, int(self.connection.execute(sa.select(sa.func.greatest(last, now))).scalar_one())

    def _before(self, row: _Waiting, number: int | None, turn: int, now: float) -> int:
        """How many have their turn before this one: the more urgent, then those of earlier rounds, then those that asked first."""
        rows = waiting_posts.c
        asked_first = sa.true() if number is None else rows.id < number
        in_round = sa.or_(rows.round < turn, sa.and_(rows.round == turn, asked_first))
        first = sa.or_(rows.urgency > row.urgency, sa.and_(rows.urgency == row.urgency, in_round))
        comes_back = rows.back_at.between(now - LATE, now + LONGEST_WAIT)
        waits = sa.and_(rows.place == row.place, rows.key != row.key, comes_back)
        return int(self.connection.execute(sa.select(sa.func.count()).where(waits, first)).scalar_one())

    def _grant(self, row: _Waiting, turn: int | None, free_at: float) -> None:
        freed = sa.update(paces).where(paces.c.place == row.place).values(free_at=free_at)
        if turn is not None:
            freed = freed.values(round=sa.func.greatest(paces.c.round, turn))
        self.connection.execute(freed)
        self.connection.execute(sa.delete(waiting_posts).where(waiting_posts.c.key == row.key))

    def _queue(self, row: _Waiting, turn: int, back_at: float) -> None:
        values = {**asdict(row), "round": turn, "back_at": back_at}
        put = insert(waiting_posts).values(values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["key"], set_=values))


class AnswerTimes:
    """How long the other side takes at least to answer a message, as this process has seen it.

    Most of that is its own work after it has counted the message. What an answer takes beyond it may have been lost on the way there.
    """

    def __init__(self) -> None:
        self._shortest = inf
        self._seen = 0

    def arrived_ago(self, seconds: float) -> float:
        """When a message arrived at the latest that was answered after so many seconds, in seconds before its answer; 0 at first."""
        self._shortest = min(self._shortest, seconds)
        self._seen += 1
        return max(0.0, OWN_WORK * self._shortest - UNSURE) if self._seen >= ENOUGH else 0.0


@dataclass(frozen=True)
class _Waiting:
    key: str
    place: str
    urgency: int
    asker: str


def _queue_of(place: str) -> sa.ColumnElement[str]:
    """What the place's name leads to; the place itself when it leads nowhere."""
    named = paces.alias("named")
    return sa.func.coalesce(sa.select(named.c.leads_to).where(named.c.place == place).scalar_subquery(), place)


def _seconds(moment: sa.ColumnElement[object]) -> sa.ColumnElement[float]:
    return sa.cast(sa.extract("epoch", moment), sa.Float)
