"""Door: Slack's Home tab, the form in which people ask, and links that they post. Parses and answers; `handlers.home` decides.

Opening a tab and choosing on it are recorded, then acknowledged, and shown by an effect. A form is answered when it was asked, or in time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from bot import metrics
from bot.domain.card.card import Card
from bot.errors import OutsideError, Refused, Rejected
from bot.language import N_, _, reread, translated
from bot.ports.home import Deed, HomePress
from bot.services import Services
from handlers.doors.errors import as_sentence, text_of
from handlers.home import asking, opening, previews, sending
from handlers.home.late import tell_late
from handlers.notify.readers import for_account

if TYPE_CHECKING:
    from slack_bolt import Ack, App

log = structlog.get_logger()
COMMAND = "/countersign"
WORD = "request"
FORM = "countersign.request"  # of the form, and of the global shortcut
OURS = re.compile(r"^(home|ask)\..+")
NOT_ASKED = N_("Nothing was asked")
PLAIN = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # as Slack escapes what a person types


def listen_to_home(bolt: App, s: Services) -> None:
    """Before the listeners of `slack_actions` and `slack_commands`, which take whatever is left."""

    def opened(ack: Ack, body: dict[str, object]) -> None:
        account = s.home.read_opened(body)
        if account:
            opening.open_home(account, s)
        ack()

    def pressed(ack: Ack, body: dict[str, object]) -> None:
        _do(s.home.read_press(body), s)
        ack()

    def typed(ack: Ack, body: dict[str, object]) -> None:
        asked = s.home.read_typed(body)
        with for_account(asked.account, s):
            ack(dict(s.home.as_choices(asking.choices_for(asked, s))))

    def sent(ack: Ack, body: dict[str, object]) -> None:
        begun = s.clock.now()
        account, form = s.home.read_form(body)
        reply = sending.send(account, form, begun, s)
        with for_account(account, s, begun=begun):
            if reply.mistakes is not None:
                said = {field: as_sentence(text) for field, text in reply.mistakes.items()}
                ack(response_action="errors", errors=dict(s.home.as_mistakes(form, said)))
            elif reply.form is not None:
                ack(response_action="update", view=dict(s.home.as_form(translated(reply.form))))
            else:
                ack(response_action="update", view=dict(s.notifier.as_notice(reread(reply.title), reread(reply.text))))
        tell_late(reply, account, form.view, s)

    def ran(ack: Ack, body: dict[str, object]) -> None:
        account, trigger = s.home.read_trigger(body)
        _begin_or_say_why(trigger, account, s)
        ack()

    def said(ack: Ack, command: dict[str, str]) -> None:
        answer = open_by_command(command, s)
        if answer is None:
            ack()
        else:
            ack(dict(s.notifier.as_reply(answer)))

    def shared(ack: Ack, body: dict[str, object]) -> None:
        previews.show_links(s.home.read_links(body), s)
        ack()

    bolt.event("app_home_opened")(_readable(opened))
    bolt.event("link_shared")(_readable(shared))
    bolt.action(OURS)(_readable(pressed))
    bolt.options(OURS)(_readable(typed))
    bolt.view(FORM)(_readable(sent))
    bolt.global_shortcut(FORM)(_readable(ran))
    bolt.command(COMMAND, matchers=[is_request])(said)


def _readable(listener: Callable[[Ack, dict[str, object]], None]) -> Callable[[Ack, dict[str, object]], None]:
    """What is signed but of no form that Slack documents is counted and taken: sent again, it would be the same."""

    def listen(ack: Ack, body: dict[str, object]) -> None:
        try:
            listener(ack, body)
        except Rejected as rejection:
            metrics.webhooks_rejected.labels("slack", rejection.reason).inc()
            log.warning("rejected", source="slack", reason=rejection.reason, why=str(rejection))
            ack()

    return listen


def is_request(command: Mapping[str, str]) -> bool:
    """Whether the word after the command is the one that opens the form."""
    return command.get("text", "").split(maxsplit=1)[:1] == [WORD]


def open_by_command(command: Mapping[str, str], s: Services) -> Card | None:
    """Opens the form; None when it is open, else why not, in the person's language."""
    account, named = command["user_id"], " ".join(_as_typed(command.get("text", "")).split()[1:])
    begun = s.clock.now()
    try:
        _begin(command.get("trigger_id", ""), account, named, s)
    except (Refused, OutsideError) as trouble:
        with for_account(account, s, begun=begun):
            said = reread(_why(trouble))
            return Card(reread(_(NOT_ASKED)), said, paragraphs=(said,))
    return None


def _do(press: HomePress, s: Services) -> None:
    deeds: Mapping[Deed, Callable[[], None]] = {
        Deed.OPEN: lambda: None,  # Slack has followed the address by itself
        Deed.ASK: lambda: _begin_or_say_why(press.trigger, press.account, s),
        Deed.CHOOSE_MODEL: lambda: _choose_model(press, s),
    }
    deeds.get(press.deed, lambda: opening.choose(press, s))()


def _begin_or_say_why(trigger: str, account: str, s: Services) -> None:
    """A person who may not ask reads why, in a form's place."""
    begun = s.clock.now()
    try:
        _begin(trigger, account, "", s)
    except Refused as refusal:
        with for_account(account, s, begun=begun):
            s.home.open_notice(trigger, reread(_(NOT_ASKED)), reread(_why(refusal)))


def _begin(trigger: str, account: str, named: str, s: Services) -> None:
    """Who it is comes first: when Slack does not say it in time, its language is not asked for either."""
    asker = asking.check_may_ask(account, s)
    with for_account(account, s):
        asking.begin(trigger, asker, named, s)


def _choose_model(press: HomePress, s: Services) -> None:
    with for_account(press.account, s):
        asking.choose_model(press, s)


def _why(trouble: Refused | OutsideError) -> str:
    if isinstance(trouble, Refused):
        return as_sentence(text_of(trouble))
    return _("Nothing was asked: {why} Say it again.", why=as_sentence(str(trouble)))


def _as_typed(text: str) -> str:
    for escaped, plain in PLAIN:
        text = text.replace(escaped, plain)
    return text
