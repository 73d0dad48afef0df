"""How the sandbox refuses a call: an HTTP status with Jira's error body."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Refusal(Exception):
    """`messages` becomes `errorMessages`, `errors` maps field names to what is wrong with them."""

    status: int
    messages: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join([*self.messages, *(f"{name}: {what}" for name, what in self.errors.items())])


def bad_request(message: str) -> Refusal:
    return Refusal(400, (message,))


def bad_fields(errors: dict[str, str]) -> Refusal:
    return Refusal(400, errors=errors)


def no_such_issue() -> Refusal:
    return Refusal(404, ("Issue does not exist or you do not have permission to see it.",))
