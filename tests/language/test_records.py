"""What the ledger keeps is English, and each reader reads it in their language."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from bot.language import SPANISH, SUBJECTS, Catalogue, from_record, recorded
from bot.language.catalogues import catalogue_of, in_language
from bot.language.records import Reader
from tests.language.marked import marked, placeholders

RECORDED = sorted(text for context, text in marked() if context in SUBJECTS)
CATALOGUE = Catalogue(
    "xx",
    {
        ("lineage", "run {run} is {state}"): ("{state}: {run}",),
        ("lineage", "run {run} is not finished"): ("sin terminar: {run}",),
        ("outcome", "{version} was {failed}."): ("de {version} consta: {failed}.",),
        ("outcome", "{why}, at last"): ("{why}, por fin",),
        ("", "Nothing waits"): ("Nada",),
    },
)


def test_a_recorded_sentence_is_english_in_every_block() -> None:
    with in_language(SPANISH):
        said = recorded("lineage", "run {run} finished", run="a1")

    assert (said, type(said)) == ("run a1 finished", str)


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("run a1 is deleted", "deleted: a1"),
        ("run a1 is not finished", "sin terminar: a1"),
        ("v7 was run a1 is not finished.", "de v7 consta: sin terminar: a1."),
        ("v7 was run a1 finished", "de v7 consta: run a1 finished"),
        ("run a1 is x; run b2 is y", "x: a1; y: b2"),
        ("run a1 is not finished, at last", "sin terminar: a1, por fin"),
        ("v7 was slow", "de v7 consta: slow"),
        ("Nothing waits", "Nada"),
        ("mae is worse on Sundays", "mae is worse on Sundays"),
        ("", ""),
    ],
)
def test_the_most_exact_text_reads_it_and_what_people_wrote_stays(kept: str, read: str) -> None:
    assert from_record(kept).source.read(CATALOGUE) == read


def test_braces_in_a_value_are_its_own() -> None:
    assert Reader({"run {run} finished": "{run} terminó"}).read("run {0}{run} finished") == "{0}{run} terminó"


def test_a_very_long_text_is_not_searched() -> None:
    long = f"run {'is ' * 2_000} is deleted"

    assert Reader({"run {run} is {state}": "{state}: {run}"}).read(long) == long


@pytest.mark.parametrize("text", RECORDED)
def test_each_recorded_text_is_read_back_with_its_values(text: str) -> None:
    values = {name: f"«{number}»" for number, name in enumerate(sorted(placeholders(text)))}
    translation = next(
        catalogue_of(SPANISH).messages[subject, text][0] for subject in SUBJECTS if (subject, text) in marked()
    )

    with in_language(SPANISH):
        read = str(from_record(text.format(**values)))

    assert read == translation.format(**values)


@pytest.mark.parametrize("text", RECORDED)
def test_a_recorded_text_has_words_of_its_own_to_be_known_by(text: str) -> None:
    own = "".join(words for words, _, _, _ in Formatter().parse(text))

    assert re.search(r"[a-z]{2,}", own) or len(own.split()) > 1
