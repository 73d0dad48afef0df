"""The Merkle tree over the ledger's leaves, as in RFC 9162: its root, and short proofs that it contains an entry or an earlier tree.

The frontier holds the roots of the tree's perfect subtrees, largest first, one for each bit of its size. That is enough to extend the tree
later: 20 hashes for a million leaves. Proofs are made in one pass over the leaves, which need not fit into memory. Leaves are hashes
(`bot.domain.ledger.chain.leaf_of`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_SIZE = 32  # bytes
Span = tuple[int, int]  # leaves from the first number up to but excluding the second, counted from 0


def node_of(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """A tree of `size` leaves: the roots of its perfect subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, rest = leaf, size
            while rest & 1:
                node = node_of(peaks.pop(), node)
                rest >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_of(peak, root)
        return root

    def as_bytes(self) -> bytes:
        return b"".join(self.peaks)

    @classmethod
    def of_bytes(cls, size: int, joined: bytes) -> Frontier:
        """Raises ValueError unless there is one hash for each perfect subtree of a tree of that size."""
        if size < 0 or len(joined) != HASH_SIZE * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} perfect subtrees")
        return cls(size, tuple(joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    return Frontier().extended(leaves).root()


def inclusion_proof(index: int, size: int, leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """The hashes from the leaf at `index`, counted from 0, up to the root of the first `size` leaves; nearest sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has none at {index}")
    return _roots_of(_path(index, 0, size), leaves)


def consistency_proof(before: int, size: int, leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """The hashes that prove that a tree of `size` leaves starts with the tree of `before` leaves. Empty when they are equal."""
    if not 0 < before <= size:
        raise ValueError(f"a tree of {before} leaves is not the beginning of one of {size}")
    return _roots_of(_steps(before, 0, size, whole=True), leaves)


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path leads from the leaf to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_of(sibling, node)
            place, last = _above_left_turns(place, last)
        else:
            node = node_of(node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def extends(before: bytes, before_size: int, root: bytes, size: int, path: Sequence[bytes]) -> bool:
    """Whether the tree with that root starts with the earlier one (RFC 9162, section 2.1.4.2)."""
    if not 0 < before_size <= size:
        return False
    if before_size == size:
        return not path and before == root
    steps = [before, *path] if before_size & (before_size - 1) == 0 else list(path)
    if not steps:
        return False
    place, last = before_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    earlier = later = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            earlier, later = node_of(step, earlier), node_of(step, later)
            place, last = _above_left_turns(place, last)
        else:
            later = node_of(later, step)
        place, last = place >> 1, last >> 1
    return last == 0 and (earlier, later) == (before, root)


def _above_left_turns(place: int, last: int) -> tuple[int, int]:
    """At the right edge of an uneven tree a node may have no sibling for some levels."""
    while not place & 1 and place:
        place, last = place >> 1, last >> 1
    return place, last


def _path(index: int, start: int, end: int) -> list[Span]:
    """The spans whose roots are the path from the leaf upwards."""
    if end - start == 1:
        return []
    middle = start + _left_size(end - start)
    if index < middle:
        return [*_path(index, start, middle), (middle, end)]
    return [*_path(index, middle, end), (start, middle)]


def _steps(before: int, start: int, end: int, *, whole: bool) -> list[Span]:
    """`whole` is True while the span starts with the complete earlier tree, whose root the verifier already has."""
    if before == end:
        return [] if whole else [(start, end)]
    middle = start + _left_size(end - start)
    if before <= middle:
        return [*_steps(before, start, middle, whole=whole), (middle, end)]
    return [*_steps(before, middle, end, whole=False), (start, middle)]


def _left_size(size: int) -> int:
    """The largest power of two below `size`: the left subtree is always perfect."""
    return 1 << ((size - 1).bit_length() - 1)


def _roots_of(spans: Sequence[Span], leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """In one pass; the spans must not overlap. Raises ValueError when there are too few leaves."""
    frontiers = [Frontier()] * len(spans)
    in_order = sorted(range(len(spans)), key=lambda number: spans[number])
    coming = enumerate(leaves)
    for number in in_order:
        start, end = spans[number]
        within = (leaf for _, leaf in _between(coming, start, end))
        frontiers[number] = Frontier().extended(within)
        if frontiers[number].size != end - start:
            raise ValueError(f"there are fewer than {end} leaves")
    return tuple(frontier.root() for frontier in frontiers)


def _between(coming: Iterable[tuple[int, bytes]], start: int, end: int) -> Iterable[tuple[int, bytes]]:
    """Consumes no leaf beyond the span, because the next span needs it."""
    for place, leaf in coming:
        if place >= start:
            yield place, leaf
        if place == end - 1:
            return
