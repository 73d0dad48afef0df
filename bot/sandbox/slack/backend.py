"""The sandbox's state in one object: the workspace, the installed app, open views, tickets. No rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from .response_urls import ResponseUrls
from .socket_mode import Sockets
from .views import Homes, Triggers, Views
from .wire import Json
from .workspace import Message, Workspace

ALL_SCOPES = frozenset(
    {
        "channels:history",
        "channels:join",
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "links:read",
        "links:write",
        "reactions:write",
        "team:read",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)


@dataclass
class InstalledApp:
    """The installed bot. The switches at the end may be changed at any time.

    `should_escape` is the manifest's, for slash commands; `looks_at_files` is how many `files.info` calls a new file takes to be processed.
    `shares_after` is how many looks into a thread files take to be shared there, and `shares_lost` how many of the next times Slack says
    `ok` and shares nothing. `is_free_plan`: user groups need a paid one. `enterprise`: the id of the Grid organisation that the app is
    installed for as a whole, empty for an app of one workspace. `redirect_uris` are the addresses to which people may be sent who sign in.
    `shortcuts` are the global ones, by callback id, and `message_shortcuts` those on messages. Links to `unfurl_domains` (hosts, with a
    port if it is not the usual one) are reported. `events` are those that the app subscribed to.
    """

    signing_secret: str
    bot_token: str
    app_token: str
    interactivity_url: str | None
    scopes: frozenset[str]
    name: str = "Countersign"
    app_id: str = "A0COUNTERSN"
    bot_id: str = "B0COUNTERSN"
    bot_user_id: str = "U0COUNTERSN"
    verification_token: str = "replaced-by-signatures"
    revoked: bool = False
    limit_posts: bool = False
    refuse_attachments: bool = False
    answer_within: float = 3.0
    should_escape: bool = True
    looks_at_files: int = 0
    shares_after: int = 0
    shares_lost: int = 0
    is_free_plan: bool = False
    enterprise: str = ""
    client_id: str = "25259531569.1115229150001"
    client_secret: str = "sandbox-client-secret"
    redirect_uris: tuple[str, ...] = ()
    has_home: bool = True
    shortcuts: tuple[tuple[str, str], ...] = (("countersign.request", "Request a promotion"),)
    message_shortcuts: tuple[tuple[str, str], ...] = (("countersign.record", "Add to the record"),)
    unfurl_domains: tuple[str, ...] = ()
    events: frozenset[str] = frozenset({"app_home_opened", "link_shared"})


@dataclass
class Upload:
    """A file that is being uploaded: it has a ticket, and perhaps its bytes."""

    file_id: str
    name: str
    length: int
    alt: str
    content: bytes | None = None


@dataclass(frozen=True)
class Unfurl:
    """A message whose links the bot may show more of: what `link_shared` said of it."""

    channel: str
    message: str
    links: tuple[str, ...]


@dataclass
class Sharing:
    """Files on their way into a channel; `looks_left` is how many looks there do not show them yet."""

    said: Message
    looks_left: int


@dataclass
class Backend:
    workspace: Workspace
    app: InstalledApp
    triggers: Triggers
    views: Views
    response_urls: ResponseUrls
    sockets: Sockets
    homes: Homes = field(default_factory=Homes)
    unfurls: dict[str, Unfurl] = field(default_factory=dict)
    suggested: dict[str, dict[str, Json]] = field(default_factory=dict)  # by menu: the options that its searches found
    uploads: dict[str, Upload] = field(default_factory=dict)
    last_post: dict[str, float] = field(default_factory=dict)
    sharings: list[Sharing] = field(default_factory=list)

    def author_name(self, user_id: str) -> str:
        if user_id == self.app.bot_user_id:
            return self.app.name
        person = self.workspace.people.get(user_id)
        return person.real_name if person else "Slackbot"


def new_backend(workspace: Workspace, app: InstalledApp) -> Backend:
    return Backend(
        workspace,
        app,
        Triggers(workspace.now),
        Views(),
        ResponseUrls(workspace.now),
        Sockets(app.app_id),
    )
