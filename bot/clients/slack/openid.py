"""Sign in with Slack: OpenID Connect's code flow. https://docs.slack.dev/authentication/sign-in-with-slack

Only the scope `openid` is asked for: the answer then names the account and its workspace, and the bot's own token reads the rest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode

import jwt

from bot.clients.slack.calls import SlackCalls, SlackError, text_at
from bot.errors import FORBIDDEN, Permanent, Rejected, Temporary

TIMEOUT = 5.0  # seconds
CLOCKS_DIFFER_BY = 60  # seconds
ALGORITHMS = ["RS256"]  # the only one in Slack's OpenID configuration; a token that names another is not believed
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "nonce"]
ACCOUNT, TEAM, ENTERPRISE = (f"https://slack.com/{name}" for name in ("user_id", "team_id", "enterprise_id"))
USED_UP = frozenset({"invalid_code", "code_already_used", "code_expired", "invalid_grant"})
SETTINGS_WRONG: Mapping[str, str] = {
    "invalid_client_id": "SLACK_CLIENT_ID is not the app's. Copy it from Basic Information of the Slack app.",
    "bad_client_secret": "SLACK_CLIENT_SECRET is not the app's. Copy it from Basic Information of the Slack app.",
    "bad_redirect_uri": "Add COUNTERSIGN_URL with /sign-in/slack to the Redirect URLs under OAuth & Permissions of the Slack app.",
}
NOT_A_CODE = "countersign-doctor-asks"


class SlackSignIn:
    """`home` answers in which workspace or organisation the bot is, by which the person's is checked. Thread-safe."""

    why_off = ""

    def __init__(self, client_id: str, client_secret: str, api_url: str, home: Callable[[], str]) -> None:
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._calls = SlackCalls("", api_url, TIMEOUT)
        self._home = home
        self._issuer = api_url.removesuffix("/api/")
        self._keys = jwt.PyJWKClient(f"{self._issuer}/openid/connect/keys", timeout=TIMEOUT)

    def address(self, state: str, nonce: str, back_to: str) -> str:
        asked = {
            "response_type": "code",
            "scope": "openid",
            "client_id": self._client["client_id"],
            "redirect_uri": back_to,
            "state": state,
            "nonce": nonce,
        }
        return f"{self._issuer}/openid/connect/authorize?{urlencode(asked)}"

    def account(self, code: str, nonce: str, back_to: str) -> str:
        claims = self._claims_in(self._token_for(code, back_to))
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise Rejected("nonce", "Slack's answer belongs to another sign-in", FORBIDDEN)
        home = self._home()
        if home not in (text_at(claims, TEAM), text_at(claims, ENTERPRISE)):
            raise Rejected("other_team", "You signed in to another Slack workspace than the bot's", FORBIDDEN)
        found = text_at(claims, ACCOUNT)
        if not found:
            raise Rejected("no_account", "Slack's answer names no account", FORBIDDEN)
        return found

    def check(self, back_to: str) -> None:
        """Whether Slack knows id, secret and redirect address, and its keys can be read. Raises as `account`."""
        try:
            self._token_for(NOT_A_CODE, back_to)
        except Rejected as expected:
            if expected.reason != "code":
                raise
        with _keys_in_reach():
            self._keys.get_signing_keys()

    def _token_for(self, code: str, back_to: str) -> str:
        asked = {**self._client, "code": code, "redirect_uri": back_to, "grant_type": "authorization_code"}
        try:
            answer = self._calls.call("openid.connect.token", asked)
        except SlackError as refusal:
            if refusal.code in USED_UP:
                raise Rejected("code", "This sign-in was used before, or took too long", 400) from None
            raise Permanent(SETTINGS_WRONG.get(refusal.code, str(refusal))) from None
        return text_at(answer, "id_token")

    def _claims_in(self, token: str) -> Mapping[str, object]:
        try:
            with _keys_in_reach():
                key = self._keys.get_signing_key_from_jwt(token)
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._client["client_id"],
                issuer=self._issuer,
                leeway=CLOCKS_DIFFER_BY,
                options={"require": REQUIRED},
            )
        except jwt.PyJWTError as fault:
            raise Rejected("id_token", f"Slack's answer cannot be verified ({fault})", FORBIDDEN) from None
        return claims


@contextmanager
def _keys_in_reach() -> Iterator[None]:
    try:
        yield
    except jwt.PyJWKClientConnectionError as trouble:
        raise Temporary(f"Slack's keys cannot be read now ({trouble}). Please try again.") from None
