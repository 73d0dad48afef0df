"""What is known of a model or a version: who holds what, its status, its origin and its history."""

from __future__ import annotations

import re

from bot.domain.card.card import Card, Fact, Link, Table
from bot.domain.card.metrics_table import figure
from bot.domain.card.sentences import title_of
from bot.domain.evidence.lineage import failed
from bot.domain.model import State, TransitionRequest
from bot.domain.queries.description import Description
from bot.domain.queries.description_text import artifacts_text, decision_text, held_text, loss_text
from bot.domain.text import target_label, version_name
from bot.domain.workspaces import in_workspace
from bot.errors import Refused
from bot.language import _, moment, ngettext, sentences
from bot.services import Services
from bot.store.registry import Placement
from handlers.doors.commands.asked import (
    SHOWN,
    Asked,
    check_is_member,
    check_may_read,
    listing,
    named_model,
    nothing_after,
    said,
    version_in,
)
from handlers.doors.readers import link_for_reader
from handlers.queries.describe import describe as described
from handlers.queries.history import history_of

METRICS_SHOWN = 10
REQUESTS_SHOWN = 5
STATUS, DESCRIBE, HISTORY = (
    "/countersign status NAME [VERSION]",
    "/countersign describe NAME VERSION",
    "/countersign history NAME",
)
PAGE = re.compile(r"(?P<model>.+?)\s+v?(?P<version>[0-9]{1,9})(?:\s+in\s+(?P<place>\S+))?")


def targets(asked: Asked, s: Services) -> Card:
    nothing_after(asked)
    check_is_member(asked, s)
    with s.store.transaction() as tx:
        policy = tx.policy()
        everything = tx.registry.placements()
    placements = [h for h in everything if policy.rule_for(h.version.workspace, h.version.model, h.target)]
    text = _("Targets that the policy speaks of and that are held: {count}.", count=len(placements))
    unruled = len(everything) - len(placements)
    if unruled:
        others = _("Targets that no rule speaks of: {count}; countersign list shows them.", count=unruled)
        text = sentences(text, others)
    return listing(_("Who holds what"), text, [_placed(held) for held in placements[:SHOWN]], len(placements))


def _placed(held: Placement) -> Fact:
    model = f"{held.version.model}{in_workspace(held.version.workspace)}"
    label = _("{target} of {model}", target=str(held.target), model=model)
    version = f"v{held.version.version}"
    if held.request_id:
        return Fact(label, _("{version} since {since}", version=version, since=held.since))
    return Fact(label, _("{version} since {since}, without an approval", version=version, since=held.since))


def status(asked: Asked, s: Services) -> Card:
    """Of a model or of one version: what it holds, and its requests that are not over."""
    check_is_member(asked, s)
    with s.store.transaction() as tx:
        named = named_model(asked.rest, STATUS, tx)
        number = version_in(named.rest, STATUS)[0] if named.rest else None
        places = tx.registry.placements(named.place, named.model)
        found = tx.requests.find(workspace=named.place, model=named.model, number=number)
    held = [one for one in places if number in (None, one.version.version)]
    going = [one for one in found if one.state.is_open or one.state is State.APPROVED]
    newest = found[-1:] if number is not None and not going else []
    facts = [*(_placed(one) for one in held), *(_request(one) for one in (*going, *newest))]
    model = f"{named.model}{f' v{number}' if number is not None else ''}{in_workspace(named.place)}"
    if not facts:
        text = _("{model} holds no target, and nothing waits for it.", model=model)
        return said(_("Status"), text)
    text = _("{model}: {held} held, {going} under way.", model=model, held=len(held), going=len(going))
    return listing(_("Status"), text, facts)


def _request(request: TransitionRequest) -> Fact:
    text = _("{title}, opened {when}", title=title_of(request), when=request.opened_at)
    label = f"{version_name(request.version)} → {target_label(request)}"
    return Fact(label, Link(text, request.card.url) if request.card else text)


