"""Door: one page for each model version, for readers with a signed link to it. It shows and changes nothing.

What it shows is gathered in `handlers.queries.describe`; its template is in `bot/pages`. Every text may come from outside, so all of it
is escaped, and the browser may run no script and fetch nothing but our own style sheet.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

import bot
from bot.domain.card.card import Link
from bot.domain.card.metric_history import MetricHistory, in_words
from bot.domain.card.metrics_table import figure
from bot.domain.evidence.pipeline_graph import Graph, graph_of
from bot.domain.ledger.chain import as_plain
from bot.domain.queries import description_text as words
from bot.domain.queries.description import Description
from bot.domain.queries.history import HistoryEntry, history_about
from bot.domain.text import format_utc
from bot.domain.workspaces import DEFAULT, Workspace, in_workspace, option_for
from bot.errors import OutsideError, Refused, Rejected
from bot.links import Links, path_of
from bot.reports.metric_plot import draw
from bot.services import Services
from handlers.doors.errors import answer_for_people, as_sentence
from handlers.queries.describe import describe
from handlers.queries.history import history_of

log = structlog.get_logger()

PAGES = Path(bot.__file__).with_name("pages")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address is the key to the page
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
}
NOT_FOUND, UNREACHED = 404, 503


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


def pages(s: Services, links: Links) -> Blueprint:
    door = Blueprint("pages", __name__, template_folder=str(PAGES))

    @door.get("/models/<name>/<int:version>", defaults={"registry": DEFAULT, "workspace": DEFAULT})
    @door.get("/workspaces/<registry>/<workspace>/models/<name>/<int:version>")
    def version_page(registry: str, workspace: str, name: str, version: int) -> ResponseReturnValue:
        place = str(Workspace(registry, workspace))
        links.check(path_of(name, version, place), _given("expires"), _given("signature"), s.clock.now())
        found = describe(f"models:/{name}/{version}{in_workspace(place)}", s, reads_files=False)
        if request.args.get("as") == "json":
            return {"description": as_plain(found)}
        return render_template(
            "version.html", shown=_shown(found, s), words=words, moment=format_utc, figure=figure, web=web
        )

    @door.get("/pages/version.css")
    def style() -> Response:
        return Response((PAGES / "version.css").read_text(), content_type="text/css; charset=utf-8")

    @door.errorhandler(Rejected)
    def without_a_link(refusal: Rejected) -> ResponseReturnValue:
        log.warning("page_refused", reason=refusal.reason)
        return render_template("refused.html", title="No page without its link", why=str(refusal)), refusal.status

    @door.errorhandler(Refused)
    def unknown(refusal: Refused) -> ResponseReturnValue:
        return render_template("refused.html", title="Nothing to show", why=as_sentence(str(refusal))), NOT_FOUND

    @door.errorhandler(OutsideError)
    def unreached(trouble: OutsideError) -> ResponseReturnValue:
        return _trouble(f"{as_sentence(str(trouble))} Try again in a few minutes.", UNREACHED)

    answer_for_people(door, _trouble)

    @door.after_request
    def protected(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return door


def _trouble(why: str, status: int) -> ResponseReturnValue:
    log.warning("page_not_shown", why=why)
    return render_template("refused.html", title="This page cannot be shown now", why=why), status


def web(text: str, url: str | None) -> Link | None:
    """What came from outside becomes a link only when it leads to the web."""
    return Link(text, url) if url and url.startswith(("https://", "http://")) else None


def _shown(found: Description, s: Services) -> Shown:
    query = request.query_string.decode("ascii", "replace")
    happened = history_of(found.version.model, None, s, found.version.workspace)
    return Shown(
        found=found,
        happened=history_about(found.version, happened),
        graph=graph_of(found.pipeline.edges),
        plot=_plot_of(found.history) if found.history else None,
        json_url=f"?{query}&as=json",
        place=in_workspace(found.version.workspace),
        option=option_for(found.version.workspace),
    )


@lru_cache(maxsize=64)
def _plot_of(history: MetricHistory) -> Plot:
    return Plot(f"data:image/png;base64,{b64encode(draw(history)).decode()}", in_words(history))


def _given(name: str) -> str:
    return request.args.get(name, "")
