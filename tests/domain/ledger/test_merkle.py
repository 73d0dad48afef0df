"""The tree over the ledger: known roots, and proofs that hold for what is there and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    node_of,
    root_of,
)

SIZES = st.integers(1, 70)


def leaves_of(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + str(number).encode()).digest() for number in range(count)]


def root_by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return hashlib.sha256(b"\x01" + root_by_the_book(leaves[:left]) + root_by_the_book(leaves[left:])).digest()


def test_the_roots_are_those_that_certificate_transparency_publishes() -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(text)).digest() for text in inputs]

    roots = [root_of(leaves[:size]).hex() for size in (1, 3, 8)]

    assert roots == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


def test_a_tree_of_nothing_has_the_root_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_that_goes_on_from_its_frontier_has_the_root_of_the_whole(first: int, more: int) -> None:
    leaves = leaves_of(first + more)

    kept = Frontier().extended(leaves[:first]).as_bytes()
    grown = Frontier.of_bytes(first, kept).extended(leaves[first:])

    assert grown.size == first + more
    assert grown.root() == root_by_the_book(leaves)


@pytest.mark.parametrize(("size", "joined"), [(3, bytes(32)), (4, bytes(33)), (-1, b""), (0, bytes(32))])
def test_a_frontier_that_fits_no_tree_of_its_size_is_refused(size: int, joined: bytes) -> None:
    with pytest.raises(ValueError, match="perfect subtrees"):
        Frontier.of_bytes(size, joined)


@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_its_own_leaf_and_for_no_other(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))

    path = inclusion_proof(index, size, iter(leaves))

    assert includes(root_of(leaves), size, index, leaves[index], path)
    assert includes(root_of(leaves), size, index, leaves[other], path) is (index == other)
    assert includes(root_of(leaves), size, other, leaves[index], path) is (index == other)


@given(SIZES, st.data())
def test_an_inclusion_proof_with_one_altered_byte_does_not_hold(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, leaves)
    parts = [root_of(leaves), leaves[index], *path]

    altered = one_byte_changed(parts, data)

    assert not includes(altered[0], size, index, altered[1], altered[2:])
    assert not includes(root_of(leaves), size, index, leaves[index], [*path, bytes(32)])
    assert not path or not includes(root_of(leaves), size, index, leaves[index], path[:-1])


@given(SIZES, st.integers(0, 30), st.data())
def test_a_consistency_proof_holds_for_its_own_trees_and_no_altered_one(
    before: int, more: int, data: st.DataObject
) -> None:
    leaves = leaves_of(before + more)
    old, new = root_of(leaves[:before]), root_of(leaves)

    path = consistency_proof(before, before + more, iter(leaves))

    assert extends(old, before, new, before + more, path)
    altered = one_byte_changed([old, new, *path], data)
    assert not extends(altered[0], before, altered[1], before + more, altered[2:])
    assert not extends(old, before, new, before + more, [*path, bytes(32)])


@given(st.integers(2, 40), st.data())
def test_no_proof_makes_a_rewritten_tree_consistent_with_the_one_before(before: int, data: st.DataObject) -> None:
    leaves = leaves_of(before + 7)
    changed = data.draw(st.integers(0, before - 1))
    rewritten = [*leaves[:changed], node_of(leaves[changed], leaves[changed]), *leaves[changed + 1 :]]

    path = consistency_proof(before, len(rewritten), rewritten)

    assert not extends(root_of(leaves[:before]), before, root_of(rewritten), len(rewritten), path)


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has none at"):
        inclusion_proof(index, size, leaves_of(size))

    assert not includes(root_of(leaves_of(size)), size, index, bytes(32), [])


@pytest.mark.parametrize(("before", "size"), [(0, 5), (6, 5), (-1, 5)])
def test_there_is_no_proof_for_a_tree_that_is_not_the_beginning(before: int, size: int) -> None:
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_proof(before, size, leaves_of(size))

    assert not extends(bytes(32), before, root_of(leaves_of(size)), size, [])


def test_leaves_that_end_too_early_prove_nothing() -> None:
    with pytest.raises(ValueError, match="fewer than 8"):
        inclusion_proof(0, 8, leaves_of(6))


def one_byte_changed(parts: list[bytes], data: st.DataObject) -> list[bytes]:
    number = data.draw(st.integers(0, len(parts) - 1))
    place, flip = data.draw(st.integers(0, 31)), data.draw(st.integers(1, 255))
    part = bytearray(parts[number])
    part[place] ^= flip
    return [*parts[:number], bytes(part), *parts[number + 1 :]]
