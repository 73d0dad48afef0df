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


def looks_like(name: str) -> str:
    """The same text for all names that look alike."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = (letter for letter in plain if unicodedata.category(letter) not in {"Mn", "Me", "Cf"})
    return "".join(kept).translate(LIKE_LATIN).replace("rn", "m").replace("vv", "w").replace("i", "l")
