"""Checks of what it takes to decide in Jira: the statuses that a move leads to, who the people are there, and approvals."""

from __future__ import annotations

from bot.clients.jira.checkup import ProjectSeen
from bot.clients.jira.fields import same
from bot.doctor.findings import Finding, Findings, World, failure, fine, warning
from bot.domain.policy.rules import Rule
from bot.domain.references import TicketPlan
from bot.errors import Permanent

WHAT = "jira decisions"
BROWSE = "let an administrator give the account the global permission Browse users and groups"


def people_can_decide(world: World) -> Findings:
    rules = [rule for rule in world.policy.rules if rule.ticket is not None and rule.ticket.decides]
    if not rules:
        return
    for plan in dict.fromkeys(rule.ticket for rule in rules if rule.ticket is not None):
        yield from _statuses(plan, world)
    if not world.jira.may_browse_people():
        yield failure(WHAT, "the account may not look up who moved a ticket", BROWSE)
        return
    yield _addresses(rules, world)


def _statuses(plan: TicketPlan, world: World) -> Findings:
    """The history of a ticket names statuses and no transitions."""
    try:
        project = world.jira.project(plan.project)
    except Permanent:
        return  # `jira projects` says so
    if plan.type in project.issue_types:
        known = world.jira.statuses(project, plan.type)
        for answer, wanted in (("approve", plan.decide_approve), ("reject", plan.decide_reject)):
            yield _status(answer, wanted, known, plan)
    if plan.approvals:
        yield _approvals(project)


def _status(answer: str, wanted: str, known: tuple[str, ...], plan: TicketPlan) -> Finding:
    what = f"{WHAT}, to {answer}"
    if any(same(status, wanted) for status in known):
        return fine(what, f'people move {plan.type} in {plan.project} to "{wanted}"')
    return failure(
        what,
        f'"{wanted}" is no status of {plan.type} in {plan.project}, which are: {", ".join(known) or "none"}',
        f"name one of these under `decide: {{{answer}: ...}}` in the policy's ticket section: a ticket's history names statuses only",
    )


def _approvals(project: ProjectSeen) -> Finding:
    what = f"{WHAT}, approvals"
    if project.service_desk:
        return fine(what, f"{project.key} is a service desk")
    return failure(
        what,
        f"{project.key} is no service desk of Jira Service Management, so its tickets have no approvals",
        "remove `approvals: true` from the policy's ticket section, or name another project",
    )


def _bound(asked: list[str], world: World) -> Finding:
    """On Data Center an address says nothing: anyone can write any into their own profile."""
    with world.services.store.transaction() as tx:
        people = {email: tx.people.find(email) for email in asked}
        unbound = [email for email, one in people.items() if not (one and tx.ticket_accounts.account_of(one.id))]
    if not unbound:
        return fine(f"{WHAT}, people", f"the accounts of {len(asked)} of the policy's people are bound")
    return warning(
        f"{WHAT}, people",
        f"no account in Jira is bound to {', '.join(unbound)}, so they cannot decide there: on Data Center anyone can write any address "
        "into their own profile",
        "an administrator binds each of them: `countersign people bind EMAIL ACCOUNT --in-tickets`, where ACCOUNT is the user's key",
    )


def _addresses(rules: list[Rule], world: World) -> Finding:
    """Of the people whom the policy lists. Who is in a group of Slack is looked up there, and their addresses are not known here."""
    groups = {group.name: group for rule in rules for group in world.policy.groups_of(rule)}
    listed = [email for group in groups.values() for email in group.people]
    asked = list(dict.fromkeys(listed or [entry.email for entry in world.policy.people]))
    if world.jira.deployment() != "Cloud":
        return _bound(asked, world)
    hidden = [email for email in asked if not world.jira.shows_address(email)]
    if not hidden:
        looked_up = f"all {len(asked)} people" if len(asked) > 1 else "the one person"
        return fine(f"{WHAT}, people", f"Jira shows the e-mail addresses of {looked_up} looked up")
    return warning(
        f"{WHAT}, people",
        f"no account shows the address of {', '.join(hidden)}, so they cannot decide in Jira",
        "each of them shows it to anyone (Profile and visibility, Contact, Email address), or an administrator binds the account: "
        "`countersign people bind EMAIL ACCOUNT --in-tickets`",
    )
