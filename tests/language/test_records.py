"""What the ledger keeps is English, and each reader reads it in their language."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from bot.language import SPANISH, SUBJECTS, Catalogue, from_record, recorded
from bot.language.catalogues import catalogue_of, in_language
from bot.language.records import LONGEST, TRIES, Reader, Text
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


@pytest.mark.parametrize(
    ("text", "sentence", "values"),
    [
        ("run {run} is {state}", "run a is b is deleted", {"run": "a", "state": "b is deleted"}),
        ("{version} was {failed}.", "v7 was slow was bad.", {"version": "v7", "failed": "slow was bad"}),
        ("{a} was {b}, at last", "x, at last was y, at last, at last", {"a": "x, at last", "b": "y, at last"}),
        ("{a} was", "x was was", {"a": "x was"}),
        ("{a}{b} of {c}", " of of ", {"a": "", "b": "", "c": "of "}),
        ("{branch} of {remote}: merge {branch}", "m of r: merge m", {"branch": "m", "remote": "r"}),
        ("{branch} of {remote}: merge {branch}", "m of r: merge n", None),
        ("{branch} has {branch} in it", "m has m in it", {"branch": "m"}),
        ("{branch} has {branch} in it", "m has mm in it", None),
        ("a {b} c", "a c", None),
        ("a{{{b}}}", "a{x}", {"b": "x"}),
        ("all is well.", "all is well", {}),
        ("all is well.", "all is well for now", None),
    ],
)
def test_words_count_where_they_come_first(text: str, sentence: str, values: dict[str, str] | None) -> None:
    assert Text.parse(text, "").values_in(sentence) == values


@pytest.mark.parametrize("text", RECORDED)
def test_a_sentence_that_almost_fits_again_and_again_costs_no_more_than_its_length(text: str) -> None:
    """A search that tried each place for each value would not come to an end here."""
    shape = Text.parse(text, "")
    words = "".join(words or "x" for _name, words in shape.then)
    hostile = shape.begins + (words or " ") * (100_000 // len(words or " ")) + "!"

    assert shape.values_in(hostile) is None or not shape.then[-1][1]


def test_a_sentence_full_of_sentences_is_compared_a_limited_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    values_in = Text.values_in

    def counted(text: Text, sentence: str) -> dict[str, str] | None:
        compared.append(sentence)
        return values_in(text, sentence)

    monkeypatch.setattr(Text, "values_in", counted)
    texts = {
        "{why}, at last": "{why}, por fin",
        "{what} was {why}": "{why}: {what}",
        "{what} is {why}": "{what}: {why}",
    }
    words = (" was ", " is ", "; ", ", at last; ")
    hostile = "".join(f"{number}{words[number % len(words)]}" for number in range(400))

    read = Reader(texts).read(hostile)

    assert len(hostile) < LONGEST
    assert {str(number) for number in range(400)} <= set(re.findall(r"\d+", read))
    assert TRIES < len(compared) <= TRIES * len(texts)


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
