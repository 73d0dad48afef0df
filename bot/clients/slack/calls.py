"""Calls Slack's Web API and turns failed calls into our errors. `notifier`, `people` and `files` decide which calls to make.

When an answer is lost, a read or a repeatable write raises Temporary, and a write that must not be repeated raises OutcomeUnknown.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from types import MappingProxyType
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot import tracing
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary

SLUG = re.compile(r"[a-z][a-z0-9_]*")

Answer = Mapping[str, object]
Arguments = Mapping[str, object]
Seconds = Callable[[], float]
Wait = Callable[[float], None]
NOTHING_TO_SAY: Arguments = MappingProxyType({})

# https://docs.slack.dev/reference/methods/chat.postMessage#errors: "it's possible some aspect of the operation succeeded"
IN_DOUBT = frozenset({"internal_error", "fatal_error"})
PASSING = frozenset(
    {
        *("ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"),
        *("org_login_required", "update_failed"),
    }
)

_NEW_TOKEN = "Reinstall the app in Slack, put the new token into SLACK_BOT_TOKEN and restart."
_INVITE = "Invite the bot: write `/invite @Countersign` in that channel. Then replay the job."
_PRESS_AGAIN = "Slack allows three seconds for opening a form, and one form for each press. Press the button again."
_ALLOW = (
    "Have a workspace admin allow the app to write there, or name another channel in the policy. Then replay the job."
)
_PAID_PLAN = (
    "User groups need a paid Slack plan. On the Free plan, list the approvers in the policy: `people: [...]` in place "
    "of `slack_group:`."
)
FIXES: Mapping[str, str] = {
    "not_in_channel": _INVITE,
    "channel_not_found": f"Check the name in the policy; if the channel is private, the bot must be in it. {_INVITE}",
    "is_archived": "Unarchive the channel or name another one in the policy. Then replay the job.",
    "restricted_action": "A workspace admin has limited who may post there: allow the app, or name another channel in the policy.",
    "restricted_action_read_only_channel": f"The channel is read-only. {_ALLOW}",
    "restricted_action_thread_only_channel": f"Only replies may be written in this channel. {_ALLOW}",
    "restricted_action_non_threadable_channel": f"No replies may be written in this channel. {_ALLOW}",
    "restricted_action_thread_locked": "A workspace admin has locked the thread. Have it unlocked, then replay the job.",
    "is_inactive": "The channel is frozen, archived or deleted. Open it again or name another one in the policy. Then replay the job.",
    "edit_window_closed": "The workspace lets messages be edited for a while only, and cards change until they are decided. A workspace "
    "admin can set message editing to any time; then replay the job.",
    "messages_tab_disabled": "The app takes no direct messages. Switch on App Home, Messages Tab (config/slack_manifest.yaml does), and "
    "replay the job.",
    "not_enabled": "The app has no Home tab. Switch on App Home, Home Tab (config/slack_manifest.yaml does), and replay the job.",
    "cannot_unfurl_url": "The link's host is not among the app's unfurl_domains (config/slack_manifest.yaml has them), so it stays a link.",
    "view_too_large": "The page is too large for Slack, which is a fault of ours. Please report it with this message.",
    "message_limit_exceeded": "The workspace has sent more messages than its plan allows. A workspace admin can lift that; then replay the "
    "job.",
    "ekm_access_denied": "The organisation's administrators have withdrawn Slack's key (EKM), so nothing can be posted. Ask them; then "
    "replay the job.",
    "plan_upgrade_required": _PAID_PLAN,
    "paid_teams_only": _PAID_PLAN,
    "no_such_subteam": "The user group was disabled or removed just now. Enable it again, or correct slack_group in the policy.",
    "missing_scope": "Add the scope under OAuth & Permissions (config/slack_manifest.yaml lists all of them) and reinstall the app.",
    "not_allowed_token_type": "SLACK_BOT_TOKEN must be the bot's token, which starts with xoxb-.",
    "not_authed": "Set SLACK_BOT_TOKEN.",
    "invalid_auth": f"The token is not valid. {_NEW_TOKEN}",
    "token_revoked": f"The token was revoked. {_NEW_TOKEN}",
    "token_expired": f"The token has expired. {_NEW_TOKEN}",
    "account_inactive": f"The app was removed from the workspace. {_NEW_TOKEN}",
    "cant_update_message": "The message was posted by another app. Was SLACK_BOT_TOKEN changed to another app's token?",
    "expired_trigger_id": _PRESS_AGAIN,
    "exchanged_trigger_id": _PRESS_AGAIN,
    "invalid_trigger_id": _PRESS_AGAIN,
    "user_not_found": "Slack does not know this account.",
    "users_not_found": "Slack does not know this account.",
    "user_disabled": "The account is deactivated.",
    "file_uploads_disabled": "A workspace admin has switched file uploads off: cards come without their plots, and the weekly digest "
    "without its files, until they are allowed.",
    "file_uploads_except_images_disabled": "A workspace admin allows pictures only: the weekly digest comes without its files until others "
    "are allowed. Then replay the job.",
    "file_upload_size_restricted": "A workspace admin limits how large files may be. Have the limit raised, then replay the job.",
    "file_type_not_allowed": "A workspace admin does not allow this kind of file: cards need PNG, the digest HTML, PDF, CSV and JSON.",
    "storage_limit_reached": "The workspace has no room for files left. Make room there, then replay the job.",
    "invalid_blocks": "Slack refuses how the card is built, also in short, which is a fault of ours. Please report it with this message.",
    "msg_blocks_too_long": "The card is too long for Slack, also in short, which is a fault of ours. Please report it with this message.",
}


class SlackError(Permanent):
    """Slack refused; `code` is Slack's error, such as `channel_not_found`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SlackCalls:
    """`call` for repeatable calls, `call_once` for others, `pages` for lists. Connects on the first call."""

    def __init__(self, token: str, api_url: str, timeout: float) -> None:
        self._token = token
        self._api_url = api_url
        self._timeout = timeout
        self._silent = logging.Logger("slack_sdk")  # the SDK's ERROR lines repeat what we raise, and quote bodies
        self._silent.addHandler(logging.NullHandler())

    def call(self, method: str, arguments: Arguments = NOTHING_TO_SAY, *, timeout: float | None = None) -> Answer:
        return self._send(method, arguments, timeout or self._timeout, in_doubt=Temporary)

    def call_once(self, method: str, arguments: Arguments) -> Answer:
        return self._send(method, arguments, self._timeout, in_doubt=OutcomeUnknown)

    def pages(self, method: str, arguments: Arguments) -> Iterator[Answer]:
        """Every page; an answer without a next cursor is the last."""
        page = self.call(method, arguments)
        yield page
        while cursor := text_at(page, "response_metadata", "next_cursor"):
            page = self.call(method, {**arguments, "cursor": cursor})
            yield page

    def call_with_headers(self, method: str) -> tuple[Answer, Mapping[str, str]]:
        """The answer with its HTTP headers, names in lower case. Slack reports a token's scopes only there."""
        response = self._respond(method, NOTHING_TO_SAY, self._timeout, in_doubt=Temporary)
        return _object(response.data), {name.lower(): str(value) for name, value in response.headers.items()}

    def _send(self, method: str, arguments: Arguments, timeout: float, in_doubt: type[OutsideError]) -> Answer:
        return _object(self._respond(method, arguments, timeout, in_doubt).data)

    def _respond(
        self, method: str, arguments: Arguments, timeout: float, in_doubt: type[OutsideError]
    ) -> SlackResponse:
        client = self._client(timeout)
        try:
            with tracing.call("slack", method) as span:
                answer = client.api_call(method, params=_as_form(arguments))
                span.set("http.response.status_code", answer.status_code)
                return answer
        except SlackApiError as error:
            raise _as_outside_error(method, error, arguments, in_doubt) from None
        except URLError as error:
            raise _unsent(method, error, in_doubt) from None
        except (SlackClientError, OSError, HTTPException, ValueError, AttributeError) as error:
            # AttributeError: the SDK reads "ok" from any JSON, also when it is not an object.
            raise _lost(method, type(error).__name__, in_doubt) from None

    def _client(self, timeout: float) -> WebClient:
        """One client per call, because the timeout belongs to it. Its retries are off: a lost answer would make two messages."""
        client = WebClient(self._token, self._api_url, retry_handlers=[], logger=self._silent)
        client.timeout = timeout  # type: ignore[assignment]  # urllib takes fractions of a second, the SDK's hint says int
        client.proxy = None  # the SDK ignores NO_PROXY; without a proxy here, urllib honours NO_PROXY and HTTPS_PROXY
        return client


