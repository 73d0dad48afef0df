"""Door: the pages from which a reader finds a decision: start, search, models, one model. They show and change nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot.domain.card.metrics_table import figure
from bot.domain.model import ENDED_UNDECIDED, EVER_APPROVED, State
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import Refused
from bot.language import N_, _
from bot.links import model_path
from bot.services import Services
from bot.store.web.search import ModelName
from handlers.doors.readers import Readers
from handlers.doors.sign_in import sign_in_address
from handlers.doors.web_frame import Frame
from handlers.queries.overview import all_models, search, start, versions_of
from handlers.queries.past_holders import PastHolders, held_at
from handlers.queries.request_rows import WAITING

HELD_SHOWN = 50
LARGEST_NUMBER = 2**31 - 1  # of versions, as PostgreSQL keeps them
STATES: dict[str, tuple[str, tuple[State, ...]]] = {
    "": (N_("any"), ()),
    "waiting": (N_("waits"), WAITING),
    "approved": (N_("approved"), EVER_APPROVED),
    "rejected": (N_("rejected"), (State.REJECTED,)),
    "undecided": (N_("ended without a decision"), ENDED_UNDECIDED),
}


def front_pages(s: Services, readers: Readers, frame: Frame) -> Blueprint:
    door = Blueprint("front_pages", __name__)

    @door.get("/")
    def first() -> ResponseReturnValue:
        reader = readers.current()
        if reader is None:
            off = s.sign_in.why_off
            return frame.show("welcome.html", None, off=off, linked=s.links.are_made, sign_in=sign_in_address("/"))
        return frame.show("start.html", reader, found=start(s, HELD_SHOWN))

    @door.get("/search")
    def find() -> ResponseReturnValue:
        reader = readers.reader()
        asked = {name: request.args.get(key, "").strip() for name, key in FIELDS.items()}
        if asked["state"] not in STATES:
            raise Refused(_("there is no outcome {asked}. Choose one from the form", asked=asked["state"][:40]))
        since, until = _day(asked["since"]), _day(asked["until"])
        found = search(asked["q"], since, until, STATES[asked["state"]][1], request.args.get("after", ""), s)
        more = _with(asked, after=found.after) if found.after else ""
        states = [(name, text) for name, (text, _states) in STATES.items()]
        return frame.show("search.html", reader, asked=asked, found=found, more=more, states=states)

    @door.get("/models")
    def models() -> ResponseReturnValue:
        reader = readers.reader()
        name = request.args.get("after", "")
        after = ModelName(request.args.get("workspace", DEFAULT), name) if name else None
        found, last = all_models(after, s)
        more = f"?{urlencode({'workspace': last.workspace, 'after': last.name})}" if last else ""
        return frame.show("models.html", reader, models=found, more=more)

    @door.get("/models/<name>", defaults={"registry": DEFAULT, "workspace": DEFAULT})
    @door.get("/workspaces/<registry>/<workspace>/models/<name>")
    def model(registry: str, workspace: str, name: str) -> ResponseReturnValue:
        reader = readers.reader()
        place, at = str(Workspace(registry, workspace)), request.args.get("at", "")
        found = versions_of(
            ModelName(place, name), request.args.get("metric", ""), _number(request.args.get("before", "")), s
        )
        past = _past(name, place, at, s)
        path = model_path(name, place)
        return frame.show("model.html", reader, found=found, past=past, at=at, figure=figure, path=path)

    frame.protect(door)
    return door


FIELDS = {"q": "q", "state": "state", "since": "from", "until": "to"}


def _with(asked: dict[str, str], **more: str) -> str:
    given = {FIELDS[name]: value for name, value in asked.items() if value}
    return f"?{urlencode({**given, **more})}"


def _past(model: str, workspace: str, at: str, s: Services) -> PastHolders | None:
    """At the end of that day; of today, now."""
    day = _day(at)
    if day is None:
        return None
    end = datetime.combine(day, time(), UTC) + timedelta(days=1)
    now = s.clock.now()
    return held_at(model, now if day == now.date() else end, s, workspace)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(_("{text} is no day. Write it as in 2026-11-30", text=text[:40])) from None
    if day is not None and not 1970 <= day.year <= 9000:
        raise Refused(_("{text} is too far away. Write a day as in 2026-11-30", text=text[:40]))
    return day


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(_('"{text}" is no number', text=text[:40]))
    return min(int(text), LARGEST_NUMBER)
