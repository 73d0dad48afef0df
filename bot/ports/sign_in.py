"""Signing in to the pages with an account of the notifier (OpenID Connect)."""

from __future__ import annotations

from typing import Protocol

from bot.errors import Refused


class SignIn(Protocol):
    """`state` comes back to us with the person's browser, `nonce` inside the signed answer; `back_to` is our own address for both."""

    @property
    def why_off(self) -> str:
        """Why nobody can sign in here, and how to switch it on; empty when it is on."""

    def address(self, state: str, nonce: str, back_to: str) -> str:
        """Where the browser is sent to sign in."""

    def account(self, code: str, nonce: str, back_to: str) -> str:
        """The account that has signed in, by the code that the browser brought. A code is good for once.

        Raises Rejected when the code, or the answer to it, must not be believed, or is of another workspace; Temporary when the vendor
        does not answer; Permanent when a person must correct the settings.
        """


class NoSignIn:
    """Where nothing is set up for it. `how` says how to switch it on."""

    def __init__(self, how: str = "The notifier's sign-in is not set up") -> None:
        self._how = how

    @property
    def why_off(self) -> str:
        return self._how

    def address(self, state: str, nonce: str, back_to: str) -> str:  # noqa: ARG002
        raise Refused(self.why_off)

    def account(self, code: str, nonce: str, back_to: str) -> str:  # noqa: ARG002
        raise Refused(self.why_off)


NO_SIGN_IN = NoSignIn()
