"""Key files, and signers: what is made, what is read, and the message when a key cannot be used."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from bot.clients.keys import ALGORITHMS, exposed, make_key, make_key_unless_there, replaceable_in
from bot.clients.note_keys import NoSigner, read_note_key
from bot.clients.signers import SERVICES, DsseSigner, KeyService, read_signer, signer_with
from bot.domain.attestation.decision import of_vote, payload_of
from bot.errors import InvalidKey, KeyExposed, Permanent, Temporary
from bot.signatures import ED25519, PAYLOAD_TYPE, trusted_key, verify
from tests.builders import a_request, a_rule, a_vote

PAYLOAD = payload_of(of_vote(a_request(), a_vote(), a_rule(), {}))


def pem_of(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, encryption: KeySerializationEncryption | None = None
) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_signs_what_its_public_half_verifies(tmp_path: Path, algorithm: str) -> None:
    made = make_key(tmp_path / "keys" / "approvals.pem", algorithm)

    signer = read_signer(str(tmp_path / "keys" / "approvals.pem"))

    assert (signer.key, made.algorithm) == (made, algorithm)
    assert verify(signer.sign(PAYLOAD, PAYLOAD_TYPE), {made.id: trusted_key(made.pem)}).key == made.id


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "approvals.pem"
    make_key(path)
    before = path.read_bytes()

    with pytest.raises(InvalidKey, match="is there already, and a key is never overwritten"):
        make_key(path)
    make_key_unless_there(path)

    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o600, before)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o644, 0o777])
@pytest.mark.parametrize("read", [read_signer, lambda location: read_note_key(Path(location))])
def test_a_key_file_that_others_can_read_or_change_is_refused_with_the_command_to_run(
    tmp_path: Path, mode: int, read: Callable[[str], object]
) -> None:
    path = tmp_path / "key.pem"
    make_key(path, ED25519)
    path.chmod(mode)

    with pytest.raises(KeyExposed) as refused:
        read(str(path))
    path.chmod(0o600)

    assert f"(mode {mode:o})" in str(refused.value)
    assert str(refused.value).endswith(f"Run: chmod 600 {path}")
    assert read(str(path))


def test_a_link_to_a_key_file_is_as_open_as_the_file(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    (tmp_path / "link.pem").symlink_to(tmp_path / "key.pem")

    with pytest.raises(KeyExposed, match="is open to everyone"):
        read_signer(str(tmp_path / "link.pem"))


def test_a_key_file_of_another_user_is_refused_and_one_of_root_is_not(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    make_key(path)
    seen = list(path.stat())

    seen[4] = os.geteuid() + 1
    another = exposed(path, os.stat_result(seen))
    seen[4] = 0
    roots = exposed(path, os.stat_result(seen))

    assert another.endswith(f"Run: chown {os.geteuid()} {path} && chmod 600 {path}")
    assert roots == ""


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o707, 0o702, 0o777])
@pytest.mark.parametrize("read", [read_signer, lambda location: read_note_key(Path(location))])
def test_a_key_file_that_others_could_replace_is_refused_with_the_command_to_run(
    tmp_path: Path, mode: int, read: Callable[[str], object]
) -> None:
    folder = tmp_path / "keys"
    make_key(folder / "key.pem", ED25519)
    (tmp_path / "link.pem").symlink_to(folder / "key.pem")
    folder.chmod(mode)

    refusals = []
    for name in ("keys/key.pem", "link.pem"):
        with pytest.raises(KeyExposed) as refused:
            read(str(tmp_path / name))
        refusals.append(str(refused.value))
    folder.chmod(0o1777)  # as /tmp: only the owner of a file can replace it

    assert [one.partition(". Run: ")[2] for one in refusals] == [f"chmod go-w {folder}"] * 2
    assert read(str(folder / "key.pem"))


def test_a_folder_of_another_user_is_refused_and_one_of_root_is_not(tmp_path: Path) -> None:
    seen = list(tmp_path.stat())

    seen[4] = os.geteuid() + 1
    another = replaceable_in(tmp_path, os.stat_result(seen))
    seen[4] = 0
    roots = replaceable_in(tmp_path, os.stat_result(seen))

    assert another.endswith(f"Run: chown {os.geteuid()} {tmp_path}")
    assert roots == ""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is not there. Make a key with: countersign keys new --out"),
        (b"none", "holds no private key in PEM"),
        (
            pem_of(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"word")),
            "encrypted with a passphrase",
        ),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "a key of another kind"),
        (pem_of(rsa.generate_private_key(65537, 2048)), "a key of another kind"),
    ],
    ids=["missing", "no key", "encrypted", "P-384", "RSA"],
)
def test_a_file_that_is_of_no_use_says_why(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "approvals.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)

    with pytest.raises(InvalidKey, match=sentence):
        read_signer(str(path))


def test_a_directory_where_no_file_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidKey, match="cannot be written"):
        make_key(tmp_path / "file" / "approvals.pem")


@pytest.mark.parametrize(("scheme", "extra"), [("gcpkms", "gcpkms"), ("hv", "vault")])
def test_a_key_service_whose_packages_are_missing_is_told_with_what_to_install(scheme: str, extra: str) -> None:
    with pytest.raises(InvalidKey, match=rf"pip install \"securesystemslib\[{extra}\]\""):
        read_signer(f"{scheme}:our-key")


class AnAnswer:
    """A key service, as securesystemslib shows it: signs with its key, or raises the given error."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self._inner = signer_with(ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> SSlibKey:
        return self._inner._signer.public_key

    def sign(self, payload: bytes) -> object:
        if self.trouble is not None:
            raise self.trouble
        return self._inner._signer.sign(payload)

    @property
    def service(self) -> KeyService:
        return KeyService("A key service", "none", lambda rest, _: (rest, self.public_key), ())

    @property
    def signer(self) -> DsseSigner:
        return DsseSigner(self, self._inner.key, self.service)  # type: ignore[arg-type]


class Forbidden(OSError):
    """As HashiCorp Vault calls it."""


def test_a_key_service_signs_like_a_file() -> None:
    service = AnAnswer()

    envelope = service.signer.sign(PAYLOAD, PAYLOAD_TYPE)

    key = service.signer.key
    assert verify(envelope, {key.id: trusted_key(key.pem)}).payload == PAYLOAD


def test_a_key_service_that_does_not_answer_is_asked_again_and_one_that_refuses_is_not() -> None:
    with pytest.raises(Temporary, match=r"A key service did not sign: ConnectionError: gone\. It is tried again"):
        AnAnswer(ConnectionError("gone")).signer.sign(PAYLOAD, PAYLOAD_TYPE)
    with pytest.raises(Permanent, match=r"did not sign: Forbidden: no\. Let the worker's account sign"):
        AnAnswer(Forbidden("no")).signer.sign(PAYLOAD, PAYLOAD_TYPE)


def test_every_key_service_is_one_that_the_settings_know() -> None:
    from config.settings.values import KEY_SERVICES

    assert set(SERVICES) == set(KEY_SERVICES)


def test_whoever_is_no_worker_signs_nothing() -> None:
    with pytest.raises(Permanent, match="only the worker signs approvals"):
        NoSigner().sign(PAYLOAD, PAYLOAD_TYPE)
    with pytest.raises(Permanent, match="only the worker has a signing key"):
        _ = NoSigner().key
