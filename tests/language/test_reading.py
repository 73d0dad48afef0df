"""A text is made once and read in the language of each reader, also later, and also when it is part of another text."""

from __future__ import annotations

import copy
import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from bot.domain.card.card import Card, Fact, Link
from bot.domain.card.passkey_card import passkey_card
from bot.domain.request.passkeys import Passkey
from bot.language import (
    LANGUAGES,
    Message,
    Text,
    _,
    as_sentence,
    listed,
    moment,
    ngettext,
    reread,
    sentences,
    translated,
)
from bot.language.catalogues import catalogue_of, in_language, language_of
from handlers.notify.outbox import card_digest

NOON = datetime(2026, 11, 28, 12, 31, tzinfo=UTC)
PASSKEY = Passkey("credential", "ana", "key", NOON, "laptop", "salt", "countersign.example.com", "U1", "T1")


def in_spanish(text: str) -> str:
    with in_language("es"):
        return str(reread(text))


def test_a_text_is_read_in_the_language_of_the_block_and_in_english_outside() -> None:
    text = _("you have voted on this already; your vote stands")

    read = in_spanish(text)

    assert read == "ya has votado aquí; tu voto sigue valiendo"
    assert str(reread(text)) == text == "you have voted on this already; your vote stands"


def test_a_part_is_read_in_the_language_of_the_whole() -> None:
    why = _("a bot may not decide")
    refused = _("the one you named cannot stand in for you: {why}", why=why)
    whole = as_sentence(sentences(refused, _("Nothing had to be changed."), between=". "))

    read = in_spanish(whole)

    assert (
        read == "La persona que has indicado no te puede sustituir: un bot no puede decidir. No había nada que cambiar."
    )


@pytest.mark.parametrize(
    ("count", "read"), [(1, "1 archivo"), (0, "0 archivos"), (2, "2 archivos"), (12_345, "12.345 archivos")]
)
def test_a_count_has_the_languages_form_and_separators(count: int, read: str) -> None:
    text = ngettext("{count} file", "{count} files", count)

    assert in_spanish(text) == read


def test_a_moment_is_written_as_the_language_does() -> None:
    assert str(moment(NOON)) == "2026-11-28 12:31 UTC"
    assert in_spanish(moment(NOON)) == "28 nov 2026, 12:31 UTC"


@pytest.mark.parametrize(
    ("names", "english", "spanish"),
    [
        ((), "", ""),
        (("Ana",), "Ana", "Ana"),
        (("Ana", "Ben"), "Ana and Ben", "Ana y Ben"),
        (("Ana", "Ben", "Cy"), "Ana, Ben and Cy", "Ana, Ben y Cy"),
        (("Ana", "Inés"), "Ana and Inés", "Ana e Inés"),
        (("Ana", "Hilario"), "Ana and Hilario", "Ana e Hilario"),
        (("leads", "hielo"), "leads and hielo", "leads y hielo"),
    ],
)
def test_a_list_is_joined_as_the_language_does(names: tuple[str, ...], english: str, spanish: str) -> None:
    text = listed(names)

    assert (str(text), in_spanish(text)) == (english, spanish)


def test_braces_in_what_people_write_are_theirs() -> None:
    text = _("Why: {reason}", reason="{version} {0} {")

    assert in_spanish(text) == "Motivo: {version} {0} {"


def test_a_card_is_read_whole() -> None:
    link = Link(_("Open the card"), "https://example.com")
    card = Card(_("Nothing waits"), "plain", (Fact(_("Version"), link),), paragraphs=(_("The fast track is on"),))

    with in_language("es"):
        shown = translated(card)

    assert (shown.title, shown.summary, shown.paragraphs) == (
        "Nada pendiente",
        "plain",
        ("La vía rápida está activada",),
    )
    assert shown.facts == (Fact("Versión", Link("Abrir la tarjeta", "https://example.com")),)


def test_an_unchanged_card_is_known_by_its_digest_in_each_language() -> None:
    def digest(language: str) -> str:
        with in_language(language):
            return card_digest(passkey_card(PASSKEY, {"ana": "Ana Ruiz"}, ""))

    english, spanish = digest("en"), digest("es")

    assert (digest("en"), digest("es")) == (english, spanish)
    assert english != spanish


def test_where_a_text_is_stored_a_plain_string_remains() -> None:
    text = _("Nothing waits")

    kept = [copy.deepcopy(text), pickle.loads(pickle.dumps(text))]

    assert {type(one) for one in kept} == {str}
    assert json.dumps(text) == '"Nothing waits"'


def test_a_language_never_gets_into_another_job_also_when_one_fails() -> None:
    together = Barrier(4)

    def job(language: str) -> tuple[str, str]:
        inside = []

        def fails() -> None:
            with in_language(language):
                together.wait(timeout=30)
                inside.append(str(_("Nothing waits")))
                raise KeyError(language)

        with pytest.raises(KeyError):
            fails()
        together.wait(timeout=30)
        return inside[0], str(_("Nothing waits"))

    with in_language("es"), ThreadPoolExecutor(4) as pool:
        read = list(pool.map(job, ["en", "es", "en", "es"]))

    assert read == [("Nothing waits", "Nothing waits"), ("Nada pendiente", "Nothing waits")] * 2


def test_blocks_within_blocks_give_back_the_language_before() -> None:
    with in_language("es"):
        with in_language("en"):
            inner = str(_("Nothing waits"))
        outer = str(_("Nothing waits"))

    assert (inner, outer) == ("Nothing waits", "Nada pendiente")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("es-ES", "es"), ("es_419", "es"), ("ES", "es"), ("en-GB", "en"), ("fr-FR", "it"), ("", "it"), ("est-EE", "it")],
)
def test_an_unknown_locale_falls_to_the_policys_language(locale: str, language: str) -> None:
    assert language_of(locale, "it") == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_catalogue(language: str) -> None:
    assert catalogue_of(language).code == language


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ("models:/bike/3 does not say where", "models:/bike/3 does not say where."),
        ("bike-demand v1 holds alias:champion already", "bike-demand v1 holds alias:champion already."),
        ("ana@example.com is no member", "ana@example.com is no member."),
        ("v3 is gone. Did you mean v4?", "v3 is gone. Did you mean v4?"),
        ("the policy has no rule for alias:champion", "The policy has no rule for alias:champion."),
        ("self-reported by the trainer", "Self-reported by the trainer."),
        ("re-created since", "Re-created since."),
        (_("{model} is gone", model="bike-demand"), "bike-demand is gone."),
        (_("{model} is gone", model="bike"), "bike is gone."),
        (_("{why}, so a person decides", why="no-one knows"), "No-one knows, so a person decides."),
        (sentences(_("{model} is gone", model="bike-demand"), "x"), "bike-demand is gone x."),
    ],
)
def test_a_sentence_that_begins_with_a_name_leaves_it_as_it_is_written(refusal: str, sentence: str) -> None:
    assert str(as_sentence(refusal)) == sentence


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["bike-demand", "bike", "e-mail"])
def test_every_text_begins_with_a_capital_or_with_the_name_that_it_is_given(language: str, name: str) -> None:
    with in_language(language):
        for (context, one), forms in catalogue_of("es").messages.items():
            parts = re.findall(r"\{(\w+)\}", " ".join((one, *forms)))
            message = Message(context, one, None, 1, dict.fromkeys(parts, name))
            text = str(as_sentence(Text(message)))
            begins_with_name = message.first_part(catalogue_of(language)) == name
            starts = (
                text.startswith(name) if begins_with_name else not text[:1].islower() or "." in text.split()[0][:-1]
            )

            assert starts, text
