"""What somebody wrote goes on record as it was: once for each text, an edited one again as an edit."""

from __future__ import annotations

import pytest

from bot.domain.conversation import comments
from bot.domain.conversation.comments import record
from bot.domain.events import CommentRecorded
from bot.domain.model import State
from bot.errors import Refused
from tests.builders import a_comment, a_request, after


@pytest.mark.parametrize("state", State)
def test_a_comment_goes_on_record_in_every_state(state: State) -> None:
    (event,) = record(a_request(state), a_comment())

    assert isinstance(event, CommentRecorded)
    assert (event.comment.text, event.comment.is_edit) == ("checked on the winter rides", False)


def test_marked_twice_it_is_recorded_once() -> None:
    request = after(a_request(), record(a_request(), a_comment()))

    assert record(request, a_comment(marked_by="eve")) == []


def test_edited_and_marked_again_both_texts_are_on_record() -> None:
    request = after(a_request(), record(a_request(), a_comment()))

    request = after(request, record(request, a_comment("checked on the summer rides")))

    assert [(one.text, one.is_edit) for one in request.conversation.comments] == [
        ("checked on the winter rides", False),
        ("checked on the summer rides", True),
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("  ", "has no text"), ("x" * 4001, "more than 4,000 characters")], ids=["empty", "endless"]
)
def test_what_cannot_be_kept_whole_is_not_kept_in_part(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        record(a_request(), a_comment(text))


def test_no_more_are_kept_than_a_row_can_hold() -> None:
    request = a_request()
    for number in range(comments.MOST):
        request = after(request, record(request, a_comment(f"note {number}", message=f"1.{number}")))

    with pytest.raises(Refused, match="100 comments are on record"):
        record(request, a_comment("one more"))
