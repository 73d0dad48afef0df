"""The TicketDecisions on Jira, Cloud and Data Center: who moved a ticket, by its own history, and what to call that person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.clients.jira.approvals import read_answers
from bot.clients.jira.calls import JiraCalls, JsonObject, account_of, objects_in, put
from bot.clients.jira.documents import card_as_adf, card_as_wiki, fitting_card
from bot.clients.jira.history import plain, read_changelog
from bot.clients.jira.seals import Seals
from bot.clients.plain_text import one_line
from bot.domain.card.card import Card
from bot.domain.grounds import SignedRequest
from bot.domain.references import TicketRef
from bot.domain.ticket_votes.history import TicketAct, TicketHistory
from bot.ports import Account, AccountKind
from bot.ports.ticket_decisions import CastInTicket

if TYPE_CHECKING:
    from jira import JIRA


LABEL = "countersign"
LINE_LIMIT = 255
REASON_LIMIT = 3000
COMMENTS_READ = 100  # the newest
BEFORE, AFTER = (
    timedelta(minutes=10),
    timedelta(seconds=10),
)  # a comment with the transition is written a moment after it
PAGE, PAGES = 100, 10  # of tickets that changed
PEOPLE = {
    "atlassian": AccountKind.MEMBER,
    "customer": AccountKind.GUEST,
    "app": AccountKind.BOT,
}  # Cloud's account types


class JiraDecisions:
    """Opens no connection before the first call; thread-safe. `token` is the bot's own, of which the seal's key is made."""

    def __init__(self, calls: JiraCalls, token: str) -> None:
        self._calls = calls
        self._seals = Seals(token)
        self._account = ""

    def history_of(self, ref: TicketRef, *, approvals: bool = False) -> TicketHistory:
        """Reads by id, which stays the same when the ticket moves to another project and gets a new key."""
        cloud = self._calls.cloud()
        answers = self._answers(ref) if approvals else None
        acts = self._calls.read(
            f"reading the history of {ref.key}", lambda client: read_changelog(client, ref.id, cloud=cloud)
        )
        return TicketHistory(self._me(), (*acts, *(answers or ())), has_answers=answers is not None)

    def account(self, account_id: str) -> Account:
        """Cloud shows an address only where its owner, or the organisation, lets the bot see it."""
        name = "accountId" if self._calls.cloud() else "key"
        return _account(self._get("asking who moved a ticket", "user", {name: account_id}))

    def verifies_addresses(self) -> bool:
        """Atlassian does, for Cloud: https://support.atlassian.com/atlassian-account/docs/change-your-email-address/"""
        return self._calls.cloud()

    def accounts_with(self, email: str) -> tuple[Account, ...]:
        asked = {"query" if self._calls.cloud() else "username": email}
        found = self._calls.read(
            "looking for a person", lambda client: {"list": client._get_json("user/search", params=asked)}
        )
        accounts = map(_account, objects_in(found, "list"))
        return tuple(one for one in accounts if one.kind is AccountKind.MEMBER and one.email.lower() == email.lower())

    def words_with(self, ref: TicketRef, act: TicketAct) -> str:
        newest_first = {"orderBy": "-created", "maxResults": COMMENTS_READ}
        page = self._get(f"reading the comments of {ref.key}", f"issue/{ref.id}/comment", newest_first)
        said = [
            (datetime.fromisoformat(str(comment["created"])), plain(comment.get("body")))
            for comment in objects_in(page, "comments")
            if account_of(comment.get("author")) == act.account
        ]
        last = datetime.max.replace(tzinfo=UTC) if act.answer else act.at + AFTER
        near = [one for one in said if act.at - BEFORE <= one[0] <= last and one[1]]
        return max(near)[1][:REASON_LIMIT] if near else ""

    def changed_since(self, project: str, minutes: int) -> tuple[str, ...] | None:
        """A relative time is of Jira's own clock, and needs no time zone."""
        jql = f'project = "{one_line(project, LINE_LIMIT)}" AND labels = "{LABEL}" AND updated >= -{minutes}m ORDER BY updated ASC'
        cloud = self._calls.cloud()
        return self._calls.read(
            f"looking for tickets of {project} that changed", lambda client: _changed(client, jql, cloud=cloud)
        )

    def describe(self, ref: TicketRef, card: Card) -> None:
        text = fitting_card(card, card_as_adf) if self._calls.cloud() else fitting_card(card, card_as_wiki)
        fields = {"summary": one_line(card.title, LINE_LIMIT), "description": text}
        self._calls.write(
            f"writing the text of {ref.key}", lambda client: put(client, f"issue/{ref.id}", {"fields": fields})
        )

    def seal(self, cast: CastInTicket, at: datetime) -> SignedRequest:
        return self._seals.seal(cast, at)

    def read_sealed(self, kept: SignedRequest) -> CastInTicket:
        return self._seals.read(kept)

    def _answers(self, ref: TicketRef) -> list[TicketAct] | None:
        return self._calls.read(f"reading the approvals of {ref.key}", lambda client: read_answers(client, ref.id))

    def _me(self) -> str:
        if not self._account:
            self._account = account_of(self._get("asking who the bot is", "myself", {}))
        return self._account

    def _get(self, what: str, path: str, params: Mapping[str, object]) -> JsonObject:
        return self._calls.read(what, lambda client: _object(client._get_json(path, params=dict(params))))


def _account(user: JsonObject) -> Account:
    kind = PEOPLE.get(str(user.get("accountType", "atlassian")), AccountKind.BOT)
    if user.get("active") is not True:
        kind = AccountKind.DEACTIVATED
    found = account_of(user)
    return Account(found, str(user.get("emailAddress") or ""), str(user.get("displayName") or found), kind)


def _changed(client: JIRA, jql: str, *, cloud: bool) -> tuple[str, ...] | None:
    found: list[str] = []
    params: dict[str, object] = {"jql": jql, "fields": "updated", "maxResults": PAGE}
    for _ in range(PAGES):
        answer = _object(client._get_json("search/jql" if cloud else "search", params=params))
        issues: Sequence[JsonObject] = objects_in(answer, "issues")
        found += [str(issue["id"]) for issue in issues]
        token = answer.get("nextPageToken")
        if not issues or (cloud and not token) or (not cloud and len(found) >= int(str(answer.get("total", 0)))):
            return tuple(found)
        params |= {"nextPageToken": token} if cloud else {"startAt": len(found)}
    return None


def _object(answer: object) -> JsonObject:
    if not isinstance(answer, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
    return answer
