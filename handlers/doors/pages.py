"""Door: one page for each model version, for readers who have signed in or have a signed link to it. It shows and changes nothing.

What it shows is gathered in `handlers.queries.describe`; its template is in `bot/pages`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from bot.domain.card.metric_history import MetricHistory, in_words
from bot.domain.card.metrics_table import figure
from bot.domain.evidence.pipeline_graph import Graph, graph_of
from bot.domain.ledger.chain import as_plain
from bot.domain.queries import description_text as words
from bot.domain.queries.description import Description
from bot.domain.queries.history import HistoryEntry
from bot.domain.workspaces import DEFAULT, Workspace, in_workspace, option_for
from bot.errors import Rejected
from bot.language import ENGLISH, now_reading
from bot.language.catalogues import in_language
from bot.links import Links, model_path, path_of
from bot.reports.metric_plot import draw
from bot.services import Services
from handlers.doors.readers import Reader, Readers
from handlers.doors.web_frame import PAGES, Frame
from handlers.queries.describe import describe
from handlers.queries.history import history_of_version


@dataclass(frozen=True)
class Plot:
    """A metric over the versions, as a `data:` address for the browser and in words for who cannot see it."""

    address: str
    in_words: str


@dataclass(frozen=True)
class Shown:
    """What the page is made of. `json_url` has the same signature as the page itself."""

    found: Description
    happened: Sequence[HistoryEntry]
    graph: Graph | None
    plot: Plot | None
    json_url: str
    place: str = ""
    option: str = ""
    model_url: str = ""


def pages(s: Services, links: Links) -> Blueprint:
    door = Blueprint("pages", __name__, template_folder=str(PAGES))
    readers = Readers(s)
    frame = Frame(s, readers)

    @door.get("/models/<name>/<int:version>", defaults={"registry": DEFAULT, "workspace": DEFAULT})
    @door.get("/workspaces/<registry>/<workspace>/models/<name>/<int:version>")
    def version_page(registry: str, workspace: str, name: str, version: int) -> ResponseReturnValue:
        place = str(Workspace(registry, workspace))
        reader = _admitted(path_of(name, version, place))
        uri = f"models:/{name}/{version}{in_workspace(place)}"
        if request.args.get("as") == "json":  # for programs
            with in_language(ENGLISH):
                return {"description": as_plain(describe(uri, s, reads_files=False))}
        found = describe(uri, s, reads_files=False)
        return frame.show("version.html", reader, shown=_shown(found, s), words=words, figure=figure)

    @door.get("/pages/version.css")
    def style() -> Response:
        return Response((PAGES / "version.css").read_text(), content_type="text/css; charset=utf-8")

    def _admitted(path: str) -> Reader | None:
        """A reader, or None for the holder of a link. Raises Rejected: a link that does not open is no matter for who has signed in."""
        if not _given("signature"):
            reader = readers.current()
            if reader is None:
                links.check(path, "", "", s.clock.now())
            return reader
        try:
            links.check(path, _given("expires"), _given("signature"), s.clock.now())
        except Rejected:
            reader = readers.if_any()
            if reader is None:
                raise
            return reader
        return readers.if_any()

    frame.protect(door)
    return door


def _shown(found: Description, s: Services) -> Shown:
    query = request.query_string.decode("ascii", "replace")
    return Shown(
        found=found,
        happened=history_of_version(found.version, s),
        graph=graph_of(found.pipeline.edges),
        plot=_plot_of(found.history, now_reading()) if found.history else None,
        json_url=f"?{query}&as=json" if query else "?as=json",
        place=in_workspace(found.version.workspace),
        option=option_for(found.version.workspace),
        model_url=model_path(found.version.model, found.version.workspace),
    )


@lru_cache(maxsize=64)
def _plot_of(history: MetricHistory, _language: str) -> Plot:
    return Plot(f"data:image/png;base64,{b64encode(draw(history)).decode()}", in_words(history))


def _given(name: str) -> str:
    return request.args.get(name, "")
