"""The form in which a person asks, as that person uses it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.home.form import ModelRef
from bot.sandbox.slack import Submission
from bot.sandbox.slack.wire import every_text
from tests.fixtures.installation import Installation

SHORTCUT = "countersign.request"


@dataclass
class Form:
    """The form that a person has open."""

    installation: Installation
    person: str = "cy"

    @property
    def key(self) -> str:
        return ModelRef("default", self.installation.model).key

    def open(self) -> Form:
        assert self.installation.slack.shortcut(self.person, SHORTCUT).status == 200
        return self

    def choose_model(self) -> Form:
        self.installation.slack.suggest(self.person, "ask.choose", self.installation.model)
        self.installation.slack.press_view(self.person, "ask.choose", self.key)
        return self

    def versions(self, typed: str = "") -> list[str]:
        found = self.installation.slack.suggest(self.person, "ask.version", typed)
        assert found.trouble == ""
        return [str(option["text"]["text"]) for option in found.options]  # type: ignore[index]

    @property
    def blocks(self) -> dict[str, dict[str, object]]:
        view = self.installation.slack.open_view_of(self.person)
        assert view is not None
        return {str(block["block_id"]).partition(".")[0]: block for block in view.content["blocks"]}  # type: ignore[attr-defined]

    @property
    def text(self) -> str:
        view = self.installation.slack.open_view_of(self.person)
        return "\n".join(every_text(view.content["blocks"])) if view else ""

    @property
    def targets(self) -> dict[str, str]:
        options = self.blocks["target"]["element"]["options"]  # type: ignore[index]
        return {option["text"]["text"]: option["value"] for option in options}

    def send(self, version: int = 1, target: str = "alias:champion", reason: str = "") -> Submission:
        self.versions()
        values = {"model": self.key, f"version.{self.key}": str(version)}
        values |= {f"target.{self.key}": self.targets[target], "reason": reason}
        sent = self.installation.slack.submit_view(self.person, values)
        return replace(sent, errors={name.partition(".")[0]: said for name, said in sent.errors.items()})
