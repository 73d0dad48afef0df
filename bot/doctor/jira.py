"""Checks of Jira for each ticket section of the policy: project, issue type, screen, permissions, and decisions' transitions."""

from __future__ import annotations

from dataclasses import replace

from bot.clients.jira.checkup import PERMISSIONS, PERMISSIONS_FOR_DIGEST, CreateScreen, ProjectSeen
from bot.clients.jira.fields import field_called, fields_on, same
from bot.doctor.findings import Finding, Findings, World, failure, fine, warning
from bot.domain.references import Relation, TicketPlan
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
        if plan.break_glass_type:
            yield from _issue_type(replace(plan, type=plan.break_glass_type), project, world)


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
    if project.by_team:
        fix = "the team manages this project: give the account a role with these in Project settings, Access"
    else:
        fix = "give it these in the project's permission scheme"
    return failure(what, f"the account lacks {listed}", fix)


def _issue_type(plan: TicketPlan, project: ProjectSeen, world: World) -> Findings:
    what = f"jira type {plan.type} in {project.key}"
    if plan.type not in project.issue_types:
        known = ", ".join(project.issue_types) or "none"
        yield failure(what, f"does not exist; there are: {known}", "name one of these in the policy's ticket section")
        return
    yield from _screen(
        what, plan, world.jira.create_screen(project, plan.type), cloud=world.jira.deployment() == "Cloud"
    )
    if not _is_decided(plan):
        return
    statuses = world.jira.statuses(project, plan.type)
    yield _transition("approved", plan.approved, statuses, plan)
    yield _transition("rejected", plan.rejected, statuses, plan)
    for step in dict.fromkeys((*plan.approved_path, *plan.rejected_path)):
        yield _transition(f"path {step}", step, statuses, plan)
    if plan.relation is Relation.SUBTASK:
        yield from _subtask(plan, project, world)
    elif plan.relation is Relation.LINK:
        yield _link(plan.relation_type, world)
        yield from (_linked(key, world) for key in plan.relation_projects if key != project.key)


def _subtask(plan: TicketPlan, project: ProjectSeen, world: World) -> Findings:
    wanted, what = plan.relation_type, f"jira sub-task {plan.relation_type} in {project.key}"
    if wanted not in project.subtasks:
        wrong = "is no type of sub-tasks" if wanted in project.issue_types else "does not exist"
        known = ", ".join(project.subtasks) or "none, so that the project has no sub-tasks"
        fix = "name one of these under `named: {subtask: ...}` in the policy's ticket section, or use `named: {link: ...}`"
        yield failure(what, f"{wrong}; there are: {known}", fix)
        return
    screen = world.jira.create_screen(project, wanted)
    shown = tuple(field for field in screen.shown if field.id != "parent")  # which the bot fills in
    yield from _screen(what, replace(plan, type=wanted), CreateScreen(shown), cloud=world.jira.deployment() == "Cloud")


def _link(wanted: str, world: World) -> Finding:
    what = f"jira link {wanted}"
    try:
        known = world.jira.link_types()
    except Permanent as refusal:
        fix = "let an administrator switch issue linking on, or remove `named: {link: ...}` from the policy's ticket section"
        return failure(what, str(refusal), fix)
    if wanted in known:
        return fine(what, "is a type of links")
    fix = "name one of these under `named: {link: ...}` in the policy's ticket section"
    return failure(what, f"does not exist; there are: {', '.join(known) or 'none'}", fix)


def _linked(key: str, world: World) -> Finding:
    what = f"jira project {key} for links"
    try:
        world.jira.project(key)
    except Permanent as refusal:
        fix = "check `named: {projects: [...]}` in the policy's ticket section, and give the account Browse projects there"
        return failure(what, str(refusal), fix)
    return fine(what, "found")


def _screen(what: str, plan: TicketPlan, screen: CreateScreen, *, cloud: bool) -> Findings:
    try:
        filled = fields_on(screen.shown, plan.fields, f"the create screen of {plan.type}", cloud=cloud)
    except Permanent as unfit:
        yield failure(what, str(unfit), "correct `fields` in the policy's ticket section")
        return
    unfillable = [
        field for field in screen.shown if field.required and field.id not in FILLED_IN | FILLED_BY_JIRA | filled.keys()
    ]
    absent = sorted(FILLED_IN - screen.fields)
    if unfillable:
        example = unfillable[0].name or unfillable[0].id
        yield failure(
            what,
            f"its create screen demands what Countersign does not know: {'; '.join(map(str, unfillable))}",
            f'say it in the policy\'s ticket section, as in `fields: {{"{example}": VALUE}}`, or make it optional',
        )
    elif absent:
        yield failure(what, f"its create screen lacks {', '.join(absent)}", "put these on the create screen")
    else:
        yield fine(what, "found, and its create screen can be filled in")
    yield from _fields_elsewhere(plan, screen)


def _fields_elsewhere(plan: TicketPlan, screen: CreateScreen) -> Findings:
    """Jira lists the screens of transitions on a ticket only, so an unknown name is no failure."""
    for field in plan.fields:
        if field_called(field.name, screen.shown, f"the create screen of {plan.type}") is None:
            known = ", ".join(f'"{one.name or one.id}"' for one in screen.shown if one.id not in FILLED_IN)
            yield warning(
                f"jira field {field.name}",
                f"is not on the create screen of {plan.type} in {plan.project}, which has: {known or 'none'}",
                "fine if the screen of a transition has it, which Jira shows on a ticket only; otherwise correct the policy",
            )


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
    return (
        [TicketPlan(*digest.ticket, approved="", rejected="", fields=digest.ticket_fields)]
        if digest and digest.ticket
        else []
    )


def _is_decided(plan: TicketPlan) -> bool:
    return bool(plan.approved)
