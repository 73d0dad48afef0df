"""Who reads the pages: sessions after a sign-in with the notifier, and which people the policy's `readers` let in.

A session's token is in a cookie and, as its hash, in the database, so that all web processes share it. The notifier is asked again at each
page, with an answer of at most a minute ago: a person who is deactivated, or leaves the group, reads nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import request
from werkzeug.wrappers import Response

from bot.domain.policy.rules import Group, Policy
from bot.domain.workspaces import DEFAULT, Workspace, in_workspace
from bot.errors import FORBIDDEN, OutsideError, Permanent, Refused, Rejected, Temporary
from bot.language import N_, _
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.web.sessions import SessionRows, WebSession
from handlers.doors.errors import text_of
from handlers.doors.page_language import speak_as

log = structlog.get_logger()

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
UNCHECKED = timedelta(minutes=5)  # how long a session lasts while the notifier does not say who the person is
SKEW = timedelta(minutes=1)  # between the clocks of two web processes
SEEN_EVERY = timedelta(minutes=1)  # so that not each page writes
NO_SESSION = ("not_signed_in", N_("These pages are for people who have signed in"))
NO_ENTRY = {
    AccountKind.GUEST: N_("Guests of the Slack workspace may not read these pages"),
    AccountKind.BOT: N_("A bot may not read these pages"),
    AccountKind.DEACTIVATED: N_("This Slack account is deactivated"),
    AccountKind.FOREIGN: N_("People from other Slack workspaces may not read these pages"),
    AccountKind.UNCONFIRMED: N_(
        "Slack has not confirmed your e-mail address. Follow the link in Slack's mail to you, then sign in again"
    ),
}


@dataclass(frozen=True)
class Reader:
    """The person at the browser. `form_key` is in each form that we send them, and must come back with it."""

    account: str
    name: str
    email: str
    groups: tuple[str, ...]
    form_key: str


class NotSignedIn(Rejected):
    """The page asks to sign in and leads back to itself."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message, 401)


def not_signed_in() -> NotSignedIn:
    reason, why = NO_SESSION
    return NotSignedIn(reason, _(why))


class Readers:
    """`is_https` decides how the cookie is protected: browsers keep a `__Host-` cookie for this very host, and for https alone."""

    def __init__(self, s: Services) -> None:
        self._s = s
        self._is_https = s.links.url.startswith("https://")
        self._cookie = "__Host-countersign" if self._is_https else "countersign"

    def current(self) -> Reader | None:
        """None without a session. From here on, the page is in the language of the reader's Slack.

        Raises NotSignedIn when it is over, Rejected when the person may read no more, Temporary."""
        token = request.cookies.get(self._cookie, "")
        if not token:
            return None
        now, hashed = self._s.clock.now(), hash_of(token)
        with self._s.store.transaction() as tx:
            session = SessionRows(tx.connection).find(hashed)
            policy = tx.policy()
        if session is None or is_over(session, now):
            raise NotSignedIn("session_over", _("Your session is over"))
        groups = self._groups_now(session, policy, now)
        return Reader(session.account, session.name, session.email, groups, _form_key(token))

    def if_any(self) -> Reader | None:
        """Where a session only adds the menu: to what a link shows, and to a refusal."""
        try:
            return self.current()
        except (Rejected, OutsideError) as refusal:
            log.info("page_without_session", why=str(refusal))
            return None

    def reader(self) -> Reader:
        """Raises as `current`, and NotSignedIn without a session."""
        found = self.current()
        if found is None:
            raise not_signed_in()
        return found

    def check_form(self) -> Reader:
        """The person who sent the form, if it is one that we gave them. Raises as `reader`, and Rejected."""
        found = self.reader()
        self.check_form_of_session()
        return found

    def check_form_of_session(self) -> None:
        """Compares with the cookie alone: a person can sign out while the notifier is down. Raises NotSignedIn, Rejected."""
        token = request.cookies.get(self._cookie, "")
        if not token:
            raise not_signed_in()
        given = request.form.get("form_key", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), _form_key(token).encode()):
            raise Rejected(
                "form",
                _("This form is not from your session, so nothing was done. Reload the page, then send it again"),
                403,
            )

    def begin(self, account_id: str, sign_in: str, response: Response) -> None:
        """A new session in place of any earlier one of this browser. Raises Rejected for a person who may not read, and for a repeat."""
        s, now = self._s, self._s.clock.now()
        account = s.notifier.account(account_id)
        with s.store.transaction() as tx:
            policy = tx.policy()
        groups_for(account, policy, s)
        token = secrets.token_urlsafe(32)
        session = WebSession(
            hash_of(token),
            hash_of(sign_in),
            account.id,
            account.name,
            account.email.lower(),
            now,
            now,
            now,
            now + LONGEST,
        )
        with s.store.transaction() as tx:
            rows = SessionRows(tx.connection)
            rows.forget_ended(now)
            self._end_current(rows, now)
            if not rows.add(session):
                raise Rejected("replayed", _("This sign-in was used before"), 400)
        self.keep(response, self._cookie, token, LONGEST)
        log.info("signed_in", account=account.id)

    def end(self, response: Response) -> None:
        with self._s.store.transaction() as tx:
            self._end_current(SessionRows(tx.connection), self._s.clock.now())
        self.keep(response, self._cookie, "", timedelta(0))

    def keep(self, response: Response, name: str, value: str, lasting: timedelta) -> None:
        """A cookie that no script reads, and that another site's forms do not send."""
        response.set_cookie(
            name,
            value,
            max_age=int(lasting.total_seconds()),
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="Lax",
        )

    def cookie_named(self, name: str) -> str:
        return f"__Host-{name}" if self._is_https else name

    def _end_current(self, rows: SessionRows, now: datetime) -> None:
        token = request.cookies.get(self._cookie, "")
        if token:
            rows.end(hash_of(token), now)

    def _groups_now(self, session: WebSession, policy: Policy, now: datetime) -> tuple[str, ...]:
        """While the notifier does not answer, what it said last holds for a few minutes; the groups are unknown then."""
        checked = session.checked_at
        try:
            account = self._s.notifier.account(session.account)
            speak_as(account.locale)
            groups = groups_for(account, policy, self._s)
            checked = now
        except Rejected:
            with self._s.store.transaction() as tx:
                SessionRows(tx.connection).end(session.token, now)
            raise
        except Temporary as trouble:
            if not -SKEW <= now - checked <= UNCHECKED:
                raise
            log.warning("reader_unchecked", why=str(trouble))
            groups = ()
        if now - session.seen_at > SEEN_EVERY or checked - session.checked_at > SEEN_EVERY:
            with self._s.store.transaction() as tx:
                SessionRows(tx.connection).seen(session.token, now, checked)
        return groups