def _as_form(arguments: Arguments) -> dict[str, object]:
    """Every method takes a form; methods that read refuse JSON bodies. Structures are sent as JSON text."""
    return {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in arguments.items()}


def text_at(answer: object, *path: str) -> str:
    """The text at this path of an answer; empty when there is none."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    return answer if isinstance(answer, str) else ""


def object_at(answer: Answer, name: str) -> Answer:
    return _object(answer.get(name))


def objects_at(answer: Answer, name: str) -> list[Answer]:
    listed = answer.get(name)
    return [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []


def _object(value: object) -> Answer:
    return value if isinstance(value, Mapping) else {}


def _as_outside_error(
    method: str, error: SlackApiError, arguments: Arguments, in_doubt: type[OutsideError]
) -> OutsideError:
    status = error.response.status_code
    if status == 429:
        return Temporary(f"Slack allows no more {method} for now; waiting as long as it asked.", _retry_after(error))
    code = text_at(error.response.data, "error")
    if code in PASSING:
        return Temporary(f"Slack could not do {method} just now ({code}). It is tried again.", _retry_after(error))
    if status >= 500 or code in IN_DOUBT:
        return _lost(method, code if code in IN_DOUBT else f"HTTP {status}", in_doubt)
    if SLUG.fullmatch(code):
        return SlackError(_refusal(method, code, error, arguments), code)
    if status == 200:
        return _lost(method, "an answer that is no JSON", in_doubt)
    return Permanent(
        f"{method} was answered with HTTP {status}, which is not Slack's way. Check SLACK_API_URL and any proxy."
    )


def _refusal(method: str, code: str, error: SlackApiError, arguments: Arguments) -> str:
    """Slack's error, what it is about, and how to fix it."""
    about = next(
        (
            f" for {arguments[name]}"
            for name in ("channel", "channel_id", "user", "email", "usergroup", "filename", "file")
            if name in arguments
        ),
        "",
    )
    needed = text_at(error.response.data, "needed")
    details = "; ".join(_details(error.response.data))
    scope = f" It lacks the scope {needed}." if needed else ""
    said = f" Slack says: {details}." if details else ""
    fix = FIXES.get(code, f"See the errors in https://docs.slack.dev/reference/methods/{method}")
    return f"Slack refused {method}{about}: {code}.{scope}{said} {fix}"


