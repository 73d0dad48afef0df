"""People's own pages, the form and previews in a language whose every text looks foreign: no English is left, and Slack's limits hold."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.clients.slack.home.forms import ask_form
from bot.clients.slack.home.surface import preview_blocks
from bot.clients.slack.home.views import BLOCKS_LIMIT, home_view
from bot.domain.card.card import Link
from bot.domain.card.sentences import CardContext
from bot.domain.home.form import AskForm, ModelRef, form_for, version_choice
from bot.domain.home.page import HomePage, HomeState, Section
from bot.domain.home.preview import preview_of
from bot.domain.home.rows import asked_row, decided_row, held_row, notice_page, part_of, waiting_row
from bot.domain.home.sample import sample_form, sample_home
from bot.domain.model import State, Target, TargetKind
from bot.domain.queries.description import Held
from bot.language import _, reading
from bot.ports import AccountKind
from bot.sandbox.slack.block_kit.validation import checked_blocks, checked_view
from bot.sandbox.slack.wire import every_text
from handlers.home.viewing import NO_ADDRESS, NO_PAGE, UNBOUND
from tests.builders import LATER, NOON, RULE_HASH, a_policy, a_request, a_rule, a_version, a_vote
from tests.language.pseudo import XX, english_in

CHAMPION = Target(TargetKind.ALIAS, "champion")
MODEL = ModelRef("default", "bike-demand")
NAMES = {"cy": "Cy Lindqvist", "dan": "Dan Achterberg"}
CONTEXT = CardContext(NAMES, a_rule(), rule_hash=RULE_HASH)
DATA = (
    *NAMES.values(),
    "bob example com U0BOB other",
    "leads risk bike-demand champion alias stage Production mae rmse UTC Countersign countersign people bind users read email URL",
)
BOB = {"email": "bob@example.com", "account": "U0BOB"}


def pages() -> Iterator[HomePage]:
    rows = [waiting_row(a_request(), CONTEXT, LATER)]
    rows += [asked_row(a_request(state, decided_at=NOON), CONTEXT, LATER) for state in State]
    held = Held(CHAMPION, a_version(7), NOON, _("approved by {people}", people="Cy Lindqvist"))
    rows += [
        held_row(
            held, MODEL.label, "https://bot.example.com/x", Link(_("Open the card"), "https://slack.example.com/x")
        )
    ]
    decided = [a_request(state, votes=(a_vote("cy"),), decided_at=NOON) for state in (State.APPLIED, State.REJECTED)]
    rows += [
        decided_row(one, NAMES, (a_rule(), RULE_HASH), is_rolled_back=back) for one in decided for back in (True, False)
    ]
    state = HomeState("ab", dict.fromkeys(Section, 1))
    for section in Section:
        yield HomePage(state, (part_of(section, tuple(rows), state, "", has_more=True),))
        for one, model in ((state, ""), (HomeState(), ""), (HomeState("ab"), MODEL.label)):
            yield HomePage(one, (part_of(section, (), one, model, has_more=False),), model=model)
    for kind in AccountKind:
        if kind in NO_PAGE:
            yield notice_page(_(NO_PAGE[kind]))
    yield notice_page(_(NO_ADDRESS))
    yield notice_page(_(UNBOUND, **BOB))


def forms() -> Iterator[AskForm]:
    policy = a_policy(a_rule())
    yield AskForm()
    yield form_for(ModelRef("default", "other-bike-demand"), policy)
    for state in (None, *State):
        asked = (state, CHAMPION) if state else None
        yield form_for(MODEL, policy, version_choice(7, [], asked))
    yield form_for(MODEL, policy, version_choice(7, [CHAMPION], None))


def english_of(blocks: object) -> list[list[str]]:
    return [found for text in every_text(blocks) if (found := english_in(text, *DATA))]


def test_no_english_is_left_on_a_page_and_slack_takes_it() -> None:
    with reading(XX):
        views = [home_view(page) for page in pages()]

    for view in views:
        checked_view(view, "home")
        assert english_of(view["blocks"]) == []


def test_no_english_is_left_in_the_form_and_slack_takes_it() -> None:
    with reading(XX):
        views = [ask_form(form) for form in forms()]

    for view in views:
        checked_view(view)
        assert english_of(json.loads(json.dumps(view))) == []


@pytest.mark.parametrize("state", list(State))
def test_no_english_is_left_below_a_link(state: State) -> None:
    with reading(XX):
        request = a_request(state, votes=(a_vote("cy"),), decided_at=NOON)
        preview = preview_of(request.version, [CHAMPION], request, "Cy Lindqvist", is_rolled_back=False)
        blocks = checked_blocks(preview_blocks(preview, 0))

    assert english_of(blocks) == []


@pytest.mark.parametrize("text", ["🚲" * 9_999, "x" * 9_999, "a\nb" * 999, "<!channel> & *bold*"])
def test_slack_takes_the_fullest_page_and_form_whatever_is_written_there(text: str) -> None:
    home, form = checked_view(home_view(sample_home(text)), "home"), checked_view(ask_form(sample_form(text)))

    assert len(home["blocks"]) <= BLOCKS_LIMIT  # type: ignore[arg-type]
    assert json.loads(json.dumps(form)) == form
