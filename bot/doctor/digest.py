"""Checks of the weekly digest: whether one is planned, its report can be made, and it reaches the plan's receivers.

Its channel and its project are checked in `slack` and `jira`, beside those of the rules.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.clients.mail import SmtpMailer
from bot.doctor.findings import Findings, World, failure, fine
from bot.domain.digest.figures import WeekOfTrend, blank
from bot.domain.digest.periods import period_at
from bot.domain.digest.sample import sample
from bot.domain.policy.rules import DigestPlan
from bot.reports.html import html_of
from bot.reports.pdf import pdf_of
from handlers.digest.schedule import due_at


def digest_is_planned(world: World) -> Findings:
    plan = world.policy.digest
    if plan is None:
        yield fine("digest", "not planned: the policy has no `digest:`, so compliance is told nothing by itself")
        return
    week = period_at(datetime.now(UTC), plan.timezone)
    due = due_at(plan, week).astimezone(ZoneInfo(plan.timezone))
    yield fine("digest", f"of {week.week} on {due:%Y-%m-%d at %H:%M} ({plan.timezone}), to {_receivers(plan)}")


def report_can_be_made(world: World) -> Findings:
    """Makes reports of a full week, a quiet one, and one without figures. Raises Permanent, which names the template's file and line."""
    if world.policy.digest is None:
        return
    now, templates = datetime.now(UTC), world.settings.templates
    period = period_at(now, world.policy.digest.timezone)
    quiet = replace(blank(period, now), trend=(WeekOfTrend(period.week, 0, None, None, 0),))
    for digest in (sample(period, now), quiet, blank(period, now)):
        html_of(digest, templates)
        pdf_of(digest, templates)
    yield fine("digest report", f"page and PDF can be made, with {templates or 'the templates of Countersign'}")


def mail_server_takes_us(world: World) -> Findings:
    plan = world.policy.digest
    if plan is None or not plan.email:
        return
    mailer = SmtpMailer(world.settings.smtp_url.get_secret_value())
    yield fine("digest mail", f"{mailer.greet()}; none was sent")


def digests_are_delivered(world: World) -> Findings:
    with world.services.store.transaction() as tx:
        undelivered = tx.digests.undelivered()
    for digest in undelivered:
        yield failure(
            "digest", f"not delivered: {digest}", "look for it in `countersign jobs list`, fix the cause and replay it"
        )


def _receivers(plan: DigestPlan) -> str:
    ticket = f"a ticket in {plan.ticket[0]}" if plan.ticket else ""
    email = ", ".join(plan.email)
    return ", ".join(filter(None, (plan.channel, ticket, email)))
