"""Every marked text is translated, with the same placeholders, and no translation is left over. `make messages` updates the catalogues."""

from __future__ import annotations

import pytest

from bot.language import ENGLISH, LANGUAGES
from tests.language.marked import catalogue, forms_of, languages, marked, placeholders

TRANSLATED = sorted(languages())


def test_there_is_a_catalogue_for_each_language_but_english() -> None:
    assert {*TRANSLATED, ENGLISH} == set(LANGUAGES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_marked_text_is_translated(language: str) -> None:
    known = catalogue(language)

    missing = [text for text in marked() if text not in known or not all(forms_of(known[text].string))]

    assert missing == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_a_guess(language: str) -> None:
    assert [text for text, message in catalogue(language).items() if message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language: str) -> None:
    assert sorted(set(catalogue(language)) - set(marked())) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_plural_is_a_plural_in_every_language(language: str) -> None:
    known = catalogue(language)

    other = [text for text, forms in marked().items() if len(forms_of(known[text].id)) != len(forms)]
    unlike = [text for text in known if len(forms_of(known[text].string)) < len(forms_of(known[text].id))]

    assert (other, unlike) == ([], [])


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_text(language: str) -> None:
    """A form for one may say "one" where the other says {count}."""
    different = [
        (message.id, form)
        for message in catalogue(language).values()
        for form in forms_of(message.string)
        if not may_have(forms_of(message.id), placeholders(form))
    ]

    assert different == []


def may_have(english: tuple[str, ...], found: set[str]) -> bool:
    needed = set().union(*map(placeholders, english))
    return found == needed or (len(english) > 1 and found == needed - {"count"})


@pytest.mark.parametrize("found", [set(), {"who"}, {"who", "count", "other"}])
def test_a_placeholder_that_is_lost_or_new_is_noticed(found: set[str]) -> None:
    assert not may_have(("{count} of {who}",), found)
    assert may_have(("one of {who}", "{count} of {who}"), {"who"})
