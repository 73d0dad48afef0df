"""Effect: the history of one metric over the versions up to the candidate, in the card's thread.

It is the notifier's own chart, or a picture where the notifier takes no charts.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.domain.card.card import Card
from bot.domain.card.metric_history import (
    SHOWN_VERSIONS,
    MetricHistory,
    chart_of,
    history_of,
    in_words,
    plotted_metric,
)
from bot.domain.card.titles import short_version
from bot.domain.events import PlotUploaded
from bot.domain.model import Evidence, Metric, State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.references import Image, PostedCard
from bot.errors import ChartRefused, Permanent
from bot.language import _
from bot.reports.metric_plot import draw
from bot.services import Services
from bot.store.outbox import SentRows
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.grouped.places import is_kept_short
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_everyone

log = structlog.get_logger()
REQUESTS_READ = 4 * SHOWN_VERSIONS  # a version may have been asked for more than once
WITH_A_PLOT = (State.PENDING, State.APPROVED, State.APPLIED)


def show_plot(request_id: str, s: Services) -> None:
    """Replies under the card, once for each card. A picture is drawn and uploaded once for each request."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
        shown, refused = _keys(request)
        sent = SentRows(tx.connection).digests([shown, refused])
        is_short = is_kept_short(request, tx)
    if is_short or request.card is None or request.state not in WITH_A_PLOT or shown in sent:
        return
    with for_everyone(s):
        if request.plot is not None:
            _reply(request, _titled(request, request.plot.alt, image=request.plot), s)
        elif request.evidence is not None and rule is not None:
            history = _read_history(request, request.evidence, rule, s)
            if history is not None:
                _show(request, history, s, takes_charts=refused not in sent)


def _show(request: TransitionRequest, history: MetricHistory, s: Services, *, takes_charts: bool) -> None:
    """A workspace that refused a chart is asked again when its row has been pruned, after 90 days."""
    if takes_charts:
        try:
            _reply(request, replace(_titled(request, in_words(history)), chart=chart_of(history)), s)
        except ChartRefused as refusal:
            log.warning("chart_not_taken", request=request.id, why=str(refusal))
            with s.store.transaction() as tx:
                SentRows(tx.connection).put(_keys(request)[1], "", s.clock.now())
        else:
            return
    _upload(request, history, s)


def _upload(request: TransitionRequest, history: MetricHistory, s: Services) -> None:
    """Recorded first; what is recorded is shown."""
    try:
        plot = s.notifier.upload_image(draw(history), f"countersign-{request.short_id}.png", in_words(history))
    except Permanent as refusal:  # no card waits for its plot; the doctor reports a missing scope
        log.warning("plot_not_shown", request=request.id, why=str(refusal))
        return
    with s.store.transaction() as tx:
        if tx.requests.get(request.id, for_update=True).plot is None:
            tx.record([PlotUploaded(s.clock.now(), request.id, plot)])


def _reply(request: TransitionRequest, card: Card, s: Services) -> None:
    posted = card_in_place(request.id, s)
    if posted is not None:
        post_once(_keys(request, posted)[0], posted.channel, card, s, thread=posted.root)


def _keys(request: TransitionRequest, card: PostedCard | None = None) -> tuple[str, str]:
    """Of the reply, and of the fact that this workspace takes no charts."""
    posted = card or request.card
    message, team = (posted.message, posted.team) if posted else ("", "")
    return f"plot:{request.id}:{message}", f"charts-refused:{team}"


def _titled(request: TransitionRequest, words: str, image: Image | None = None) -> Card:
    title = _("History: {version}", version=short_version(request.version))
    return Card(title=title, summary=words, paragraphs=(words,), image=image)


def _read_history(request: TransitionRequest, evidence: Evidence, rule: Rule, s: Services) -> MetricHistory | None:
    """None, without asking the registry, when there is no figure to draw."""
    if plotted_metric(evidence, rule) is None:
        return None
    return history_of(request, evidence, rule, _read_earlier(request, s))


def _read_earlier(request: TransitionRequest, s: Services) -> dict[int, tuple[Metric, ...]]:
    """The figures of the newest versions before the candidate, whose own are frozen already.

    Those of a version that was asked for are frozen too, so that a long history costs no more calls than a short one.
    """
    registry = s.registry_at(request.version.workspace)
    model = registry.find_model(request.version.workspace, request.version.model)
    older = [seen.id for seen in model.versions if seen.id.version < request.version.version] if model else []
    shown = older[: SHOWN_VERSIONS - 1]
    with s.store.transaction() as tx:
        asked = tx.requests.before(request.version, REQUESTS_READ)
    frozen = {one.version: one.evidence.metrics for one in reversed(asked) if one.evidence is not None}
    return {one.version: frozen[one] if one in frozen else registry.read_metrics(one) for one in shown}
