"""References to a request's message, picture and ticket at the vendors, and a rule's ticket settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A picture uploaded to the notifier, by its id there; `alt` describes it."""

    file: str
    alt: str


@dataclass(frozen=True)
class PostedCard:
    """The request's message. Clicks are accepted only from this message."""

    team: str
    app: str
    channel: str
    message: str
    url: str


@dataclass(frozen=True)
class TicketPlan:
    """A rule's ticket settings. `approved` and `rejected` name a transition (id or name) or its target status."""

    project: str
    type: str
    approved: str
    rejected: str


@dataclass(frozen=True)
class TicketRef:
    id: str
    key: str
    url: str
