"""Effect: the picture on a card, the history of one metric over the versions up to the candidate."""

from __future__ import annotations

import structlog

from bot.domain.card.metric_history import SHOWN_VERSIONS, MetricHistory, history_of, in_words, plotted_metric
from bot.domain.events import PlotUploaded
from bot.domain.model import Evidence, Metric, State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.errors import Permanent
from bot.reports.metric_plot import draw
from bot.services import Services

log = structlog.get_logger()
WITH_A_PLOT = (State.PENDING, State.APPROVED, State.APPLIED)


def show_plot(request_id: str, s: Services) -> None:
    """Draws the plot once and uploads it; the card shows it from then on."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if request.state not in WITH_A_PLOT or request.plot is not None or request.evidence is None or rule is None:
        return
    history = _read_history(request, request.evidence, rule, s)
    if history is None:
        return
    try:
        plot = s.notifier.upload_image(draw(history), f"countersign-{request.short_id}.png", in_words(history))
    except Permanent as refusal:  # no card waits for its plot; the doctor reports a missing scope
        log.warning("plot_not_shown", request=request_id, why=str(refusal))
        return

    with s.store.transaction() as tx:
        if tx.requests.get(request_id, for_update=True).plot is None:
            tx.record([PlotUploaded(s.clock.now(), request_id, plot)])


def _read_history(request: TransitionRequest, evidence: Evidence, rule: Rule, s: Services) -> MetricHistory | None:
    """None, without asking the registry, when there is no figure to draw."""
    if plotted_metric(evidence, rule) is None:
        return None
    return history_of(request, evidence, rule, _read_earlier(request, s))


def _read_earlier(request: TransitionRequest, s: Services) -> dict[int, tuple[Metric, ...]]:
    """The figures of the newest versions before the candidate, whose own are frozen already."""
    model = s.registry_at(request.version.workspace).find_model(request.version.workspace, request.version.model)
    older = [seen.id for seen in model.versions if seen.id.version < request.version.version] if model else []
    return {
        version.version: s.registry_at(version.workspace).read_metrics(version)
        for version in older[: SHOWN_VERSIONS - 1]
    }
