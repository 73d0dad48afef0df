"""A text that people write: a description or a comment, kept the way it came (ADF or wiki markup) and shown the way it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.jira import adf, wiki
from bot.sandbox.jira.refusals import bad_fields

if TYPE_CHECKING:
    from markupsafe import Markup

TEXT_LIMIT = 32_767  # https://support.atlassian.com/jira-cloud-administration/docs/configure-advanced-settings/


@dataclass(frozen=True)
class Body:
    """Exactly one of `markup` (wiki) and `document` (ADF) is what was written."""

    markup: str | None = None
    document: adf.Node | None = None

    def as_document(self) -> adf.Node:
        return self.document if self.document is not None else adf.from_text(self.markup or "")

    def as_markup(self) -> str:
        return self.markup if self.markup is not None else self.as_text()

    def as_text(self) -> str:
        return self.markup if self.markup is not None else adf.as_text(self.document or {})

    def as_html(self) -> Markup:
        return wiki.as_html(self.markup) if self.markup is not None else adf.as_html(self.document or {})


def read_body(raw: object, version: str, field: str) -> Body:
    """Version 3 wants an Atlassian Document, version 2 a string; anything else is Jira's 400."""
    body = _read_document(raw, field) if version == "3" else _read_markup(raw, field)
    if len(body.as_text()) > TEXT_LIMIT:
        raise bad_fields({field: "The entered text is too long. It exceeds the allowed limit of 32,767 characters."})
    return body


def _read_document(raw: object, field: str) -> Body:
    if not isinstance(raw, dict):
        raise bad_fields({field: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"})
    try:
        adf.check(raw)
    except adf.InvalidDocument as invalid:
        raise bad_fields({field: f"INVALID_INPUT: {invalid}"}) from invalid
    return Body(document=raw)


def _read_markup(raw: object, field: str) -> Body:
    if not isinstance(raw, str):
        raise bad_fields({field: "Operation value must be a string"})
    return Body(markup=raw)