def is_over(session: WebSession, now: datetime) -> bool:
    """Also when it was seen later than now: the clock was set back since, and nobody knows how long ago it began."""
    return now >= session.ends_at or not -SKEW <= now - session.seen_at < IDLE


def readers_of(policy: Policy) -> tuple[Group, ...]:
    """The groups that the policy names as readers, else all of its groups."""
    return tuple(group for group in policy.groups if not policy.readers or group.name in policy.readers)


def groups_for(account: Account, policy: Policy, s: Services) -> tuple[str, ...]:
    """The readers' groups that the account is in. Raises Rejected when it is in none or is no member's, and Temporary."""
    if account.kind is not AccountKind.MEMBER:
        raise Rejected("no_member", _(NO_ENTRY[account.kind]), FORBIDDEN)
    wanted = readers_of(policy)
    with s.store.transaction() as tx:
        bound = tx.people.holder(account.id)
    addresses = {account.email.lower(), bound.email if bound else ""}
    inside: list[str] = []
    unknown: OutsideError | None = None
    for group in wanted:
        try:
            is_in = _is_in(group, account.id, addresses, s)
        except (Temporary, Permanent) as trouble:
            unknown = trouble
            continue
        if is_in:
            inside.append(group.name)
    if inside:
        return tuple(inside)
    if unknown is not None:
        raise Temporary(_("Slack does not say who is in the readers' groups: {why}", why=str(unknown)))
    said = _(
        "You are signed in to Slack as {name}, and these pages are for members of {groups}. Ask who keeps the policy to add you to one of "
        "these groups, or add a group of yours to `readers`",
        name=account.name,
        groups=", ".join(group.name for group in wanted),
    )
    raise Rejected("no_reader", said, FORBIDDEN)


def may_be_in(group: Group, reader: Reader, s: Services) -> bool:
    """False only for a person who is known to be outside; True also while the notifier does not say."""
    with s.store.transaction() as tx:
        bound = tx.people.holder(reader.account)
    try:
        return _is_in(group, reader.account, {reader.email, bound.email if bound else ""}, s)
    except (Temporary, Permanent) as trouble:
        log.warning("group_unknown", group=group.name, why=str(trouble))
        return True


def _is_in(group: Group, account_id: str, addresses: set[str], s: Services) -> bool:
    if group.slack_group is None:
        return not addresses.isdisjoint(group.people)
    return account_id in s.notifier.members_of(group.slack_group)


def link_for_reader(account_id: str, model: str, version: int, workspace: str, s: Services) -> str:
    """A new link to the version's page, for a person who may read it. Raises Refused and OutsideError."""
    place = str(Workspace.parse(workspace)) if workspace else DEFAULT
    with s.store.transaction() as tx:
        policy, known = tx.policy(), tx.registry.find_model(place, model) is not None
        newest = tx.requests.find(workspace=place, model=model) if not known else ()
    if not known and not newest:
        where = f"{model}{in_workspace(place)}"
        raise Refused(
            _("there is no registered model {model}, and none was ever asked for. Check the name", model=where)
        )
    try:
        groups_for(s.notifier.account(account_id), policy, s)
    except Rejected as refusal:
        raise Refused(text_of(refusal)) from None
    link = s.links.to_version(model, version, s.clock.now(), place)
    if not link:
        raise Refused(
            _(
                "this bot makes no links yet. Set COUNTERSIGN_URL, and COUNTERSIGN_LINK_KEY for the web process and the worker"
            )
        )
    return link


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _form_key(token: str) -> str:
    """From the session's token, so that it changes with it, and cannot be read from the database."""
    return hash_of(f"form {token}")
