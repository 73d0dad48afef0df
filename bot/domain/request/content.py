"""The content of a version, independent of its name: rejections, and the draw of the fast track's sample, belong to the content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.model import Evidence

RUN_ID = re.compile("[0-9a-f]{32}")  # as MLflow makes them


@dataclass(frozen=True)
class Content:
    """`digest` is of the files' manifest, empty when none were read; `origin` is source and run, empty when there is no source.

    A copy has the origin of the version that it was made from.
    """

    digest: str
    origin: str

    def is_like(self, other: Content) -> bool:
        """The same files where both were read, else the same source and run; what is unknown is like nothing."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return self.origin != "" and self.origin == other.origin

    @property
    def source(self) -> str:
        return self._parts[0]

    @property
    def run_id(self) -> str:
        """Empty when there is none."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        source, space, run_id = self.origin.rpartition(" ")
        return (source, run_id) if space and RUN_ID.fullmatch(run_id) else (self.origin, "")


def content_of(evidence: Evidence | None) -> Content:
    """A version without files has no digest: the manifest of nothing is the same for all of them."""
    if evidence is None:
        return Content("", "")
    digest = evidence.artifacts.digest if evidence.artifacts and evidence.artifacts.files else ""
    source = evidence.original_source or evidence.source
    return Content(digest, f"{source} {evidence.run_id or ''}".strip() if source else "")