def describe(asked: Asked, s: Services) -> Card:
    """The most important of `countersign describe`; the page has all of it."""
    check_may_read(asked, s)
    with s.store.transaction() as tx:
        named = named_model(asked.rest, DESCRIBE, tx)
    number, more = version_in(named.rest, DESCRIBE)
    if more:
        raise Refused(_('nothing can stand after the version. Say it like this: "{usage}"', usage=DESCRIBE))
    found = described(f"models:/{named.model}/{number}{in_workspace(named.place)}", s, reads_files=False)
    metrics = found.evidence.metrics if found.evidence else ()
    left = len(metrics) - METRICS_SHOWN
    rows = tuple((one.name, str(figure(one.value))) for one in metrics[:METRICS_SHOWN])
    table = Table(_("Metrics"), (_("Metric"), _("Value")), rows)
    notes = (
        [ngettext("{count} more metric is not shown.", "{count} more metrics are not shown.", left)] if left > 0 else []
    )
    hidden = len(found.requests) - REQUESTS_SHOWN
    if hidden > 0:
        notes.append(ngettext("{count} older request is not shown.", "{count} older requests are not shown.", hidden))
    title = str(found.version)
    return Card(title, title, tuple(_facts(found)), (table,) if rows else (), tuple(notes))


def _facts(found: Description) -> list[Fact]:
    facts = [Fact(_("Created"), moment(found.version.created))]
    if not found.is_registered:
        facts.append(Fact(_("In the registry"), _("no longer, or it does not answer")))
    facts += [Fact(_("Holds"), f"{one.target}: {held_text(one)}") for one in found.holds]
    if not found.holds:
        facts.append(Fact(_("Holds"), _("no target now")))
    evidence = found.evidence
    if evidence is not None:
        facts += [
            Fact(_("Trained by"), evidence.author or _("unknown")),
            Fact(_("Commit"), evidence.commit or _("none")),
            Fact(_("Files"), artifacts_text(evidence.artifacts, evidence.artifacts_unread)),
        ]
        missing = ", ".join(check.code for check in failed(evidence))
        facts += [Fact(_("Lineage checks that fail"), missing)] if missing else []
    facts += [Fact(_("Gone") if one.is_gone else _("Not looked at"), loss_text(one)) for one in found.losses]
    for one in found.requests[:REQUESTS_SHOWN]:
        text = f"{decision_text(one)} · {one.id[:8]}"
        facts.append(Fact(str(one.target), Link(text, one.card_url) if one.card_url else text))
    return facts


def history(asked: Asked, s: Services) -> Card:
    """The newest first."""
    check_may_read(asked, s)
    with s.store.transaction() as tx:
        named = named_model(asked.rest, HISTORY, tx)
    if named.rest:
        raise Refused(_('nothing can stand after the name. Say it like this: "{usage}"', usage=HISTORY))
    entries = history_of(named.model, None, s, named.place)
    facts = []
    for one in reversed(entries[-SHOWN:]):
        version = f"v{one.version.version}" if one.version else "–"
        parts = (moment(one.at), one.what, one.who, one.why)
        facts.append(Fact(f"{version} → {one.target}", " · ".join(str(part) for part in parts if part)))
    model = f"{named.model}{in_workspace(named.place)}"
    if not facts:
        return said(_("History"), _("Nothing has happened to the targets of {model}.", model=model))
    text = _("What happened to the targets of {model}, the newest first.", model=model)
    return listing(_("History"), text, facts, len(entries))


def page(asked: Asked, s: Services) -> Card:
    named = PAGE.fullmatch(asked.rest)
    if named is None:
        raise Refused(
            _('say "/countersign page NAME VERSION", or "/countersign page NAME VERSION in REGISTRY/WORKSPACE"')
        )
    link = link_for_reader(asked.account, named["model"], int(named["version"]), named["place"] or "", s)
    text = _("This link opens the page for 90 days, for everyone who has it.")
    fact = Fact(f"{named['model']} v{named['version']}", Link(_("Open the page"), link))
    return Card(_("The page"), text, (fact,), paragraphs=(text,))
