"""Brings a picture to Slack for a card to show. The card itself, with and without its picture, is sent in `slack`.

A file that was shared nowhere belongs to the bot alone, until an image block shows it: https://github.com/slackapi/python-slack-sdk/issues/1658
"""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from bot.clients.plain_text import is_web_address, one_line
from bot.clients.slack_calls import SlackCalls, text_at
from bot.domain.references import Image
from bot.ports import Temporary

ALT_LIMIT = 1_000  # https://docs.slack.dev/reference/methods/files.getUploadURLExternal#errors, alt_txt_too_large
NAME_LIMIT = 100
# Slack looks through a file after it has taken it, and refuses a block that shows it before. Seconds to wait before each look.
PAUSES = (0.0, 0.5, 1.0, 1.5, 2.0)
LOOK_TIMEOUT = 2.0  # seconds

Wait = Callable[[float], None]


class SlackImages:
    """Each upload makes a new file, so an answer that was lost leaves one behind that nobody sees."""

    def __init__(self, calls: SlackCalls, timeout: float, wait: Wait = time.sleep) -> None:
        self._calls = calls
        self._timeout = timeout
        self._wait = wait

    def upload(self, content: bytes, name: str, alt: str) -> Image:
        """Raises Temporary until Slack has looked through the file: another upload later is as good."""
        name = one_line(name, NAME_LIMIT)
        wanted = {"filename": name, "length": len(content), "alt_txt": one_line(alt, ALT_LIMIT)}
        ticket = self._calls.call("files.getUploadURLExternal", wanted)
        file = text_at(ticket, "file_id")

        self._send(text_at(ticket, "upload_url"), content)
        self._calls.call("files.completeUploadExternal", {"files": [{"id": file, "title": name}]})
        self._wait_until_shown(file)

        return Image(file, alt)

    def _send(self, address: str, content: bytes) -> None:
        """The address is a ticket in itself and gets no token."""
        if not is_web_address(address):
            raise Temporary("Slack named no address to send the picture to. It is tried again.")
        try:
            taken = requests.post(address, data=content, timeout=self._timeout, allow_redirects=False).status_code
        except requests.RequestException as error:
            raise Temporary(f"Slack did not take the picture ({type(error).__name__}). It is tried again.") from None
        if taken != 200:
            raise Temporary(f"Slack did not take the picture (HTTP {taken}). It is tried again.")

    def _wait_until_shown(self, file: str) -> None:
        """Only then does the file have a type: https://github.com/slackapi/node-slack-sdk/issues/2040"""
        for pause in PAUSES:
            if pause:
                self._wait(pause)
            if text_at(self._calls.call("files.info", {"file": file}, timeout=LOOK_TIMEOUT), "file", "mimetype"):
                return
        raise Temporary(f"Slack has not looked through the picture within {sum(PAUSES):g} s. It is tried again.")
