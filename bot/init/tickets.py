"""Chooses where tickets go: project, issue type, and the statuses that decisions lead to."""

from __future__ import annotations

from collections.abc import Mapping

from bot.clients.jira.checkup import JiraCheckup
from bot.domain.names import shown
from bot.errors import InvalidSettings
from bot.init.connecting import World
from bot.init.draft import TicketDraft
from bot.init.given import PolicyAnswers
from bot.init.proposals import issue_type_among, resolutions_among, statuses_among
from bot.init.questions import Questions, some
from bot.init.survey import jira_of, see_project

NO_PROJECT = "Jira's account {account} sees no project. Give it Browse projects in the one for tickets, or leave Jira out with --no-jira."


def choose_ticket(world: World, given: PolicyAnswers, ask: Questions) -> tuple[TicketDraft | None, Mapping[str, str]]:
    """The ticket, and the permissions that the account lacks in its project. None without Jira.

    Raises InvalidSettings for what Jira has not, and OutsideError.
    """
    if world.jira is None:
        return None, {}
    keys = [project.key for project in world.jira.projects]
    if not keys:
        raise InvalidSettings((NO_PROJECT.format(account=shown(world.jira.account)),))
    listed = [f"{one.key} ({one.name})" for one in world.jira.projects]
    proposal = keys[0] if len(keys) == 1 else ""
    what = f"Jira project for tickets, of {some(listed)}"
    key = given.project or ask.text(
        "--jira-project", what, proposal, check=lambda text: _one_of("--jira-project", text, keys)
    )
    if not key:
        return None, {}
    jira = jira_of(world.settings)
    details = see_project(jira, _one_of("--jira-project", key, keys))
    what = f"Issue type, of {some(details.types)}"
    type_ = given.type or ask.text(
        "--jira-type",
        what,
        issue_type_among(details.types),
        check=lambda text: _one_of("--jira-type", text, details.types),
    )
    if not type_:
        return None, details.lacks
    return _ticket(jira, key, _one_of("--jira-type", type_, details.types), given, ask), details.lacks


def _ticket(jira: JiraCheckup, key: str, type_: str, given: PolicyAnswers, ask: Questions) -> TicketDraft:
    project = jira.project(key)
    final = jira.final_statuses(project, type_)
    approved, rejected = statuses_among(final)
    listed = some(final)
    approved = given.approved or ask.text("--jira-approved", f"Status of an approved ticket, of {listed}", approved)
    rejected = given.rejected or ask.text("--jira-rejected", f"Status of a rejected ticket, of {listed}", rejected)
    resolutions = resolutions_among(jira.resolutions()) if approved == rejected else None
    return TicketDraft(key, type_, approved, rejected, resolutions)


def _one_of(option: str, wanted: str, known: list[str] | tuple[str, ...]) -> str:
    if wanted not in known:
        raise InvalidSettings((f"{option}: Jira's account sees no {wanted}. There are: {some(known)}.",))
    return wanted
