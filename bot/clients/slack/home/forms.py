"""The form in which a person asks for a transition, as a modal with menus that we fill. Pure; `surface` opens it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.clients.plain_text import one_line
from bot.clients.slack.rich_text import Block
from bot.domain.home.form import AskForm, Choice, Field, ModelRef
from bot.language import N_, _
from bot.ports.home import Deed

FORM = "countersign.request"  # of the modal and of the shortcut: both are in config/slack_manifest.yaml or in tests
MODELS = f"ask.{Deed.CHOOSE_MODEL}"
VERSIONS = "ask.version"
REASON_LIMIT = 1_000
TITLE_LIMIT = 24
LABEL_LIMIT = 75  # https://docs.slack.dev/reference/block-kit/composition-objects/option-object
TITLE = N_("Request a promotion")


def ask_form(form: AskForm) -> Block:
    """A menu keeps what was chosen as long as its block has the same name, so those of a model are named after it."""
    key = form.model.key if form.model else ""
    blocks = [_model(form.model)]
    if form.notice:
        blocks.append({"type": "section", "text": plain(form.notice, LABEL_LIMIT * 5)})
    if form.targets:
        blocks += [_version(form, key), _target(form, key), _reason(form)]
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": json.dumps({"model": key}),
        "title": plain(_(TITLE), TITLE_LIMIT),
        "submit": plain(_("Ask for it") if form.targets else _("Next"), TITLE_LIMIT),
        "close": plain(_("Cancel"), TITLE_LIMIT),
        "blocks": blocks,
    }


def block_of(field: Field, model_key: str) -> str:
    return f"{field}.{model_key}" if field in (Field.VERSION, Field.TARGET) else str(field)


def choice_of(choice: Choice) -> Block:
    detail = {"description": plain(choice.detail, LABEL_LIMIT)} if choice.detail else {}
    return {"text": plain(middle_out(choice.label), LABEL_LIMIT), "value": choice.value, **detail}


def choices_of(choices: Sequence[Choice]) -> Block:
    return {"options": [choice_of(choice) for choice in choices]}


def search(placeholder: str, least: int) -> Block:
    """A menu that asks us for its options while a person types, from so many letters on."""
    return {"type": "external_select", "placeholder": plain(placeholder, LABEL_LIMIT), "min_query_length": least}


def plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": one_line(text, limit), "emoji": False}


def middle_out(text: str) -> str:
    """Of a long name the beginning and the end: names of one family differ at their ends."""
    half = LABEL_LIMIT // 2
    return text if len(text) <= LABEL_LIMIT else f"{text[:half]}…{text[-(half - 1) :]}"


def _model(model: ModelRef | None) -> Block:
    chosen = {"initial_option": choice_of(Choice(model.key, model.label))} if model else {}
    return {
        "type": "input",
        "block_id": block_of(Field.MODEL, ""),
        "dispatch_action": True,
        "label": plain(_("Model"), LABEL_LIMIT),
        "element": {**search(_("Search for a model"), 0), "action_id": MODELS, **chosen},
    }


def _version(form: AskForm, key: str) -> Block:
    chosen = {"initial_option": choice_of(form.version)} if form.version else {}
    return {
        "type": "input",
        "block_id": block_of(Field.VERSION, key),
        "label": plain(_("Version"), LABEL_LIMIT),
        "element": {**search(_("Search for a version"), 0), "action_id": VERSIONS, **chosen},
    }


def _target(form: AskForm, key: str) -> Block:
    options = [choice_of(choice) for choice in form.targets]
    only = {"initial_option": options[0]} if len(options) == 1 else {}
    return {
        "type": "input",
        "block_id": block_of(Field.TARGET, key),
        "label": plain(_("Target"), LABEL_LIMIT),
        "element": {
            "type": "static_select",
            "action_id": "ask.target",
            "placeholder": plain(_("Choose a target"), LABEL_LIMIT),
            "options": options,
            **only,
        },
    }


def _reason(form: AskForm) -> Block:
    """Which target is chosen, and so whether a reason is needed, is known when the form is sent."""
    hint = (
        _("A rule of this model wants a reason.") if form.wants_reason else _("It is on the card for those who decide.")
    )
    return {
        "type": "input",
        "block_id": block_of(Field.REASON, ""),
        "optional": True,
        "label": plain(_("Reason"), LABEL_LIMIT),
        "hint": plain(hint, LABEL_LIMIT * 2),
        "element": {
            "type": "plain_text_input",
            "action_id": "ask.reason",
            "multiline": True,
            "max_length": REASON_LIMIT,
        },
    }
