"""Sign in with Slack: discovery, the page on which one allows it, the exchange of the code, and the keys.

https://docs.slack.dev/authentication/sign-in-with-slack and https://docs.slack.dev/reference/methods/openid.connect.token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Blueprint, Response, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from jwt.algorithms import RSAAlgorithm

from .backend import Backend
from .wire import Json, parsed
from .workspace import SandboxPerson

CODE_LASTS = 600.0  # seconds
TOKEN_LASTS = 300
SCOPES = frozenset({"openid", "profile", "email"})
AUTHORIZE, KEYS = "/openid/connect/authorize", "/openid/connect/keys"
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Asked:
    """What the app asked for, as its address to the authorize page says."""

    client_id: str
    redirect_uri: str
    scope: frozenset[str]
    state: str
    nonce: str


@dataclass(frozen=True)
class Granted:
    asked: Asked
    person: SandboxPerson
    at: float


@dataclass
class OpenId:
    """The grants by their codes; `used` are codes that were exchanged. `key` is made when it is first needed: that takes a moment.

    `forged` and `forged_with` (a key and its algorithm) make tokens that Slack would never sign.
    """

    backend: Backend
    issuer: str = ""
    granted: dict[str, Granted] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    forged: Json = field(default_factory=dict)
    forged_with: tuple[Any, str] | None = None

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def key_id(self) -> str:
        return f"mB2MAyKSn555isd0EbdhKx6nkyAi9xLq8rvCEb_nOyY-{secrets.token_hex(4)}"

    def refusal(self, given: Mapping[str, str]) -> str:
        """Slack's error for what an app asks the authorize page; empty when it may ask that."""
        app = self.backend.app
        if given.get("client_id") != app.client_id:
            return "invalid_client_id"
        if given.get("redirect_uri") not in app.redirect_uris:  # to the letter; Slack also lets a longer path pass
            return "bad_redirect_uri"
        if given.get("response_type") != "code":
            return "unsupported_response_type"
        scope = set(given.get("scope", "").replace(",", " ").split())
        if "openid" not in scope or not scope <= SCOPES:
            return "invalid_scope"
        return ""

    def grant(self, asked: Asked, person: SandboxPerson) -> str:
        """A code for once, within ten minutes."""
        code = f"{secrets.randbelow(10**13)}.{secrets.token_hex(32)}"
        self.granted[code] = Granted(asked, person, self.backend.workspace.now())
        return code

    def redeem(self, given: Mapping[str, str]) -> Json:
        app, code = self.backend.app, given.get("code", "")
        if given.get("client_id") != app.client_id:
            return {"ok": False, "error": "invalid_client_id"}
        if not hmac.compare_digest(given.get("client_secret", "").encode(), app.client_secret.encode()):
            return {"ok": False, "error": "bad_client_secret"}
        if given.get("grant_type", "authorization_code") != "authorization_code":
            return {"ok": False, "error": "invalid_grant_type"}
        if code in self.used:
            return {"ok": False, "error": "code_already_used"}
        granted = self.granted.pop(code, None)
        if granted is None or self.backend.workspace.now() - granted.at > CODE_LASTS:
            return {"ok": False, "error": "invalid_code"}
        self.used.add(code)
        if given.get("redirect_uri") != granted.asked.redirect_uri:
            return {"ok": False, "error": "bad_redirect_uri"}
        access = f"xoxp-{secrets.token_hex(16)}"
        return {"ok": True, "access_token": access, "token_type": "Bearer", "id_token": self.signed(granted, access)}

    def signed(self, granted: Granted, access: str) -> str:
        asked, person, now = granted.asked, granted.person, int(time.time())
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims: Json = {
            "iss": self.issuer,
            "sub": person.id,
            "aud": asked.client_id,
            "exp": now + TOKEN_LASTS,
            "iat": now,
            "auth_time": now,
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="),
            "https://slack.com/team_id": person.team_id,
            "https://slack.com/user_id": person.id,
        }
        if self.backend.app.enterprise:
            claims["https://slack.com/enterprise_id"] = self.backend.app.enterprise
        if asked.nonce:
            claims["nonce"] = asked.nonce
        if "email" in asked.scope:
            claims |= {"email": person.email, "email_verified": person.is_email_confirmed}
        if "profile" in asked.scope:
            claims |= {"name": person.real_name, "locale": "en-US"}
        key, algorithm = self.forged_with or (self.key, "RS256")
        return jwt.encode({**claims, **self.forged}, key, algorithm=algorithm, headers={"kid": self.key_id})

    def keys(self) -> Json:
        key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

    def configuration(self) -> Json:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}{AUTHORIZE}",
            "token_endpoint": f"{self.issuer}/api/openid.connect.token",
            "userinfo_endpoint": f"{self.issuer}/api/openid.connect.userInfo",
            "jwks_uri": f"{self.issuer}{KEYS}",
            "scopes_supported": ["openid", "profile", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["form_post"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }


def openid(offered: OpenId) -> Blueprint:
    routes = Blueprint("openid", __name__, template_folder="templates")
    backend = offered.backend

    @routes.get("/.well-known/openid-configuration")
    def configuration() -> Response:
        return jsonify(offered.configuration())

    @routes.get(KEYS)
    def keys() -> Response:
        return jsonify(offered.keys())

    @routes.get(AUTHORIZE)
    def ask() -> ResponseReturnValue:
        refusal = offered.refusal(request.args)
        if refusal:
            return _protected(render_template("sign_in.html", refusal=refusal, people=(), asked={})), 400
        people = [one for one in backend.workspace.people.values() if not one.is_bot and not one.deleted]
        shown = render_template(
            "sign_in.html", refusal="", people=people, asked=request.args, workspace=backend.workspace.name
        )
        # Chromium follows a form only to the addresses that the policy names, redirects included.
        back = urlsplit(request.args["redirect_uri"])
        return _protected(shown, f"'self' {back.scheme}://{back.netloc}")

    @routes.post(AUTHORIZE)
    def answer() -> ResponseReturnValue:
        given = request.form
        refusal = offered.refusal(given)
        person = backend.workspace.people.get(given.get("person", ""))
        if refusal or person is None:
            return _protected(render_template("sign_in.html", refusal=refusal or "no_person", people=(), asked={})), 400
        state = {"state": given["state"]} if given.get("state") else {}
        if given.get("answer") != "allow":
            return redirect(f"{given['redirect_uri']}?{urlencode({'error': 'access_denied', **state})}", 302)
        scope = frozenset(given["scope"].replace(",", " ").split())
        asked = Asked(given["client_id"], given["redirect_uri"], scope, given.get("state", ""), given.get("nonce", ""))
        return redirect(f"{asked.redirect_uri}?{urlencode({'code': offered.grant(asked, person), **state})}", 302)

    @routes.post("/api/openid.connect.token")
    def token() -> Response:
        body = parsed(request.get_data(as_text=True)) if request.is_json and request.get_data() else None
        given = {**request.args.to_dict(), **request.form.to_dict(), **(body if isinstance(body, dict) else {})}
        basic = request.authorization
        if basic is not None and basic.type == "basic":
            given |= {"client_id": basic.username, "client_secret": basic.password}
        return jsonify(offered.redeem({name: str(value) for name, value in given.items()}))

    return routes


def _protected(page: str, form_action: str = "'none'") -> Response:
    policy = f"{PAGE_POLICY}; form-action {form_action}"
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return Response(page, content_type="text/html; charset=utf-8", headers=headers)
