"""Audits the ledger in one pass over its entries: the hash chain, and the signed roots.

The caller (`handlers.ledger.audit`) provides the entries and checkpoints and decides which notes are trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from bot.domain.ledger.chain import GENESIS, Entry, checked
from bot.domain.ledger.checkpoint import Checkpoint, origin_of
from bot.domain.ledger.merkle import Frontier
from bot.errors import ChainBroken


@dataclass(frozen=True)
class Claim:
    """A checkpoint to verify, with a description of its source. `frontier` is from the checkpoint's row; None for a note alone."""

    checkpoint: Checkpoint
    whose: str
    frontier: bytes | None = None


@dataclass(frozen=True)
class Walked:
    frontier: Frontier
    head: bytes
    checkpoints: int


class _Ledger:
    """The state after the entries read so far: the tree, the newest head, the ledger's name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = checked(entries)
        self.frontier = Frontier()
        self.head = GENESIS
        self.origin = ""

    def advance(self, size: int | None) -> None:
        """Reads entries up to `size`, or to the end."""
        wanted = None if size is None else max(size - self.frontier.size, 0)
        self.frontier = self.frontier.extended(self._leaves(wanted))

    def _leaves(self, wanted: int | None) -> Iterator[bytes]:
        for entry in islice(self.entries, wanted):
            self.origin = self.origin or origin_of(entry.leaf)
            self.head = entry.head
            yield entry.leaf


def walk(entries: Iterable[Entry], claims: Iterable[Claim]) -> Walked:
    """`claims` are ordered by size, smallest first. Raises ChainBroken, which names the first mismatch."""
    ledger, count = _Ledger(entries), 0
    for claim in claims:
        ledger.advance(claim.checkpoint.size)
        _hold_against(claim, ledger)
        count += 1
    ledger.advance(None)
    return Walked(ledger.frontier, ledger.head, count)


def _hold_against(claim: Claim, ledger: _Ledger) -> None:
    signed, there = claim.checkpoint, ledger.frontier
    if signed.size > there.size:
        raise ChainBroken(
            f"the ledger ends at entry {there.size}, but {claim.whose} covers {signed.size}: the entries after {there.size} were cut off"
        )
    if signed.size and signed.origin != ledger.origin:
        raise ChainBroken(
            f"{claim.whose} is of the ledger {signed.origin}, and this one is {ledger.origin}: it is another one, or its start was replaced"
        )
    if signed.root != there.root():
        raise ChainBroken(
            f"the first {signed.size} entries are not those that {claim.whose} was signed over: the ledger was rewritten below entry "
            f"{signed.size + 1}"
        )
    if claim.frontier is not None and claim.frontier != there.as_bytes():
        raise ChainBroken(f"{claim.whose} was changed: what its row keeps of the tree is not what was signed")
