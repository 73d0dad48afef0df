"""Who may sign which digest off: what is recorded, what repeats, and what is refused with which sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.digest.card import digest_card
from bot.domain.digest.sign_off import (
    ClosedWeek,
    Signer,
    SignOff,
    Wanted,
    checked_remark,
    sign_off_text,
    signed,
    wanted,
)
from bot.domain.policy.rules import DigestPlan
from bot.domain.request.shown import read_value
from bot.errors import Refused
from tests.builders.digest import NAMES, PERIOD, a_digest, at

WEEK, HASH = PERIOD.week, "5c" * 32
CLOSED = ClosedWeek(PERIOD, HASH, HASH, 4208)
ANA = Signer("p-ana", frozenset({"p-ana", "p-ana-before"}), is_member=True)
BEN = Signer("p-ben", frozenset({"p-ben"}), is_member=True)
NOW = at(7.5)
BY_ANA = SignOff(WEEK, HASH, 4208, "p-ana", NOW, "one late ticket")


def test_a_member_signs_off_exactly_the_figures_that_were_closed() -> None:
    found = signed(WEEK, HASH, "one late ticket", ANA, CLOSED, None, NOW, NAMES)

    assert found == BY_ANA


@pytest.mark.parametrize("remark", ["", "one late ticket"])
@pytest.mark.parametrize("earlier", [BY_ANA, replace(BY_ANA, person="p-ana-before")])
def test_the_same_person_signs_off_once_however_often_the_form_comes(remark: str, earlier: SignOff) -> None:
    found = signed(WEEK, HASH, remark, ANA, CLOSED, earlier, NOW + timedelta(hours=1), NAMES)

    assert found is earlier


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"signer": replace(ANA, is_member=False)}, "only members of the group"),
        ({"closed": None}, "is not closed"),
        ({"closed": replace(CLOSED, digest="aa" * 32)}, "countersign audit verify"),
        ({"closed": replace(CLOSED, recorded="")}, "countersign audit verify"),
        ({"closed": replace(CLOSED, digest="aa" * 32, recorded="aa" * 32)}, "another digest"),
        ({"digest": ""}, "another digest"),
        ({"digest": HASH.upper()}, "another digest"),
        ({"earlier": BY_ANA, "signer": BEN}, "Signed off by Ana Ruiz on 2026-11-23 12:00 UTC+01:00"),
        ({"earlier": BY_ANA, "remark": "another remark"}, "has a sign-off already"),
        ({"earlier": replace(BY_ANA, remark=""), "remark": "a late remark"}, "has a sign-off already"),
    ],
)
def test_anything_else_is_refused_and_says_why(changed: dict[str, object], why: str) -> None:
    usual = {
        "week": WEEK,
        "digest": HASH,
        "remark": "",
        "signer": ANA,
        "closed": CLOSED,
        "earlier": None,
        "now": NOW,
        "names": NAMES,
    }

    with pytest.raises(Refused, match=why.replace("+", r"\+")):
        signed(**(usual | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  fine \n\n but\tlate ", "fine but late"),
        ("\u202egnol", "gnol"),
        ("דוח תקין", "דוח תקין"),
        ("<!channel> *bold*", "<!channel> *bold*"),
        ("", ""),
    ],
)
def test_a_remark_is_one_line_of_visible_characters(typed: str, kept: str) -> None:
    assert checked_remark(typed) == kept


def test_a_remark_that_is_too_long_is_refused() -> None:
    with pytest.raises(Refused, match="1,001 characters; 1,000 fit"):
        checked_remark("x" * 1_001)


def test_every_form_says_who_when_and_what() -> None:
    assert sign_off_text(BY_ANA, PERIOD, NAMES) == (
        "Signed off by Ana Ruiz on 2026-11-23 12:00 UTC+01:00, with a remark: one late ticket"
    )
    assert sign_off_text(replace(BY_ANA, remark=""), PERIOD, NAMES).endswith("UTC+01:00, without remarks")


def test_the_card_has_a_button_for_these_figures_until_they_are_signed_off() -> None:
    asks = Wanted("compliance", at(14), HASH)

    before = digest_card(a_digest(), wanted=asks)
    after = digest_card(a_digest(), wanted=asks, signed_off="Signed off by Ana Ruiz")

    (button,) = before.buttons
    assert read_value(button.value) == (WEEK, HASH)
    assert before.facts[-1].value == "needed from a member of compliance by 2026-11-30 00:00 UTC+01:00"
    assert (after.buttons, after.facts[-1].value) == ((), "Signed off by Ana Ruiz")


def test_without_a_group_nothing_is_wanted_and_nothing_shown() -> None:
    asks = wanted(DigestPlan("0 9 * * mon", "UTC"), HASH, NOW)

    card = digest_card(a_digest(), wanted=asks)

    assert asks is None
    assert card.buttons == ()
    assert "Sign-off" not in [fact.label for fact in card.facts]