def _details(answer: object) -> list[str]:
    messages = _object(_object(answer).get("response_metadata")).get("messages")
    said = [message for message in messages if isinstance(message, str)] if isinstance(messages, list) else []
    found = [f"{text_at(one, 'message')} at {text_at(one, 'pointer')}" for one in objects_at(_object(answer), "errors")]
    return [*said, *found][:5]


def _retry_after(error: SlackApiError) -> float:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:  # a date, which Slack does not send: the job's own backoff is enough
        return 0.0


def _unsent(method: str, error: URLError, in_doubt: type[OutsideError]) -> OutsideError:
    """urllib raises URLError when no connection was made, but also when it broke while the request was being written."""
    cause = error.reason
    if isinstance(cause, TimeoutError | ConnectionResetError | BrokenPipeError):
        return _lost(method, type(cause).__name__, in_doubt)
    return Temporary(f"Slack cannot be reached for {method} ({cause}). It is tried again.")


def _lost(method: str, what: str, in_doubt: type[OutsideError]) -> OutsideError:
    if in_doubt is Temporary:  # a read, or what may be repeated
        return Temporary(f"Slack gave no answer to {method} that can be used ({what}). It is tried again.")
    return in_doubt(f"Slack's answer to {method} was lost ({what}), so it may or may not have taken effect.")
