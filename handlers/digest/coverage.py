"""What a digest covers: the watched registries, what could not be seen or done, the rules, and earlier digests' sign-offs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest import findings
from bot.domain.digest.control import (
    EARLIER_LISTED,
    GAPS_LISTED,
    NAMES_LISTED,
    Control,
    Earlier,
    Gap,
    Watched,
    rules_of_the_week,
)
from bot.domain.digest.figures import Finding, Holding, Listed, Transition
from bot.domain.digest.periods import Period
from bot.domain.policy.rules import Policy
from bot.domain.workspaces import in_workspace
from bot.language import _
from bot.store.digest_figures import DigestFigures
from bot.store.digests import DigestRows
from bot.store.ledger import read_event
from bot.store.people import PeopleRows
from bot.store.registry import RegistryRows
from handlers.digest.counting import Policies

DISTRIBUTION = "mlflow-countersign"
BEGINS = (e.RegistryDoubted, e.ModelUnreadable)
ENDS = (e.RegistryTrusted, e.ModelReadable)


def control_of(
    period: Period, until: datetime, figures: DigestFigures, policies: Policies, policy: Policy | None
) -> Control:
    """`until` is earlier than the end of a week that is looked at while it runs. The registry is as it was last seen."""
    gaps = list(_gaps(period, until, figures))
    return replace(
        control_of_policies(policies, period),
        places=tuple(_watched(policy, figures)) if policy else (),
        gaps=tuple(gaps[:GAPS_LISTED]),
        gaps_total=len(gaps),
        earlier=tuple(_earlier(period, policy, figures)),
    )


def control_of_policies(policies: Policies, period: Period) -> Control:
    """What is known without the ledger."""
    policy = policies.in_force()
    return Control(
        release=version(DISTRIBUTION),
        rules=rules_of_the_week(policies.newest_first(), period.starts),
        sign_off=(policy.digest.sign_off or "") if policy and policy.digest else "",
    )


def not_signed_off(control: Control, policy: Policy | None, period: Period, now: datetime) -> Listed[Finding]:
    """Earlier digests whose sign-off is overdue, by what the policy in force says."""
    plan = policy.digest if policy else None
    if plan is None or plan.sign_off is None:
        return Listed((), 0)
    late = [one for one in control.earlier if one.signed is None and now - one.closed_at > plan.sign_off_within]
    found = tuple(findings.not_signed_off(one.week, one.closed_at, plan.sign_off, period) for one in late)
    return Listed(found, len(found))


def addresses(
    holdings: Sequence[Holding], transitions: Sequence[Transition], connection: sa.Connection
) -> Mapping[str, str]:
    """The e-mail addresses of the people who appear in the lists, by their ids."""
    people = {*_of_holdings(holdings), *_of_transitions(transitions)}
    return PeopleRows(connection).emails(sorted(people))


def _of_holdings(holdings: Iterable[Holding]) -> Iterator[str]:
    for one in holdings:
        yield from filter(None, (*one.by, one.author, one.restored_by))


def _of_transitions(transitions: Iterable[Transition]) -> Iterator[str]:
    for one in transitions:
        yield from filter(None, (*one.by, *(one.earlier.by if one.earlier else ()), one.author, one.requester))


def _watched(policy: Policy, figures: DigestFigures) -> Iterator[Watched]:
    registry, since = RegistryRows(figures.connection), figures.baselines_at()
    for place in policy.places:
        models = registry.models(place)
        ruled = [model.name for model in models if policy.rules_for(place, model.name)]
        targets = sum(len(policy.rules_for(place, name)) for name in ruled)
        swept = registry.last_sweeps([place])
        yield Watched(
            place,
            len(models),
            len(ruled),
            targets,
            tuple(sorted(ruled)[:NAMES_LISTED]),
            since.get(place),
            min(swept.values(), default=None),
        )


def _gaps(period: Period, until: datetime, figures: DigestFigures) -> Iterator[Gap]:
    """Those of the week, also when they began before it or have not ended."""
    kinds = [kind.__name__ for kind in (*BEGINS, *ENDS, e.DatabaseRestored, e.PolicyRefused)]
    lasting: dict[tuple[str, str], Gap] = {}
    found: list[Gap] = []
    for told in figures.ever(kinds, until):
        event = read_event(told.kind, told.body)
        if isinstance(event, e.DatabaseRestored):
            found.append(
                Gap(event.made_at, event.at, _("the database is a backup: what happened in this time is not on record"))
            )
        elif isinstance(event, e.PolicyRefused):
            found.append(
                Gap(event.at, event.at, _("a policy with mistakes was refused, and the one before stayed in force"))
            )
        elif isinstance(event, BEGINS):
            lasting.setdefault(_about(event), Gap(event.at, None, _sentence(event)))
        elif isinstance(event, ENDS) and _about(event) in lasting:
            begun = lasting.pop(_about(event))
            found.append(Gap(begun.at, event.at, begun.sentence))
    gaps = sorted((*found, *lasting.values()), key=lambda gap: gap.at)
    yield from (gap for gap in gaps if gap.at < until and (gap.until is None or gap.until >= period.starts))


def _about(event: e.RegistryEvent) -> tuple[str, str]:
    return event.workspace, getattr(event, "model", "")


def _sentence(event: e.RegistryDoubted | e.ModelUnreadable) -> str:
    if isinstance(event, e.RegistryDoubted):
        return _(
            "the registry{where} was not believed, and nothing was moved there: {why}",
            where=in_workspace(event.workspace) or " (default)",
            why=event.reason.rstrip("."),
        )
    model = f"{event.model}{in_workspace(event.workspace)}"
    return _("{model} could not be read: {why}", model=model, why=event.reason.rstrip("."))


def _earlier(period: Period, policy: Policy | None, figures: DigestFigures) -> Iterator[Earlier]:
    """Nothing without a group in the policy in force, and nothing about digests of a time without one."""
    if policy is None or policy.digest is None or policy.digest.sign_off is None:
        return
    rows = DigestRows(figures.connection)
    signed = {(one.week, one.digest): one for one in rows.sign_offs()}
    for week, closed_at, digest, plan in rows.before(period.week, EARLIER_LISTED):
        if plan.sign_off is not None:
            yield Earlier(week, closed_at, signed.get((week, digest)))
