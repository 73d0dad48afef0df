"""What a ledger entry is about, read from its body, also from a body that somebody has changed."""

from __future__ import annotations

import json

import pytest
import rfc8785

from bot.domain import events as e
from bot.domain.ledger.chain import body_of
from bot.domain.ledger.subjects import NO_SUBJECT, Subject, subject_in
from tests.builders import CHAMPION, NOON, a_version, opened


def body(event: e.Event) -> str:
    return rfc8785.dumps(body_of(event, 1)).decode()


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        (opened("r1"), Subject("r1", "bike-demand", 7, "alias:champion")),
        (e.RequestApproved(NOON, "r1", (), "sha256:1"), Subject("r1")),
        (
            e.MoveObserved(NOON, "default", CHAMPION, "bike-demand", a_version(8), None, "ask"),
            Subject(None, "bike-demand", 8, "alias:champion"),
        ),
        (
            e.MoveObserved(NOON, "default", CHAMPION, "bike-demand", None, a_version(8), "ask"),
            Subject(None, "bike-demand", None, "alias:champion"),
        ),
        (
            e.MoveReverted(NOON, "default", CHAMPION, "bike-demand", a_version(5)),
            Subject(None, "bike-demand", 5, "alias:champion"),
        ),
        (e.ModelGone(NOON, "default", "bike-demand", "it was deleted"), Subject(None, "bike-demand")),
        (e.DigestDelivered(NOON, "2026-W47", "slack", "https://slack.example.com/1"), NO_SUBJECT),
        (e.KeyRetired(NOON, "k1", "lost\0"), NO_SUBJECT),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, e.Event) else "",
)
def test_what_an_entry_says_of_itself(event: e.Event, subject: Subject) -> None:
    assert subject_in(body(event)) == subject


@pytest.mark.parametrize(
    "tampered",
    [
        "",
        "no JSON",
        "[]",
        "7",
        "[" * 100_000,
        '{"version":' + "9" * 5_000 + "}",
        '{"request_id":7,"model":{},"version":7,"target":"alias:champion"}',
        '{"request_id":null,"model":["m"],"version":{"model":7,"version":"7"},"target":{"kind":"alias"}}',
        '{"request_id":"r\\u0000","model":"\\ud800","version":{"version":true},"target":{"kind":"alias","name":"\\u0000"}}',
    ],
)
def test_a_body_that_was_tampered_with_says_nothing(tampered: str) -> None:
    assert subject_in(tampered) == NO_SUBJECT


def test_what_is_still_right_in_a_body_is_read() -> None:
    tampered = json.dumps({"request_id": "r1", "model": "bike-demand", "version": 7, "target": []})

    assert subject_in(tampered) == Subject("r1", "bike-demand")
