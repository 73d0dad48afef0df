"""What every event has: its moment and, when it is about a request, that request's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Event:
    at: datetime


@dataclass(frozen=True)
class RequestEvent(Event):
    request_id: str
