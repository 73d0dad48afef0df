"""Brings a picture to Slack for a card to show. The card itself, with and without its picture, is sent in `slack`.

A file that was shared nowhere belongs to the bot alone, until an image block shows it:
https://github.com/slackapi/python-slack-sdk/issues/1658
How the bytes get there is in `slack_files`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO

from bot.clients.slack.calls import SlackCalls, text_at
from bot.clients.slack.files import SlackFiles
from bot.domain.references import Image
from bot.errors import Temporary

# Slack looks through a file after it has taken it, and refuses a block that shows it before. Seconds to wait before each look.
PAUSES = (0.0, 0.5, 1.0, 1.5, 2.0)
LOOK_TIMEOUT = 2.0  # seconds

Wait = Callable[[float], None]


class SlackImages:
    """Each upload makes a new file, so an answer that was lost leaves one behind that nobody sees."""

    def __init__(self, calls: SlackCalls, files: SlackFiles, wait: Wait = time.sleep) -> None:
        self._calls = calls
        self._files = files
        self._wait = wait

    def upload(self, content: bytes, name: str, alt: str) -> Image:
        """Raises Temporary until Slack has looked through the file: another upload later is as good."""
        file = self._files.bring(BytesIO(content), len(content), name, alt)
        self._calls.call("files.completeUploadExternal", {"files": [file]})
        self._wait_until_shown(file["id"])

        return Image(file["id"], alt)

    def _wait_until_shown(self, file: str) -> None:
        """Only then does the file have a type: https://github.com/slackapi/node-slack-sdk/issues/2040"""
        for pause in PAUSES:
            if pause:
                self._wait(pause)
            if text_at(self._calls.call("files.info", {"file": file}, timeout=LOOK_TIMEOUT), "file", "mimetype"):
                return
        raise Temporary(f"Slack has not looked through the picture within {sum(PAUSES):g} s. It is tried again.")
