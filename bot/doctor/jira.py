"""Checks of Jira for each ticket section of the policy: project, issue type, screen, permissions, and decisions' transitions."""

from __future__ import annotations

from bot.clients.jira.checkup import PERMISSIONS, PERMISSIONS_FOR_DIGEST, CreateScreen, ProjectSeen
from bot.clients.jira.transitions import same
from bot.doctor.findings import Finding, Findings, World, failure, fine, warning
from bot.domain.references import TicketPlan
from bot.errors import Permanent

FILLED_IN = frozenset({"project", "issuetype", "summary", "description", "labels"})
FILLED_BY_JIRA = frozenset({"reporter"})


def jira_knows_the_bot(world: World) -> Findings:
    if not _plans(world) and not _of_the_digest(world):
        yield fine("jira", "not needed: the policy opens no tickets")
        return
    if other := _credentials_of_the_other_kind(world):
        yield other
        return
    kind = world.jira.deployment()
    yield fine("jira", f'{kind} at {world.settings.jira_url}, as "{world.jira.account()}"')


def _credentials_of_the_other_kind(world: World) -> Finding | None:
    """Checked first and without credentials: a site answers credentials of the other kind as if they were wrong."""
    told, for_cloud = world.jira.told_deployment(), bool(world.settings.jira_api_token.get_secret_value())
    url = world.settings.jira_url
    if told == "Cloud" and not for_cloud:
        return failure("jira", f"{url} is a Jira Cloud", "set JIRA_EMAIL and JIRA_API_TOKEN, and remove JIRA_TOKEN")
    if told == "Server" and for_cloud:
        return failure(
            "jira", f"{url} is a Jira Data Center", "set JIRA_TOKEN, and remove JIRA_EMAIL and JIRA_API_TOKEN"
        )
    return None


def projects_are_ready(world: World) -> Findings:
    """Each project and issue type is checked once, because rules and digest often share them."""
    told: set[Finding] = set()
    for finding in _projects(world):
        if finding not in told:
            told.add(finding)
            yield finding


def _projects(world: World) -> Findings:
    for plan in (*_plans(world), *_of_the_digest(world)):
        try:
            project = world.jira.project(plan.project)
        except Permanent as refusal:
            yield failure(
                f"jira project {plan.project}",
                str(refusal),
                "check `project` in the policy's ticket section, and give the account the permission Browse projects",
            )
            continue
        yield fine(f"jira project {plan.project}", "found")
        yield _permissions(project, plan, world)
        yield from _issue_type(plan, project, world)


def _permissions(project: ProjectSeen, plan: TicketPlan, world: World) -> Finding:
    wanted = PERMISSIONS if _is_decided(plan) else PERMISSIONS_FOR_DIGEST
    what = (
        f"jira permissions in {project.key}"
        if _is_decided(plan)
        else f"jira permissions in {project.key} for the digest"
    )
    missing = world.jira.missing_permissions(project.key, wanted)
    if not missing:
        return fine(what, f"all {len(wanted)} that it takes")
    listed = "; ".join(f"{name} (to {wanted[name]})" for name in missing)
    return failure(what, f"the account lacks {listed}", "give it these in the project's permission scheme")


def _issue_type(plan: TicketPlan, project: ProjectSeen, world: World) -> Findings:
    what = f"jira type {plan.type} in {project.key}"
    if plan.type not in project.issue_types:
        known = ", ".join(project.issue_types) or "none"
        yield failure(what, f"does not exist; there are: {known}", "name one of these in the policy's ticket section")
        return
    yield _screen(what, world.jira.create_screen(project, plan.type))
    if not _is_decided(plan):
        return
    statuses = world.jira.statuses(project, plan.type)
    yield _transition("approved", plan.approved, statuses, plan)
    yield _transition("rejected", plan.rejected, statuses, plan)


def _screen(what: str, screen: CreateScreen) -> Finding:
    unfillable = sorted(screen.required - FILLED_IN - FILLED_BY_JIRA)
    absent = sorted(FILLED_IN - screen.fields)
    if unfillable:
        return failure(
            what,
            f"its create screen demands what Countersign cannot fill in: {', '.join(unfillable)}",
            "make these optional, or give them a default",
        )
    if absent:
        return failure(what, f"its create screen lacks {', '.join(absent)}", "put these on the create screen")
    return fine(what, "found, and its create screen can be filled in")


def _transition(decision: str, wanted: str, statuses: tuple[str, ...], plan: TicketPlan) -> Finding:
    """Without a ticket Jira lists only statuses, so an unknown name may be a transition and is no failure."""
    what = f"jira {decision}"
    if any(same(status, wanted) for status in statuses):
        return fine(what, f'"{wanted}" is a status of {plan.type} in {plan.project}')
    return warning(
        what,
        f'"{wanted}" is no status of {plan.type} in {plan.project}, which are: {", ".join(statuses) or "none"}',
        "fine if it is the name or id of a transition, which Jira shows on a ticket only; otherwise correct the policy",
    )


def _plans(world: World) -> list[TicketPlan]:
    return list(dict.fromkeys(rule.ticket for rule in world.policy.rules if rule.ticket))


def _of_the_digest(world: World) -> list[TicketPlan]:
    """The digest's ticket needs no transitions, because there is no decision on it."""
    digest = world.policy.digest
    return [TicketPlan(*digest.ticket, approved="", rejected="")] if digest and digest.ticket else []


def _is_decided(plan: TicketPlan) -> bool:
    return bool(plan.approved)
