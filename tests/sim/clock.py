"""The clock of a simulation: it only moves when the simulation moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


class SimClock:
    """A `bot.ports.Clock`."""

    def __init__(self) -> None:
        self._now = MONDAY

    def now(self) -> datetime:
        return self._now

    def pass_by(self, time: timedelta) -> None:
        assert time >= timedelta(0), "time does not go back"
        self._now += time

    @property
    def told(self) -> str:
        """For the trace: day and time since the beginning."""
        return f"day {(self._now - MONDAY).days} {self._now:%H:%M:%S}"
