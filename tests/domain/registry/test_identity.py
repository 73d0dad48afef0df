"""When a registry is not believed: another one, or one that has lost much at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.registry.identity import Holdings, ModelMark, doubt, lost_models

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOME, ELSEWHERE = "born 2025-01-01 at mlflow-artifacts:/0", "born 2026-03-02 at mlflow-artifacts:/0"


def models(*names: str, later: timedelta = timedelta(), newest: int = 3) -> tuple[ModelMark, ...]:
    return tuple(ModelMark(name, NOON + later + timedelta(seconds=ord(name[0])), newest) for name in names)


def holding(*names: str, identity: str | None = HOME, newest: int = 3) -> Holdings:
    return Holdings(identity, models(*names, newest=newest))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (holding("a", "b"), holding("a")),
        (holding("a"), holding()),
        (holding("a", "b"), holding()),
        (holding("a", "b", "c", "d", "e", "f"), holding("a", "b", "c")),
        (holding("a", "b", identity=None), holding("a", identity=None)),
        (holding("a", identity=None), holding()),
        (holding(), holding(identity=ELSEWHERE)),
        (holding("a"), holding("a", "b", identity=ELSEWHERE)),
        (holding("a", "b", "c"), holding("a", "b", "c", "d")),
    ],
    ids=[
        "one of two is deleted",
        "the only one is deleted",
        "both are deleted",
        "half of many are deleted",
        "one of two, of a registry that does not say which it is",
        "the only one, of a registry that never said which it is",
        "nothing was known yet",
        "moved to another database with everything in it",
        "one more",
    ],
)
def test_what_people_do_is_believed(before: Holdings, now: Holdings) -> None:
    assert doubt(before, now) == ""


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (holding("a"), holding(identity=ELSEWHERE)),
        (holding("a", "b", "c"), holding("a", "b", identity=ELSEWHERE)),
        (holding("a", "b", "c"), holding()),
        (holding("a", "b", "c", "d", "e"), holding("a", "b")),
        (holding("a", "b", identity=None), holding()),
        (holding("a", "b"), holding(identity=None)),
        (holding("a", "b", "c", newest=9), holding("a", "b", "c", newest=4)),
        (holding("a", "b", "c"), Holdings(HOME, models("a", "b", "c", later=timedelta(days=1)))),
    ],
    ids=[
        "another registry without the only model",
        "another registry that lacks one",
        "all of three at once",
        "most of five at once",
        "both of two, and it was never known which registry it is",
        "both of two, and it does not say which registry it is any more",
        "an old backup: the models are there, their newest versions are not",
        "the same names, all created again",
    ],
)
def test_a_registry_that_lost_much_at_once_is_not_believed(before: Holdings, now: Holdings) -> None:
    assert doubt(before, now)


def test_a_renamed_model_is_not_lost() -> None:
    (model,) = models("a")

    assert lost_models(Holdings(HOME, (model,)), Holdings(HOME, (ModelMark("z", model.created, 3),))) == ()


def test_models_that_exchanged_their_names_are_not_lost() -> None:
    a, b, c = models("a", "b", "c")
    exchanged = tuple(ModelMark(name, of.created, of.newest) for name, of in (("a", b), ("b", c), ("c", a)))

    assert doubt(Holdings(HOME, (a, b, c)), Holdings(HOME, exchanged)) == ""


def test_a_model_that_was_swapped_for_another_of_its_name_is_lost() -> None:
    swapped = Holdings(HOME, models("a", later=timedelta(hours=1)))

    assert lost_models(holding("a"), swapped) == ("a",)


def test_the_sentence_counts_what_is_lost_and_names_some_of_it_on_one_line() -> None:
    names = ("a\n", "b", "c", "d", "e", "f", "g")

    said = doubt(holding(*names), holding())

    assert said.startswith("7 of 7 registered models")
    assert said.endswith(r"a\n, b, c, d, e and 2 more.")
