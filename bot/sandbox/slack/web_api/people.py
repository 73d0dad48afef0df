"""The Web API's `auth.test`, `users.*`, `usergroups.*`, `bots.info` and `team.info`: who is who."""

from __future__ import annotations

from ..wire import Json, SlackError
from ..workspace import SandboxPerson
from .calls import Call, Method, as_user, page_of


def api_test(call: Call) -> Json:
    if call.text("error"):
        raise SlackError(call.text("error"), args=dict(call.arguments))
    return {"args": dict(call.arguments)}


def auth_test(call: Call) -> Json:
    app, workspace = call.backend.app, call.backend.workspace
    return {
        "url": f"{call.base_url}/",
        "team": workspace.name,
        "user": app.name.lower(),
        "team_id": app.enterprise or workspace.id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": bool(app.enterprise),
        **({"enterprise_id": app.enterprise} if app.enterprise else {}),
    }


def list_teams(call: Call) -> Json:
    """The workspaces that an app of a whole organisation was added to."""
    workspace = call.backend.workspace
    return {"teams": [{"id": workspace.id, "name": workspace.name}], "response_metadata": {"next_cursor": ""}}


def bot_info(call: Call) -> Json:
    app = call.backend.app
    if call.text("bot", app.bot_id) != app.bot_id:
        raise SlackError("bot_not_found")
    bot = {"id": app.bot_id, "deleted": False, "name": app.name, "app_id": app.app_id, "user_id": app.bot_user_id}
    return {"bot": bot}


def team_info(call: Call) -> Json:
    workspace = call.backend.workspace
    return {"team": {"id": workspace.id, "name": workspace.name, "domain": workspace.domain, "email_domain": ""}}


def user_info(call: Call) -> Json:
    person = _everybody(call).get(call.needed("user", "user_not_found"))
    if person is None:
        raise SlackError("user_not_found")
    locale = {"locale": person.locale} if call.flag("include_locale") else {}
    return {"user": {**_shown(call, person), **locale}}


def look_up_by_email(call: Call) -> Json:
    """Finds active people only, as Slack does."""
    email = call.needed("email", "users_not_found").lower()
    for person in call.backend.workspace.people.values():
        if person.email.lower() == email and not person.deleted and not person.is_bot:
            return {"user": _shown(call, person)}
    raise SlackError("users_not_found")


def list_users(call: Call) -> Json:
    call.check_workspace()
    page, cursor = page_of(call, list(_everybody(call).values()), default_limit=1000)
    members = [_shown(call, person) for person in page]
    return {
        "members": members,
        "cache_ts": int(call.backend.workspace.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def list_groups(call: Call) -> Json:
    _check_plan(call)
    call.check_workspace()
    groups: list[Json] = []
    for handle, members in call.backend.workspace.groups.items():
        group: Json = {"id": group_id(handle), "team_id": call.backend.workspace.id, "handle": handle, "name": handle}
        is_disabled = handle in call.backend.workspace.disabled_groups
        if is_disabled and not call.flag("include_disabled"):
            continue
        group |= {"is_usergroup": True, "date_delete": int(is_disabled)}
        if call.flag("include_count"):
            group["user_count"] = len(members)
        if call.flag("include_users"):
            group["users"] = list(members)
        groups.append(group)
    return {"usergroups": groups}


def list_group_members(call: Call) -> Json:
    """Only active people, unless `include_disabled` asks for the others too."""
    _check_plan(call)
    call.check_workspace()
    workspace, wanted = call.backend.workspace, call.needed("usergroup", "no_such_subteam")
    for handle, members in workspace.groups.items():
        if group_id(handle) == wanted and (handle not in workspace.disabled_groups or call.flag("include_disabled")):
            active = [id_ for id_ in members if call.flag("include_disabled") or not workspace.people[id_].deleted]
            return {"users": active}
    raise SlackError("no_such_subteam")


def _check_plan(call: Call) -> None:
    if call.backend.app.is_free_plan:
        raise SlackError("plan_upgrade_required")


def group_id(handle: str) -> str:
    letters = "".join(letter for letter in handle.upper() if letter.isalnum())
    return f"S0{letters:0<9}"


def _everybody(call: Call) -> dict[str, SandboxPerson]:
    """The people and the bot's own user."""
    app, workspace = call.backend.app, call.backend.workspace
    bot = SandboxPerson(app.bot_user_id, app.name.lower(), app.name, "", is_bot=True)
    return {**workspace.people, bot.id: bot}


def _shown(call: Call, person: SandboxPerson) -> Json:
    shown = as_user(person, with_email="users:read.email" in call.backend.app.scopes)
    org = call.backend.app.enterprise
    if not org:
        return shown
    own = org if person.team_id == call.backend.workspace.id else "E0ELSEWHERE"
    return {**shown, "enterprise_user": {"id": person.id, "enterprise_id": own, "teams": [person.team_id]}}


METHODS: dict[str, tuple[Method, str]] = {
    "api.test": (api_test, ""),
    "auth.test": (auth_test, ""),
    "auth.teams.list": (list_teams, ""),
    "bots.info": (bot_info, "users:read"),
    "team.info": (team_info, "team:read"),
    "users.info": (user_info, "users:read"),
    "users.list": (list_users, "users:read"),
    "users.lookupByEmail": (look_up_by_email, "users:read.email"),
    "usergroups.list": (list_groups, "usergroups:read"),
    "usergroups.users.list": (list_group_members, "usergroups:read"),
}
