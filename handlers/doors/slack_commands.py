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
from bot.domain.text import target_label
from bot.domain.workspaces import in_workspace
from bot.errors import OutsideError, Refused
from bot.language import N_, _, ngettext, sentences, translated
from bot.services import Services
from bot.store.registry import Placement
from handlers.doors.daily_command import HELP as DAILY_HELP
from handlers.doors.daily_command import daily
from handlers.doors.errors import as_sentence, text_of
from handlers.doors.readers import link_for_reader
from handlers.notify.readers import for_account
from handlers.policy.kill_switch import how_it_is, switch_fast_track
from handlers.request.absences import come_back, declare_away, who_is_away
from handlers.request.buttons import call_off
from handlers.request.passkeys import OPENS_FOR, offer_page, passkeys_of, revoke_own
from handlers.request.voters import VoterUnknown, any_approver

if TYPE_CHECKING:
    from slack_bolt import Ack, App

COMMAND = "/countersign"
SHOWN = 20
HELP = (
    ("/countersign", N_("what waits for a decision")),
    ("/countersign targets", N_("who holds what")),
    ("/countersign away until 2026-12-01 -> @ben", N_("until the end of that day Ben decides for you")),
    ("/countersign away", N_("who is away, and who stands in")),
    ("/countersign back", N_("you decide for yourself again")),
    ("/countersign fast-track", N_("whether it is on, since when, by whom and why")),
    ("/countersign fast-track off REASON", N_("no version passes without people, under any rule, from now on")),
    ("/countersign fast-track on", N_("versions that reach their rule's thresholds pass again")),
    ("/countersign call-off ID REASON", N_("what is approved and not applied yet is not applied any more")),
    ("/countersign passkey", N_("a page on which you make a passkey, to sign approvals with")),
    ("/countersign passkey revoke ID", N_("your passkey signs nothing from now on")),
    ("/countersign page NAME VERSION", N_("a new link to the page of a model version")),
    *DAILY_HELP,
    ("/countersign help", N_("this list")),
)
AWAY = re.compile(
    r"until\s+(?P<day>\d{4}-\d{2}-\d{2})\s*(?:[-\N{EN DASH}\N{EM DASH}]+>|\N{RIGHTWARDS ARROW}|\bto\b)\s*(?P<named>.+)"
)
PAGE = re.compile(r"(?P<model>.+?)\s+v?(?P<version>[0-9]{1,9})(?:\s+in\s+(?P<place>\S+))?")
MAIL_LINK = re.compile(r"<mailto:[^|>]*\|([^>]*)>")  # what Slack makes of an address that a person types
NAMED = re.compile(r"<(?:([@#])|!)[^|>]*\|([^>]*)>")  # and of people, channels and groups
WEB_LINK = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>")
AWAY_UNREAD = N_(
    'say it like this: "/countersign away until 2026-12-01 -> @ben", with the last day on which you are away'
)


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
    """In the person's language. What is recorded comes before, so that it is in none."""
    begun = s.clock.now()
    card = _answer(account_id, text, s, team)
    with for_account(account_id, s, begun=begun):
        return translated(card)


def _answer(account_id: str, text: str, s: Services, team: str) -> Card:
    """A refusal is an answer too: the sentence that only the person sees."""
    word, _between, rest = _as_typed(text).partition(" ")
    deed = DEEDS.get(word.lower())
    if deed is None:
        return _help(_('Countersign does not know "{word}". It understands:', word=word[:40]))
    try:
        return deed(Asked(account_id, rest.strip(), team), s)
    except VoterUnknown:
        return _not_done(_("Slack did not answer in time when asked who you are. Nothing was recorded: say it again."))
    except Refused as refusal:
        return _not_done(text_of(refusal))
    except OutsideError as trouble:
        return _not_done(_("Nothing was recorded: {why} Say it again.", why=as_sentence(str(trouble))))


