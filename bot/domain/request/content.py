"""The content of a version, independent of its name: rejections, and the draw of the fast track's sample, belong to the content."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.model import Evidence


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


def content_of(evidence: Evidence | None) -> Content:
    """A version without files has no digest: the manifest of nothing is the same for all of them."""
    if evidence is None:
        return Content("", "")
    digest = evidence.artifacts.digest if evidence.artifacts and evidence.artifacts.files else ""
    source = evidence.original_source or evidence.source
    return Content(digest, f"{source} {evidence.run_id or ''}".strip() if source else "")
