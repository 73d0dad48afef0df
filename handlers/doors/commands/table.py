"""The words that the slash command understands, in the order in which help lists them: what each does, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.card.card import Card, Fact, Lead
from bot.language import N_, _, sentences
from bot.services import Services
from handlers.doors.commands import deciding, people, records, waiting
from handlers.doors.commands.asked import Asked, nearest, said
from handlers.doors.commands.daily import HELP as DAILY_HELP
from handlers.doors.commands.daily import daily

Usage = tuple[str, str]  # how it is written, and what it does


@dataclass(frozen=True)
class Word:
    deed: Callable[[Asked, Services], Card]
    usages: tuple[Usage, ...]


def list_commands(_asked: Asked, _s: Services) -> Card:
    return _help(_("What Countersign understands:"))


def not_known(word: str) -> Card:
    """With the nearest word; with the whole list when none is near."""
    guess = nearest(word.lower(), [known for known in WORDS if known])
    unknown = _('Countersign does not know "{word}".', word=word[:40])
    if not guess:
        return _help(sentences(unknown, _("What Countersign understands:")))
    hint = _('Did you mean "/countersign {word}"?', word=guess)
    return said("Countersign", sentences(unknown, hint), _('"/countersign help" lists all words.'))


def _help(text: str) -> Card:
    return Card("Countersign", text, tuple(Fact(command, _(does)) for command, does in HELP), lead=Lead(text))


WORDS: Mapping[str, Word] = {
    "": Word(waiting.pending, (("/countersign", N_("what waits for a decision; what needs you comes first")),)),
    "pending": Word(waiting.pending, (("/countersign pending", N_("the same, in a word")),)),
    "requests": Word(waiting.pending, ()),
    "request": Word(  # `slack_home` takes it before this table does, because it opens a form
        list_commands,
        (
            (
                "/countersign request NAME VERSION",
                N_("a form in which you ask for that version, or without it for another"),
            ),
        ),
    ),
    "targets": Word(records.targets, (("/countersign targets", N_("who holds what")),)),
    "status": Word(records.status, ((records.STATUS, N_("what a model or a version holds, and what waits for it")),)),
    "describe": Word(
        records.describe, ((records.DESCRIBE, N_("where a version comes from, and who decided about it")),)
    ),
    "history": Word(records.history, ((records.HISTORY, N_("what has happened to the targets of a model")),)),
    "rollback": Word(deciding.rollback, ((deciding.ROLLBACK, N_("a target goes back to the version before")),)),
    "freeze": Word(
        deciding.freeze,
        (("/countersign freeze", N_("which freezes are on, and for which rules; policy.yaml sets them")),),
    ),
    "break-glass": Word(
        deciding.break_glass, ((deciding.BREAK_GLASS, N_("in an emergency: promotes at once, and everyone is told")),)
    ),
    "away": Word(
        people.away,
        (
            ("/countersign away until 2026-12-01 -> @ben", N_("until the end of that day Ben decides for you")),
            ("/countersign away", N_("who is away, and who stands in")),
        ),
    ),
    "back": Word(people.back, (("/countersign back", N_("you decide for yourself again")),)),
    "fast-track": Word(
        deciding.fast_track,
        (
            ("/countersign fast-track", N_("whether it is on, since when, by whom and why")),
            ("/countersign fast-track off REASON", N_("no version passes without people, under any rule, from now on")),
            ("/countersign fast-track on", N_("versions that reach their rule's thresholds pass again")),
        ),
    ),
    "call-off": Word(
        deciding.call_off,
        (("/countersign call-off ID REASON", N_("what is approved and not applied yet is not applied any more")),),
    ),
    "passkey": Word(
        people.passkey,
        (
            ("/countersign passkey", N_("a page on which you make a passkey, to sign approvals with")),
            ("/countersign passkey revoke ID", N_("your passkey signs nothing from now on")),
        ),
    ),
    "page": Word(records.page, (("/countersign page NAME VERSION", N_("a new link to the page of a model version")),)),
    "daily": Word(lambda who, s: daily(who.account, who.rest, s), DAILY_HELP),
    "help": Word(list_commands, (("/countersign help", N_("this list")),)),
}
HELP: tuple[Usage, ...] = tuple(usage for word in WORDS.values() for usage in word.usages)
