"""What a person typed, and the forms of an answer that all words share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.domain.card.card import Card, Fact, Lead
from bot.domain.model import Target
from bot.domain.policy.rules import Policy
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import Refused, Rejected
from bot.language import _, ngettext, sentences
from bot.ports import AccountKind
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.doors.errors import text_of
from handlers.doors.readers import NO_ENTRY, groups_for

SHOWN = 20  # lines of an answer
LONGEST_WORD = 60  # characters; comparing longer ones takes long and does not help
NAMED = re.compile(r"<(?:([@#])|!)[^|>]*\|([^>]*)>")  # how Slack writes people, channels and groups
WEB_LINK = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>")
VERSION = re.compile(r"v?(?P<number>[0-9]{1,9})")


@dataclass(frozen=True)
class Asked:
    """Who typed the command, in which workspace and channel, and the text after its first word. `trigger` lets a form open."""

    account: str
    rest: str
    team: str = ""
    app: str = ""
    channel: str = ""
    trigger: str = ""


@dataclass(frozen=True)
class Named:
    """A model of a place, and what was typed after its name."""

    place: str
    model: str
    rest: str


def said(title: str, *texts: str) -> Card:
    return Card(title, texts[0], paragraphs=texts)


def listing(title: str, text: str, facts: Sequence[Fact], total: int = 0) -> Card:
    """The text, then at most so many lines, then how many there are besides. `total` is the number of all, if not all are in `facts`."""
    left = max(total, len(facts)) - len(facts[:SHOWN])
    more = ngettext("{count} more is not shown.", "{count} more are not shown.", left) if left else ""
    return Card(title, sentences(text, more), tuple(facts[:SHOWN]), paragraphs=(more,) if more else (), lead=Lead(text))


def nothing_after(asked: Asked) -> None:
    """Extra words are refused rather than ignored: the person meant something by them."""
    if asked.rest:
        raise Refused(
            _(
                'nothing can stand after that word, but you wrote "{rest}". Say "/countersign help"',
                rest=asked.rest[:80],
            )
        )


def readable(text: str) -> str:
    """A reason is read by people, who know names and no ids."""
    return WEB_LINK.sub(r"\1", NAMED.sub(r"\1\2", text))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is the closest; empty when none is close."""
    close = get_close_matches(word, sorted(known), n=1) if 0 < len(word) <= LONGEST_WORD else []
    return close[0] if close else ""


def check_is_member(asked: Asked, s: Services) -> None:
    """Guests, bots and people from elsewhere are told nothing. Raises Refused, OutsideError."""
    kind = s.notifier.account(asked.account).kind
    if kind is not AccountKind.MEMBER:
        raise Refused(_(NO_ENTRY[kind]))


def check_may_read(asked: Asked, s: Services) -> None:
    """As for the pages: the policy's readers, else the people of all groups. Raises Refused, OutsideError."""
    try:
        groups_for(s.notifier.account(asked.account), s.store.policy(), s)
    except Rejected as refusal:
        raise Refused(text_of(refusal)) from None


def named_model(text: str, usage: str, tx: Transaction) -> Named:
    """The registered model that the text begins with, by the longest name that is known: names may have spaces.

    Raises Refused, with the nearest name when there is none of that name.
    """
    words = text.split()
    for count in range(len(words), 0, -1):
        place, rest = _place_in(words[count:])
        if " ".join(words[:count]) in _known_models(place, tx):
            return Named(place, " ".join(words[:count]), " ".join(rest))
    if not words:
        raise Refused(_('say "{usage}"', usage=usage))
    guess = nearest(words[0], _known_models(DEFAULT, tx))
    nobody = _('no registered model is called "{name}", as far as Countersign has seen', name=words[0][:80])
    hint = _('Did you mean "{name}"?', name=guess) if guess else _('Say it like this: "{usage}"', usage=usage)
    raise Refused(sentences(nobody, hint, between=". "))


def version_in(text: str, usage: str) -> tuple[int, str]:
    """The version's number that the text begins with, and what comes after it. Raises Refused."""
    word, _between, rest = text.partition(" ")
    number = VERSION.fullmatch(word)
    if number is None:
        raise Refused(_('"{word}" is no version. Say it like this: "{usage}"', word=word[:40], usage=usage))
    return int(number["number"]), rest.strip()


def target_in(text: str, named: Named, policy: Policy, usage: str) -> tuple[Target, str]:
    """The target that the text begins with: in full, or by its name alone where one rule has it. Raises Refused."""
    word, _between, rest = text.partition(" ")
    if not word:
        raise Refused(_('say "{usage}"', usage=usage))
    known = [rule.target_for(named.model) for rule in policy.rules_for(named.place, named.model)]
    if ":" in word:
        return Target.parse(word), rest.strip()
    found = [target for target in known if target.name == word]
    if len(found) == 1:
        return found[0], rest.strip()
    targets = ", ".join(map(str, known)) or _("none")
    raise Refused(
        _(
            'no rule for {model} has the target "{word}"; its targets: {targets}',
            model=named.model,
            word=word[:40],
            targets=targets,
        )
    )


def _place_in(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """`NAME in REGISTRY/WORKSPACE` names another place. Returns what is typed after that."""
    if len(words) >= 2 and words[0] == "in" and "/" in words[1]:
        return str(Workspace.parse(words[1])), words[2:]
    return DEFAULT, words


def _known_models(place: str, tx: Transaction) -> frozenset[str]:
    return frozenset(row.name for row in tx.registry.models(place))
