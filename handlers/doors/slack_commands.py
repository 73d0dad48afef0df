"""Door: Slack's slash command. It shows requests, declares absences and flips the kill switch; votes belong on the card.

Recorded first, acknowledged after, as with buttons: an answer means that it has happened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from bot.domain.card.card import Card, Fact, Link
from bot.domain.card.sentences import title_of
from bot.domain.model import OPEN, TransitionRequest
from bot.domain.request.passkeys import Passkey
from bot.domain.text import format_utc, target_label
from bot.domain.workspaces import in_workspace
from bot.errors import OutsideError, Refused
from bot.services import Services
from handlers.doors.errors import as_sentence
from handlers.doors.readers import link_for_reader
from handlers.policy.kill_switch import how_it_is, switch_fast_track
from handlers.request import call_off_button
from handlers.request.absences import come_back, declare_away, who_is_away
from handlers.request.passkeys import OPENS_FOR, offer_page, passkeys_of, revoke_own
from handlers.request.voters import VoterUnknown, any_approver

if TYPE_CHECKING:
    from slack_bolt import Ack, App

COMMAND = "/countersign"
SHOWN = 20
HELP = (
    Fact("/countersign", "what waits for a decision"),
    Fact("/countersign targets", "who holds what"),
    Fact("/countersign away until 2026-12-01 -> @ben", "until the end of that day Ben decides for you"),
    Fact("/countersign away", "who is away, and who stands in"),
    Fact("/countersign back", "you decide for yourself again"),
    Fact("/countersign fast-track", "whether it is on, since when, by whom and why"),
    Fact("/countersign fast-track off REASON", "no version passes without people, under any rule, from now on"),
    Fact("/countersign fast-track on", "versions that reach their rule's thresholds pass again"),
    Fact("/countersign call-off ID REASON", "what is approved and not applied yet is not applied any more"),
    Fact("/countersign passkey", "a page on which you make a passkey, to sign approvals with"),
    Fact("/countersign passkey revoke ID", "your passkey signs nothing from now on"),
    Fact("/countersign page NAME VERSION", "a new link to the page of a model version"),
    Fact("/countersign help", "this list"),
)
AWAY = re.compile(
    r"until\s+(?P<day>\d{4}-\d{2}-\d{2})\s*(?:[-\N{EN DASH}\N{EM DASH}]+>|\N{RIGHTWARDS ARROW}|\bto\b)\s*(?P<named>.+)"
)
PAGE = re.compile(r"(?P<model>.+?)\s+v?(?P<version>[0-9]{1,9})(?:\s+in\s+(?P<place>\S+))?")
MAIL_LINK = re.compile(r"<mailto:[^|>]*\|([^>]*)>")  # what Slack makes of an address that a person types
NAMED = re.compile(r"<(?:([@#])|!)[^|>]*\|([^>]*)>")  # and of people, channels and groups
WEB_LINK = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>")
AWAY_UNREAD = 'say it like this: "/countersign away until 2026-12-01 -> @ben", with the last day on which you are away'


@dataclass(frozen=True)
class Asked:
    """Who typed the command, in which workspace, and the text after its first word."""

    account: str
    rest: str
    team: str = ""


def listen_to_commands(bolt: App, s: Services) -> None:
    def asked(ack: Ack, command: dict[str, str]) -> None:
        ack(
            dict(
                s.notifier.as_reply(answer(command["user_id"], command.get("text", ""), s, command.get("team_id", "")))
            )
        )

    bolt.command(COMMAND)(asked)


def answer(account_id: str, text: str, s: Services, team: str = "") -> Card:
    """A refusal is an answer too: the sentence that only the person sees."""
    word, _, rest = _as_typed(text).partition(" ")
    deed = DEEDS.get(word.lower())
    if deed is None:
        return _help(f'Countersign does not know "{word[:40]}". It understands:')
    try:
        return deed(Asked(account_id, rest.strip(), team), s)
    except VoterUnknown:
        return _said(
            "Not done", "Slack did not answer in time when asked who you are. Nothing was recorded: say it again."
        )
    except Refused as refusal:
        return _said("Not done", as_sentence(str(refusal)))
    except OutsideError as trouble:
        return _said("Not done", f"Nothing was recorded: {as_sentence(str(trouble))} Say it again.")


def _waiting(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    with s.store.transaction() as tx:
        waiting = tx.requests.find(states=OPEN)
    if not waiting:
        return _said("Nothing waits", "No request waits for a decision.")
    said = f"Waiting for a decision: {len(waiting)}, the oldest since {format_utc(waiting[0].opened_at)}."
    return Card(
        "Waiting for a decision", said, tuple(_line(request) for request in waiting[:SHOWN]), paragraphs=(said,)
    )


def _line(request: TransitionRequest) -> Fact:
    label = f"{request.version} → {target_label(request)}"
    return Fact(label, Link("Open the card", request.card.url) if request.card else title_of(request))


def _targets(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    with s.store.transaction() as tx:
        policy = tx.policy()
        everything = tx.registry.placements()
    placements = [h for h in everything if policy.rule_for(h.version.workspace, h.version.model, h.target)]
    said = f"Targets that the policy speaks of and that are held: {len(placements)}."
    unruled = len(everything) - len(placements)
    if unruled:
        said += f" Targets that no rule speaks of: {unruled}; countersign list shows them."
    facts = tuple(
        Fact(
            f"{held.target} of {held.version.model}{in_workspace(held.version.workspace)}",
            f"v{held.version.version} since {format_utc(held.since)}"
            + ("" if held.request_id else ", without an approval"),
        )
        for held in placements[:SHOWN]
    )
    return Card("Who holds what", said, facts, paragraphs=(said,))


def _away(asked: Asked, s: Services) -> Card:
    if not asked.rest:
        return _absences(s)
    found = AWAY.fullmatch(asked.rest)
    if found is None:
        raise Refused(AWAY_UNREAD)
    absence, delegate = declare_away(asked.account, _day(found["day"]), found["named"], s)
    return _said(
        "You are away",
        f"Recorded: you are away until {format_utc(absence.until)}, and {delegate.name} decides for you and is told so.",
        'Back earlier? Say "/countersign back".',
    )


def _absences(s: Services) -> Card:
    away = who_is_away(s)
    said = f"Away: {len(away)}." if away else "Nobody is away, as far as Countersign knows."
    facts = tuple(
        Fact(name, f"until {format_utc(absence.until)}; {stand_in} decides for them")
        for absence, name, stand_in in away
    )
    return Card("Who is away", said, facts, paragraphs=(said,))


def _back(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    delegate = come_back(asked.account, s)
    return _said("You are back", f"Recorded: you decide for yourself again, and {delegate.name} is told so.")


def _fast_track(asked: Asked, s: Services) -> Card:
    word, _, reason = asked.rest.partition(" ")
    if not word:
        return _said("The fast track", how_it_is(s))
    if word.lower() not in ("on", "off"):
        raise Refused('say "/countersign fast-track off REASON" or "/countersign fast-track on"')
    person = any_approver(asked.account, s)
    return _said("The fast track", switch_fast_track(word.lower() == "on", person, _readable(reason), s))


def _call_off(asked: Asked, s: Services) -> Card:
    beginning, _, reason = asked.rest.partition(" ")
    if not beginning:
        raise Refused('say "/countersign call-off ID REASON", with the id that the last line of the card shows')
    ended = call_off_button.say(asked.account, beginning, _readable(reason), s)
    said = f"Recorded: the approval of {ended.version} for {target_label(ended)} is called off and will not be applied."
    return _said("Called off", said, "Asking again opens a fresh request.")


def _passkey(asked: Asked, s: Services) -> Card:
    word, _, beginning = asked.rest.partition(" ")
    if word.lower() == "revoke":
        key = revoke_own(asked.account, beginning.strip(), s)
        return _said("Passkey revoked", f"Recorded: passkey {key.short_id} signs nothing from now on.")
    _nothing_after(asked)
    link = offer_page(asked.account, asked.team, s)
    said = (
        f"Open this page within {OPENS_FOR.seconds // 60} minutes, on the device whose passkey you want to use. "
        "It is for you alone: do not pass it on."
    )
    _, mine = passkeys_of(asked.account, s)
    facts = (Fact("Page", Link("Make a passkey", link)), *(Fact("You have", _passkey_text(key)) for key in mine))
    not_yours = ("Did you not make one of these? Say /countersign passkey revoke ID, and warn your administrators.",)
    return Card("Make a passkey", said, facts, paragraphs=(said, *(not_yours if mine else ())))


def _passkey_text(key: Passkey) -> str:
    state = "confirmed" if key.is_confirmed else f"waits for {key.needs - len(key.confirmed_by)} to confirm it"
    return f"{key.short_id}{f' ({key.label})' if key.label else ''}, made {format_utc(key.enrolled_at)}, {state}"


def _page(asked: Asked, s: Services) -> Card:
    named = PAGE.fullmatch(asked.rest)
    if named is None:
        raise Refused('say "/countersign page NAME VERSION", or "/countersign page NAME VERSION in REGISTRY/WORKSPACE"')
    link = link_for_reader(asked.account, named["model"], int(named["version"]), named["place"] or "", s)
    said = "This link opens the page for 90 days, for everyone who has it."
    page = Fact(f"{named['model']} v{named['version']}", Link("Open the page", link))
    return Card("The page", said, (page,), paragraphs=(said,))


def _list_commands(_asked: Asked, _s: Services) -> Card:
    return _help("What Countersign understands:")


DEEDS: dict[str, Callable[[Asked, Services], Card]] = {
    "": _waiting,
    "requests": _waiting,
    "targets": _targets,
    "away": _away,
    "back": _back,
    "fast-track": _fast_track,
    "call-off": _call_off,
    "passkey": _passkey,
    "page": _page,
    "help": _list_commands,
}


def _help(said: str) -> Card:
    return Card("Countersign", said, HELP)


def _said(title: str, *sentences: str) -> Card:
    return Card(title, sentences[0], paragraphs=sentences)


def _nothing_after(asked: Asked) -> None:
    """Extra words are refused rather than ignored: the person meant something by them."""
    if asked.rest:
        raise Refused(f'nothing can stand after that word, but you wrote "{asked.rest[:80]}". Say "/countersign help"')


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(f"there is no day {text}. {AWAY_UNREAD[:1].upper()}{AWAY_UNREAD[1:]}") from None


def _as_typed(text: str) -> str:
    """What the person wrote, before Slack escaped it; mentions stay as Slack writes them."""
    unlinked = MAIL_LINK.sub(r"\1", text)
    return " ".join(unlinked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").split())


def _readable(text: str) -> str:
    """A reason is read by people, who know names and no ids."""
    return WEB_LINK.sub(r"\1", NAMED.sub(r"\1\2", text))
