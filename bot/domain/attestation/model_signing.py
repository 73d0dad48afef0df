"""The statement of an OpenSSF Model Signing signature (v1.0) over a version's approved files.

`model_signing verify` of others reads it: https://github.com/ossf/model-signing-spec. Its signature is made by the key of the approvals.
"""

from __future__ import annotations

import hashlib

from bot.domain.attestation.file_list import listed_files
from bot.domain.attestation.in_toto import STATEMENT_TYPE
from bot.domain.ledger.chain import Plain

SIGNATURE_TYPE = "https://model_signing/signature/v1.0"
NOT_SIGNED = ["registered_model_meta"]  # MLflow adds it to downloaded copies; it is not part of the model


def statement_over(manifest: str, name: str) -> dict[str, Plain]:
    """`manifest` is the list of the files. The subject is the digest of all digests, in the order of the paths."""
    files = sorted(listed_files(manifest).items(), key=lambda one: one[0].split("/"))
    whole = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in files)).hexdigest()
    resources: list[Plain] = [{"name": path, "algorithm": "sha256", "digest": digest} for path, digest in files]
    serialization: dict[str, Plain] = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": list[Plain](NOT_SIGNED),
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": whole}}],
        "predicateType": SIGNATURE_TYPE,
        "predicate": {"serialization": serialization, "resources": resources},
    }
