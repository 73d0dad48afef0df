"""The language xx: every marked text in accented letters and 40 % longer, so that what is not marked stands out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bot.language import Catalogue, Forms
from tests.language.marked import marked

ACCENTED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "áƀçđéƒĝĥíĵķłɱñóþɋřšťúṽŵẋýžÁƁÇĐÉƑĜĤÍĴĶŁṀÑÓÞɊŘŠŤÚṼŴẊÝŽ"
)
PLACEHOLDER = re.compile(r"(\{\w+\})")
PLAIN_WORD = re.compile(r"[A-Za-z]{2,}")


class Pseudo(Mapping[tuple[str, str], Forms]):
    """Has a translation of every marked text, in one form."""

    def __getitem__(self, key: tuple[str, str]) -> Forms:
        marked()[key]  # a KeyError where it is not
        parts = PLACEHOLDER.split(key[1])
        accented = "".join(part if part.startswith("{") else part.translate(ACCENTED) for part in parts)
        return (accented + "·" * (len(key[1]) * 2 // 5),)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(marked())

    def __len__(self) -> int:
        return len(marked())


def _pseudo_list(items: object) -> str:
    assert isinstance(items, list)
    return " ŷ ".join(items)


XX = Catalogue(
    "xx",
    Pseudo(),
    plural=lambda _number: 0,
    moment=lambda at: f"{at:%d·%m·%y}",
    day=lambda on: f"{on:%d·%m·%y}",
    list=_pseudo_list,
)


def english_in(text: str, *data: str) -> list[str]:
    """The words that are in plain letters; `data` are words that come from people or systems."""
    known = {word.lower() for datum in data for word in PLAIN_WORD.findall(datum)}
    return [word for word in PLAIN_WORD.findall(text) if word.lower() not in known]
