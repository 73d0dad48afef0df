"""Door: Slack's slash command. What each word does is in `handlers.doors.commands`.

Recorded first, acknowledged after, as with buttons: an answer means that it has happened.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.domain.card.card import Card
from bot.errors import OutsideError, Refused
from bot.language import _, translated
from bot.services import Services
from handlers.doors.commands.asked import Asked, said
from handlers.doors.commands.table import HELP as HELP
from handlers.doors.commands.table import WORDS, not_known
from handlers.doors.errors import as_sentence, text_of
from handlers.notify.readers import for_account
from handlers.request.voters import VoterUnknown

if TYPE_CHECKING:
    from slack_bolt import Ack, App

COMMAND = "/countersign"
MAIL_LINK = re.compile(r"<mailto:[^|>]*\|([^>]*)>")  # what Slack makes of an address that a person types


def listen_to_commands(bolt: App, s: Services) -> None:
    def asked(ack: Ack, command: dict[str, str]) -> None:
        ack(dict(s.notifier.as_reply(_to(command, s))))

    bolt.command(COMMAND)(asked)


def _to(command: dict[str, str], s: Services) -> Card:
    said_where = (command.get("team_id", ""), command.get("api_app_id", ""), command.get("channel_id", ""))
    who = Asked(command["user_id"], "", *said_where, command.get("trigger_id", ""))
    return _in_their_language(who, command.get("text", ""), s)


def answer(account_id: str, text: str, s: Services, team: str = "") -> Card:
    """As if the person had typed the text, without a form that could open."""
    return _in_their_language(Asked(account_id, "", team), text, s)


def _in_their_language(who: Asked, text: str, s: Services) -> Card:
    """What is recorded comes before, so that it is in none."""
    begun = s.clock.now()
    card = _answer(who, text, s)
    with for_account(who.account, s, begun=begun):
        return translated(card)


def _answer(who: Asked, text: str, s: Services) -> Card:
    """A refusal is an answer too: the sentence that only the person sees."""
    word, _between, rest = _as_typed(text).partition(" ")
    known = WORDS.get(word.lower())
    if known is None:
        return not_known(word)
    asked = Asked(who.account, rest.strip(), who.team, who.app, who.channel, who.trigger)
    try:
        return known.deed(asked, s)
    except VoterUnknown:
        return _not_done(_("Slack did not answer in time when asked who you are. Nothing was recorded: say it again."))
    except Refused as refusal:
        return _not_done(text_of(refusal))
    except OutsideError as trouble:
        return _not_done(_("Nothing was recorded: {why} Say it again.", why=as_sentence(str(trouble))))


def _not_done(text: str) -> Card:
    return said(_("Not done"), as_sentence(text))


def _as_typed(text: str) -> str:
    """What the person wrote, before Slack escaped it; mentions stay as Slack writes them."""
    unlinked = MAIL_LINK.sub(r"\1", text)
    return " ".join(unlinked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").split())
