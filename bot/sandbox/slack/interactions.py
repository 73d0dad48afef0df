"""A person's actions in Slack, and what Slack does with the bot's answer: clicks, modals, slash commands, messages, events.

The page's routes and the methods of `SlackSandbox` both use it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import payloads
from .answers import NO_ANSWER, Answer
from .backend import Backend
from .block_kit.validation import checked_blocks, checked_view
from .delivery import Delivery
from .escaping import escaped
from .views import OpenView
from .wire import Json, SlackError, flag_at, object_at, objects_at, text_at
from .workspace import SLACKBOT, Channel, Message, SandboxPerson

RETRIES = 3  # Slack retries an event at once, after a minute and after five; the sandbox does not wait
CONNECTION_TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True)
class Submission:
    """The result of submitting a modal. `status` is the bot's, or NO_ANSWER when an input is empty and nothing was sent."""

    status: int
    errors: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""


class Interactions:
    def __init__(self, backend: Backend, delivery: Delivery, base_url: Callable[[], str]) -> None:
        self._backend, self._delivery, self._base_url = backend, delivery, base_url

    def press(self, person: SandboxPerson, message: Message, action_id: str, chosen: str = "") -> Answer:
        payload = self.payload_of_press(person, message, action_id, chosen)
        return self.send_press(person, message, payload)

    def payload_of_press(self, person: SandboxPerson, message: Message, action_id: str, chosen: str = "") -> Json:
        base_url = self._base_url()
        return payloads.block_actions(self._backend, person, message, action_id, chosen=chosen, base_url=base_url)

    def send_press(self, person: SandboxPerson, message: Message, payload: Json) -> Answer:
        """Sends the click once; when that fails, the person sees a warning on the message."""
        self._backend.workspace.set_trouble(person.id, message.ts, "")
        answer = self._delivery.interaction(payload)
        self._backend.workspace.set_trouble(person.id, message.ts, answer.trouble)
        return answer

    def use_shortcut(self, person: SandboxPerson, message: Message, callback_id: str) -> Answer:
        """Raises LookupError for a shortcut that the app has not."""
        if callback_id not in dict(self._backend.app.message_shortcuts):
            raise LookupError(f"the app has no message shortcut {callback_id!r}")
        payload = payloads.message_action(self._backend, person, message, callback_id, self._base_url())
        return self.send_press(person, message, payload)

    def submit(self, person: SandboxPerson, view: OpenView, chosen: payloads.Chosen) -> Submission:
        missing = _not_filled_in(view, chosen)
        if missing:
            self._show_errors(view, missing)
            return Submission(NO_ANSWER, missing)
        answer = self._delivery.interaction(payloads.view_submission(self._backend, person, view, chosen))
        if answer.trouble:
            return Submission(answer.status, trouble=CONNECTION_TROUBLE)
        return self._follow(view, answer)

    def close(self, person: SandboxPerson, view: OpenView) -> Answer:
        """Notifies the bot only when the view has `notify_on_close`."""
        self._backend.views.close(view)
        self._backend.workspace.touch()
        if not flag_at(view.content, "notify_on_close"):
            return Answer(200)
        return self._delivery.interaction(payloads.view_closed(self._backend, person, view))

    def command(self, person: SandboxPerson, channel: Channel, command: str, text: str) -> Answer:
        arriving = escaped(text, self._backend.workspace) if self._backend.app.should_escape else text
        fields = payloads.slash_command(self._backend, person, channel, command, arriving, self._base_url())
        answer = self._delivery.command(fields)
        if answer.trouble:
            error = "operation_timeout" if "timed out" in answer.trouble else "dispatch_failed"
            self._whisper(person, channel, SLACKBOT, f'{command} failed with the error "{error}"', [])
        elif answer.body:
            self._show_answer(person, channel, answer.body)
        return answer

    def say(self, person: SandboxPerson, channel: Channel, text: str, thread_ts: str = "") -> Message:
        """Messages are always escaped, so a mention in one works too."""
        workspace = self._backend.workspace
        said = escaped(text, workspace)
        return workspace.put(Message(channel.id, workspace.new_ts(), person.id, said, thread_ts=thread_ts))

    def event(self, event: Json, event_id: str = "") -> list[Answer]:
        """Sends an event, and retries until the bot accepts it, declines retries, or three retries are used up."""
        envelope = payloads.event_callback(self._backend, event, event_id or f"Ev{secrets.token_hex(5).upper()}")
        answers = [self._delivery.event(envelope)]
        for retry in range(1, RETRIES + 1):
            last = answers[-1]
            if not last.trouble or last.headers.get("X-Slack-No-Retry") == "1":
                break
            reason = "http_timeout" if last.status == NO_ANSWER else "http_error"
            answers.append(self._delivery.event(envelope, retry, reason))
        return answers

    def verify_address(self) -> bool:
        """Slack's check of a new address in the app's settings: the bot must return the challenge."""
        challenge = secrets.token_urlsafe(24)
        token = self._backend.app.verification_token
        answer = self._delivery.event({"type": "url_verification", "token": token, "challenge": challenge})
        return not answer.trouble and challenge in (answer.body.get("challenge"), answer.body.get("text"))

    def _follow(self, view: OpenView, answer: Answer) -> Submission:
        """The bot's answer may close the modal, show errors in it, or replace it."""
        asked = answer.body.get("response_action")
        if asked == "errors":
            errors = {block_id: str(sentence) for block_id, sentence in object_at(answer.body, "errors").items()}
            self._show_errors(view, errors)
            return Submission(answer.status, errors)
        if asked == "update":
            return self._put_in_place(view, answer)
        if asked in (None, "clear"):
            self._close_if_still_open(view)
            return Submission(answer.status)
        return Submission(answer.status, trouble=CONNECTION_TROUBLE)

    def _put_in_place(self, view: OpenView, answer: Answer) -> Submission:
        try:
            self._backend.views.update(view, checked_view(answer.body.get("view")))
        except SlackError:
            return Submission(answer.status, trouble=CONNECTION_TROUBLE)
        self._backend.workspace.touch()
        return Submission(answer.status)

    def _close_if_still_open(self, view: OpenView) -> None:
        """The bot may have opened another modal meanwhile, which stays."""
        open_now = self._backend.views.of(view.person_id)
        if open_now is not None and open_now.id == view.id:
            self._backend.views.close(view)
            self._backend.workspace.touch()

    def _show_answer(self, person: SandboxPerson, channel: Channel, body: Json) -> None:
        text, author = text_at(body, "text"), self._backend.app.bot_user_id
        blocks = checked_blocks(body["blocks"], self._backend.workspace.pictures()) if body.get("blocks") else []
        if body.get("response_type") == "in_channel":
            ts = self._backend.workspace.new_ts()
            self._backend.workspace.put(Message(channel.id, ts, author, text, blocks))
        else:
            self._whisper(person, channel, author, text, blocks)

    def _whisper(self, person: SandboxPerson, channel: Channel, author: str, text: str, blocks: list[Json]) -> None:
        ts = self._backend.workspace.new_ts()
        self._backend.workspace.put(Message(channel.id, ts, author, text, blocks, only_for=person.id))

    def _show_errors(self, view: OpenView, errors: Mapping[str, str]) -> None:
        self._backend.views.show_errors(view, errors)
        self._backend.workspace.touch()


def _not_filled_in(view: OpenView, chosen: payloads.Chosen) -> dict[str, str]:
    """The inputs that Slack's client refuses before sending anything."""
    inputs = {str(block["block_id"]): block for block in objects_at(view.content, "blocks") if block["type"] == "input"}
    unknown = [block_id for block_id in chosen if block_id not in inputs]
    if unknown:
        raise LookupError(f"the modal has no input {unknown[0]!r}; its inputs: {', '.join(inputs) or 'none'}")
    complaints = {block_id: _complaint(block, chosen.get(block_id, "")) for block_id, block in inputs.items()}
    return {block_id: sentence for block_id, sentence in complaints.items() if sentence}


def _complaint(block: Json, value: str) -> str:
    element = object_at(block, "element")
    shortest, longest = element.get("min_length"), element.get("max_length", 3000)
    if not value.strip():
        return "" if flag_at(block, "optional") else "Please complete this required field."
    if element["type"] != "plain_text_input":
        return ""
    if isinstance(shortest, int) and len(value) < shortest:
        return f"Please enter at least {shortest} characters."
    if isinstance(longest, int) and len(value) > longest:
        return f"Please enter no more than {longest} characters."
    return ""
