"""Names that people take for another: other letters of the same look, upper case, digits for letters. Pure."""

from __future__ import annotations

import unicodedata

# The letters of other scripts that look like one of a to z, and what stands for letters: https://www.unicode.org/reports/tr39/
LIKE_LATIN = {
    ord(pair[0]): pair[1]
    for pair in [
        "аa",
        "вb",
        "сc",
        "еe",
        "нh",
        "іi",
        "јj",
        "кk",
        "мm",
        "оo",
        "рp",
        "ԛq",
        "ѕs",
        "тt",
        "ѵv",
        "ԝw",
        "хx",
        "уy",
        "һh",
        "ӏl",
        "ԁd",
        "гr",
        "пn",
        "αa",
        "βb",
        "εe",
        "ηn",
        "ιi",
        "κk",
        "νv",
        "οo",
        "ρp",
        "τt",
        "υu",
        "χx",
        "γy",
        "ωw",
        "օo",
        "ոn",
        "սu",
        "ցg",
        "հh",
        "ıi",
        "ⅼl",
        "ɑa",
        "ɡg",
        "ℓl",
        "0o",
        "1l",
        "3e",
        "5s",
        "$s",
        "|l",
    ]
}


def plain(name: str) -> str:
    """The same text for all names that some database takes for one: it may ignore case, accents, width and spaces around a name."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter) not in {"Mn", "Me", "Cf"}).strip()


def looks_like(name: str) -> str:
    """The same text for all names that look alike to people."""
    return plain(name).translate(LIKE_LATIN).replace("rn", "m").replace("vv", "w").replace("i", "l")
