"""Uploads files to Slack: shared in a message's thread, or as pictures that a card shows.

A file that is shared nowhere is visible to the bot alone, until an image block shows it:
https://github.com/slackapi/python-slack-sdk/issues/1658
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

import requests
import structlog

from bot import tracing
from bot.clients.plain_text import is_web_address, one_line
from bot.clients.slack.calls import Answer, SlackCalls, SlackError, Wait, objects_at, text_at
from bot.clients.slack.people import SlackPeople
from bot.domain.references import Image, PostedCard
from bot.errors import MessageGone, OutcomeUnknown, OutsideError, Temporary
from bot.ports import Attachment

ALT_LIMIT = 1_000  # https://docs.slack.dev/reference/methods/files.getUploadURLExternal#errors, alt_txt_too_large
NAME_LIMIT = 100
PAGE = 200
# Slack processes and shares a file after the upload. Seconds to wait before each look.
PAUSES = (0.0, 0.5, 1.0, 1.5, 2.0)

log = structlog.get_logger()


class SlackFiles:
    """Each upload makes a new file; no one sees it until it is shared."""

    def __init__(self, calls: SlackCalls, people: SlackPeople, timeout: float, wait: Wait = time.sleep) -> None:
        self._calls = calls
        self._people = people
        self._timeout = timeout
        self._wait = wait

    def bring(self, content: BinaryIO, size: int, name: str, alt: str = "") -> dict[str, str]:
        """Streams the content to Slack; returns what `files.completeUploadExternal` needs. Safe to repeat.

        `alt` is for pictures that a card shows. Slack may not share a file that has one, and says nothing.
        """
        name = one_line(name, NAME_LIMIT)
        words = {"alt_txt": one_line(alt, ALT_LIMIT)} if alt else {}
        ticket = self._calls.call("files.getUploadURLExternal", {"filename": name, "length": size, **words})
        self._send(text_at(ticket, "upload_url"), content, name)
        return {"id": text_at(ticket, "file_id"), "title": name}

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        """Posts one message with the files that the thread lacks. Slack stores no key of ours with a file, so names are compared.

        Slack shares after its answer, and sometimes not at all, so the thread is read until they are there.
        """
        missing = self._missing_in(posted, files)
        if not missing:
            return
        brought = [self._bring_file(file) for file in missing]
        place = {"channel_id": posted.channel, "thread_ts": posted.message}
        try:
            self._calls.call_once("files.completeUploadExternal", {"files": brought, **place})
        except OutcomeUnknown as lost:
            raise OutcomeUnknown(f"{lost} The files of {key} are looked up in their thread.") from None
        self._see(posted, missing, brought, key)

    def _see(self, posted: PostedCard, wanted: Sequence[Attachment], brought: Sequence[Answer], key: str) -> None:
        for pause in PAUSES:
            if pause:
                self._wait(pause)
            try:
                missing = self._missing_in(posted, wanted)
            except MessageGone:  # then Slack has put them at the channel's root, or will
                self._delete(brought)
                raise
            except Temporary as trouble:
                raise OutcomeUnknown(f"{trouble} The files of {key} are looked up in their thread.") from None
            if not missing:
                return
        names = ", ".join(file.name for file in missing)
        raise OutcomeUnknown(f"Slack took the files of {key} and does not show {names} yet. It is looked up again.")

    def _delete(self, brought: Sequence[Answer]) -> None:
        for file in brought:
            try:
                self._calls.call("files.delete", {"file": text_at(file, "id")})
            except OutsideError as trouble:
                log.warning("stray_file_not_deleted", file=text_at(file, "id"), why=str(trouble))

    def _bring_file(self, file: Attachment) -> dict[str, str]:
        with file.path.open("rb") as content:
            return self.bring(content, file.path.stat().st_size, file.name)

    def _missing_in(self, posted: PostedCard, files: Sequence[Attachment]) -> list[Attachment]:
        there = self._names_in(posted)
        return [file for file in files if one_line(file.name, NAME_LIMIT) not in there]

    def _names_in(self, posted: PostedCard) -> set[str]:
        """The names of files that our bot shared. Counting others' files would let anyone block ours by using its name."""
        thread = {"channel": posted.channel, "ts": posted.message, "limit": PAGE}
        try:
            pages = list(self._calls.pages("conversations.replies", thread))
        except SlackError as refusal:
            if refusal.code != "thread_not_found":
                raise
            raise MessageGone(f"Message {posted.message} was deleted in Slack, and its files with it.") from None
        own = [message for page in pages for message in objects_at(page, "messages") if self._is_ours(message)]
        return {text_at(file, "name") for message in own for file in objects_at(message, "files")}

    def _is_ours(self, message: Answer) -> bool:
        """In a message with files Slack sometimes names only the bot's user, not the bot."""
        bot = self._people.bot()
        return text_at(message, "bot_id") == bot.id or (bool(bot.user) and text_at(message, "user") == bot.user)

    def _send(self, address: str, content: BinaryIO, name: str) -> None:
        """The address itself grants access, so no token is sent."""
        if not is_web_address(address):
            raise Temporary(f"Slack named no address to send {name} to. It is tried again.")
        try:
            with tracing.call("slack", "upload") as span:
                taken = requests.post(address, data=content, timeout=self._timeout, allow_redirects=False).status_code
                span.set("http.response.status_code", taken)
        except requests.RequestException as error:
            raise Temporary(f"Slack did not take {name} ({type(error).__name__}). It is tried again.") from None
        if taken != 200:
            raise Temporary(f"Slack did not take {name} (HTTP {taken}). It is tried again.")


LOOK_TIMEOUT = 2.0  # seconds, for each look at a picture


class SlackImages:
    """Each upload makes a new file, so a lost answer leaves an unused file behind that no one sees."""

    def __init__(self, calls: SlackCalls, files: SlackFiles, wait: Wait = time.sleep) -> None:
        self._calls = calls
        self._files = files
        self._wait = wait

    def upload(self, content: bytes, name: str, alt: str) -> Image:
        """Raises Temporary when Slack has not processed the file in time; a later upload works as well."""
        file = self._files.bring(BytesIO(content), len(content), name, alt)
        self._calls.call("files.completeUploadExternal", {"files": [file]})
        self._wait_until_shown(file["id"])

        return Image(file["id"], alt)

    def _wait_until_shown(self, file: str) -> None:
        """A processed file has a type: https://github.com/slackapi/node-slack-sdk/issues/2040"""
        for pause in PAUSES:
            if pause:
                self._wait(pause)
            if text_at(self._calls.call("files.info", {"file": file}, timeout=LOOK_TIMEOUT), "file", "mimetype"):
                return
        raise Temporary(f"Slack has not looked through the picture within {sum(PAUSES):g} s. It is tried again.")