def _waiting(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    with s.store.transaction() as tx:
        waiting = tx.requests.find(states=OPEN)
    if not waiting:
        return _said(_("Nothing waits"), _("No request waits for a decision."))
    oldest = waiting[0].opened_at
    said = _("Waiting for a decision: {count}, the oldest since {oldest}.", count=len(waiting), oldest=oldest)
    facts = tuple(_line(request) for request in waiting[:SHOWN])
    return Card(_("Waiting for a decision"), said, facts, paragraphs=(said,))


def _line(request: TransitionRequest) -> Fact:
    label = f"{request.version} → {target_label(request)}"
    return Fact(label, Link(_("Open the card"), request.card.url) if request.card else title_of(request))


def _targets(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    with s.store.transaction() as tx:
        policy = tx.policy()
        everything = tx.registry.placements()
    placements = [h for h in everything if policy.rule_for(h.version.workspace, h.version.model, h.target)]
    said = _("Targets that the policy speaks of and that are held: {count}.", count=len(placements))
    unruled = len(everything) - len(placements)
    if unruled:
        others = _("Targets that no rule speaks of: {count}; countersign list shows them.", count=unruled)
        said = sentences(said, others)
    facts = tuple(_placed(held) for held in placements[:SHOWN])
    return Card(_("Who holds what"), said, facts, paragraphs=(said,))


def _placed(held: Placement) -> Fact:
    model = f"{held.version.model}{in_workspace(held.version.workspace)}"
    label = _("{target} of {model}", target=str(held.target), model=model)
    version = f"v{held.version.version}"
    if held.request_id:
        return Fact(label, _("{version} since {since}", version=version, since=held.since))
    return Fact(label, _("{version} since {since}, without an approval", version=version, since=held.since))


def _away(asked: Asked, s: Services) -> Card:
    if not asked.rest:
        return _absences(s)
    found = AWAY.fullmatch(asked.rest)
    if found is None:
        raise Refused(_(AWAY_UNREAD))
    absence, delegate = declare_away(asked.account, _day(found["day"]), found["named"], s)
    return _said(
        _("You are away"),
        _(
            "Recorded: you are away until {until}, and {delegate} decides for you and is told so.",
            until=absence.until,
            delegate=delegate.name,
        ),
        _('Back earlier? Say "/countersign back".'),
    )


def _absences(s: Services) -> Card:
    away = who_is_away(s)
    said = _("Away: {count}.", count=len(away)) if away else _("Nobody is away, as far as Countersign knows.")
    facts = tuple(
        Fact(name, _("until {until}; {delegate} decides for them", until=absence.until, delegate=stand_in))
        for absence, name, stand_in in away
    )
    return Card(_("Who is away"), said, facts, paragraphs=(said,))


def _back(asked: Asked, s: Services) -> Card:
    _nothing_after(asked)
    delegate = come_back(asked.account, s)
    said = _("Recorded: you decide for yourself again, and {delegate} is told so.", delegate=delegate.name)
    return _said(_("You are back"), said)


def _fast_track(asked: Asked, s: Services) -> Card:
    word, _between, reason = asked.rest.partition(" ")
    if not word:
        return _said(_("The fast track"), how_it_is(s))
    if word.lower() not in ("on", "off"):
        raise Refused(_('say "/countersign fast-track off REASON" or "/countersign fast-track on"'))
    person = any_approver(asked.account, s)
    return _said(_("The fast track"), switch_fast_track(word.lower() == "on", person, _readable(reason), s))


def _call_off(asked: Asked, s: Services) -> Card:
    beginning, _between, reason = asked.rest.partition(" ")
    if not beginning:
        raise Refused(_('say "/countersign call-off ID REASON", with the id that the last line of the card shows'))
    ended = call_off.say(asked.account, beginning, _readable(reason), s)
    said = _(
        "Recorded: the approval of {version} for {target} is called off and will not be applied.",
        version=str(ended.version),
        target=target_label(ended),
    )
    return _said(_("Called off"), said, _("Asking again opens a fresh request."))


def _passkey(asked: Asked, s: Services) -> Card:
    word, _between, beginning = asked.rest.partition(" ")
    if word.lower() == "revoke":
        key = revoke_own(asked.account, beginning.strip(), s)
        said = _("Recorded: passkey {passkey} signs nothing from now on.", passkey=key.short_id)
        return _said(_("Passkey revoked"), said)
    _nothing_after(asked)
    link = offer_page(asked.account, asked.team, s)
    said = _(
        "Open this page within {minutes} minutes, on the device whose passkey you want to use. "
        "It is for you alone: do not pass it on.",
        minutes=OPENS_FOR.seconds // 60,
    )
    _person, mine = passkeys_of(asked.account, s)
    yours = (Fact(_("You have"), _passkey_text(key)) for key in mine)
    facts = (Fact(_("Page"), Link(_("Make a passkey"), link)), *yours)
    not_yours = _("Did you not make one of these? Say /countersign passkey revoke ID, and warn your administrators.")
    return Card(_("Make a passkey"), said, facts, paragraphs=(said, *([not_yours] if mine else [])))


def _passkey_text(key: Passkey) -> str:
    name = f"{key.short_id} ({key.label})" if key.label else key.short_id
    if key.is_confirmed:
        return _("{passkey}, made {made}, confirmed", passkey=name, made=key.enrolled_at)
    return ngettext(
        "{passkey}, made {made}, waits for one to confirm it",
        "{passkey}, made {made}, waits for {count} to confirm it",
        key.needs - len(key.confirmed_by),
        passkey=name,
        made=key.enrolled_at,
    )


def _page(asked: Asked, s: Services) -> Card:
    named = PAGE.fullmatch(asked.rest)
    if named is None:
        raise Refused(
            _('say "/countersign page NAME VERSION", or "/countersign page NAME VERSION in REGISTRY/WORKSPACE"')
        )
    link = link_for_reader(asked.account, named["model"], int(named["version"]), named["place"] or "", s)
    said = _("This link opens the page for 90 days, for everyone who has it.")
    page = Fact(f"{named['model']} v{named['version']}", Link(_("Open the page"), link))
    return Card(_("The page"), said, (page,), paragraphs=(said,))


def _list_commands(_asked: Asked, _s: Services) -> Card:
    return _help(_("What Countersign understands:"))


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
    "daily": lambda asked, s: daily(asked.account, asked.rest, s),
    "help": _list_commands,
}


def _help(said: str) -> Card:
    return Card("Countersign", said, tuple(Fact(command, _(does)) for command, does in HELP), paragraphs=(said,))


def _not_done(said: str) -> Card:
    return _said(_("Not done"), as_sentence(said))


def _said(title: str, *texts: str) -> Card:
    return Card(title, texts[0], paragraphs=texts)


def _nothing_after(asked: Asked) -> None:
    """Extra words are refused rather than ignored: the person meant something by them."""
    if asked.rest:
        raise Refused(
            _(
                'nothing can stand after that word, but you wrote "{rest}". Say "/countersign help"',
                rest=asked.rest[:80],
            )
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(
            _(
                'there is no day {day}. Say it like this: "/countersign away until 2026-12-01 -> @ben", '
                "with the last day on which you are away",
                day=text,
            )
        ) from None


def _as_typed(text: str) -> str:
    """What the person wrote, before Slack escaped it; mentions stay as Slack writes them."""
    unlinked = MAIL_LINK.sub(r"\1", text)
    return " ".join(unlinked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").split())


def _readable(text: str) -> str:
    """A reason is read by people, who know names and no ids."""
    return WEB_LINK.sub(r"\1", NAMED.sub(r"\1\2", text))
