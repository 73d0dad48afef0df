"""Cards become blocks that Slack accepts, in which nothing from outside is live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clients.slack.blocks import REASON_FORM, blocks_of, reason_form
from bot.clients.slack.inbound import read_click
from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Link, Mention, Table, Tone
from bot.domain.references import Image
from bot.ports import Click
from bot.sandbox.slack.block_kit.validation import checked_blocks, checked_view

PLOT = Image("F0PLOT00001", "mae over versions 1 to 7")
LEADS, ANA = Mention(Called.GROUP, "ml-leads", "ml-leads"), Mention(Called.PERSON, "ana@example.com", "Ana Ruiz")
FOUND = {LEADS: "S0MLLEADS00", ANA: "U0ANA000001"}
CARD = Card(
    title="bike-demand v2 asks for champion",
    summary="bike-demand v2 asks for alias:champion; asked by Ana Ruiz.",
    facts=(
        Fact("Model", "bike-demand v2"),
        Fact("Run", Link("talented-fox-12", "https://mlflow.example.com/#/runs/1")),
        Fact("Source", Link("press me", "javascript:alert(1)")),
    ),
    tables=(
        Table("Metrics", ("metric", "v2", "champion"), (("mae", "38.2", "41.0"), ("r2", "", "0.91"))),
        Table("Params", ("param", "value"), (("depth", "8"),)),
    ),
    paragraphs=("Trained on May.\nPlease look at the tail.",),
    buttons=(
        Button(
            "approve", "Approve", "r-1", Tone.PRIMARY, Confirm("Approve?", "v2 becomes champion.", "Approve", "Not yet")
        ),
        Button("reject", "Reject", "r-1", Tone.DANGER),
    ),
    footer="Request 1a2b3c4d, expires on 26 Nov",
)

ODDITIES = ("<!channel>", "*x*", "<https://evil.example|MLflow>", "@here", ":tada:", "", "\u202e", "\ud800")
texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(ODDITIES),
    st.sampled_from(["x", "a b "]).map(lambda text: text * 1_000),
)
links = st.builds(Link, texts, st.one_of(texts, st.just("https://mlflow.example.com/")))
mentions = st.builds(Mention, st.sampled_from(Called), texts, texts)
images = st.builds(Image, st.just(PLOT.file), texts)
confirms = st.builds(Confirm, texts, texts, texts, texts)


def tables_of(columns: int) -> st.SearchStrategy[Table]:
    row = st.tuples(*[texts] * columns)
    return st.builds(Table, texts, row, st.lists(row, max_size=2).map(lambda rows: tuple(rows * 60)))


cards = st.builds(
    Card,
    title=texts,
    summary=texts,
    facts=st.lists(st.builds(Fact, texts, st.one_of(texts, links)), max_size=12).map(tuple),
    tables=st.lists(st.integers(1, 22).flatmap(tables_of), max_size=3).map(tuple),
    paragraphs=st.lists(texts, max_size=14).map(tuple),
    buttons=st.lists(
        st.builds(Button, st.sampled_from("abcd"), texts, st.just("r-1"), st.sampled_from(Tone), st.none() | confirms),
        max_size=4,
        unique_by=lambda button: button.action,
    ).map(tuple),
    footer=texts,
    mentions=st.lists(mentions, max_size=25).map(tuple),
    image=st.none() | images,
)


def objects_in(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from objects_in(part)


@settings(max_examples=40)
@given(cards, st.booleans())
def test_slack_accepts_whatever_stands_on_a_card(card: Card, are_found: bool) -> None:
    found = {mention: "U0ANA000001" for mention in card.mentions if are_found}
    blocks = blocks_of(card, found)

    accepted = checked_blocks(blocks, {PLOT.file})

    assert len(accepted) == len(blocks)


@settings(max_examples=40)
@given(cards)
def test_no_text_of_a_card_is_in_a_place_where_slack_looks_for_markup(card: Card) -> None:
    parts = list(objects_in(blocks_of(card)))

    with_text = {str(part["type"]) for part in parts if isinstance(part.get("text"), str)}
    emoji = {part.get("emoji") for part in parts if part.get("type") == "plain_text"}
    urls = {str(part["url"]) for part in parts if "url" in part}

    assert with_text <= {"plain_text", "text", "raw_text", "link"}
    assert emoji <= {False}
    assert urls <= {"https://mlflow.example.com/"}


def test_a_card_is_read_from_title_to_buttons() -> None:
    kinds = [block["type"] for block in blocks_of(CARD)]

    assert kinds == [
        "header",
        "rich_text",
        "rich_text",
        "table",
        "rich_text",
        "rich_text",
        "section",
        "context",
        "actions",
    ]


def test_who_is_called_is_named_above_the_buttons_and_the_plot_is_under_the_tables() -> None:
    card = replace(CARD, mentions=(LEADS,), image=PLOT)

    blocks = blocks_of(card, FOUND)

    kinds = [block["type"] for block in blocks]
    assert kinds[-3:] == ["rich_text", "context", "actions"]
    assert [part["usergroup_id"] for part in objects_in(blocks[-3]) if "usergroup_id" in part] == ["S0MLLEADS00"]
    assert kinds[kinds.index("image") - 1 : kinds.index("section") + 1] == ["rich_text", "image", "section"]
    assert next(block for block in blocks if block["type"] == "image") == {
        "type": "image", "slack_file": {"id": "F0PLOT00001"}, "alt_text": "mae over versions 1 to 7",
    }  # fmt: skip


def test_mentions_are_elements_and_whoever_is_not_found_is_a_name() -> None:
    stranger = Mention(Called.PERSON, "zoe@example.com", "Zoe <!channel> Quist")
    card = Card("t", "s", mentions=(LEADS, ANA, stranger))

    (line,) = blocks_of(card, FOUND)[1]["elements"]  # type: ignore[misc]

    assert line["elements"] == [
        {"type": "text", "text": "Waiting for: ", "style": {"bold": True}},
        {"type": "usergroup", "usergroup_id": "S0MLLEADS00"},
        {"type": "text", "text": ", "},
        {"type": "user", "user_id": "U0ANA000001"},
        {"type": "text", "text": ", "},
        {"type": "text", "text": "Zoe <!channel> Quist"},
    ]


def test_a_crowd_is_counted_instead_of_being_called() -> None:
    crowd = tuple(Mention(Called.PERSON, f"p{number}@example.com", f"Person {number}") for number in range(63))

    line = json.dumps(blocks_of(Card("t", "s", mentions=crowd))[1])

    assert "Person 59" in line
    assert "Person 60" not in line
    assert ", and 3 more" in line


def test_a_picture_that_nobody_described_has_a_dash_for_its_words() -> None:
    (image,) = [block for block in blocks_of(Card("t", "s", image=Image(PLOT.file, " "))) if block["type"] == "image"]

    assert image["alt_text"] == "–"


def test_labels_are_bold_and_only_web_addresses_are_links() -> None:
    facts = blocks_of(CARD)[1]

    words = [part for part in objects_in(facts) if isinstance(part.get("text"), str)]

    assert [part["text"] for part in words if "style" in part] == ["Model: ", "Run: ", "Source: "]
    assert [part["text"] for part in words if part["type"] == "link"] == ["talented-fox-12"]
    assert (
        "".join(str(part["text"]) for part in words) == "Model: bike-demand v2\nRun: talented-fox-12\nSource: press me"
    )


def test_a_value_cannot_forge_another_line() -> None:
    card = Card("t", "s", facts=(Fact("Comment", "fine\nApproved by: Cy"),))

    shown = "".join(str(part["text"]) for part in objects_in(blocks_of(card)[1]) if "text" in part)

    assert shown == "Comment: fine Approved by: Cy"


def test_the_first_table_is_slacks_own_and_the_second_is_monospaced() -> None:
    blocks = blocks_of(CARD)

    native, second = blocks[3], blocks[5]

    assert isinstance(native["rows"], list)
    assert native["rows"][2] == [{"type": "raw_text", "text": text} for text in ("r2", "–", "0.91")]
    assert second["elements"] == [
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "param  value\ndepth  8"}]}
    ]


def test_a_table_that_is_too_long_says_how_many_rows_are_left_out() -> None:
    rows = tuple((f"metric-{number}", "0.5" * 10) for number in range(400))
    card = Card("t", "s", tables=(Table("Metrics", ("name", "value"), rows),))

    shown = next(str(part["text"]) for part in objects_in(blocks_of(card)[2]) if part["type"] == "text")

    lines = shown.splitlines()
    assert lines[-1] == f"… {401 - (len(lines) - 1)} more rows"
    assert checked_blocks(blocks_of(card))


def test_buttons_carry_the_action_the_opaque_value_and_a_confirmation() -> None:
    actions = blocks_of(CARD)[-1]

    assert isinstance(actions["elements"], list)
    approve, reject = actions["elements"]
    assert (approve["action_id"], approve["value"], approve["style"]) == ("approve", "r-1", "primary")
    assert approve["confirm"]["confirm"]["text"] == "Approve"
    assert (reject["action_id"], reject["style"]) == ("reject", "danger")
    assert "confirm" not in reject


def test_the_buttons_stay_when_the_rest_is_cut() -> None:
    flood = Card("t", "s", CARD.facts * 200, CARD.tables * 40, ("long " * 900,) * 30, CARD.buttons, "footer")

    blocks = checked_blocks(blocks_of(flood))

    assert len(blocks) <= 50
    assert blocks[-1]["type"] == "actions"
    assert "more lines" in json.dumps(blocks)
    assert "more tables" in json.dumps(blocks)
    assert "more paragraphs" in json.dumps(blocks)


@given(texts, texts)
def test_the_reason_form_is_accepted_and_remembers_where_the_click_came_from(title: str, prompt: str) -> None:
    click = Click("T1", "A1", "C1", "1.2", "U1", "reject", "r-1", "trigger")

    view = checked_view(reason_form(click, title, prompt))

    assert view["callback_id"] == REASON_FORM
    assert json.loads(str(view["private_metadata"])) == {
        "action": "reject", "value": "r-1", "channel": "C1", "message": "1.2",
    }  # fmt: skip


@pytest.mark.parametrize("action", ["reject", "roll_back", "put_back"])
def test_the_answer_to_the_reason_form_is_the_click_that_asked_for_it_whatever_it_was_for(action: str) -> None:
    click = Click("T1", "A1", "C1", "1.2", "U1", action, "req_01:7", "tr")
    view = checked_view(reason_form(click, "Roll back", "Why?"))

    answered = {**view, "state": {"values": {"reason": {"reason": {"value": "mae doubled"}}}}}
    sent = {
        "type": "view_submission", "team": {"id": "T1"}, "user": {"id": "U1"}, "api_app_id": "A1", "trigger_id": "tr",
        "view": answered,
    }  # fmt: skip

    assert read_click(sent) == replace(click, reason="mae doubled", is_form=True)
