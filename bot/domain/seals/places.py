"""What a sealed store is: where a rule seals to, and the objects that a version's approved files became there. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SCHEME = "s3://"
MODEL_FOLDER = "model"  # below a seal's folder: the model's files, and nothing else


@dataclass(frozen=True)
class SealPlan:
    """A rule's `seal`: `to` is `s3://BUCKET/` or `s3://BUCKET/PREFIX/`; `lock_for` is how long the objects are locked, None: not by us."""

    to: str
    lock_for: timedelta | None = None

    @property
    def bucket(self) -> str:
        return self.to.removeprefix(SCHEME).partition("/")[0]

    @property
    def prefix(self) -> str:
        """Of keys: empty, or with a slash at its end."""
        return self.to.removeprefix(SCHEME).partition("/")[2]


@dataclass(frozen=True)
class SealedObject:
    """One file of a version: its path in the version's folder, its sha256 in hex, and the object's version id in the bucket."""

    path: str
    sha256: str
    size: int
    version: str


@dataclass(frozen=True)
class SealedAt:
    """Where a reader finds a sealed version. `index` is the key of the list of its objects, which has this version id and sha256 (hex)."""

    bucket: str
    folder: str
    index: str
    index_version: str
    index_sha256: str

    @property
    def uri(self) -> str:
        """The address of the model's folder."""
        return f"{SCHEME}{self.bucket}/{self.folder}{MODEL_FOLDER}"

    @property
    def beginning(self) -> str:
        """Of all keys that a reader of the address may get: S3 knows no folders, so it has no slash at its end either."""
        return f"{self.folder}{MODEL_FOLDER}"

    def key_of(self, path: str) -> str:
        return f"{self.folder}{MODEL_FOLDER}/{path}"

    def is_in(self, plan: SealPlan) -> bool:
        return self.bucket == plan.bucket and self.folder.startswith(plan.prefix)


@dataclass(frozen=True)
class Lock:
    """The store refuses to delete an object version until then. `mode` is S3's: GOVERNANCE or COMPLIANCE."""

    mode: str
    until: datetime


@dataclass(frozen=True)
class Seal:
    """That the files with the manifest digest `files` are sealed, since `sealed_at`. `lock` is None where the objects have none."""

    at: SealedAt
    files: str
    count: int
    size: int
    sealed_at: datetime
    lock: Lock | None = None


@dataclass(frozen=True)
class Sealing:
    """A request's seal, None until there is one; `hindered` says why it cannot be made, empty while nothing does."""

    seal: Seal | None = None
    hindered: str = ""

    def __bool__(self) -> bool:
        return self.seal is not None or bool(self.hindered)


NOT_SEALED = Sealing()
