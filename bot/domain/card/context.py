"""What the text of a card, a ticket or a message needs beyond the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.card.card import Mention
from bot.domain.model import VersionId
from bot.domain.names import in_one_line
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import Group, Rule
from bot.domain.references import PostedCard
from bot.domain.request.fast_track import Agreement
from bot.domain.request.needed import Electorate
from bot.language import N_, _

UNKNOWN = N_("unknown")

SOMEONE = N_("someone")


def name_or_someone(names: Mapping[str, str], person: str) -> str:
    """A person's name on one line, by id; where none is known, a word that reads as one in a sentence."""
    return in_one_line(names.get(person, "")) or _(SOMEONE)


@dataclass(frozen=True)
class CardContext:
    """What the sentences need besides the request.

    `names` are the names of its people. `rule` is None when no rule matches any more. `holds`: the version still has the target through
    this request. `back_to`: the version to go back to. `may_undo`: Undo is still possible. `rolled_back`: when and why it was
    taken back. `freeze`: the one in force for the rule. `agreement`: the fast track's record. `groups`: those that may vote. `progress`:
    how much of the files has been read. `earlier`, `later`: the cards of the requests before and after this one. `stranger`: the address
    that asked, when no one is known by it. `unread`: why the evidence of an
    open vote cannot be read any more. `addresses`: the e-mail addresses of the parties, who may not vote.
    `in_charge`: to whom it was handed, while they have not voted. `electorate`: what is known of who may vote; None when nothing is.
    """

    names: Mapping[str, str]
    rule: Rule | None
    rule_hash: str = ""
    holds: bool = False
    back_to: VersionId | None = None
    rolled_back: str = ""
    may_undo: bool = False
    freeze: FreezeNow | None = None
    agreement: Agreement | None = None
    groups: tuple[Group, ...] = ()
    progress: str = ""
    earlier: PostedCard | None = None
    later: PostedCard | None = None
    stranger: str = ""
    unread: str = ""
    addresses: frozenset[str] = frozenset()
    in_charge: Mention | None = None
    electorate: Electorate | None = None

    def name(self, person_id: str | None) -> str:
        name = in_one_line(self.names.get(person_id, "")) if person_id else ""
        return name or _(UNKNOWN)
