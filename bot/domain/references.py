"""Where a request is to be found outside: its message, its picture, its ticket, and what a rule says of tickets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A picture that the notifier keeps, by its id there; `alt` says what it shows."""

    file: str
    alt: str


@dataclass(frozen=True)
class PostedCard:
    """The message that stands for a request; a click must come from just there."""

    team: str
    app: str
    channel: str
    message: str
    url: str


@dataclass(frozen=True)
class TicketPlan:
    """What a rule says of tickets. `approved` and `rejected` name a transition (id or name) or the status it leads to."""

    project: str
    type: str
    approved: str
    rejected: str


@dataclass(frozen=True)
class TicketRef:
    id: str
    key: str
    url: str
