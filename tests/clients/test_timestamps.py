"""The timestamp authority: its certificates change, and what was signed before still verifies."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.note_keys import NoteKey
from bot.clients.timestamps import TimestampAuthority, read_certificates
from bot.domain.ledger.checkpoint import Checkpoint
from bot.errors import NotVerified
from tests.fixtures.timestamp_authority import timestamp_authority

NOTE = NoteKey(Ed25519PrivateKey.generate()).sign(Checkpoint("countersign/0123456789abcdef", 3, bytes(32)))


def test_timestamps_of_an_earlier_authority_verify_while_its_certificates_are_kept(tmp_path: Path) -> None:
    with timestamp_authority(tmp_path / "first") as first, timestamp_authority(tmp_path / "second") as second:
        before = TimestampAuthority(read_certificates(first.roots), first.url).attest(NOTE, 0, lambda _: ())
        (tmp_path / "both.pem").write_text(second.own.read_text() + first.roots.read_text())
        both = TimestampAuthority(read_certificates(tmp_path / "both.pem"), second.url)
        after = both.attest(NOTE, 0, lambda _: ())
    only_the_new = TimestampAuthority(read_certificates(second.own))

    assert both.check(NOTE, before) <= both.check(NOTE, after)
    assert only_the_new.check(NOTE, after)
    with pytest.raises(NotVerified, match="TSA_CERTIFICATES also needs the certificates of earlier authorities"):
        only_the_new.check(NOTE, before)
