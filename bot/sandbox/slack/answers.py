"""A bot's answer to something that the sandbox sent, over HTTP or a socket."""

from __future__ import annotations

from dataclasses import dataclass, field

from .wire import Json

NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    """`status` is the HTTP status, or NO_ANSWER; `trouble` is the sentence that Slack shows to the person, empty on success."""

    status: int
    body: Json = field(default_factory=dict)
    trouble: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def timed_out(seconds: float) -> Answer:
    return Answer(NO_ANSWER, trouble=f"Operation timed out. Apps need to respond within {seconds:g} seconds.")


def refused(status: int, body: Json, headers: dict[str, str]) -> Answer:
    return Answer(status, body, f"This app responded with status {status}.", headers)


def not_reached() -> Answer:
    return Answer(NO_ANSWER, trouble="This app could not be reached.")


def not_configured() -> Answer:
    return Answer(NO_ANSWER, trouble="This app is not configured to handle interactive responses.")
