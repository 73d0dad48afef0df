"""Takes a ticket through its workflow, one transition after another. Which one is next is decided in `transitions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bot.clients.jira.calls import JiraCalls, JsonObject, object_in, objects_in, post, put
from bot.clients.jira.fields import same, screen_field
from bot.clients.jira.transitions import Here, Transition, called, next_step
from bot.domain.references import TicketMove, TicketRef
from bot.errors import Permanent

if TYPE_CHECKING:
    from jira import JIRA


PROPERTY = "countersign"  # on an issue: the intended transition and its target status; on a comment: its key
STEPS = 12  # at most, so that a workflow that leads round in a circle ends


@dataclass(frozen=True)
class Noted:
    """An earlier move took the transition `asked` (an id or a name) to this status."""

    asked: str
    status: str


@dataclass(frozen=True)
class Seen:
    """`listed` are the transitions as Jira lists them with the ticket, which leaves out what their screens ask for. `plain` are the ids
    of those that have no screen.
    """

    status: str
    category: str
    project: str
    type_id: str
    noted: Noted
    listed: tuple[Transition, ...] = ()
    plain: frozenset[str] = frozenset()


def move_ticket(calls: JiraCalls, ref: TicketRef, to: TicketMove) -> None:
    """Reads where the ticket is before each step, so that a repeat goes on from there, and takes no step that is taken."""
    past: list[str] = []
    for _ in range(STEPS):
        seen = calls.read(f"reading {ref.key}", lambda client: _read(client, ref.id))
        if same(seen.status, to.to) or seen.noted == Noted(to.to, seen.status):
            return
        if _step(calls, ref, to, seen, past):
            return
        past.append(seen.status)
    raise Permanent(
        f'{ref.key} took {STEPS} steps ({" > ".join(past)}) and is still not at "{to.to}". Write the steps as `path:` in the rule\'s '
        "ticket section, or move the ticket by hand. Then replay the job."
    )


def _step(calls: JiraCalls, ref: TicketRef, to: TicketMove, seen: Seen, past: list[str]) -> bool:
    """Whether it was the last one."""
    transitions = _transitions(calls, ref, to, seen)
    is_near = to.path or any(transition.answers(to.to) for transition in transitions)
    known = (
        () if is_near else calls.read(f"reading the statuses of {seen.project}", lambda client: _known(client, seen))
    )
    here = Here(ref.key, seen.status, seen.category, tuple(past), known)
    step = next_step(transitions, to, here, cloud=calls.cloud())
    taken = step.transition
    if same(taken.status, seen.status):
        return True
    if step.is_last and not same(taken.status, to.to):
        note = Noted(to.to, taken.status)
        calls.write(
            f"noting where {ref.key} goes",
            lambda client: put(client, f"issue/{ref.id}/properties/{PROPERTY}", asdict(note)),
        )
    body = {"transition": {"id": taken.id}, "fields": step.fields}
    calls.write(f'moving {ref.key} by "{taken.name}"', lambda client: post(client, f"issue/{ref.id}/transitions", body))
    return step.is_last


def _transitions(calls: JiraCalls, ref: TicketRef, to: TicketMove, seen: Seen) -> Sequence[Transition]:
    """With their screens, unless the ones that are asked for have none."""
    asked = called(seen.listed, to.to)
    if asked and seen.plain.issuperset(transition.id for transition in asked):
        return seen.listed
    return calls.read(f"reading the transitions of {ref.key}", lambda client: _with_screens(client, ref.id))


def _read(client: JIRA, issue_id: str) -> Seen:
    params = {"fields": "status,project,issuetype", "properties": PROPERTY, "expand": "transitions"}
    issue = client._get_json(f"issue/{issue_id}", params=params)
    fields, note = object_in(issue, "fields"), object_in(object_in(issue, "properties"), PROPERTY)
    status, transitions = object_in(fields, "status"), objects_in(issue, "transitions")
    return Seen(
        str(status["name"]),
        str(object_in(status, "statusCategory").get("key", "")),
        str(object_in(fields, "project").get("key", "")),
        str(object_in(fields, "issuetype").get("id", "")),
        Noted(str(note.get("asked", "")), str(note.get("status", ""))),
        tuple(map(_as_transition, transitions)),
        frozenset(str(shown["id"]) for shown in transitions if shown.get("hasScreen") is False),
    )


def _with_screens(client: JIRA, issue_id: str) -> list[Transition]:
    return [_as_transition(shown) for shown in client.transitions(issue_id, expand="transitions.fields")]


def _known(client: JIRA, seen: Seen) -> tuple[str, ...]:
    """The statuses in the workflow of the ticket's type."""
    answer = {"types": client._get_json(f"project/{seen.project}/statuses")}
    of_type = (type_ for type_ in objects_in(answer, "types") if str(type_.get("id")) == seen.type_id)
    return tuple(str(status["name"]) for type_ in of_type for status in objects_in(type_, "statuses"))


def _as_transition(shown: Mapping[str, object]) -> Transition:
    target: JsonObject = object_in(shown, "to")
    fields = object_in(shown, "fields")
    return Transition(
        str(shown["id"]),
        str(shown["name"]),
        str(target["name"]),
        tuple(screen_field(id_, object_in(fields, id_)) for id_ in fields),
        str(object_in(target, "statusCategory").get("key", "")),
    )
